/* SPDX-License-Identifier: MIT */
/* mxguard scan: how much of the mail that lies here skipped the filters. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "load.h"
#include "policy/policy.h"
#include "options.h"
#include "output_file.h"
#include "scan/doveadm.h"
#include "scan/reader.h"
#include "scan/report.h"
#include "scan/source.h"
#include "system/own_files.h"
#include "terminal.h"

#define WORKERS_MAX 64
#define USERS_MAX 256

struct job {
	const char *config, *html, *recipient;
	char **paths;
	size_t path_count;
	long top, workers;
	int64_t since;
	enum mxguard_place place;
	enum mxg_path list; /* MXG_PATHS: none */
	bool json, csv, all_folders, doveadm, all_users;
	const char *users[USERS_MAX];
	size_t user_count;
	bool unread; /* doveadm could not read all of it */
	struct mxg_queue queue;
	sem_t apart; /* workers that have a table of files of their own */
	struct mxg_scan_rules rules;
	struct mxg_progress progress;
	atomic_ullong done;
};

static atomic_bool stopped; /* the signal handler's only business */

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stopped, true);
}

/* ---- options ----------------------------------------------------------------------------- */

static bool take_since(void *target, const char *text)
{
	struct job *job = target;
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	job->since = (int64_t)timegm(&tm);
	return end != NULL && *end == '\0';
}

static const struct mxg_option_word path_words[] = {
	{ "gateway", MXG_PATH_GATEWAY },
	{ "direct", MXG_PATH_DIRECT },
	{ "unknown", MXG_PATH_UNKNOWN },
	{ "local", MXG_PATH_LOCAL },
	{ "authenticated", MXG_PATH_AUTHENTICATED },
	{ "exempt", MXG_PATH_EXEMPT },
	{ NULL, 0 },
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct job),
	{ 0, "since", "DATE", "only messages since then (YYYY-MM-DD)", .kind = MXG_OPTION_OWN, .take = take_since,
	  .takes = "a date such as 2026-01-31" },
	{ 0, "rcpt", "ADDRESS", "recipient of messages that do not tell theirs", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct job, recipient) },
	{ 0, "place", "PLACE", "where mxguard would have stood: queued (default) or door", .kind = MXG_OPTION_WORD,
	  .field = offsetof(struct job, place), .words = mxg_option_places },
	{ 0, "all-folders", NULL, "also Sent, Drafts and other folders of one's own mail", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct job, all_folders) },
	{ 0, "doveadm", NULL, "instead of PATH: mail as Dovecot reads it, also sdbox and mdbox",
	  .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, doveadm) },
	{ 'u', "user", "USER", "with --doveadm: this user's; may be given several times", .kind = MXG_OPTION_LIST,
	  .field = offsetof(struct job, users), .max = USERS_MAX, .count = offsetof(struct job, user_count) },
	{ 'A', "all-users", NULL, "with --doveadm: that of all users (default)", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct job, all_users) },
	{ 0, "list", "PATH",
	  "list the messages that came so, one a line, and no figures:\ngateway, direct, unknown, local, "
	  "authenticated or exempt",
	  .kind = MXG_OPTION_WORD, .field = offsetof(struct job, list), .words = path_words },
	{ 0, "top", "N", "how many direct peers to list (20)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct job, top), .min = 0, .max = MXG_TALLY_PEERS },
	{ 0, "workers", "N", "threads (one a processor)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct job, workers), .min = 1, .max = WORKERS_MAX },
	{ 0, "html", "FILE", "one self-contained page as well", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct job, html) },
	{ 0, "json", NULL, "one JSON object", .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, json) },
	{ 0, "csv", NULL, "one row a month", .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, csv) },
};

const struct mxg_usage usage_scan = {
	.synopsis = "[-c CONF] [OPTION]… PATH… | --doveadm [-u USER | -A]",
	.about = "Counts how the messages below PATH came: through gateways, directly, locally. Reads only.\n"
		 "PATH is a Maildir or a tree of them, a folder of messages, an mbox file, a message, or -\n"
		 "for a list of names on standard input, one a line. Old mail is judged by the gateways of\n"
		 "its own time, as far as the history reaches back.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Interrupting it prints what is known so far. Exit status: 0, 64 wrong use, 66 nothing could\n"
		 "be read, or not all by doveadm, 73 the page could not be written, 78 configuration.\n"
		 "Example: mxguard scan --since 2026-01-01 --html report.html /var/vmail",
	.arguments = MXG_ARGUMENTS_FILES,
};

static int read_options(struct job *job, int argc, char **argv)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	job->config = MXG_DEFAULT_CONFIG;
	job->top = 20;
	job->place = MXGUARD_PLACE_QUEUED;
	job->list = MXG_PATHS;
	job->workers = processors < 1 ? 1 : processors > WORKERS_MAX ? WORKERS_MAX : processors;
	int status = mxg_read_options(&usage_scan, argc, argv, job);
	if (status != 0)
		return status;
	if (job->doveadm && (optind < argc || (job->all_users && job->user_count > 0)))
		return mxg_wrong_use("mxguard scan",
				     "--doveadm, -u and -A: neither PATH beside them nor both of -u and -A");
	if (!job->doveadm && (job->all_users || job->user_count > 0))
		return mxg_wrong_use("mxguard scan", "-u and -A are for --doveadm");
	if (!job->doveadm && optind == argc)
		return mxg_wrong_use("mxguard scan", "a PATH is missing");
	if (job->csv && (job->json || job->list != MXG_PATHS))
		return mxg_wrong_use("mxguard scan", "--csv excludes --json and --list");
	job->paths = argv + optind;
	job->path_count = (size_t)(argc - optind);
	return 0;
}

/* ---- working ------------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	struct job *job;
	struct mxg_tally *tally;
	bool started, out_of_memory;
};

/* After an interrupt the queue is emptied without reading, so that the walk can end. */
static void *work(void *argument)
{
	struct worker *w = argument;
	struct mxg_batch *batch = NULL;
	mxg_own_files();
	sem_post(&w->job->apart);
	struct mxg_scan_reader *reader = mxg_scan_reader_new(&w->job->rules, w->tally);
	w->out_of_memory = reader == NULL;
	while ((batch = mxg_queue_take(&w->job->queue, batch)) != NULL)
		if (reader != NULL)
			mxg_scan_reader_batch(reader, batch);
	mxg_scan_reader_free(reader);
	return NULL;
}

static void show_done(void *context)
{
	struct job *job = context;
	mxg_progress_show(&job->progress, (size_t)atomic_load(&job->done));
}

/* Dovecot reads one user after the other, and what it says is judged faster than that: one thread does. */
static bool scan_doveadm(struct job *job, struct mxg_tally *sum)
{
	struct mxg_doveadm_rules rules = { .all_folders = job->all_folders,
					   .since = job->since,
					   .stop = &stopped,
					   .done = show_done,
					   .context = job };
	struct mxg_scan_reader *reader = mxg_scan_reader_new(&job->rules, sum);
	bool all = job->user_count == 0;
	for (size_t i = 0; reader != NULL && i < (all ? 1 : job->user_count) && !atomic_load(&stopped); i++) {
		rules.user = all ? NULL : job->users[i];
		job->unread |= !mxg_scan_doveadm(reader, sum, &rules);
	}
	mxg_scan_reader_free(reader);
	return reader != NULL;
}

static void count_path(void *context, const char *path, size_t name_at, bool alone)
{
	(void)path;
	(void)name_at;
	(void)alone;
	((struct job *)context)->progress.total++;
}

static void queue_path(void *context, const char *path, size_t name_at, bool alone)
{
	struct job *job = context;
	mxg_queue_put(&job->queue, path, name_at, alone);
	mxg_progress_show(&job->progress, (size_t)atomic_load(&job->done));
}

static void walk_all(struct job *job, char **paths, int count, struct mxg_tally *sum,
		     void (*found)(void *, const char *, size_t, bool))
{
	struct mxg_walk_rules rules = {
		.since = job->since,
		.stop = &stopped,
		.found = found,
		.context = job,
		.all_folders = job->all_folders,
		.quiet = found == count_path /* a second walk tells */
	};
	for (int i = 0; i < count && !atomic_load(&stopped); i++) {
		if (strcmp(paths[i], "-") != 0)
			mxg_walk_path(&rules, paths[i]);
		else if (found != count_path)
			mxg_walk_list(&rules, STDIN_FILENO);
	}
	if (found == count_path)
		return;
	sum->failed += rules.failed;
	sum->left += rules.left;
	memcpy(sum->left_sample, rules.left_sample, sizeof(sum->left_sample));
	sum->own += rules.own;
	memcpy(sum->own_sample, rules.own_sample, sizeof(sum->own_sample));
}

/* Not before all are apart may anything else be opened: a pipe of which a worker has a copy never ends. */
static void start_workers(struct job *job, struct worker *workers)
{
	sem_init(&job->apart, 0, 0);
	for (long i = 0; i < job->workers; i++) {
		workers[i].job = job;
		workers[i].tally = calloc(1, sizeof(*workers[i].tally));
		workers[i].started =
			workers[i].tally != NULL && pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
	}
	for (long i = 0; i < job->workers; i++)
		while (workers[i].started && sem_wait(&job->apart) != 0)
			; /* a signal */
}

static bool any_started(const struct job *job, const struct worker *workers)
{
	for (long i = 0; i < job->workers; i++)
		if (workers[i].started)
			return true;
	return false;
}

/* Waits for the workers and adds up; false where one of them had no memory. */
static bool gather(struct job *job, struct worker *workers, struct mxg_tally *sum)
{
	bool complete = true;
	for (long i = 0; i < job->workers; i++) {
		if (workers[i].started) {
			pthread_join(workers[i].thread, NULL);
			mxg_tally_merge(sum, workers[i].tally);
		}
		complete &= workers[i].started && !workers[i].out_of_memory;
		free(workers[i].tally);
	}
	return complete;
}

static void put_page(const void *report, FILE *to)
{
	mxg_report_page(report, to);
}

static int tell(const struct job *job, struct mxg_tally *sum)
{
	size_t domain_count = 0, unknown_count = 0;
	struct mxg_scan_report report = {
		.tally = sum,
		.top = (size_t)job->top,
		.interrupted = atomic_load(&stopped),
		.now = job->rules.now,
		.history = job->rules.history == NULL ? 0 : mxg_history_begins(job->rules.history),
		.domains = mxg_scan_domains_sort(job->rules.domains, &domain_count),
		.domains_cut = mxg_scan_domains_cut(job->rules.domains),
		.unknown = mxg_listing_unknown(job->rules.listing, &unknown_count),
		.config = job->config,
		.paths = (const char *const *)(uintptr_t)job->paths,
		.path_count = job->path_count,
		.place = job->place,
		.since = job->since,
		.recipient = job->recipient,
		.all_folders = job->all_folders,
	};
	report.domain_count = domain_count;
	report.unknown_count = unknown_count;
	mxg_tally_sort(sum);
	if (job->list != MXG_PATHS)
		fflush(stdout);
	else if (job->json)
		mxg_report_json(&report);
	else if (job->csv)
		mxg_report_csv(&report, stdout);
	else
		mxg_report_people(&report, stdout);
	if (job->html != NULL && !mxg_output_write("mxguard scan", job->html, put_page, &report))
		return EX_CANTCREAT;
	return job->unread || (sum->messages == 0 && sum->failed > 0) ? EX_NOINPUT : 0;
}

static void forget(struct job *job, struct mxg_tally *sum)
{
	mxg_scan_domains_free(job->rules.domains);
	mxg_listing_free(job->rules.listing);
	free(sum);
}

static bool scan_paths(struct job *job, char **paths, int count, struct mxg_tally *sum)
{
	struct worker workers[WORKERS_MAX] = { 0 };
	start_workers(job, workers);
	if (any_started(job, workers)) {
		if (mxg_is_terminal(stderr))
			walk_all(job, paths, count, sum, count_path);
		walk_all(job, paths, count, sum, queue_path);
	}
	mxg_queue_close(&job->queue);
	return gather(job, workers, sum);
}

static int scan(struct job *job, char **paths, int count)
{
	struct mxg_tally *sum = calloc(1, sizeof(*sum));
	job->rules.domains = mxg_scan_domains_new();
	job->rules.listing = mxg_listing_new(job->list, job->json, stdout);
	if (sum == NULL || job->rules.domains == NULL || job->rules.listing == NULL || !mxg_queue_init(&job->queue)) {
		fputs("mxguard scan: out of memory\n", stderr);
		forget(job, sum);
		return EX_TEMPFAIL;
	}
	mxg_progress_begin(&job->progress, "scan", "messages", 0);
	bool complete = job->doveadm ? scan_doveadm(job, sum) : scan_paths(job, paths, count, sum);
	mxg_progress_clear(&job->progress);
	if (!complete)
		fputs("mxguard scan: out of memory: the figures are incomplete\n", stderr);
	int status = tell(job, sum);
	mxg_queue_free(&job->queue);
	forget(job, sum);
	return complete ? status : EX_TEMPFAIL;
}

/* Without it old mail is judged by what is known today, and the report says so. */
static struct mxg_history *open_history(const struct mxguard_policy *policy)
{
	char message[512];
	struct mxg_history *history;
	if (mxg_history_open(&history, policy->state_dir, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard scan: warning: %s; old mail is judged by the gateways of today\n", message);
		return NULL;
	}
	if (!mxg_history_is_empty(history))
		return history;
	mxg_history_free(history);
	return NULL;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int cmd_scan(int argc, char **argv)
{
	static struct job job;
	struct mxguard_session *session;
	int status = read_options(&job, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	status = mxg_open_session(&session, job.config, 0);
	if (status != 0)
		return status;
	catch_signals();
	const struct mxguard_policy *policy = mxguard_session_policy(session);
	struct mxg_history *history = open_history(policy);
	job.rules = (struct mxg_scan_rules){ .session = session,
					     .history = history,
					     .after = policy->grace > policy->reply_rules.max_ttl
							      ? policy->grace
							      : policy->reply_rules.max_ttl,
					     .settle = policy->settle,
					     .now = mxg_wall_clock(),
					     .recipient = job.recipient,
					     .place = job.place,
					     .since = job.since,
					     .stop = &stopped,
					     .done = &job.done };
	status = scan(&job, argv + optind, argc - optind);
	mxg_history_free(history);
	mxguard_session_free(session);
	return status;
}
