/* SPDX-License-Identifier: MIT */
/* What a domain's decision asks for: what is not known, and again what is stale. */
#include <string.h>

#include "check/decide_internal.h"

static void wait_for(struct mxg_domain_check *d, int entry)
{
	if (d->waiting_count < sizeof(d->waiting) / sizeof(d->waiting[0]))
		d->waiting[d->waiting_count] = entry;
	d->waiting_count++;
}

/* No reply will come any more. */
static void cancel(struct mxguard_check *c, int entry)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_CANCELLED };
	mxg_answers_put_live(c->answers, entry, &none, c->now);
	mxg_answers_set_flags(c->answers, entry, MXG_ENTRY_ASKED | MXG_ENTRY_REPLIED, 0);
}

/* Asks, live, all entries that have all of `marks`; false where none is left to wait for. */
bool mxg_decide_ask(struct mxguard_check *c, struct mxg_domain_check *d, unsigned marks)
{
	d->waiting_count = 0;
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++) {
		unsigned flags = mxg_answers_flags(c->answers, e);
		if ((flags & marks) != marks || (flags & MXG_ENTRY_REPLIED) != 0)
			continue;
		if (c->gave_up) {
			cancel(c, e);
			d->dirty = true;
		} else if ((flags & MXG_ENTRY_ASKED) == 0 && !mxg_check_ask(c, e)) {
			return false;
		}
		wait_for(d, e);
	}
	return d->waiting_count > 0;
}

int mxg_decide_first(const struct mxguard_check *c, unsigned marks)
{
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++)
		if ((mxg_answers_flags(c->answers, e) & marks) == marks)
			return e;
	return -1;
}

bool mxg_decide_asked_again(const struct mxg_domain_check *d, int entry)
{
	return d->asked_again != NULL && (d->asked_again[entry / 8] >> entry % 8 & 1) != 0;
}

/* Marks the stale answers that were rested on as asked for again; false: all of them are. */
static bool mark_stale(struct mxguard_check *c, struct mxg_domain_check *d)
{
	bool new = false;
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++) {
		if ((mxg_answers_flags(c->answers, e) & MXG_ENTRY_STALE_USED) == 0 || mxg_decide_asked_again(d, e))
			continue;
		if (d->asked_again == NULL) {
			d->asked_again = mxg_arena_take(&c->arena, MXG_ANSWERS_MAX / 8);
			if (d->asked_again == NULL) {
				c->out_of_memory = true;
				return true;
			}
			memset(d->asked_again, 0, MXG_ANSWERS_MAX / 8);
		}
		d->asked_again[e / 8] |= (uint8_t)(1u << e % 8);
		new = true;
	}
	return new;
}

/* A definite answer rests on fresh answers only: stale ones are asked for again. */
enum mxg_decide_progress mxg_decide_ask_again(struct mxguard_check *c, struct mxg_domain_check *d)
{
	if (!mark_stale(c, d))
		return MXG_PROGRESS_ON;
	return mxg_decide_ask(c, d, MXG_ENTRY_STALE_USED) || c->out_of_memory ? MXG_PROGRESS_WAIT : MXG_PROGRESS_AGAIN;
}

/* Whether the replies to all of them are in, or will not come any more. */
bool mxg_decide_again_is_in(struct mxguard_check *c, struct mxg_domain_check *d)
{
	for (int e = 0; d->asked_again != NULL && e < (int)mxg_answers_count(c->answers); e++) {
		if (!mxg_decide_asked_again(d, e) || (mxg_answers_flags(c->answers, e) & MXG_ENTRY_REPLIED) != 0)
			continue;
		if (!c->gave_up)
			return false;
		cancel(c, e);
	}
	return true;
}
