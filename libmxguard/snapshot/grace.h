/* SPDX-License-Identifier: MIT */
#ifndef MXG_GRACE_H
#define MXG_GRACE_H

#include "dns/answers.h"

/* Grace: what was taken out of an answer still counts for a while, in the state that stood before. */

#define MXG_GRACE_MOMENTS 8 /* past states that are looked at */

/* A moment at which answers gave way to others. */
struct mxg_grace_moment {
	int64_t at;
	int64_t until; /* the end of grace: it may authorize while now is before that */
	int entry; /* one of the answers */
};

/* When a version that was superseded does not count any more; grace in seconds. */
int64_t mxg_grace_end(const struct mxg_answer *version, uint32_t grace);

/* The latest changes that are in grace now, among the entries that have all of `marks`: newest
 * first, each moment once. Returns how many there are. */
size_t mxg_grace_moments(const struct mxg_answers *answers, unsigned marks, uint32_t grace, int64_t now,
			 struct mxg_grace_moment out[MXG_GRACE_MOMENTS]);

#endif
