/* SPDX-License-Identifier: MIT */
#ifndef MXG_SETUP_H
#define MXG_SETUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/address.h"
#include "suggest/suggest.h"

/* A first configuration for this host: found.c gathers what its MTA, its Dovecot and DNS say, conf.c makes
 * mxguard.conf of it, lines.c the lines for the others, write.c puts the file where there is none. */

#define MXG_SETUP_SERVERS 8

/* Texts, each once, in the order in which they came. */
struct mxg_setup_list {
	char **items;
	size_t count, room;
	char why[512]; /* where they are from: "Postfix's mydestination, …" */
};

struct mxg_setup_options {
	const char *config; /* the file to write, which front ends then read */
	const char *postfix, *exim, *dovecot, *catalogue; /* NULL: their own */
	const char *servers[MXG_SETUP_SERVERS]; /* DNS */
	size_t server_count;
	bool no_dns;
};

/* Where Exim's lines go: into an ACL, or a file that Debian's own configuration takes in by a macro. */
enum mxg_exim_place { MXG_EXIM_PLACE_ACL, MXG_EXIM_PLACE_DEBIAN, MXG_EXIM_PLACE_DEBIAN_SPLIT };

struct mxg_setup {
	const struct mxg_setup_options *options;
	bool has_postfix, has_exim;
	bool exim_asks; /* its ACL asks already */
	enum mxg_exim_place exim_place;
	unsigned dovecot; /* 203, 204 …; 0: there is none */
	bool plugin_loaded; /* Dovecot has it in protocol lmtp already */
	char *postfix_version, *dovecot_version;
	char *restrictions; /* Postfix's smtpd_recipient_restrictions */
	bool login_written; /* smtpd_sasl_authenticated_header */
	bool networks_unwritten; /* mynetworks is Postfix's own default */
	struct mxg_setup_list domains, internal, origins, self, by, unread;
	struct mxg_suggest suggest; /* holds the vendors of: */
	struct mxg_suggestion *suggestions;
	size_t suggestion_count;
	bool nomem;
};

void mxg_setup_find(struct mxg_setup *setup, const struct mxg_setup_options *options);
void mxg_setup_clear(struct mxg_setup *setup);
void mxg_setup_add(struct mxg_setup *setup, struct mxg_setup_list *list, const char *text, const char *why);
/* A range, unless it is on loopback, which needs no word. */
void mxg_setup_add_prefix(struct mxg_setup *setup, struct mxg_setup_list *list, const struct mxg_prefix *prefix,
			  const char *why);
/* A name for trace.by. */
void mxg_setup_add_name(struct mxg_setup *setup, const char *name, const char *why);
/* A domain, unless it is no name: a pattern, a lookup. */
void mxg_setup_add_domain(struct mxg_setup *setup, const char *name, const char *why);

void mxg_setup_postfix(struct mxg_setup *setup); /* postfix.c */
void mxg_setup_exim(struct mxg_setup *setup); /* exim.c */
void mxg_setup_dovecot(struct mxg_setup *setup); /* dovecot.c */

void mxg_setup_conf(const struct mxg_setup *setup, FILE *to);

/* What to add where; lines end with \n. False: nothing is to be added there. */
bool mxg_setup_postfix_lines(const struct mxg_setup *setup, FILE *to);
bool mxg_setup_exim_lines(const struct mxg_setup *setup, FILE *to);
bool mxg_setup_exim_macro(const struct mxg_setup *setup, FILE *to);
bool mxg_setup_dovecot_lines(const struct mxg_setup *setup, FILE *to);
/* Commands, in their order. */
void mxg_setup_next(const struct mxg_setup *setup, bool written, FILE *to);

/* The command that moves the file out of --write's way, loses nothing, and may be run twice. */
void mxg_setup_move_away(const char *path, FILE *to, const char *after);

/* Only where there is no such file, and through no link. NULL, or why not. */
const char *mxg_setup_write(const char *path, const char *text, size_t len, bool *exists);

#endif
