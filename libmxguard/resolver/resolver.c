/* SPDX-License-Identifier: MIT */
/*
 * The driver that asks DNS for checks. Replies are taken in the channel's callback, but nothing
 * is decided there: checks run after it has returned, so that no callback ever calls back into
 * the channel.
 *
 * A resolver must not be used on both sides of a fork.
 */
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "resolver/internal.h"

#define ROUNDS_MAX 1000 /* runs of one check in one turn; each one answers a question */

/* ---- clocks ---------------------------------------------------------------------------- */

int64_t mxg_monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- jobs ------------------------------------------------------------------------------ */

static void ask_all(struct mxguard_resolver *r, struct mxg_job *job, bool late)
{
	uint8_t bytes[MXG_QUERY_MAX];
	size_t number, len;
	while (mxguard_check_next_question(job->check, &number, bytes, sizeof(bytes), &len) == 1) {
		if (!late && mxg_resolver_ask(r, job, number, bytes, len))
			continue;
		mxguard_check_no_reply(job->check, number,
				       late ? MXGUARD_DNS_FAILURE_TIMEOUT : MXGUARD_DNS_FAILURE_LOCAL,
				       (int64_t)time(NULL));
		job->dirty = true;
	}
}

/* Runs the check as far as it goes now. Past its deadline every question counts as timed out,
 * so that it comes to an end. */
static int run_job(struct mxguard_resolver *r, struct mxg_job *job)
{
	int progress = MXGUARD_PROGRESS_NEED_DNS;
	bool late = mxg_monotonic_ms() >= job->deadline;
	if (late)
		mxg_resolver_detach(r, job, MXGUARD_DNS_FAILURE_TIMEOUT);
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
		mxg_resolver_detach(r, job, 0);
		job->finished = true;
	}
	return progress;
}

static struct mxg_job **find_job(struct mxguard_resolver *r, const struct mxguard_check *check)
{
	struct mxg_job **at = &r->jobs;
	while (*at != NULL && (*at)->check != check)
		at = &(*at)->next;
	return at;
}

static void remove_job(struct mxg_job **at)
{
	struct mxg_job *job = *at;
	*at = job->next;
	free(job);
}

int mxguard_resolver_start(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	struct mxg_job **at = find_job(r, check), *job = *at;
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

void mxguard_resolver_cancel(struct mxguard_resolver *r, struct mxguard_check *check)
{
	struct mxg_job **at = find_job(r, check);
	if (*at == NULL)
		return;
	mxg_resolver_detach(r, *at, 0);
	remove_job(at);
}

struct mxguard_check *mxguard_resolver_next(struct mxguard_resolver *r)
{
	for (struct mxg_job **at = &r->jobs; *at != NULL; at = &(*at)->next) {
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
	for (struct mxg_job *job = r->jobs; job != NULL; job = job->next)
		if (!job->finished && (job->dirty || now >= job->deadline))
			run_job(r, job);
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxguard_resolver_pollfds(const struct mxguard_resolver *r, struct pollfd *fds, size_t count)
{
	return mxg_servers_pollfds(r, fds, count);
}

int mxguard_resolver_timeout(const struct mxguard_resolver *r)
{
	int64_t now = mxg_monotonic_ms(), least = INT64_MAX;
	for (const struct mxg_job *job = r->jobs; job != NULL; job = job->next) {
		if (job->finished || job->dirty)
			return 0;
		if (job->deadline - now < least)
			least = job->deadline - now;
	}
	if (least == INT64_MAX)
		return -1; /* whatever is still out, nobody waits for it */
	int channels = mxg_servers_timeout(r);
	least = channels >= 0 && channels < least ? channels : least;
	return least < 0 ? 0 : (int)least;
}

int mxguard_resolver_process(struct mxguard_resolver *r, const struct pollfd *fds, size_t count)
{
	if (fds == NULL && count > 0)
		return MXGUARD_ERROR_INVALID;
	mxg_servers_process(r, fds, count);
	run_jobs(r);
	return MXGUARD_ERROR_NONE;
}

/* ---- blocking ------------------------------------------------------------------------------ */

#define POLL_MAX 64 /* c-ares holds one or two sockets a server */

int mxguard_resolver_run(struct mxguard_resolver *r, struct mxguard_check *check, int timeout_ms)
{
	struct pollfd fds[POLL_MAX];
	int progress = mxguard_resolver_start(r, check, timeout_ms);
	while (progress == MXGUARD_PROGRESS_NEED_DNS) {
		size_t count = mxguard_resolver_pollfds(r, fds, POLL_MAX);
		if (count > POLL_MAX)
			count = POLL_MAX;
		if (poll(fds, (nfds_t)count, mxguard_resolver_timeout(r)) <= 0)
			count = 0;
		mxguard_resolver_process(r, fds, count);
		struct mxg_job *job = *find_job(r, check);
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

int mxguard_resolver_new(struct mxguard_resolver **resolver, struct mxguard_policy *policy)
{
	struct mxguard_resolver *r = policy == NULL ? NULL : calloc(1, sizeof(*r));
	*resolver = r;
	if (r == NULL)
		return policy == NULL ? MXGUARD_ERROR_INVALID : MXGUARD_ERROR_NOMEM;
	r->policy = mxguard_policy_ref(policy);
	return MXGUARD_ERROR_NONE;
}

void mxguard_resolver_free(struct mxguard_resolver *r)
{
	if (r == NULL)
		return;
	while (r->jobs != NULL)
		mxguard_resolver_cancel(r, r->jobs->check);
	r->closing = true;
	mxg_servers_free(r);
	mxguard_policy_unref(r->policy);
	free(r);
}
