/* SPDX-License-Identifier: MIT */
/* mxguard scan: how much of the mail that lies here skipped the filters. */
#include <errno.h>
#include <pthread.h>
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
#include "options.h"
#include "scan/reader.h"
#include "scan/report.h"
#include "scan/source.h"
#include "terminal.h"

#define WORKERS_MAX 64

static const char usage[] =
	"Usage: mxguard scan [-c CONF] [OPTION]… PATH…\n"
	"Counts how the messages below PATH came: through gateways, directly, locally. Reads only.\n"
	"PATH is a Maildir or a tree of them, an mbox file, a message, or - for a list of names on\n"
	"standard input, one a line.\n"
	"\n"
	"  -c, --config FILE     configuration (/etc/mxguard/mxguard.conf)\n"
	"      --since DATE      only messages since then (YYYY-MM-DD)\n"
	"      --rcpt ADDRESS    recipient of messages that do not tell theirs\n"
	"      --place PLACE     where mxguard would have stood: queued (default) or door\n"
	"      --top N           how many direct peers to list (20)\n"
	"      --workers N       threads (one a processor)\n"
	"      --html FILE       one self-contained page as well\n"
	"      --json            one JSON object\n"
	"      --csv             one row a month\n"
	"\n"
	"Interrupting it prints what is known so far. Exit status: 0, 64 wrong use, 66 nothing could\n"
	"be read, 73 the page could not be written, 78 configuration.\n"
	"Example: mxguard scan --since 2026-01-01 --html report.html /var/vmail\n";

struct job {
	const char *config, *html, *recipient;
	long top, workers;
	int64_t since;
	enum mxguard_place place;
	bool json, csv;
	struct mxg_queue queue;
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

enum { SINCE = 256, RCPT, PLACE, TOP, WORKERS, HTML, JSON, CSV };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "since", required_argument, NULL, SINCE },
	{ "rcpt", required_argument, NULL, RCPT },
	{ "place", required_argument, NULL, PLACE },
	{ "top", required_argument, NULL, TOP },
	{ "workers", required_argument, NULL, WORKERS },
	{ "html", required_argument, NULL, HTML },
	{ "json", no_argument, NULL, JSON },
	{ "csv", no_argument, NULL, CSV },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int take_since(struct job *job, const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	if (end == NULL || *end != '\0')
		return mxg_wrong_use("mxguard scan", "--since takes a date such as 2026-01-31");
	job->since = (int64_t)timegm(&tm);
	return 0;
}

static int take_place(struct job *job, const char *word)
{
	if (strcmp(word, "door") == 0)
		job->place = MXGUARD_PLACE_DOOR;
	else if (strcmp(word, "queued") != 0)
		return mxg_wrong_use("mxguard scan", "--place takes door or queued");
	return 0;
}

static int take_option(struct job *job, int option, const char *value)
{
	switch (option) {
	case 'c':
		job->config = value;
		return 0;
	case SINCE:
		return take_since(job, value);
	case RCPT:
		job->recipient = value;
		return 0;
	case PLACE:
		return take_place(job, value);
	case TOP:
		return mxg_number_option("mxguard scan", "--top", value, 0, MXG_TALLY_PEERS, &job->top) ? 0 : EX_USAGE;
	case WORKERS:
		return mxg_number_option("mxguard scan", "--workers", value, 1, WORKERS_MAX, &job->workers) ? 0
													    : EX_USAGE;
	case HTML:
		job->html = value;
		return 0;
	case JSON:
		job->json = true;
		return 0;
	case CSV:
		job->csv = true;
		return 0;
	case 'h':
		fputs(usage, stdout);
		return -1;
	default:
		return EX_USAGE;
	}
}

static int read_options(struct job *job, int argc, char **argv)
{
	int option, result;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	job->config = MXG_DEFAULT_CONFIG;
	job->top = 20;
	job->place = MXGUARD_PLACE_QUEUED;
	job->workers = processors < 1 ? 1 : processors > WORKERS_MAX ? WORKERS_MAX : processors;
	while ((option = mxg_next_option(argc, argv, ":c:h", long_options)) != -1)
		if ((result = take_option(job, option, optarg)) != 0)
			return result;
	if (optind == argc)
		return mxg_wrong_use("mxguard scan", "a PATH is missing");
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
	struct mxg_batch batch;
	struct mxg_scan_reader *reader = mxg_scan_reader_new(&w->job->rules, w->tally);
	w->out_of_memory = reader == NULL;
	while (mxg_queue_take(&w->job->queue, &batch))
		for (size_t i = 0; i < batch.count && reader != NULL && !atomic_load(&stopped); i++)
			mxg_scan_reader_file(reader, batch.paths[i]);
	mxg_scan_reader_free(reader);
	return NULL;
}

static void count_path(void *context, const char *path)
{
	(void)path;
	((struct job *)context)->progress.total++;
}

static void queue_path(void *context, const char *path)
{
	struct job *job = context;
	mxg_queue_put(&job->queue, path);
	mxg_progress_show(&job->progress, (size_t)atomic_load(&job->done));
}

static uint64_t walk_all(struct job *job, char **paths, int count, void (*found)(void *, const char *))
{
	struct mxg_walk_rules rules = { .since = job->since, .stop = &stopped, .found = found, .context = job };
	for (int i = 0; i < count && !atomic_load(&stopped); i++) {
		if (strcmp(paths[i], "-") != 0)
			mxg_walk_path(&rules, paths[i]);
		else if (found != count_path)
			mxg_walk_list(&rules, STDIN_FILENO);
	}
	return rules.failed;
}

static void start_workers(struct job *job, struct worker *workers)
{
	for (long i = 0; i < job->workers; i++) {
		workers[i].job = job;
		workers[i].tally = calloc(1, sizeof(*workers[i].tally));
		workers[i].started =
			workers[i].tally != NULL && pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
	}
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

static int tell(const struct job *job, struct mxg_tally *sum)
{
	struct mxg_scan_report report = {
		.tally = sum, .top = (size_t)job->top, .interrupted = atomic_load(&stopped), .now = mxg_wall_clock()
	};
	mxg_tally_sort(sum);
	if (job->json)
		mxg_report_json(&report);
	else if (job->csv)
		mxg_report_csv(&report, stdout);
	else
		mxg_report_people(&report, stdout);
	if (job->html != NULL && mxg_report_html(&report, job->html) != 0) {
		fprintf(stderr, "mxguard scan: %s: %s\n", job->html, strerror(errno));
		return EX_CANTCREAT;
	}
	return sum->messages == 0 && sum->failed > 0 ? EX_NOINPUT : 0;
}

static int scan(struct job *job, char **paths, int count)
{
	struct worker workers[WORKERS_MAX] = { 0 };
	struct mxg_tally *sum = calloc(1, sizeof(*sum));
	if (sum == NULL || !mxg_queue_init(&job->queue)) {
		fputs("mxguard scan: out of memory\n", stderr);
		free(sum);
		return EX_TEMPFAIL;
	}
	start_workers(job, workers);
	if (any_started(job, workers)) {
		mxg_progress_begin(&job->progress, "scan", "messages", 0);
		if (mxg_is_terminal(stderr))
			walk_all(job, paths, count, count_path);
		sum->failed += walk_all(job, paths, count, queue_path);
	}
	mxg_queue_close(&job->queue);
	bool complete = gather(job, workers, sum);
	mxg_progress_clear(&job->progress);
	if (!complete)
		fputs("mxguard scan: out of memory: the figures are incomplete\n", stderr);
	int status = tell(job, sum);
	mxg_queue_free(&job->queue);
	free(sum);
	return complete ? status : EX_TEMPFAIL;
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
	job.rules = (struct mxg_scan_rules){ .policy = mxguard_session_policy(session),
					     .snapshot = mxguard_session_snapshot(session),
					     .recipient = job.recipient,
					     .place = job.place,
					     .since = job.since,
					     .stop = &stopped,
					     .done = &job.done };
	status = scan(&job, argv + optind, argc - optind);
	mxguard_session_free(session);
	return status;
}
