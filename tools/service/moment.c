/* SPDX-License-Identifier: MIT */
/* What time it is, and whether it is time to say something again. */
#include "moment.h"

#include <time.h>

#define TOLD_MS 60000 /* between two lines that say the same */

int64_t mxg_moment_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool mxg_moment_may_tell(int64_t *told)
{
	int64_t now = mxg_moment_now();
	if (*told != 0 && now - *told < TOLD_MS)
		return false;
	*told = now;
	return true;
}
