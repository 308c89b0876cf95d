/* SPDX-License-Identifier: MIT */
/* What time it is, and whether it is time to say something again. */
#include "moment.h"

#include "base/clock.h"

#define TOLD_MS 60000 /* between two lines that say the same */

bool mxg_moment_may_tell(int64_t *told)
{
	int64_t now = mxg_monotonic_ms();
	if (*told != 0 && now - *told < TOLD_MS)
		return false;
	*told = now;
	return true;
}
