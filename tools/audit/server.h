/* SPDX-License-Identifier: MIT */
#ifndef MXG_SERVER_H
#define MXG_SERVER_H

#include "audit/guard.h"

/* One kind of mail server: how its configuration is read, and what it says of a port. */

enum mxg_door {
	MXG_DOOR_NOT_HERE, /* it does not listen there, as far as its configuration goes */
	MXG_DOOR_LOGIN, /* strangers' mail for the domain does not get in */
	MXG_DOOR_MAIL
};

struct mxg_server_kind {
	const char *program; /* as in struct mxg_listener */
	void *(*read)(const char *config); /* NULL: not installed, or not readable */
	void (*free)(void *server);
	/* domain NULL: whichever. *guard is set for MXG_DOOR_MAIL. */
	enum mxg_door (*door)(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
			      const char *domain, enum mxg_guard *guard);
	void (*names)(const void *server, mxg_guards_text *name, void *to);
	void (*certificates)(const void *server, mxg_guards_text *file, void *to);
};

extern const struct mxg_server_kind mxg_server_postfix, mxg_server_dovecot, mxg_server_exim, mxg_server_opensmtpd,
	mxg_server_sendmail;

/* Whether a service that a server asks is mxguard: "inet:127.0.0.1:10033", "unix:/run/mxguard/policy". */
enum mxg_service { MXG_SERVICE_OTHER, MXG_SERVICE_OURS, MXG_SERVICE_SILENT, MXG_SERVICE_UNKNOWN };
enum mxg_service mxg_guards_service(const struct mxg_guards *guards, const char *text, size_t len);

/* Whether nobody answers at the socket in "unix:/run/mxguard/policy"; false where none is named. */
bool mxg_guards_socket_is_silent(const char *text, size_t len);

/* What Dovecot does with mail that it gets by "lmtp" or by "lda": PLUGIN, NONE or UNKNOWN. */
enum mxg_guard mxg_guards_dovecot(const struct mxg_guards *guards, const char *protocol);

/* What a command that mail is piped to does: WRAPPER, that of Dovecot, NONE or UNKNOWN. */
enum mxg_guard mxg_guards_command(const struct mxg_guards *guards, const char *line);

/* "smtp", "25"; 0: not a port. */
unsigned mxg_port_number(const char *text);
/* Whether a listener is meant by "192.0.2.1:25", "[2001:db8::1]:smtp" or "25". */
bool mxg_listener_is(const struct mxg_listener *listener, const char *text);

#endif
