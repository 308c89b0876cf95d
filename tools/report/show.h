/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_SHOW_H
#define MXG_REPORT_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "report/judge.h"

json_t *mxg_report_object(const struct mxg_report_result *result); /* the one JSON form */
json_t *mxg_report_line_object(const struct mxg_report_result *result, const struct mxg_time_line *line);
void mxg_report_show_csv(const struct mxg_report_result *result, FILE *to); /* a row a domain */
void mxg_report_show_people(const struct mxg_report_result *result, size_t top, FILE *to);

/* "candidate: 192.0.2.1 brought 45 messages"; false: there is no such number. */
#define MXG_BLOCKER_MAX 200
bool mxg_report_blocker(const struct mxg_report_result *result, const struct mxg_domain_verdict *domain, size_t number,
			char text[MXG_BLOCKER_MAX]);
bool mxg_report_reason_why(const struct mxg_candidate *candidate, size_t number, char text[MXG_BLOCKER_MAX]);

#endif
