/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_REPORT_H
#define MXG_SCAN_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "scan/domains.h"
#include "scan/listing.h"
#include "scan/tally.h"

/* One tally, told in four ways; it must have been sorted. */
struct mxg_scan_report {
	const struct mxg_tally *tally;
	size_t top; /* how many direct peers to list */
	bool interrupted;
	int64_t now;
	int64_t history; /* where it begins; 0: there is none */
	const struct mxg_scan_domain *const *domains; /* most messages first; NULL: no memory */
	size_t domain_count;
	bool domains_cut; /* there are more */
	const struct mxg_listed *unknown; /* some of what could not be judged, the newest first */
	size_t unknown_count;
	const char *config, *recipient; /* how the scan came to be; recipient NULL: none was given */
	const char *const *paths;
	size_t path_count;
	enum mxguard_place place;
	int64_t since; /* 0: all */
	bool all_folders;
};

void mxg_report_people(const struct mxg_scan_report *report, FILE *to); /* tables and bars */
void mxg_report_json(const struct mxg_scan_report *report); /* one object on stdout */
void mxg_report_csv(const struct mxg_scan_report *report, FILE *to); /* a row a month */
void mxg_report_page(const struct mxg_scan_report *report, FILE *to); /* for a browser */

#endif
