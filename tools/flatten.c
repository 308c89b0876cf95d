/* SPDX-License-Identifier: MIT */
#include "flatten.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define WAIT_MS 500
#define MOMENTS_MAX 256

bool mxg_flattener_init(struct mxg_flattener *f, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot)
{
	*f = (struct mxg_flattener){ .policy = policy, .snapshot = snapshot, .now = mxg_wall_clock() };
	f->table = mxg_answers_new();
	return f->table != NULL;
}

void mxg_flattener_clear(struct mxg_flattener *f)
{
	mxg_asker_free(f->asker);
	mxg_answers_free(f->table);
}

void mxg_flat_clear(struct mxg_flat *flat)
{
	mxg_reach_clear(&flat->present);
	for (size_t i = 0; i < MXG_STATES_MAX; i++)
		mxg_reach_clear(&flat->past[i]);
	free(flat->ranges);
	*flat = (struct mxg_flat){ 0 };
}

/* ---- answers --------------------------------------------------------------------------- */

/* True: something came out of the snapshot. */
static bool load_wanted(struct mxg_flattener *f)
{
	bool loaded = false;
	for (int e = 0; e < (int)mxg_answers_count(f->table); e++) {
		unsigned flags = mxg_answers_flags(f->table, e);
		if ((flags & MXG_ENTRY_WANTED) == 0 || (flags & MXG_ENTRY_LOADED) != 0)
			continue;
		mxg_answers_set_flags(f->table, e, MXG_ENTRY_LOADED, 0);
		if (f->snapshot != NULL)
			loaded |= mxg_snapshot_load(f->snapshot, f->table, e) == MXG_SNAPSHOT_FOUND;
	}
	return loaded;
}

static bool ask_one(struct mxg_flattener *f, int entry)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_CANCELLED };
	mxg_answers_set_flags(f->table, entry, MXG_ENTRY_ASKED, 0);
	if (f->no_dns) {
		mxg_answers_put_live(f->table, entry, &none, f->now);
		return true;
	}
	if (f->asker == NULL)
		f->asker = mxg_asker_new(f->policy);
	return f->asker != NULL &&
	       mxg_asker_ask(f->asker, mxg_answers_question(f->table, entry), (void *)(intptr_t)entry);
}

static void take_replies(struct mxg_flattener *f)
{
	struct mxg_asked asked;
	while (f->asker != NULL && mxg_asker_open(f->asker) > 0)
		mxg_asker_wait(f->asker, WAIT_MS);
	while (f->asker != NULL && mxg_asker_next(f->asker, &asked)) {
		mxg_answers_put_live(f->table, (int)(intptr_t)asked.cookie, &asked.reply, f->now);
		free(asked.reply.records.data);
	}
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
	take_replies(f);
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

/* ---- grace -------------------------------------------------------------------------------- */

struct moment {
	int64_t at, until;
};

static int newest_first(const void *a, const void *b)
{
	int64_t x = ((const struct moment *)a)->at, y = ((const struct moment *)b)->at;
	return x < y ? 1 : x > y ? -1 : 0;
}

static void add_moments(const struct mxg_flattener *f, int entry, struct moment *all, size_t *count)
{
	const struct mxg_answer *v;
	size_t n = mxg_answers_versions(f->table, entry, &v);
	for (size_t i = 0; i < n && *count < MOMENTS_MAX; i++) {
		uint32_t span = v[i].ttl > f->policy->grace ? v[i].ttl : f->policy->grace;
		if (v[i].superseded > 0 && v[i].superseded <= f->now && f->now < v[i].superseded + (int64_t)span)
			all[(*count)++] = (struct moment){ .at = v[i].superseded, .until = v[i].superseded + span };
	}
}

/* The changes that a decision would look behind, newest first. */
static size_t recent_changes(const struct mxg_flattener *f, struct moment out[MXG_STATES_MAX])
{
	struct moment all[MOMENTS_MAX];
	size_t count = 0, kept = 0;
	for (int e = 0; e < (int)mxg_answers_count(f->table); e++)
		if ((mxg_answers_flags(f->table, e) & MXG_ENTRY_CONSULTED) != 0)
			add_moments(f, e, all, &count);
	qsort(all, count, sizeof(all[0]), newest_first);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && out[kept - 1].at == all[i].at) {
			if (all[i].until > out[kept - 1].until)
				out[kept - 1].until = all[i].until;
		} else if (kept < MXG_STATES_MAX) {
			out[kept++] = all[i];
		}
	}
	return kept;
}

/* ---- together -------------------------------------------------------------------------------- */

static bool add_range(struct mxg_flat *out, const struct mxg_reach_range *range, int64_t grace_until)
{
	if (out->count == out->room) {
		size_t room = out->room == 0 ? 64 : out->room * 2;
		struct mxg_flat_range *ranges = reallocarray(out->ranges, room, sizeof(*ranges));
		if (ranges == NULL)
			return false;
		out->ranges = ranges;
		out->room = room;
	}
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
		      struct mxg_reach *reach, const struct moment *moment)
{
	in->view.as_of = moment->at;
	if (walk(f, reach, in) == MXG_REACH_NOMEM || !mxg_reach_flatten(reach, f->table, in))
		return false;
	for (size_t i = 0; i < reach->range_count; i++)
		if (!is_known(out, &reach->ranges[i]) && !add_range(out, &reach->ranges[i], moment->until))
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
	return true;
}

bool mxg_flatten(struct mxg_flattener *f, struct mxg_flat *out, const struct mxg_ruleset *ruleset,
		 const struct mxg_name *domain, bool only_own)
{
	struct moment moments[MXG_STATES_MAX];
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
	size_t count = recent_changes(f, moments);
	for (size_t i = 0; i < count; i++)
		if (!add_state(f, out, &in, &out->past[i], &moments[i]))
			return false;
	return true;
}
