/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_READER_H
#define MXG_SCAN_READER_H

#include <stdatomic.h>

#include "mxguard.h"
#include "snapshot/history.h"
#include "scan/domains.h"
#include "scan/listing.h"
#include "scan/tally.h"

/* One worker: reads the headers of messages and judges them. One thread's. */
struct mxg_scan_reader;

struct mxg_scan_rules {
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot; /* may be NULL */
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

/* NULL: out of memory. */
struct mxg_scan_reader *mxg_scan_reader_new(const struct mxg_scan_rules *rules, struct mxg_tally *tally);
/* A message, or an mbox file with many. The body of a single message is never read. */
void mxg_scan_reader_file(struct mxg_scan_reader *reader, const char *path);
/* One message, whose header is here. The name is for people: where it lies. */
void mxg_scan_reader_header(struct mxg_scan_reader *reader, const char *name, const char *header, size_t len,
			    int64_t date);
void mxg_scan_reader_free(struct mxg_scan_reader *reader);

#endif
