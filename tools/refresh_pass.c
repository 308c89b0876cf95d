/* SPDX-License-Identifier: MIT */
/* One run of refresh, from the list of domains to the snapshot in its place. */
#include "refresh_pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "history_write.h"
#include "load.h"
#include "metrics/metrics.h"
#include "metrics/refresh_file.h"
#include "refresh_report.h"
#include "refresh_spool.h"
#include "refresh_tell.h"
#include "snapshot_write.h"
#include "text.h"

#define EXIT_HELD 1 /* --strict, and there were alarms */
#define PER_SECOND 2000 /* questions, where the configuration says nothing */
#define SOME_MS 50000 /* --due: the next pass begins a minute after this one, and takes the rest */
#define ALL_MS 300000
#define DAY 86400
#define SAY_SO_AFTER 1800 /* seconds: a snapshot in which nothing had to be asked is written all the same */
#define SMALL (1024 * 1024) /* bytes: it is written whole each time */
#define MANY 20000 /* new domains: their answers would not leave memory in a pass that is not over all */

struct pass {
	const struct mxguard_policy *policy;
	const struct mxg_pass_options *o;
	int folder;
	struct mxg_refresh run;
	struct mxg_history_writer history;
	struct mxg_spool spool;
	struct mxg_writer writer;
	bool writing;
	struct mxg_snapshot_facts before; /* zeroed: there is none */
	bool all; /* every domain is walked */
	bool whole; /* the snapshot is written whole */
	char error[512];
};

static int out_of_memory(void)
{
	fputs("mxguard refresh: out of memory, or no socket to be had; a snapshot from before stays\n", stderr);
	return EX_TEMPFAIL;
}

/* ---- what is to be done ------------------------------------------------------------------------------- */

/* The history. Without it (missing, damaged, not to be trusted) this is a first run. */
static struct mxguard_snapshot *open_before(const struct mxguard_policy *policy, bool quiet)
{
	char message[512] = "";
	struct mxguard_snapshot *before;
	errno = 0;
	int result = mxg_snapshot_open_any(&before, policy, message, sizeof(message));
	if (result != MXGUARD_ERROR_NONE && !(result == MXGUARD_ERROR_IO && errno == ENOENT) && !quiet)
		fprintf(stderr, "mxguard refresh: warning: %s; its history is not used\n", message);
	return before;
}

static bool names_something(const struct pass *p)
{
	return p->o->forget.count > 0 || p->o->accept.count > 0;
}

static void choose(struct pass *p)
{
	struct mxg_refresh *run = &p->run;
	bool partial = p->o->due || p->o->domains.count > 0;
	mxg_history_begin(&p->history, p->folder, run->now);
	p->all = !partial || run->store.before == NULL || !p->before.own || names_something(p) || p->history.whole ||
		 run->added_count > MANY || (p->o->due && p->before.interrupted != 0) ||
		 (p->o->due && (run->now - p->before.whole_written >= DAY || run->now < p->before.whole_written));
	p->whole = p->all || p->before.whole_size < SMALL || p->before.since_size > p->before.whole_size / 4 ||
		   p->o->publish != NULL;
	run->store.due_only = partial;
	run->store.resumed = !partial && p->before.own ? p->before.interrupted : 0;
	if (p->o->due)
		run->deadline = mxg_monotonic_ms() + (p->all ? ALL_MS : SOME_MS);
}

/* A name that nobody has listed as ours must not become so by a slip, where the configuration lists all. */
static int check_named(const struct pass *p)
{
	for (size_t i = 0; i < p->o->domains.count && !mxg_policy_lists_elsewhere(p->policy); i++) {
		const char *name = p->o->domains.items[i];
		if (mxg_policy_has_domain(p->policy, name, strlen(name)) ||
		    mxg_policy_lists_domain(p->policy, name, strlen(name)))
			continue;
		fprintf(stderr,
			"mxguard refresh: --domain %s: is none of ours: neither domains nor policies lists it\n", name);
		return EX_CONFIG;
	}
	return 0;
}

static int list_domains(struct pass *p)
{
	struct mxg_domains_wanted wanted = { .named = &p->o->domains,
					     .remember = p->o->domains.count > 0 && !p->o->due && p->before.own,
					     .force = p->o->force };
	const struct mxg_string_list spooled = mxg_spool_list(&p->spool);
	wanted.spooled = &spooled;
	int status = check_named(p);
	if (status == 0)
		status = mxg_refresh_domains(&p->run, &wanted);
	if (status == 0 && p->run.list == MXG_LIST_REMEMBERED)
		p->run.list_kept = p->before.list_kept;
	if (status == 0 && wanted.unknown > 0)
		mxg_refresh_warn("spool: %zu of %zu %s none of ours and not asked", wanted.unknown, spooled.count,
				 mxg_noun(spooled.count, "domain is", "domains are"));
	return status;
}

/* ---- the writing --------------------------------------------------------------------------------------- */

static int write_failed(struct pass *p, int error, int status)
{
	snprintf(p->error, sizeof(p->error), "%s/%s cannot be written: %s; the old one stays", p->policy->state_dir,
		 MXG_SNAPSHOT_FILE, strerror(error));
	fprintf(stderr, "mxguard refresh: %s\n", p->error);
	return status;
}

static void abandon(struct pass *p)
{
	if (!p->writing)
		return;
	mxg_writer_abort(&p->writer);
	p->writing = false;
	p->run.store.writer = NULL;
}

static int begin_writing(struct pass *p)
{
	p->writing = mxg_writer_open(&p->writer, p->folder);
	if (!p->writing) {
		int error = p->writer.error;
		mxg_writer_abort(&p->writer);
		return write_failed(p, error, EX_CANTCREAT);
	}
	p->writer.since = !p->whole;
	if (!p->whole) {
		p->writer.adds_to = p->before.whole_generation;
		p->writer.questions = p->before.questions;
	}
	mxg_refresh_write_domains(&p->run, &p->writer);
	p->run.store.writer = &p->writer;
	return 0;
}

/* First, so that no change is lost; but deliveries do not wait for what only reports read. */
static void keep_history(struct pass *p)
{
	bool partly = p->run.some || p->run.ended, whole = p->history.whole && p->run.store.before != NULL;
	bool good = mxg_history_commit(&p->history);
	if (good && whole && partly)
		mxg_history_want_all(p->folder); /* what was not looked at is not in it */
	if (good && !p->history.whole) /* one that has just been begun is as small as it can be */
		good = mxg_history_compact(p->folder, p->policy->state_dir, p->run.now, false);
	else
		errno = p->history.error;
	if (!good)
		fprintf(stderr, "mxguard refresh: warning: %s/%s: %s; the next refresh tries again\n",
			p->policy->state_dir, MXG_HISTORY_FILE, strerror(errno));
}

static int write_snapshot(struct pass *p)
{
	struct mxg_refresh *run = &p->run;
	int status = p->writing ? 0 : begin_writing(p);
	if (status != 0)
		return status;
	mxg_refresh_write(run, &p->writer);
	if (run->nomem) {
		abandon(p);
		return write_failed(p, ENOMEM, EX_TEMPFAIL);
	}
	if (run->some && run->left == 0)
		p->writer.interrupted = p->before.interrupted;
	else if (run->left > 0)
		p->writer.interrupted = p->before.own && p->before.interrupted != 0 ? p->before.interrupted : run->now;
	keep_history(p);
	p->writing = false;
	run->store.writer = NULL;
	if (!mxg_writer_commit(&p->writer, p->policy->hash, run->now))
		return write_failed(p, p->writer.error, EX_IOERR);
	return 0;
}

/* What deliveries will say of it, said now. */
static int check_written(const struct mxguard_policy *policy)
{
	char message[512] = "";
	struct mxguard_snapshot *s;
	int result = mxguard_snapshot_open(&s, policy, 0, message, sizeof(message));
	mxguard_snapshot_unref(s);
	if (result == MXGUARD_ERROR_NONE)
		return 0;
	fprintf(stderr, "mxguard refresh: warning: deliveries will not use what was written: %s\n", message);
	return EX_NOPERM;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static bool list_changed(const struct pass *p)
{
	return p->run.added_count > 0 || p->run.removed_count > 0 || p->run.list_kept != p->before.list_kept;
}

static bool is_nothing_to_write(const struct pass *p, const struct mxg_refresh_figures *f)
{
	bool merge = p->o->publish != NULL && p->before.since_size > 0;
	return p->run.some && f->questions == 0 && !list_changed(p) && !merge &&
	       p->run.now - mxg_snapshot_written(p->run.store.before) < SAY_SO_AFTER;
}

/* Where DNS is dead, what is known is better than what is not. A list of domains is told all the same. */
static bool is_no_dns(const struct pass *p)
{
	const struct mxg_refresh *run = &p->run;
	if (run->answered > 0 || run->failed == 0)
		return false;
	return !run->some || (run->dead && !list_changed(p));
}

static int no_dns(struct pass *p)
{
	abandon(p);
	snprintf(p->error, sizeof(p->error),
		 "not one of %zu %s was answered: " MXG_RESOLVER_HINT "; a snapshot from before stays", p->run.failed,
		 mxg_noun(p->run.failed, "question", "questions"));
	fprintf(stderr, "mxguard refresh: %s\n", p->error);
	return EX_TEMPFAIL;
}

static int outcome(const struct pass *p, const struct mxg_refresh_figures *f)
{
	const struct mxg_refresh *run = &p->run;
	if (run->strict && (f->alarms > 0 || run->list == MXG_LIST_KEPT))
		return EXIT_HELD;
	if (f->failures > 0 || run->list == MXG_LIST_KEPT)
		return EX_TEMPFAIL;
	if (run->ended && *p->o->signalled != 0)
		return EX_TEMPFAIL;
	/* the policy's warning has told what is missing */
	return run->wrong_lines > 0 || run->policy->nothing_to_refresh ? EX_CONFIG : 0;
}

static void tell_end(const struct pass *p)
{
	const struct mxg_refresh *run = &p->run;
	if (run->dead && run->answered > 0)
		fputs("mxguard refresh: DNS has stopped answering; the rest was not asked\n", stderr);
	if (run->ended && *p->o->signalled != 0)
		fprintf(stderr,
			"mxguard refresh: ended by a signal; what was asked is kept, and the next run goes on with the "
			"rest (%zu %s)\n",
			run->left, mxg_noun(run->left, "domain", "domains"));
}

static void print(const struct pass *p, const struct mxg_refresh_figures *f, const struct mxg_published *published,
		  int status, bool written)
{
	struct mxg_refresh_told told = { .written = status == 0 && written,
					 .error = status == 0 ? NULL : p->error,
					 .published = published };
	if (p->o->json)
		mxg_refresh_print_json(&p->run, f, &told);
	else if (status == 0 && !p->o->quiet)
		mxg_refresh_print_sum(&p->run, f, written);
}

static int finish(struct pass *p)
{
	struct mxg_refresh *run = &p->run;
	struct mxg_refresh_figures f;
	int status = 0;
	mxg_refresh_count(run, &f);
	if (!p->o->quiet && !p->o->json)
		mxg_refresh_print_found(run, &f);
	mxg_refresh_tell(run);
	tell_end(p);
	bool written = !is_nothing_to_write(p, &f);
	if (is_no_dns(p))
		status = no_dns(p);
	else if (written)
		status = write_snapshot(p);
	struct mxg_published published = { .file = p->o->publish };
	int carried = p->o->publish == NULL ? 0 : mxg_refresh_publish(run->policy, p->folder, &published);
	if (status == 0 && !run->ended && !run->dead) /* else the next pass asks for what lies there */
		mxg_spool_done(&p->spool, p->folder);
	print(p, &f, &published, status, written);
	if (carried == 0 && p->o->publish != NULL && !p->o->json && !p->o->quiet)
		printf("published: generation %u\n", published.facts.generation);
	if (status == 0)
		status = check_written(run->policy);
	if (status == 0)
		status = carried;
	return status != 0 ? status : outcome(p, &f);
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

static int ask(struct pass *p)
{
	bool all = p->all;
	int status = all ? begin_writing(p) : 0;
	if (status != 0)
		return status;
	if (!all && !mxg_refresh_run_some(&p->run, &all))
		return out_of_memory();
	if (all && !p->all) { /* what has changed may lead any domain elsewhere */
		p->all = p->whole = true;
		p->run.some = false;
		if (p->run.deadline != 0)
			p->run.deadline += ALL_MS;
		status = begin_writing(p);
	}
	if (status != 0)
		return status;
	return !all || mxg_refresh_run(&p->run) ? finish(p) : out_of_memory();
}

static int run_pass(struct pass *p)
{
	struct mxg_refresh *run = &p->run;
	struct mxguard_snapshot *before = open_before(p->policy, p->o->quiet);
	if (!mxg_store_init(&run->store, before, &p->o->forget, &p->o->accept) ||
	    (p->o->due && !mxg_spool_read(&p->spool, p->folder))) {
		mxguard_snapshot_unref(before);
		return out_of_memory();
	}
	if (before != NULL)
		mxg_snapshot_facts(before, p->policy, &p->before);
	int status = list_domains(p);
	int64_t began = mxg_monotonic_us();
	bool begun = status == 0;
	if (begun) {
		choose(p);
		status = ask(p);
	}
	if (p->o->metrics_file != NULL)
		mxg_refresh_file_write(p->o->metrics_file, p->policy, begun ? run : NULL, status,
				       (double)(mxg_monotonic_us() - began) / 1e6);
	abandon(p);
	if (p->history.file != NULL) { /* of changes that no snapshot has */
		mxg_history_commit(&p->history);
		mxg_history_want_all(p->folder);
	}
	mxguard_snapshot_unref(before);
	return status;
}

static void clear(struct pass *p)
{
	p->run.ended = true; /* whoever still waits for an answer is not walked any more */
	mxg_driver_free(p->run.driver);
	mxg_refresh_domains_clear(&p->run);
	mxg_answers_free(p->run.table);
	mxg_reach_clear(&p->run.reach);
	mxg_store_clear(&p->run.store);
	mxg_spool_free(&p->spool);
	free(p);
}

static unsigned rate_of(const struct mxguard_policy *policy, const struct mxg_pass_options *o)
{
	if (o->per_second > 0)
		return (unsigned)o->per_second;
	return policy->per_second > 0 ? policy->per_second : PER_SECOND;
}

int mxg_refresh_pass(const struct mxguard_policy *policy, const struct mxg_pass_options *options, int folder)
{
	struct pass *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return out_of_memory();
	p->policy = policy;
	p->o = options;
	p->folder = folder;
	p->run = (struct mxg_refresh){ .policy = policy,
				       .now = mxg_wall_clock(),
				       .strict = options->strict,
				       .quiet = options->quiet,
				       .concurrency = (size_t)options->concurrency,
				       .per_second = rate_of(policy, options),
				       .signalled = options->signalled,
				       .history = &p->history };
	int status = run_pass(p);
	clear(p);
	return status;
}
