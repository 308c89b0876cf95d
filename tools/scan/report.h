/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_REPORT_H
#define MXG_SCAN_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "scan/tally.h"

/* One tally, told in four ways; it must have been sorted. */
struct mxg_scan_report {
	const struct mxg_tally *tally;
	size_t top; /* how many direct peers to list */
	bool interrupted;
	int64_t now;
	int64_t history; /* where it begins; 0: there is none */
};

void mxg_report_people(const struct mxg_scan_report *report, FILE *to); /* tables and bars */
void mxg_report_json(const struct mxg_scan_report *report); /* one object on stdout */
void mxg_report_csv(const struct mxg_scan_report *report, FILE *to); /* a row a month */
void mxg_report_html(const struct mxg_scan_report *report, FILE *to); /* one self-contained page */

#endif
