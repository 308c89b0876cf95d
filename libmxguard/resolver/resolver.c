/* SPDX-License-Identifier: MIT */
/*
 * Checks, driven to their ends by what DNS says. Replies are taken as they come, but nothing is
 * decided there: checks run when all that has come is in.
 *
 * A resolver must not be used on both sides of a fork.
 */
#include <stdlib.h>
#include <time.h>

#include "check/internal.h"
#include "check/questions.h"
#include "base/clock.h"
#include "resolver/driver.h"
#include "resolver/resolver.h"

#define ROUNDS_MAX 1000 /* runs of one check in one turn; each one answers a question */

/* A question of a check that is out. */
struct wait {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct wait *next, **at; /* of its job */
	struct mxg_job *job;
	size_t number;
};

enum stage { WAITING, DIRTY /* a reply came: run it */, FINISHED, STAGES };

/* Its check knows it, so that nothing here looks through all of them for each reply. */
struct mxg_job {
	struct mxg_job *next, **at; /* among those of its stage */
	struct mxguard_resolver *resolver;
	struct mxguard_check *check;
	struct wait *waits;
	int64_t deadline; /* mxg_monotonic_ms() */
	enum stage stage;
};

struct mxguard_resolver {
	struct mxguard_policy *policy;
	struct mxg_driver *driver;
	struct mxg_job *jobs[STAGES];
	int64_t soonest; /* no job that waits has an earlier deadline */
};

/* ---- stages ---------------------------------------------------------------------------- */

static void leave_stage(struct mxg_job *job)
{
	*job->at = job->next;
	if (job->next != NULL)
		job->next->at = job->at;
}

static void enter_stage(struct mxg_job *job, enum stage stage)
{
	struct mxg_job **list = &job->resolver->jobs[stage];
	job->stage = stage;
	job->next = *list;
	job->at = list;
	if (job->next != NULL)
		job->next->at = &job->next;
	*list = job;
	if (stage == WAITING && job->deadline < job->resolver->soonest)
		job->resolver->soonest = job->deadline;
}

static void move(struct mxg_job *job, enum stage stage)
{
	leave_stage(job);
	enter_stage(job, stage);
}

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
	move(w->job, DIRTY);
	end_wait(w);
}

static struct wait *new_wait(struct mxg_job *job, size_t number)
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

static void tell_failure(struct mxg_job *job, size_t number, enum mxg_dns_failure why)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = why };
	mxg_check_take(job->check, number, &none, (int64_t)time(NULL));
	move(job, DIRTY);
}

static void ask_all(struct mxguard_resolver *r, struct mxg_job *job, bool late)
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
static void detach(struct mxg_job *job, enum mxg_dns_failure why)
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
static int run_job(struct mxguard_resolver *r, struct mxg_job *job)
{
	int progress = MXGUARD_PROGRESS_NEED_DNS;
	bool late = mxg_monotonic_ms() >= job->deadline;
	if (late)
		detach(job, MXG_DNS_TIMEOUT);
	move(job, DIRTY);
	for (int round = 0; job->stage == DIRTY && round < ROUNDS_MAX; round++) {
		move(job, WAITING);
		progress = mxguard_check_run(job->check, (int64_t)time(NULL));
		if (progress == MXGUARD_PROGRESS_NEED_DNS)
			ask_all(r, job, late);
	}
	if (progress == MXGUARD_PROGRESS_NEED_DNS && late)
		progress = mxguard_check_give_up(job->check, (int64_t)time(NULL));
	if (progress != MXGUARD_PROGRESS_NEED_DNS) {
		detach(job, MXG_DNS_OK);
		move(job, FINISHED);
	}
	return progress;
}

static struct mxg_job *job_of(const struct mxguard_resolver *r, const struct mxguard_check *check)
{
	return check != NULL && check->job != NULL && check->job->resolver == r ? check->job : NULL;
}

static void remove_job(struct mxg_job *job)
{
	job->check->job = NULL;
	leave_stage(job);
	free(job);
}

static struct mxg_job *new_job(struct mxguard_resolver *r, struct mxguard_check *check)
{
	struct mxg_job *job = calloc(1, sizeof(*job));
	if (job == NULL)
		return NULL;
	if (check->job != NULL) /* another resolver's until now */
		mxg_resolver_cancel(check->job->resolver, check);
	job->resolver = r;
	job->check = check;
	job->deadline = INT64_MAX;
	check->job = job;
	enter_stage(job, WAITING);
	return job;
}

int mxg_resolver_start(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	if (check == NULL || timeout_ms < -1)
		return MXGUARD_ERROR_INVALID;
	struct mxg_job *job = job_of(r, check);
	if (job == NULL)
		job = new_job(r, check);
	if (job == NULL)
		return MXGUARD_ERROR_NOMEM;
	job->deadline = mxg_monotonic_ms() + (timeout_ms < 0 ? r->policy->timeout_ms : timeout_ms);
	int progress = run_job(r, job);
	if (job->stage == FINISHED)
		remove_job(job);
	return progress;
}

void mxg_resolver_cancel(struct mxguard_resolver *r, struct mxguard_check *check)
{
	struct mxg_job *job = job_of(r, check);
	if (job == NULL)
		return;
	detach(job, MXG_DNS_OK);
	remove_job(job);
}

struct mxguard_check *mxg_resolver_next(struct mxguard_resolver *r)
{
	struct mxg_job *job = r->jobs[FINISHED];
	if (job == NULL)
		return NULL;
	struct mxguard_check *check = job->check;
	remove_job(job);
	return check;
}

/* Those whose time is up are to be run, too. */
static void look_at_deadlines(struct mxguard_resolver *r)
{
	int64_t now = mxg_monotonic_ms();
	if (now < r->soonest)
		return;
	r->soonest = INT64_MAX;
	for (struct mxg_job *next, *job = r->jobs[WAITING]; job != NULL; job = next) {
		next = job->next;
		if (now >= job->deadline)
			move(job, DIRTY);
		else if (job->deadline < r->soonest)
			r->soonest = job->deadline;
	}
}

/* Each that is dirty now, once: one that runs out of rounds is dirty still, and is left to the next turn. */
static void run_jobs(struct mxguard_resolver *r)
{
	look_at_deadlines(r);
	struct mxg_job *job, *now = r->jobs[DIRTY];
	if (now == NULL)
		return;
	now->at = &now; /* off the list, where those stand that are dirty again */
	r->jobs[DIRTY] = NULL;
	while ((job = now) != NULL)
		run_job(r, job);
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxg_resolver_pollfds(const struct mxguard_resolver *r, struct pollfd *fds, size_t count)
{
	return mxg_driver_pollfds(r->driver, fds, count);
}

int mxg_resolver_timeout(const struct mxguard_resolver *r)
{
	if (r->jobs[DIRTY] != NULL || r->jobs[FINISHED] != NULL)
		return 0;
	if (r->jobs[WAITING] == NULL)
		return -1; /* whatever is still out, nobody waits for it */
	int64_t least = r->soonest - mxg_monotonic_ms(); /* may be early: then it is looked again */
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
		if (check->job == NULL || check->job->stage != FINISHED)
			continue;
		remove_job(check->job);
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
	r->soonest = INT64_MAX;
	*resolver = r;
	return MXGUARD_ERROR_NONE;
}

void mxguard_resolver_free(struct mxguard_resolver *r)
{
	if (r == NULL)
		return;
	for (enum stage stage = WAITING; stage < STAGES; stage++)
		while (r->jobs[stage] != NULL)
			mxg_resolver_cancel(r, r->jobs[stage]->check);
	mxg_driver_free(r->driver);
	mxguard_policy_unref(r->policy);
	free(r);
}
