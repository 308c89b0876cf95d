/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_SHOW_H
#define MXG_AUDIT_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "audit/audit.h"
#include "table.h"

/* Rows for people or for scripts; what could not be asked goes to stderr. */
struct mxg_show {
	bool json, failed; /* failed: something could not be written */
	struct mxg_table *table;
	size_t failures;
	json_t *rows, *told; /* for the page; NULL: there will be none */
};

/* page: rows are kept for one. False: out of memory. */
bool mxg_show_begin(struct mxg_show *show, bool json, bool page);
void mxg_show_row(void *show, const struct mxg_audit_row *row);
void mxg_show_failure(void *show, const char *text);
/* With the table, if it is to be shown. False: not all could be written. */
bool mxg_show_end(struct mxg_show *show, bool table);

/* show_page.c */
json_t *mxg_show_page_row(const struct mxg_audit_row *row);
void mxg_show_page(const struct mxg_show *show, const struct mxg_audit *audit, const char *config, int64_t now,
		   FILE *to);

#endif
