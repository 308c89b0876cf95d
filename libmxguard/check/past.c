/* SPDX-License-Identifier: MIT */
/* Decisions as of a time that is past. */
#include "check/past.h"

#include "check/internal.h"

void mxg_check_set_past(struct mxguard_check *c, const struct mxg_history *history, int64_t at)
{
	c->past = history;
	c->past_load = mxg_history_load;
	c->past_time = at;
	c->past_cover = MXG_PAST_NOT_ASKED;
}

enum mxg_past mxg_check_past(const struct mxguard_check *c)
{
	return c->past_cover;
}

const char *mxg_check_for(const struct mxguard_check *c)
{
	return c->for_address == NULL ? "" : c->for_address;
}
