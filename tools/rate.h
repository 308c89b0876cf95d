/* SPDX-License-Identifier: MIT */
#ifndef MXG_RATE_H
#define MXG_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* So many questions a second and no more, in even portions: a resolver has others to serve. */
struct mxg_rate {
	unsigned per_second; /* 0: no limit */
	int64_t next; /* microseconds of the monotonic clock: when the next one may go out */
};

bool mxg_rate_take(struct mxg_rate *rate, int64_t now);
int mxg_rate_wait_ms(const struct mxg_rate *rate, int64_t now, int most); /* until mxg_rate_take() gives one */
int64_t mxg_rate_clock(void); /* monotonic, in microseconds */
int64_t mxg_rate_clock_ms(void);

#endif
