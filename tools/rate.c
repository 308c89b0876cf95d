/* SPDX-License-Identifier: MIT */
#include "rate.h"

#define SECOND INT64_C(1000000)
#define BURST (SECOND / 20) /* so much of a second may be made up for at once */

bool mxg_rate_take(struct mxg_rate *r, int64_t now)
{
	if (r->per_second == 0)
		return true;
	if (r->next > now)
		return false;
	if (r->next < now - BURST)
		r->next = now - BURST;
	r->next += SECOND / r->per_second;
	return true;
}

int mxg_rate_wait_ms(const struct mxg_rate *r, int64_t now, int most)
{
	if (r->per_second == 0)
		return most;
	int64_t ms = r->next > now ? (r->next - now + 999) / 1000 : 0;
	return ms < most ? (int)ms : most;
}
