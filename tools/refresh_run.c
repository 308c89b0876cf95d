/* SPDX-License-Identifier: MIT */
/* Walks every domain, asks what is missing, walks again, until nothing is missing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refresh.h"
#include "base/clock.h"
#include "snapshot_write.h"
#include "terminal.h"

#define WAIT_MS 1000
#define STORE_ENOUGH 50000 /* items; what is done leaves, to come back from the file should it be wanted again */
#define AT_ONCE 1000 /* domains that are begun before anything else is looked at */
#define QUEUE_ENOUGH 4 /* times the concurrency; further domains are begun below that */
#define DEAD_AFTER 64 /* questions in a row without any reply, where there never was one; */
#define DIED_AFTER 256 /* … and where there were some: it must not take hours to find out */

void mxg_refresh_enqueue(struct mxg_refresh *run, struct mxg_item *item)
{
	item->queued = NULL;
	*run->queue_end = item;
	run->queue_end = &item->queued;
	run->queue_length++;
}

static bool add_waiter(struct mxg_item *item, uint32_t domain)
{
	if (item->waiter_count == item->waiter_room) {
		uint32_t room = item->waiter_room == 0 ? 2 : item->waiter_room * 2;
		uint32_t *waiters = reallocarray(item->waiters, room, sizeof(*waiters));
		if (waiters == NULL)
			return false;
		item->waiters = waiters;
		item->waiter_room = room;
	}
	item->waiters[item->waiter_count++] = domain;
	return true;
}

/* ---- one domain ---------------------------------------------------------------------- */

/* What is known about the questions that the walk wants goes into the table. */
static bool show_known(struct mxg_refresh *run)
{
	bool shown = false;
	for (int e = 0; e < (int)mxg_answers_count(run->table); e++) {
		bool fresh;
		if ((mxg_answers_flags(run->table, e) & MXG_ENTRY_WANTED) == 0)
			continue;
		struct mxg_item *item = mxg_store_item(&run->store, mxg_answers_question(run->table, e), &fresh);
		if (item == NULL) {
			run->nomem = true;
			return false;
		}
		if (fresh && item->state == MXG_ITEM_QUEUED)
			mxg_refresh_enqueue(run, item);
		if (item->state != MXG_ITEM_REPLIED)
			continue;
		if (!mxg_item_show(item, run->table, e, run->now)) {
			run->nomem = true;
			return false;
		}
		shown = true;
	}
	return shown;
}

static void wait_for_wanted(struct mxg_refresh *run, uint32_t domain)
{
	for (int e = 0; e < (int)mxg_answers_count(run->table); e++) {
		if ((mxg_answers_flags(run->table, e) & MXG_ENTRY_WANTED) == 0)
			continue;
		struct mxg_item *item = mxg_store_find(&run->store, mxg_answers_question(run->table, e));
		if (item == NULL || !add_waiter(item, domain))
			run->nomem = true;
		else
			run->domains[domain].missing++;
	}
}

static void mark_reached(struct mxg_refresh *run)
{
	for (int e = 0; e < (int)mxg_answers_count(run->table); e++) {
		struct mxg_item *item = mxg_store_find(&run->store, mxg_answers_question(run->table, e));
		if (item != NULL && (mxg_answers_flags(run->table, e) & MXG_ENTRY_CONSULTED) != 0)
			item->reached = true;
	}
}

static void note_live_terms(struct mxg_refresh *run, const struct mxg_local_domain *d)
{
	for (size_t i = 0; i < run->reach.gap_count && run->live_count < MXG_LIVE_TERMS_MAX; i++) {
		const struct mxg_reach_gap *g = &run->reach.gaps[i];
		struct mxg_live_term *live = &run->live[run->live_count];
		size_t n = 0;
		live->ruleset = d->ruleset;
		snprintf(live->text, sizeof(live->text), "%s%s%s", g->via, g->via[0] == '\0' ? "" : " > ", g->text);
		snprintf(live->why, sizeof(live->why), "%s", g->why);
		while (n < run->live_count &&
		       (run->live[n].ruleset != d->ruleset || strcmp(run->live[n].text, live->text) != 0))
			n++;
		run->live_count += n == run->live_count;
	}
}

/* Limits that only the walk comes to; with --strict what reaches one is taken back. True: it was. */
static bool judge_limits(struct mxg_refresh *run)
{
	bool reverted = false;
	for (size_t i = 0; i < run->reach.record_count; i++) {
		const struct mxg_reach_record *r = &run->reach.records[i];
		struct mxg_question q = { .name = r->name, .type = r->too_many_hosts ? MXG_DNS_MX : MXG_DNS_TXT };
		bool at_limit = r->too_many_hosts || r->lookups >= MXG_NEAR_LIMIT;
		struct mxg_item *item = at_limit ? mxg_store_find(&run->store, &q) : NULL;
		if (item != NULL)
			reverted |= mxg_item_alarm(item, r->too_many_hosts ? MXG_ALARM_MX_HOSTS : MXG_ALARM_NEAR_LIMIT,
						   run->strict);
	}
	return reverted;
}

/* Until it is done, or something is missing. What a record reaches that --strict takes back does not count: then the
 * walk begins anew, with the old one. */
static enum mxg_reach_result walk_known(struct mxg_refresh *run, const struct mxg_reach_input *in)
{
	enum mxg_reach_result result;
	do {
		mxg_answers_clear(run->table);
		do
			result = mxg_reach_walk(&run->reach, run->table, in);
		while (result == MXG_REACH_PENDING && show_known(run));
	} while (result == MXG_REACH_DONE && judge_limits(run));
	return result;
}

void mxg_refresh_walk(struct mxg_refresh *run, uint32_t number)
{
	struct mxg_local_domain *d = &run->domains[number];
	struct mxg_reach_input in = { .policy = run->policy,
				      .ruleset = d->ruleset,
				      .view = { .now = run->now, .keep_stale = run->policy->keep_stale },
				      .only_own = !d->shared,
				      .only_shared = d->shared,
				      .with_mx = !d->shared };
	if (!d->shared && !mxg_name_from_text(&in.domain, d->name, strlen(d->name))) {
		run->done++;
		return;
	}
	run->store.force = d->forced;
	enum mxg_reach_result result = walk_known(run, &in);
	run->store.force = false;
	if (result == MXG_REACH_NOMEM || run->nomem) {
		run->nomem = true;
	} else if (result == MXG_REACH_PENDING) {
		wait_for_wanted(run, number);
	} else {
		mark_reached(run);
		note_live_terms(run, d);
		d->mx_is_self = run->reach.mx_is_self;
		run->done++;
	}
}

/* ---- asking ----------------------------------------------------------------------------- */

static void count_result(struct mxg_refresh *run, const struct mxg_reply *r)
{
	if (r->kind != MXG_ANSWER_FAILED) {
		run->answered++;
		run->failed_in_a_row = 0;
		return;
	}
	run->failed++;
	run->failed_in_a_row += r->failure == MXG_DNS_TIMEOUT || r->failure == MXG_DNS_LOCAL;
	if (run->failed_in_a_row >= (run->answered == 0 ? DEAD_AFTER : DIED_AFTER))
		run->dead = true;
}

static void take_reply(struct mxg_refresh *run, struct mxg_item *item, struct mxg_reply *reply)
{
	count_result(run, reply);
	mxg_item_reply(item, reply, run->strict);
	uint32_t *waiters = item->waiters, count = item->waiter_count;
	item->waiters = NULL;
	item->waiter_count = item->waiter_room = 0;
	for (uint32_t i = 0; i < count && !run->nomem; i++)
		if (--run->domains[waiters[i]].missing == 0)
			mxg_refresh_walk(run, waiters[i]);
	free(waiters);
}

/* A question that is out. */
struct asked {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct mxg_refresh *run;
	struct mxg_item *item;
};

static void on_reply(struct mxg_waiter *waiter, struct mxg_reply *reply)
{
	struct asked *a = (struct asked *)waiter;
	a->run->open--;
	if (!a->run->nomem && !a->run->ended)
		take_reply(a->run, a->item, reply);
	free(a);
}

static void ask(struct mxg_refresh *run, struct mxg_item *item)
{
	struct asked *a = calloc(1, sizeof(*a));
	struct mxg_question q;
	if (a == NULL) {
		run->nomem = true;
		return;
	}
	*a = (struct asked){ .waiter.done = on_reply, .run = run, .item = item };
	mxg_item_question(item, &q);
	item->state = MXG_ITEM_ASKED;
	run->open++;
	mxg_driver_ask(run->driver, &q, &a->waiter);
}

static struct mxg_item *dequeue(struct mxg_refresh *run)
{
	struct mxg_item *item = run->queue;
	run->queue = item->queued;
	run->queue_length--;
	if (run->queue == NULL)
		run->queue_end = &run->queue;
	return item;
}

static void ask_queued(struct mxg_refresh *run)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_CANCELLED };
	while (run->queue != NULL && !run->nomem && (run->dead || run->open < run->concurrency)) {
		if (!run->dead && !mxg_rate_take(&run->rate, mxg_monotonic_us()))
			return;
		struct mxg_item *item = dequeue(run);
		if (run->dead)
			take_reply(run, item, &none);
		else
			ask(run, item);
	}
}

static bool is_to_end(const struct mxg_refresh *run)
{
	return (run->signalled != NULL && *run->signalled != 0) ||
	       (run->deadline != 0 && mxg_monotonic_ms() >= run->deadline);
}

bool mxg_refresh_step(struct mxg_refresh *run, bool busy)
{
	ask_queued(run);
	if (run->nomem)
		return false;
	int wait = run->queue == NULL || run->open >= run->concurrency
			   ? WAIT_MS
			   : mxg_rate_wait_ms(&run->rate, mxg_monotonic_us(), WAIT_MS);
	if (run->open > 0 || run->queue != NULL)
		mxg_driver_wait(run->driver, busy && run->queue_length < QUEUE_ENOUGH * run->concurrency ? 0 : wait);
	run->ended = is_to_end(run);
	return !run->ended && !run->nomem;
}

/* ---- what is done leaves ------------------------------------------------------------------ */

/* Failures and alarms stay, since a report tells of each; unless there are too many for that. */
static bool may_leave(const struct mxg_item *item, bool told)
{
	return item->state == MXG_ITEM_REPLIED && item->reached && item->waiter_count == 0 &&
	       (told || (!mxg_item_has_alarm(item) && !mxg_item_failed(item)));
}

static void thin_out(struct mxg_refresh *run, bool told)
{
	struct mxg_item *item = NULL, *next = NULL;
	size_t at = 0;
	for (bool more = mxg_store_each(&run->store, &at, &item); more; item = next) {
		next = item;
		more = mxg_store_each(&run->store, &at, &next);
		if (!may_leave(item, told))
			continue;
		mxg_item_count(item, &run->gone);
		mxg_refresh_write_item(run, run->store.writer, item);
		mxg_store_drop(&run->store, item);
	}
}

void mxg_refresh_thin(struct mxg_refresh *run)
{
	for (int told = 0; told < 2 && run->store.writer != NULL && run->store.count >= STORE_ENOUGH; told++)
		thin_out(run, told == 1);
}

/* ---- all of them ---------------------------------------------------------------------------- */

bool mxg_refresh_begin(struct mxg_refresh *run)
{
	run->queue_end = &run->queue;
	run->rate.per_second = run->per_second;
	if (run->driver == NULL)
		run->driver = mxg_driver_new(run->policy, MXG_DRIVER_PATIENT);
	if (run->table == NULL)
		run->table = mxg_answers_new();
	run->store.now = run->now;
	run->nomem = run->driver == NULL || run->table == NULL;
	return !run->nomem;
}

static void walk_all(struct mxg_refresh *run, struct mxg_progress *progress)
{
	size_t next = 0;
	run->done = 0;
	while (run->done < run->domain_count && !run->nomem) {
		for (size_t n = 0; n < AT_ONCE && next < run->domain_count && !run->nomem &&
				   run->queue_length < QUEUE_ENOUGH * run->concurrency;
		     n++)
			mxg_refresh_walk(run, (uint32_t)next++);
		if (run->done < run->domain_count && !mxg_refresh_step(run, next < run->domain_count))
			break;
		mxg_refresh_thin(run);
		mxg_progress_show(progress, run->done);
	}
	run->left = run->domain_count - run->done;
	if (run->left > run->domain_count - run->policy->ruleset_count) /* their shared terms are no domains */
		run->left = run->domain_count - run->policy->ruleset_count;
}

bool mxg_refresh_run(struct mxg_refresh *run)
{
	struct mxg_progress progress;
	if (!mxg_refresh_begin(run))
		return false;
	mxg_progress_begin(&progress, "refresh", "domains", run->domain_count);
	progress.on &= !run->quiet;
	walk_all(run, &progress);
	mxg_progress_clear(&progress);
	mxg_answers_free(run->table);
	run->table = NULL;
	return !run->nomem;
}
