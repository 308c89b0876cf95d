/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_DOMAINS_H
#define MXG_SCAN_DOMAINS_H

#include "scan/tally.h"

/*
 * What a scan counts of each domain. One for all workers, since there may be as many domains as messages: parts of
 * it have a lock each. Its size is bounded: a domain that has no room counts in the tally only, and a month that has
 * none only in the domain's sum; both are told.
 */
#define MXG_SCAN_DOMAINS 262144
#define MXG_SCAN_MONTHS 1048576 /* of all domains together */

struct mxg_scan_month {
	uint16_t month; /* as in the tally */
	uint32_t paths[MXG_PATHS];
};

struct mxg_scan_domain {
	char *name;
	uint64_t paths[MXG_PATHS];
	int64_t first_direct, last_direct;
	struct mxg_scan_month *months; /* in no order */
	size_t month_count, month_room;
};

struct mxg_scan_domains;

struct mxg_scan_domains *mxg_scan_domains_new(void); /* NULL: out of memory */
void mxg_scan_domains_free(struct mxg_scan_domains *domains);
void mxg_scan_domains_add(struct mxg_scan_domains *domains, const struct mxg_tally_message *message);

/* When all workers are done: those with most messages first, in memory of their own. NULL: out of memory. */
const struct mxg_scan_domain *const *mxg_scan_domains_sort(struct mxg_scan_domains *domains, size_t *count);
bool mxg_scan_domains_cut(const struct mxg_scan_domains *domains); /* something had no room */
uint64_t mxg_scan_domain_messages(const struct mxg_scan_domain *domain);

#endif
