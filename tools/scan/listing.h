/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_LISTING_H
#define MXG_SCAN_LISTING_H

#include <stdio.h>

#include "scan/tally.h"

/*
 * Messages one by one: those that came in one way are written as they are found, a line each, and the newest ones
 * that could not be judged are kept for the page. One for all workers.
 */
#define MXG_LISTING_KEPT 1000

struct mxg_listed {
	char file[512], domain[256];
	const char *reason; /* static */
	unsigned long number; /* of the message in a file with many; 0: it is the file */
	int64_t date;
};

struct mxg_listing;

/* path: MXG_PATHS for none; to may be NULL then. NULL: out of memory. */
struct mxg_listing *mxg_listing_new(enum mxg_path path, bool json, FILE *to);
void mxg_listing_free(struct mxg_listing *listing);
void mxg_listing_add(struct mxg_listing *listing, const struct mxg_tally_message *message);

/* When all workers are done: what could not be judged, the newest first. */
const struct mxg_listed *mxg_listing_unknown(struct mxg_listing *listing, size_t *count);

#endif
