/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_DEADLINE_H
#define MXG_LDA_DEADLINE_H

#include <stdint.h>
#include <time.h>

/* pipe(8) bounces what takes longer than its own limit (1000 s): we end far earlier. */
static inline int64_t mxg_lda_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Milliseconds that are left, 0 when it has passed. */
static inline int mxg_lda_left(int64_t deadline)
{
	int64_t left = deadline - mxg_lda_now();
	return left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

#endif
