/* SPDX-License-Identifier: MIT */
#include "flatten.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "load.h"

bool mxg_flattener_init(struct mxg_flattener *f, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot)
{
	*f = (struct mxg_flattener){ .policy = policy, .snapshot = snapshot, .now = mxg_wall_clock() };
	f->table = mxg_answers_new();
	return f->table != NULL;
}

void mxg_flattener_clear(struct mxg_flattener *f)
{
	mxg_driver_free(f->driver);
	mxg_answers_free(f->table);
}

void mxg_flat_clear(struct mxg_flat *flat)
{
	mxg_reach_clear(&flat->present);
	for (size_t i = 0; i < MXG_GRACE_MOMENTS; i++)
		mxg_reach_clear(&flat->past[i]);
	free(flat->ranges);
	free(flat->alarms);
	*flat = (struct mxg_flat){ 0 };
}

/* ---- answers --------------------------------------------------------------------------- */

/* As a snapshot of that time would have held it. */
static bool load_past(struct mxg_flattener *f, int entry)
{
	int64_t back =
		f->policy->grace > f->policy->reply_rules.max_ttl ? f->policy->grace : f->policy->reply_rules.max_ttl;
	return mxg_history_load(f->history, f->table, entry, f->now, back) == MXG_HISTORY_COVERED;
}

/* True: something came out of the snapshot. */
static bool load_wanted(struct mxg_flattener *f)
{
	bool loaded = false;
	for (int e = 0; e < (int)mxg_answers_count(f->table); e++) {
		unsigned flags = mxg_answers_flags(f->table, e);
		if ((flags & MXG_ENTRY_WANTED) == 0 || (flags & MXG_ENTRY_LOADED) != 0)
			continue;
		mxg_answers_set_flags(f->table, e, MXG_ENTRY_LOADED, 0);
		if (f->history != NULL)
			loaded |= load_past(f, e);
		else if (f->snapshot != NULL)
			loaded |= mxg_snapshot_load(f->snapshot, f->table, e) == MXG_SNAPSHOT_FOUND;
	}
	return loaded;
}

/* A question that is out. */
struct asked {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct mxg_flattener *flattener;
	int entry;
};

static void on_reply(struct mxg_waiter *waiter, struct mxg_reply *reply)
{
	struct asked *a = (struct asked *)waiter;
	mxg_answers_put_live(a->flattener->table, a->entry, reply, a->flattener->now);
	a->flattener->open--;
	free(a);
}

static bool ask_one(struct mxg_flattener *f, int entry)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED,
				  .failure = f->history != NULL ? MXG_DNS_NOT_RECORDED : MXG_DNS_CANCELLED };
	mxg_answers_set_flags(f->table, entry, MXG_ENTRY_ASKED, 0);
	if (f->no_dns || f->history != NULL) {
		mxg_answers_put_live(f->table, entry, &none, f->now);
		return true;
	}
	if (f->driver == NULL)
		f->driver = mxg_driver_new(f->policy, MXG_DRIVER_PATIENT);
	struct asked *a = f->driver == NULL ? NULL : calloc(1, sizeof(*a));
	if (a == NULL)
		return false;
	*a = (struct asked){ .waiter.done = on_reply, .flattener = f, .entry = entry };
	f->open++;
	mxg_driver_ask(f->driver, mxg_answers_question(f->table, entry), &a->waiter);
	return true;
}

/* True: there is something new; *failed where memory ran out. */
static bool ask_wanted(struct mxg_flattener *f, bool *failed)
{
	bool asked = false;
	for (int e = 0; e < (int)mxg_answers_count(f->table) && !*failed; e++) {
		unsigned flags = mxg_answers_flags(f->table, e);
		if ((flags & MXG_ENTRY_WANTED) == 0 || (flags & MXG_ENTRY_ASKED) != 0)
			continue;
		*failed = !ask_one(f, e);
		asked = true;
	}
	while (f->open > 0)
		mxg_driver_wait(f->driver, -1);
	return asked;
}

static enum mxg_reach_result walk(struct mxg_flattener *f, struct mxg_reach *out, const struct mxg_reach_input *in)
{
	enum mxg_reach_result result;
	bool failed = false, more;
	do {
		result = mxg_reach_walk(out, f->table, in);
		if (result != MXG_REACH_PENDING)
			return result;
		more = load_wanted(f) || (in->view.as_of == 0 && ask_wanted(f, &failed));
	} while (more && !failed);
	return failed ? MXG_REACH_NOMEM : result; /* a past that the snapshot does not know stays so */
}

/* ---- together -------------------------------------------------------------------------------- */

static bool add_range(struct mxg_flat *out, const struct mxg_reach_range *range, int64_t grace_until)
{
	if (!mxg_grow(&out->ranges, &out->room, out->count, sizeof(*out->ranges)))
		return false;
	out->ranges[out->count++] = (struct mxg_flat_range){ .range = *range, .grace_until = grace_until };
	return true;
}

/* Whether one of the ranges that are there already, of the same term, covers it whole. */
static bool is_known(const struct mxg_flat *out, const struct mxg_reach_range *range)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct mxg_reach_range *r = &out->ranges[i].range;
		if (r->term == range->term && r->prefix.bits <= range->prefix.bits &&
		    mxg_prefix_contains(&r->prefix, &range->prefix.base))
			return true;
	}
	return false;
}

static bool add_state(struct mxg_flattener *f, struct mxg_flat *out, struct mxg_reach_input *in,
		      struct mxg_reach *reach, const struct mxg_grace_moment *moment)
{
	in->view.as_of = moment->at;
	if (walk(f, reach, in) == MXG_REACH_NOMEM || !mxg_reach_flatten(reach, f->table, in))
		return false;
	for (size_t i = 0; i < reach->range_count; i++)
		if (!is_known(out, &reach->ranges[i]) && !add_range(out, &reach->ranges[i], moment->until))
			return false;
	return true;
}

static bool add_alarm(struct mxg_flattener *f, struct mxg_flat *out, int entry)
{
	char text[MXG_NAME_TEXT_MAX];
	const struct mxg_question *q = mxg_answers_question(f->table, entry);
	struct mxg_flat_alarm alarm = { .type = q->type };
	alarm.alarms = mxg_snapshot_alarms(f->table, entry, &alarm.held);
	if (alarm.alarms == 0 && !alarm.held)
		return true;
	mxg_name_format(&q->name, text);
	alarm.name = mxg_arena_text(&out->present.arena, text, strlen(text));
	struct mxg_flat_alarm *more = reallocarray(out->alarms, out->alarm_count + 1, sizeof(*more));
	if (alarm.name == NULL || more == NULL) {
		out->alarms = more != NULL ? more : out->alarms;
		return false;
	}
	out->alarms = more;
	out->alarms[out->alarm_count++] = alarm;
	return true;
}

static bool add_alarms(struct mxg_flattener *f, struct mxg_flat *out)
{
	out->alarm_count = 0;
	for (int e = 0; e < (int)mxg_answers_count(f->table); e++)
		if ((mxg_answers_flags(f->table, e) & MXG_ENTRY_CONSULTED) != 0 && !add_alarm(f, out, e))
			return false;
	return true;
}

static bool add_present(struct mxg_flattener *f, struct mxg_flat *out, const struct mxg_reach_input *in)
{
	if (walk(f, &out->present, in) == MXG_REACH_NOMEM)
		return false;
	if (!mxg_reach_flatten(&out->present, f->table, in))
		return false;
	for (size_t i = 0; i < out->present.range_count; i++)
		if (!add_range(out, &out->present.ranges[i], 0))
			return false;
	out->incomplete = out->present.incomplete;
	memcpy(out->trouble, out->present.trouble, sizeof(out->trouble));
	return add_alarms(f, out);
}

bool mxg_flatten(struct mxg_flattener *f, struct mxg_flat *out, const struct mxg_ruleset *ruleset,
		 const struct mxg_name *domain, bool only_own)
{
	struct mxg_grace_moment moments[MXG_GRACE_MOMENTS];
	struct mxg_reach_input in = { .policy = f->policy,
				      .ruleset = ruleset,
				      .only_own = only_own,
				      .only_shared = domain == NULL,
				      .view = { .now = f->now, .keep_stale = f->policy->keep_stale } };
	if (domain != NULL)
		in.domain = *domain;
	out->count = 0;
	mxg_answers_clear(f->table);
	if (!add_present(f, out, &in))
		return false;
	size_t count = mxg_grace_moments(f->table, MXG_ENTRY_CONSULTED, f->policy->grace, f->now, moments);
	for (size_t i = 0; i < count; i++)
		if (!add_state(f, out, &in, &out->past[i], &moments[i]))
			return false;
	return true;
}
