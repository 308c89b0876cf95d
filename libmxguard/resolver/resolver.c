/* SPDX-License-Identifier: MIT */
/*
 * Checks, driven to their ends by what DNS says. Replies are taken as they come, but nothing is
 * decided there: checks run when all that has come is in.
 *
 * A resolver must not be used on both sides of a fork.
 */
#include <stdlib.h>
#include <time.h>

#include "check/questions.h"
#include "resolver/clock.h"
#include "resolver/driver.h"
#include "resolver/resolver.h"

#define ROUNDS_MAX 1000 /* runs of one check in one turn; each one answers a question */

/* A question of a check that is out. */
struct wait {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct wait *next, **at; /* of its job */
	struct job *job;
	size_t number;
};

struct job {
	struct job *next;
	struct mxguard_check *check;
	struct wait *waits;
	int64_t deadline; /* mxg_monotonic_ms() */
	bool dirty; /* a reply came: run it */
	bool finished;
};

struct mxguard_resolver {
	struct mxguard_policy *policy;
	struct mxg_driver *driver;
	struct job *jobs;
};

void mxg_resolver_count(struct mxguard_resolver *r, struct mxg_dns_counts *counts)
{
	mxg_driver_count(r->driver, counts);
}

/* ---- questions ------------------------------------------------------------------------- */

static void end_wait(struct wait *w)
{
	*w->at = w->next;
	if (w->next != NULL)
		w->next->at = w->at;
	free(w);
}

static void on_reply(struct mxg_waiter *waiter, struct mxg_reply *reply)
{
	struct wait *w = (struct wait *)waiter;
	mxg_check_take(w->job->check, w->number, reply, (int64_t)time(NULL));
	w->job->dirty = true;
	end_wait(w);
}

static struct wait *new_wait(struct job *job, size_t number)
{
	struct wait *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	*w = (struct wait){ .waiter.done = on_reply, .next = job->waits, .at = &job->waits, .job = job };
	w->number = number;
	if (w->next != NULL)
		w->next->at = &w->next;
	job->waits = w;
	return w;
}

static void tell_failure(struct job *job, size_t number, enum mxg_dns_failure why)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = why };
	mxg_check_take(job->check, number, &none, (int64_t)time(NULL));
	job->dirty = true;
}

static void ask_all(struct mxguard_resolver *r, struct job *job, bool late)
{
	const struct mxg_question *question;
	size_t number;
	while ((question = mxg_check_next_question(job->check, &number)) != NULL) {
		struct wait *w = late ? NULL : new_wait(job, number);
		if (w == NULL)
			tell_failure(job, number, late ? MXG_DNS_TIMEOUT : MXG_DNS_LOCAL);
		else
			mxg_driver_ask(r->driver, question, &w->waiter);
	}
}

/* Takes the job off everything it waits for; `why` is told to the check unless it is 0. */
static void detach(struct job *job, enum mxg_dns_failure why)
{
	while (job->waits != NULL) {
		struct wait *w = job->waits;
		mxg_driver_forget(&w->waiter);
		if (why != MXG_DNS_OK)
			tell_failure(job, w->number, why);
		end_wait(w);
	}
}

/* ---- jobs ------------------------------------------------------------------------------ */

/* Runs the check as far as it goes now. Past its deadline every question counts as timed out,
 * so that it comes to an end. */
static int run_job(struct mxguard_resolver *r, struct job *job)
{
	int progress = MXGUARD_PROGRESS_NEED_DNS;
	bool late = mxg_monotonic_ms() >= job->deadline;
	if (late)
		detach(job, MXG_DNS_TIMEOUT);
	job->dirty = true;
	for (int round = 0; job->dirty && round < ROUNDS_MAX; round++) {
		job->dirty = false;
		progress = mxguard_check_run(job->check, (int64_t)time(NULL));
		if (progress == MXGUARD_PROGRESS_NEED_DNS)
			ask_all(r, job, late);
	}
	if (progress == MXGUARD_PROGRESS_NEED_DNS && late)
		progress = mxguard_check_give_up(job->check, (int64_t)time(NULL));
	if (progress != MXGUARD_PROGRESS_NEED_DNS) {
		detach(job, MXG_DNS_OK);
		job->finished = true;
	}
	return progress;
}

static struct job **find_job(struct mxguard_resolver *r, const struct mxguard_check *check)
{
	struct job **at = &r->jobs;
	while (*at != NULL && (*at)->check != check)
		at = &(*at)->next;
	return at;
}

static void remove_job(struct job **at)
{
	struct job *job = *at;
	*at = job->next;
	free(job);
}

int mxg_resolver_start(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	struct job **at = find_job(r, check), *job = *at;
	if (check == NULL || timeout_ms < -1)
		return MXGUARD_ERROR_INVALID;
	if (job == NULL) {
		job = calloc(1, sizeof(*job));
		if (job == NULL)
			return MXGUARD_ERROR_NOMEM;
		*at = job;
		job->check = check;
	}
	job->finished = false;
	job->deadline = mxg_monotonic_ms() + (timeout_ms < 0 ? r->policy->timeout_ms : timeout_ms);
	int progress = run_job(r, job);
	if (job->finished)
		remove_job(find_job(r, check));
	return progress;
}

void mxg_resolver_cancel(struct mxguard_resolver *r, struct mxguard_check *check)
{
	struct job **at = find_job(r, check);
	if (*at == NULL)
		return;
	detach(*at, MXG_DNS_OK);
	remove_job(at);
}

struct mxguard_check *mxg_resolver_next(struct mxguard_resolver *r)
{
	for (struct job **at = &r->jobs; *at != NULL; at = &(*at)->next) {
		if (!(*at)->finished)
			continue;
		struct mxguard_check *check = (*at)->check;
		remove_job(at);
		return check;
	}
	return NULL;
}

static void run_jobs(struct mxguard_resolver *r)
{
	int64_t now = mxg_monotonic_ms();
	for (struct job *job = r->jobs; job != NULL; job = job->next)
		if (!job->finished && (job->dirty || now >= job->deadline))
			run_job(r, job);
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxg_resolver_pollfds(const struct mxguard_resolver *r, struct pollfd *fds, size_t count)
{
	return mxg_driver_pollfds(r->driver, fds, count);
}

int mxg_resolver_timeout(const struct mxguard_resolver *r)
{
	int64_t now = mxg_monotonic_ms(), least = INT64_MAX;
	for (const struct job *job = r->jobs; job != NULL; job = job->next) {
		if (job->finished || job->dirty)
			return 0;
		if (job->deadline - now < least)
			least = job->deadline - now;
	}
	if (least == INT64_MAX)
		return -1; /* whatever is still out, nobody waits for it */
	int channels = mxg_driver_timeout(r->driver);
	least = channels >= 0 && channels < least ? channels : least;
	return least < 0 ? 0 : (int)least;
}

int mxg_resolver_process(struct mxguard_resolver *r, const struct pollfd *fds, size_t count)
{
	if (fds == NULL && count > 0)
		return MXGUARD_ERROR_INVALID;
	mxg_driver_process(r->driver, fds, count);
	run_jobs(r);
	return MXGUARD_ERROR_NONE;
}

/* ---- blocking ------------------------------------------------------------------------------ */

int mxguard_resolver_run(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	int progress = mxg_resolver_start(r, check, timeout_ms);
	while (progress == MXGUARD_PROGRESS_NEED_DNS) {
		mxg_driver_wait(r->driver, mxg_resolver_timeout(r));
		run_jobs(r);
		struct job *job = *find_job(r, check);
		if (job == NULL || !job->finished)
			continue;
		remove_job(find_job(r, check));
		progress = mxguard_check_run(check, (int64_t)time(NULL));
		if (progress == MXGUARD_PROGRESS_NEED_DNS)
			progress = mxguard_check_give_up(check, (int64_t)time(NULL));
	}
	return progress;
}

/* ---- its life ------------------------------------------------------------------------------- */

int mxguard_resolver_new(struct mxguard_resolver **resolver, struct mxguard_policy *policy, unsigned flags)
{
	*resolver = NULL;
	if (policy == NULL || flags != 0)
		return MXGUARD_ERROR_INVALID;
	struct mxguard_resolver *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return MXGUARD_ERROR_NOMEM;
	r->driver = mxg_driver_new(policy, MXG_DRIVER_DEADLINES);
	if (r->driver == NULL) {
		free(r);
		return MXGUARD_ERROR_NOMEM;
	}
	r->policy = mxguard_policy_ref(policy);
	*resolver = r;
	return MXGUARD_ERROR_NONE;
}

void mxguard_resolver_free(struct mxguard_resolver *r)
{
	if (r == NULL)
		return;
	while (r->jobs != NULL)
		mxg_resolver_cancel(r, r->jobs->check);
	mxg_driver_free(r->driver);
	mxguard_policy_unref(r->policy);
	free(r);
}
