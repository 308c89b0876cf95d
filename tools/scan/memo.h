/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_MEMO_H
#define MXG_SCAN_MEMO_H

#include <stdbool.h>

#include "mxguard.h"

/* What DNS said about a peer and a domain, in a stretch of time in which nothing changed, so that a million messages of
 * one sender cost one question. A table of fixed size in which a newcomer takes the place of whoever was there. */
struct mxg_memo;

struct mxg_memo_outcome {
	enum mxguard_verdict verdict;
	enum mxguard_action would;
	char gateway[64];
	const char *reason; /* a code; static */
	bool today; /* it rests on an answer of today */
};

struct mxg_memo *mxg_memo_new(void); /* NULL: out of memory */
void mxg_memo_free(struct mxg_memo *memo);
bool mxg_memo_get(const struct mxg_memo *memo, const char *peer, const char *domain, size_t stretch,
		  struct mxg_memo_outcome *out);
void mxg_memo_put(struct mxg_memo *memo, const char *peer, const char *domain, size_t stretch,
		  const struct mxg_memo_outcome *outcome);

#endif
