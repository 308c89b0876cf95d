/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_POSTFIX_H
#define MXG_AUDIT_POSTFIX_H

#include "audit/server.h"

struct mxg_postfix {
	char *main, *master, *services; /* postconf -x, -M, -xP */
};

/* What the door of one service is asked about. */
struct mxg_postfix_door {
	const struct mxg_postfix *postfix;
	const struct mxg_guards *guards;
	const char *service, *type; /* of master.cf */
};

/* A setting of main.cf in memory of its own, "" where it is not set. */
char *mxg_postfix_main(const struct mxg_postfix *postfix, const char *name);
bool mxg_postfix_is_word(const char *word, size_t len, const char *text);

/* postfix_delivery.c. Whether Postfix takes mail for the domain at all, as far as its lists name domains. */
bool mxg_postfix_serves(const struct mxg_postfix *postfix, const char *domain);
enum mxg_guard mxg_postfix_delivery(const struct mxg_postfix_door *door, const char *domain);

#endif
