/* SPDX-License-Identifier: MIT */
/* A pass that costs what there is to do: domains that are new, questions that are due, and what their answers lead
 * to. */
#include <stdlib.h>
#include <string.h>

#include "refresh.h"
#include "base/clock.h"
#include "terminal.h"

#define MINUTE 60
#define AGES (2 * 24 * 60) /* minutes past its time that are told apart */
#define SECONDS_OF_WORK 50 /* for so many seconds a pass takes questions up; those that have waited longest */
#define WORK_MOST 200000

struct due {
	struct mxg_refresh *run;
	size_t most; /* questions */
	size_t ages[AGES + 1]; /* how many are past their time, by minutes */
	size_t count, taken;
	int64_t least; /* seconds past its time that are enough to be asked in this pass */
};

/* ---- what is due ----------------------------------------------------------------------------------- */

static bool question_of(const struct mxg_snapshot_record *r, struct mxg_question *q)
{
	if (r->key_len < 4 || r->key_len - 3 > sizeof(q->name.wire))
		return false;
	*q = (struct mxg_question){ .type = mxg_get16(r->key + 1), .name.len = (uint8_t)(r->key_len - 3) };
	memcpy(q->name.wire, r->key + 3, r->key_len - 3);
	return true;
}

static struct mxg_answer capped(const struct mxg_refresh *run, const struct mxg_answer *a)
{
	struct mxg_answer c = *a;
	c.ttl = mxg_capped_ttl(c.kind, c.ttl, run->policy->reply_rules.max_ttl);
	return c;
}

/* When the question of a record is to be asked again; 0: it is not. */
static int64_t due_at(const struct mxg_refresh *run, const struct mxg_snapshot_record *r)
{
	struct mxg_answer versions[MXG_VERSIONS_MAX];
	size_t count;
	if (r->kind == 'F' && r->len == MXG_SNAPSHOT_FAILED_SIZE && r->value[12] > 0)
		return mxg_retry_at((int64_t)mxg_get64(r->value + 4), r->value[12]);
	if (r->kind != 'Q' || !mxg_snapshot_versions_read(r->value, r->len, versions, &count))
		return 0;
	size_t first = versions[0].refused;
	if (count <= first || versions[first].superseded != 0)
		return 0;
	struct mxg_answer said = capped(run, &versions[0]);
	return mxg_answer_due(&said, NULL);
}

/* What belongs to a domain that is ours no more, by its name. Its owner may well take it down. */
static bool is_of_removed(const struct mxg_refresh *run, const struct mxg_name *name)
{
	char text[256];
	if (run->removed.count == 0)
		return false;
	mxg_name_plain(name, text);
	for (const char *at = text; at != NULL; at = strchr(at, '.')) {
		at += *at == '.';
		if (mxg_names_find(&run->removed, at, strlen(at), NULL))
			return true;
	}
	return false;
}

static bool each_due(struct due *d, bool (*take)(struct due *d, const struct mxg_question *q, int64_t past))
{
	struct mxg_snapshot_scan *scan = mxg_snapshot_scan_new(d->run->store.before, false);
	struct mxg_snapshot_record r;
	bool good = scan != NULL;
	while (good && mxg_snapshot_scan_next(scan, &r)) {
		struct mxg_question q;
		int64_t at = due_at(d->run, &r);
		if (at > 0 && at <= d->run->now && question_of(&r, &q) && !is_of_removed(d->run, &q.name))
			good = take(d, &q, d->run->now - at);
	}
	mxg_snapshot_scan_free(scan);
	return good;
}

static bool count_one(struct due *d, const struct mxg_question *q, int64_t past)
{
	int64_t age = past / MINUTE;
	d->ages[age < AGES ? age : AGES]++;
	d->count++;
	return true;
}

/* One that failed before and is not to be tried again yet is kept: the store knows. */
static bool take_one(struct due *d, const struct mxg_question *q, int64_t past)
{
	bool fresh;
	if (past < d->least || d->taken >= d->most)
		return true;
	struct mxg_item *item = mxg_store_item(&d->run->store, q, &fresh);
	if (item == NULL)
		return false;
	item->reached = true;
	if (fresh && item->state == MXG_ITEM_QUEUED) {
		mxg_refresh_enqueue(d->run, item);
		d->taken++;
	}
	return true;
}

/* The oldest minutes that together are not too many; or the oldest one, if it is too many by itself. */
static int64_t least_age(const struct due *d)
{
	size_t sum = 0;
	for (int age = AGES; age >= 0; age--) {
		if (sum > 0 && sum + d->ages[age] > d->most)
			return (int64_t)(age + 1) * MINUTE;
		sum += d->ages[age];
	}
	return 0;
}

static bool take_due(struct mxg_refresh *run)
{
	struct due *d = calloc(1, sizeof(*d));
	bool good = d != NULL;
	if (good) {
		size_t most = (size_t)run->per_second * SECONDS_OF_WORK;
		d->run = run;
		d->most = most == 0 || most > WORK_MOST ? WORK_MOST : most;
		good = each_due(d, count_one);
	}
	if (good && d->count > 0) {
		d->least = d->count > d->most ? least_age(d) : 0;
		good = each_due(d, take_one);
	}
	free(d);
	return good;
}

/* ---- what their answers lead to ---------------------------------------------------------------------- */

/* Other names may stand behind it now. */
static bool leads_elsewhere(const struct mxg_item *item)
{
	bool was_asked = mxg_item_current(item) != NULL || item->failures > 0; /* else a walk has come by just now */
	return (item->type == MXG_DNS_MX || item->type == MXG_DNS_TXT) && was_asked && mxg_item_answered(item) &&
	       mxg_item_changed(item);
}

/* The domains to whose names it belongs. */
static void walk_owners(struct mxg_refresh *run, const struct mxg_item *item)
{
	struct mxg_question q;
	char text[256];
	mxg_item_question(item, &q);
	mxg_name_plain(&q.name, text);
	for (const char *at = text; at != NULL && !run->nomem; at = strchr(at, '.')) {
		at += *at == '.';
		struct mxg_local_domain *d = mxg_refresh_find_domain(run, at);
		if (d != NULL && d->missing == 0)
			mxg_refresh_walk(run, (uint32_t)(d - run->domains));
	}
}

static void walk_shared(struct mxg_refresh *run)
{
	for (uint32_t i = 0; i < run->policy->ruleset_count && !run->nomem; i++)
		if (run->domains[i].missing == 0)
			mxg_refresh_walk(run, i);
}

static bool ask_all(struct mxg_refresh *run)
{
	while ((run->queue != NULL || run->open > 0) && mxg_refresh_step(run, false))
		;
	return !run->ended && !run->nomem;
}

struct changed {
	struct mxg_item **items;
	size_t count;
};

static bool find_changed(struct mxg_refresh *run, struct changed *c)
{
	struct mxg_item *item = NULL;
	size_t at = 0;
	c->items = calloc(run->store.count + 1, sizeof(struct mxg_item *));
	c->count = 0;
	while (c->items != NULL && mxg_store_each(&run->store, &at, &item))
		if (leads_elsewhere(item)) {
			item->reached = false; /* … until a walk comes by */
			c->items[c->count++] = item;
		}
	return c->items != NULL;
}

/* Walks whatever can be told to rest on what has changed. True: of something that changed nobody can tell who rests on
 * it. */
static bool follow_changes(struct mxg_refresh *run)
{
	struct changed c;
	bool unknown = false;
	if (!find_changed(run, &c)) {
		run->nomem = true;
		return false;
	}
	if (c.count > 0)
		walk_shared(run);
	for (size_t i = 0; i < c.count && !run->nomem; i++)
		walk_owners(run, c.items[i]);
	ask_all(run);
	for (size_t i = 0; i < c.count; i++) {
		unknown |= !c.items[i]->reached;
		c.items[i]->reached = true;
	}
	free(c.items);
	return unknown && !run->ended;
}

/* ---- the pass ------------------------------------------------------------------------------------------ */

static void walk_new(struct mxg_refresh *run)
{
	walk_shared(run);
	for (size_t i = run->policy->ruleset_count; i < run->domain_count && !run->nomem && !run->ended; i++) {
		if (!run->domains[i].added && !run->domains[i].forced)
			continue;
		mxg_refresh_walk(run, (uint32_t)i);
		while (run->queue_length >= run->concurrency && mxg_refresh_step(run, false))
			;
	}
}

static size_t count_unfinished(const struct mxg_refresh *run)
{
	size_t count = 0;
	for (size_t i = 0; i < run->domain_count; i++)
		count += run->domains[i].missing > 0 && !run->domains[i].shared;
	return count;
}

bool mxg_refresh_run_some(struct mxg_refresh *run, bool *all)
{
	*all = false;
	if (!mxg_refresh_begin(run))
		return false;
	run->some = true;
	walk_new(run);
	if (!ask_all(run) || run->dead) { /* the snapshot will know them, and not what is behind them */
		run->left = run->added_count;
		return !run->nomem;
	}
	int64_t reading = mxg_monotonic_ms();
	if (run->list != MXG_LIST_REMEMBERED && !take_due(run))
		run->nomem = true;
	if (run->deadline != 0) /* a million answers on a busy machine: the time to ask in is not spent on looking */
		run->deadline += mxg_monotonic_ms() - reading;
	if (ask_all(run))
		*all = follow_changes(run);
	run->left = *all ? 0 : count_unfinished(run);
	return !run->nomem;
}
