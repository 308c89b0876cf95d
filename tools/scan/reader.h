/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_READER_H
#define MXG_SCAN_READER_H

#include "scan/judge.h"
#include "scan/source.h"

/* One worker: reads the headers of messages and judges them. One thread's. */
struct mxg_scan_reader;

/* NULL: out of memory. */
struct mxg_scan_reader *mxg_scan_reader_new(const struct mxg_scan_rules *rules, struct mxg_tally *tally);
/* Messages, or mbox files with many. The body of a single message is never read. */
void mxg_scan_reader_batch(struct mxg_scan_reader *reader, const struct mxg_batch *batch);
/* One message, whose header is here. The name is for people: where it lies. */
void mxg_scan_reader_header(struct mxg_scan_reader *reader, const char *name, const char *header, size_t len,
			    int64_t date);
void mxg_scan_reader_free(struct mxg_scan_reader *reader);

#endif
