/* SPDX-License-Identifier: MIT */
#ifndef MXG_GUARD_H
#define MXG_GUARD_H

#include "audit/listeners.h"

/* What stands between a port of this host and a mailbox. */
enum mxg_guard {
	MXG_GUARD_POLICY,
	MXG_GUARD_MILTER,
	MXG_GUARD_FILTER, /* of OpenSMTPD */
	MXG_GUARD_PLUGIN, /* of Dovecot */
	MXG_GUARD_WRAPPER,
	MXG_GUARD_FIREWALL,
	MXG_GUARD_NONE,
	MXG_GUARD_UNKNOWN
};
const char *mxg_guard_word(enum mxg_guard guard);

/* Of two ways that mail may take, where it is not known which one it takes. */
enum mxg_guard mxg_guard_either(enum mxg_guard one, enum mxg_guard other);

/* Configurations, as the servers' own programs take them; NULL: the usual ones. */
struct mxg_guard_sources {
	const char *postfix, *dovecot, *exim, *opensmtpd, *sendmail;
};

struct mxg_guards;
struct mxg_audit;

struct mxg_guarded {
	unsigned port;
	enum mxg_guard guard;
};
#define MXG_PORTS_MOST 16

/* What listens here, and the configurations of whoever does. What cannot be read is told to the audit.
 * NULL: out of memory. */
struct mxg_guards *mxg_guards_read(const struct mxg_guard_sources *sources, struct mxg_audit *audit);
void mxg_guards_free(struct mxg_guards *guards); /* NULL is allowed */
/* The ports at that address where a stranger may hand over mail for the domain (NULL: any of ours); how
 * many there are. */
size_t mxg_guards_at(const struct mxg_guards *guards, const struct mxg_address *address, const char *domain,
		     struct mxg_guarded out[MXG_PORTS_MOST]);

/* What the servers call themselves, and the files with the certificates that they show. */
typedef void mxg_guards_text(void *to, const char *text);
void mxg_guards_names(const struct mxg_guards *guards, mxg_guards_text *name, void *to);
void mxg_guards_certificates(const struct mxg_guards *guards, mxg_guards_text *file, void *to);

#endif
