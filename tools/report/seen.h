/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_SEEN_H
#define MXG_REPORT_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lines that are in two rotations count once. A stretch is a part of the input in which time goes on: a
 * file, or what stands behind a step back in it. Of a line that is in several stretches, as often counts
 * as it is in the one that has it most often; so two equal lines of one stretch are two, since a service
 * may well say the same twice in a second. Lines are kept as hashes, by second, in the order in which
 * they came: a second that no other stretch has costs a write, and no search.
 */
struct mxg_seen;

struct mxg_seen *mxg_seen_new(size_t most); /* lines that are kept at most; NULL: out of memory */
void mxg_seen_free(struct mxg_seen *seen);
void mxg_seen_stretch(struct mxg_seen *seen); /* a new one begins */
/* True: it was counted already. */
bool mxg_seen_line(struct mxg_seen *seen, int64_t time, uint64_t hash);
/* There were more lines than could be kept: some may have been counted twice. */
bool mxg_seen_gave_up(const struct mxg_seen *seen);

#endif
