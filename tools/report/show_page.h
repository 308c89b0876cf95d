/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_SHOW_PAGE_H
#define MXG_REPORT_SHOW_PAGE_H

#include <stdio.h>

#include "report/judge.h"

struct mxg_report_about { /* how the report came to be */
	const char *config; /* NULL: none was read */
	const char *const *logs, *const *domains;
	size_t log_count, domain_count;
	const struct mxg_change *changes;
	size_t change_count;
	bool journal;
	int64_t since, now;
};

/* Everything on one page for a browser. */
void mxg_report_show_page(const struct mxg_report_result *result, const struct mxg_report_about *about, FILE *to);

/* show_page_charts.c */
struct mxg_page;
void mxg_report_put_verdicts(const struct mxg_report_result *result, struct mxg_page *page);
void mxg_report_put_days(const struct mxg_report_state *state, struct mxg_page *page);

#endif
