/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_SHOW_H
#define MXG_AUDIT_SHOW_H

#include "audit/audit.h"
#include "table.h"

/* Rows for people or for scripts; what could not be asked goes to stderr. */
struct mxg_show {
	bool json, failed; /* failed: something could not be written */
	struct mxg_table *table;
	size_t failures;
};

bool mxg_show_begin(struct mxg_show *show, bool json); /* false: out of memory */
void mxg_show_row(void *show, const struct mxg_audit_row *row);
void mxg_show_failure(void *show, const char *text);
/* With the table, if it is to be shown. False: not all could be written. */
bool mxg_show_end(struct mxg_show *show, bool table);

#endif
