/* SPDX-License-Identifier: MIT */
/* Through all domains, many at a time; what is found is told in their order. */
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/sts.h"
#include "terminal.h"

#define JOBS_MOST 256
#define QUEUE_ENOUGH 256 /* questions that wait; further domains are begun below that */
#define WAIT_MS 500
#define WAIT_FETCHING_MS 20

struct run {
	struct mxg_audit *audit;
	struct mxg_audit_job *first, **last; /* those under way, in the domains' order */
	size_t open, next, done;
};

static void free_job(struct mxg_audit_job *job)
{
	for (struct mxg_audit_name *n = job->names, *next; n != NULL; n = next) {
		next = n->next;
		free(n);
	}
	for (struct mxg_text *p = job->patterns, *next; p != NULL; p = next) {
		next = p->next;
		free(p);
	}
	free(job);
}

static void begin(struct run *run, const char *domain)
{
	struct mxg_audit_job *job = calloc(1, sizeof(*job));
	if (job == NULL) {
		run->audit->nomem = true;
		return;
	}
	job->audit = run->audit;
	job->domain = domain;
	*run->last = job;
	run->last = &job->next;
	run->open++;
	if (domain == NULL)
		mxg_audit_host_begin(job);
	else if (mxg_name_from_text(&job->name, domain, strlen(domain)))
		mxg_audit_domain_begin(job);
}

/* The host's own names come last. */
static void begin_more(struct run *run)
{
	const struct mxg_names *domains = &run->audit->domains;
	while (run->next <= domains->count && run->open < JOBS_MOST && !run->audit->nomem &&
	       mxg_asker_waiting(run->audit->asker) < QUEUE_ENOUGH) {
		begin(run, run->next == domains->count ? NULL : mxg_names_get(domains, run->next));
		run->next++;
	}
}

static void go_on(struct run *run)
{
	for (struct mxg_audit_job *job = run->first; job != NULL; job = job->next) {
		if (job->pending > 0 || job->second)
			continue;
		job->second = true;
		mxg_audit_names_ask_tlsa(job);
	}
	while (run->first != NULL && run->first->second && run->first->pending == 0) {
		struct mxg_audit_job *job = run->first;
		run->first = job->next;
		if (run->first == NULL)
			run->last = &run->first;
		mxg_audit_rows(job);
		free_job(job);
		run->open--;
		run->done++;
	}
}

void mxg_audit_run(struct mxg_audit *audit, bool quiet)
{
	struct run run = { .audit = audit };
	struct mxg_progress progress;
	bool fetching = false;
	run.last = &run.first;
	mxg_progress_begin(&progress, "audit", "domains", audit->domains.count + 1);
	progress.on &= !quiet;
	while (run.done <= audit->domains.count && !audit->nomem) {
		begin_more(&run);
		go_on(&run);
		bool asking = run.open > 0 && mxg_asker_step(audit->asker, fetching ? WAIT_FETCHING_MS : WAIT_MS);
		fetching = mxg_policies_step(audit->policies, asking ? 0 : WAIT_FETCHING_MS);
		mxg_progress_show(&progress, run.done);
	}
	mxg_progress_clear(&progress);
	for (struct mxg_audit_job *job = run.first, *next; job != NULL; job = next) { /* memory ran out */
		next = job->next;
		free_job(job);
	}
}
