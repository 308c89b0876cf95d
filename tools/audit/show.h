/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_SHOW_H
#define MXG_AUDIT_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "audit/audit.h"
#include "table.h"

#define MXG_FAILURES_TOLD 20 /* on stderr */

/* What is told when it is known how it all went: a line for each question of a dead resolver helps nobody. */
struct mxg_told {
	char *lines[MXG_FAILURES_TOLD]; /* the first ones */
	size_t count;
};

/* Rows for people or for scripts; what could not be asked goes to stderr. */
struct mxg_show {
	bool json, failed; /* failed: something could not be written */
	struct mxg_table *table;
	size_t failures;
	struct mxg_told silent, others; /* silent: questions to DNS that nobody has answered at all */
	json_t *rows, *told; /* for the page; NULL: there will be none */
};

/* page: rows are kept for one. False: out of memory. */
bool mxg_show_begin(struct mxg_show *show, bool json, bool page);
void mxg_show_row(void *show, const struct mxg_audit_row *row);
void mxg_show_failure(void *show, enum mxg_audit_trouble trouble, const char *text);
/* With the table, if it is to be shown; deaf: DNS has answered nothing, or nothing any more. False: not all could be
 * written. */
bool mxg_show_end(struct mxg_show *show, bool table, bool deaf);

/* show_page.c */
json_t *mxg_show_page_row(const struct mxg_audit_row *row);
void mxg_show_page(const struct mxg_show *show, const struct mxg_audit *audit, const char *config, int64_t now,
		   FILE *to);

#endif
