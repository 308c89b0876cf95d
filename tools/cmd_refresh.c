/* SPDX-License-Identifier: MIT */
/* mxguard refresh: asks DNS for everything that the configuration reaches, for every local
 * domain, and keeps it for deliveries. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "history_write.h"
#include "load.h"
#include "metrics/metrics.h"
#include "metrics/refresh_file.h"
#include "options.h"
#include "refresh_fetch.h"
#include "refresh_report.h"
#include "refresh_tell.h"
#include "snapshot_write.h"

#define NAMES_MAX 64
#define EXIT_HELD 1 /* --strict, and there were alarms */

struct request {
	const char *config, *state_dir, *metrics_file, *publish, *fetch;
	const char *forget[NAMES_MAX], *accept[NAMES_MAX];
	struct mxg_string_list forget_list, accept_list;
	bool strict, quiet, json, force;
	long concurrency;
};

static bool is_domain(void *target, const char *name)
{
	struct mxg_name wire;
	return mxg_name_from_text(&wire, name, strlen(name));
}

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 0, "strict", NULL, "a set with an alarm keeps its old answers", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, strict) },
	{ 0, "accept", "NAME", "take what was held back at NAME, and be silent about it;\nmay be given several times",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct request, accept), .max = NAMES_MAX,
	  .count = offsetof(struct request, accept_list) + offsetof(struct mxg_string_list, count), .take = is_domain,
	  .takes = "a domain name" },
	{ 0, "forget", "NAME", "drop all that is known about NAME at once, then ask anew;\nmay be given several times",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct request, forget), .max = NAMES_MAX,
	  .count = offsetof(struct request, forget_list) + offsetof(struct mxg_string_list, count), .take = is_domain,
	  .takes = "a domain name" },
	{ 0, "concurrency", "N", "questions that are out at a time (64)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct request, concurrency), .min = 1, .max = 4096 },
	{ 0, "state-dir", "FOLDER", "instead of the configuration's state_dir", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, state_dir) },
	{ 0, "metrics-file", "FILE", "leave figures there for node_exporter's textfile collector",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, metrics_file) },
	{ 0, "publish", "FILE", "then put the snapshot that stands there, for other hosts", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, publish) },
	{ 0, "fetch", "FILE", "ask nothing: take what another host has published, if it is sound",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, fetch) },
	{ 0, "force", NULL, "--fetch also what has lost more than a fifth of domains or names", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, force) },
	{ 'q', "quiet", NULL, "say nothing but errors and alarms", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, quiet) },
	{ 0, "json", NULL, "one JSON object, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_refresh = {
	.synopsis = "[-c CONF] [OPTION]…",
	.about = "Asks DNS for everything that the configuration reaches for every local domain and\n"
		 "keeps it in state_dir, where deliveries find it.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0 done; 1 done, but there are alarms (--strict); 75 done, but some names\n"
		 "gave no answer and keep their old ones, or nothing could be done now (another refresh\n"
		 "runs, DNS is dead); 73 or 74 the snapshot cannot be written, the old one stays;\n"
		 "--fetch: 65 torn, damaged, older or shrunk, 75 not there, 77 not trusted, 78 made for\n"
		 "other gateways; the old one stays;\n"
		 "64 wrong use; 78 wrong configuration, or done, but domains_file has wrong lines, or no\n"
		 "domain is listed whose records an enforced policy asks for.\n"
		 "Example: mxguard refresh --forget relay.filter.example",
};

static bool asks(const struct request *q)
{
	return q->strict || q->accept_list.count > 0 || q->forget_list.count > 0 || q->concurrency != 0 ||
	       q->publish != NULL;
}

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .config = MXG_DEFAULT_CONFIG };
	q->forget_list.items = q->forget;
	q->accept_list.items = q->accept;
	int status = mxg_read_options(&usage_refresh, argc, argv, q);
	if (status != 0)
		return status;
	if (optind < argc)
		return mxg_wrong_use(argv[0], "'%s' is an argument too many", argv[optind]);
	if (q->force && q->fetch == NULL)
		return mxg_wrong_use(argv[0], "--force belongs to --fetch");
	if (q->fetch != NULL && asks(q))
		return mxg_wrong_use(argv[0], "--fetch asks nothing: --strict, --accept, --forget, --concurrency and "
					      "--publish belong to the host that does");
	q->concurrency = q->concurrency == 0 ? 64 : q->concurrency;
	return 0;
}

/* ---- the snapshot that stands --------------------------------------------------------------- */

static int lock(const struct mxguard_policy *policy, int *folder, int *lock_fd)
{
	*lock_fd = mxg_state_lock(policy->state_dir, folder);
	if (*lock_fd >= 0)
		return 0;
	if (errno == EWOULDBLOCK) {
		fprintf(stderr, "mxguard refresh: another refresh is running on %s; this one has done nothing\n",
			policy->state_dir);
		return EX_TEMPFAIL;
	}
	fprintf(stderr, "mxguard refresh: %s: %s: there is no place for the snapshot\n", policy->state_dir,
		strerror(errno));
	return EX_CANTCREAT;
}

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

/* ---- the new one ------------------------------------------------------------------------------- */

static int write_failed(const struct mxguard_policy *policy, int error, int status, char *text, size_t size)
{
	snprintf(text, size, "%s/%s cannot be written: %s; the old one stays", policy->state_dir, MXG_SNAPSHOT_FILE,
		 strerror(error));
	fprintf(stderr, "mxguard refresh: %s\n", text);
	return status;
}

/* First, so that no change is lost; but deliveries do not wait for what only reports read. */
static void keep_history(struct mxg_refresh *run, int folder)
{
	bool good = mxg_history_commit(run->history);
	if (good)
		good = mxg_history_compact(folder, run->policy->state_dir, run->now, false);
	else
		errno = run->history->error;
	if (!good)
		fprintf(stderr, "mxguard refresh: warning: %s/%s: %s; the next refresh tries again\n",
			run->policy->state_dir, MXG_HISTORY_FILE, strerror(errno));
}

static int write_snapshot(struct mxg_refresh *run, int folder, char *text, size_t size)
{
	struct mxg_writer w;
	if (!mxg_writer_open(&w, folder)) {
		int error = w.error;
		mxg_writer_abort(&w);
		return write_failed(run->policy, error, EX_CANTCREAT, text, size);
	}
	mxg_history_begin(run->history, folder);
	mxg_refresh_write(run, &w);
	if (run->nomem) {
		mxg_history_commit(run->history);
		mxg_writer_abort(&w);
		return write_failed(run->policy, ENOMEM, EX_TEMPFAIL, text, size);
	}
	keep_history(run, folder);
	if (!mxg_writer_commit(&w, run->policy->hash, run->now))
		return write_failed(run->policy, w.error, EX_IOERR, text, size);
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

static int no_dns(const struct mxg_refresh *run, char *text, size_t size)
{
	snprintf(text, size,
		 "not one of %zu questions was answered: is the resolver running? "
		 "(dns.servers, or /etc/resolv.conf); the old snapshot stays",
		 run->failed);
	fprintf(stderr, "mxguard refresh: %s\n", text);
	return EX_TEMPFAIL;
}

static int outcome(const struct mxg_refresh *run, const struct mxg_refresh_figures *f)
{
	if (run->strict && f->alarms > 0)
		return EXIT_HELD;
	if (f->failures > 0)
		return EX_TEMPFAIL;
	/* the policy's warning has told what is missing */
	return run->wrong_lines > 0 || run->policy->nothing_to_refresh ? EX_CONFIG : 0;
}

static int finish(struct mxg_refresh *run, const struct request *q, int folder)
{
	char error[512];
	struct mxg_refresh_figures f;
	int status;
	mxg_refresh_count(run, &f);
	if (!q->quiet && !q->json)
		mxg_refresh_print_found(run, &f);
	mxg_refresh_tell(run);
	if (run->dead && run->answered > 0)
		fputs("mxguard refresh: DNS has stopped answering; the rest was not asked\n", stderr);
	if (run->answered == 0 && run->failed > 0)
		status = no_dns(run, error, sizeof(error));
	else
		status = write_snapshot(run, folder, error, sizeof(error));
	struct mxg_published published = { .file = q->publish };
	int carried = q->publish == NULL ? 0 : mxg_refresh_publish(run->policy, folder, &published);
	if (q->json)
		mxg_refresh_print_json(run, &f, &published, status == 0 ? NULL : error);
	else if (status == 0 && !q->quiet)
		mxg_refresh_print_sum(run, &f);
	if (carried == 0 && q->publish != NULL && !q->json && !q->quiet)
		printf("published: generation %u\n", published.facts.generation);
	if (status == 0)
		status = check_written(run->policy);
	if (status == 0)
		status = carried;
	return status != 0 ? status : outcome(run, &f);
}

static int out_of_memory(void)
{
	fputs("mxguard refresh: out of memory, or no socket to be had; the old snapshot stays\n", stderr);
	return EX_TEMPFAIL;
}

static int refresh(struct mxg_refresh *run, const struct request *q, int folder)
{
	int64_t began = mxg_metrics_now();
	struct mxguard_snapshot *before = open_before(run->policy, q->quiet);
	int status = mxg_refresh_domains(run);
	if (status == 0 && !mxg_store_init(&run->store, before, &q->forget_list, &q->accept_list))
		status = out_of_memory();
	bool begun = status == 0;
	if (begun)
		status = mxg_refresh_run(run) ? finish(run, q, folder) : out_of_memory();
	if (q->metrics_file != NULL)
		mxg_refresh_file_write(q->metrics_file, run->policy, begun ? run : NULL, status,
				       (double)(mxg_metrics_now() - began) / 1e6);
	for (size_t i = 0; run->domains != NULL && i < run->domain_count; i++)
		if (!run->domains[i].shared)
			free((void *)(uintptr_t)run->domains[i].name);
	free(run->domains);
	mxg_driver_free(run->driver);
	mxg_answers_free(run->table);
	mxg_reach_clear(&run->reach);
	mxg_store_clear(&run->store);
	mxguard_snapshot_unref(before);
	return status;
}

static int refresh_new(const struct mxguard_policy *policy, const struct request *q, int folder)
{
	struct mxg_refresh *run = calloc(1, sizeof(*run));
	struct mxg_history_writer *history = malloc(sizeof(*history));
	int status;
	if (run != NULL && history != NULL) {
		*run = (struct mxg_refresh){ .policy = policy,
					     .now = mxg_wall_clock(),
					     .strict = q->strict,
					     .quiet = q->quiet,
					     .concurrency = (size_t)q->concurrency,
					     .history = history };
		status = refresh(run, q, folder);
	} else {
		status = out_of_memory();
	}
	free(history);
	free(run);
	return status;
}

static int fetch(const struct mxguard_policy *policy, const struct request *q, int folder)
{
	const struct mxg_fetch ask = { .file = q->fetch, .force = q->force, .quiet = q->quiet, .json = q->json };
	int64_t began = mxg_metrics_now();
	int status = mxg_refresh_fetch(policy, folder, &ask);
	if (q->metrics_file != NULL)
		mxg_refresh_file_write(q->metrics_file, policy, NULL, status,
				       (double)(mxg_metrics_now() - began) / 1e6);
	return status;
}

int cmd_refresh(int argc, char **argv)
{
	struct request q;
	struct mxguard_session *session;
	int folder, lock_fd, status = read_options(&q, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	status = mxg_open_session(&session, q.config, MXGUARD_SESSION_FLAG_NO_SNAPSHOT);
	if (status != 0)
		return status;
	struct mxguard_policy *policy = mxguard_session_policy(session);
	if (q.state_dir != NULL)
		policy->state_dir = q.state_dir; /* nobody else has the policy yet */
	umask(022);
	status = lock(policy, &folder, &lock_fd);
	if (status == 0) {
		status = q.fetch != NULL ? fetch(policy, &q, folder) : refresh_new(policy, &q, folder);
		close(folder);
		close(lock_fd);
	}
	mxguard_session_free(session);
	return status;
}
