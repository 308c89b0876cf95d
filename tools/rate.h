/* SPDX-License-Identifier: MIT */
#ifndef MXG_RATE_H
#define MXG_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* So many questions a second and no more, in even portions: a resolver has others to serve. */
struct mxg_rate {
	unsigned per_second; /* 0: no limit */
	int64_t next; /* mxg_monotonic_us(): when the next one may go out */
};

bool mxg_rate_take(struct mxg_rate *rate, int64_t now); /* now: mxg_monotonic_us() */
int mxg_rate_wait_ms(const struct mxg_rate *rate, int64_t now, int most); /* until mxg_rate_take() gives one */

#endif
