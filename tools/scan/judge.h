/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_JUDGE_H
#define MXG_SCAN_JUDGE_H

#include <stdatomic.h>

#include "mxguard.h"
#include "snapshot/history.h"
#include "scan/domains.h"
#include "scan/listing.h"
#include "scan/tally.h"

/* From a message's header to the counts: how it came. One worker's. */
struct mxg_scan_judge;

struct mxg_scan_rules {
	const struct mxguard_session *session; /* each worker has one of its own beside it */
	const struct mxg_history *history; /* messages are judged as of their own time; NULL: there is none */
	int64_t after, settle; /* seconds for which a change is felt: grace, and dns.settle */
	int64_t now;
	const char *recipient; /* for messages that do not tell theirs; NULL: none */
	enum mxguard_place place; /* where the front end would have stood */
	struct mxg_scan_domains *domains;
	struct mxg_listing *listing;
	int64_t since; /* older messages in mbox files are left out; 0: none */
	atomic_bool *stop;
	atomic_ullong *done; /* messages, for the progress bar */
};

/* A header, or its beginning: more of it is read while it is wanted, and stands behind the rest then. */
struct mxg_scan_header {
	const char *bytes;
	size_t len;
	int fd; /* -1: it is whole */
	char *room; /* for what is read: behind the bytes */
	size_t left;
};

/* NULL: out of memory. */
struct mxg_scan_judge *mxg_scan_judge_new(const struct mxg_scan_rules *rules, struct mxg_tally *tally);
/* file: where it lies, for people; number: which it is in a file with many, 0: it is the file; date 0: not known. */
void mxg_scan_judge(struct mxg_scan_judge *judge, struct mxg_scan_header *header, const char *file,
		    unsigned long number, int64_t date);
void mxg_scan_judge_free(struct mxg_scan_judge *judge);

#endif
