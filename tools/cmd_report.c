/* SPDX-License-Identifier: MIT */
/* mxguard report: what the logs say, and which domains are ready for enforce. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "date.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "report/input.h"
#include "report/partial.h"
#include "output_file.h"
#include "report/show.h"
#include "report/show_page.h"

#define NAMES_MAX 256
#define PEERS_ON_PAGE 1000
#define LINES_COMPARED (UINT32_C(1) << 25) /* 256 MiB of hashes */

struct job {
	const char *config, *html;
	const char *domains[NAMES_MAX];
	size_t domain_count;
	struct mxg_change changes[64];
	size_t change_count;
	const char *const *logs;
	size_t log_count;
	int64_t since;
	long top;
	bool json, csv, partial, journal, follow, no_dns;
	struct mxguard_session *session;
	struct mxg_history *history;
	struct mxg_report_input input;
	struct mxg_progress progress;
};

static atomic_bool stopped; /* the signal handler's only business */

static void on_signal(int signal_number)
{
	(void)signal_number;
	atomic_store(&stopped, true);
}

/* ---- options -------------------------------------------------------------------------------------------- */

static bool take_since(void *target, const char *text)
{
	return mxg_date_read(text, &((struct job *)target)->since);
}

static bool take_changed(void *target, const char *text)
{
	struct job *job = target;
	const char *equal = strchr(text, '='), *error = NULL;
	if (equal == NULL || job->change_count == sizeof(job->changes) / sizeof(job->changes[0]))
		return false;
	struct mxg_change *c = &job->changes[job->change_count++];
	return mxg_domains_line(c->domain, text, (size_t)(equal - text), &error) && mxg_date_read(equal + 1, &c->at);
}

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct job),
	{ 0, "since", "DATE", "only what was decided since then; what has no time is left out", .kind = MXG_OPTION_OWN,
	  .take = take_since, .takes = "a date such as 2026-01-31" },
	{ 0, "domain", "DOMAIN", "only recipients in this domain; may be given several times", .kind = MXG_OPTION_LIST,
	  .field = offsetof(struct job, domains), .max = NAMES_MAX, .count = offsetof(struct job, domain_count) },
	{ 0, "changed", "DOMAIN=DATE",
	  "the domain's MX was changed then: what became of direct\nmail? May be given several times",
	  .kind = MXG_OPTION_OWN, .take = take_changed, .takes = "DOMAIN=DATE, such as example.com=2026-01-31" },
	{ 0, "journal", NULL, "read the journal of this host, by journalctl", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct job, journal) },
	{ 0, "follow", NULL,
	  "go on reading the files as they grow, and show the sums\nall the time; for plain files alone",
	  .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, follow) },
	{ 0, "partial", NULL, "one object for another report to add up with those of other hosts",
	  .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, partial) },
	{ 0, "top", "N", "how many domains and peers to show (20; with --json 1000 peers)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct job, top), .min = 0, .max = 1000000 },
	{ 0, "no-dns", NULL, "do not ask for the names of candidates", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct job, no_dns) },
	{ 0, "html", "FILE", "one self-contained page as well", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct job, html) },
	{ 0, "json", NULL, "one JSON object", .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, json) },
	{ 0, "csv", NULL, "one row a domain", .kind = MXG_OPTION_FLAG, .field = offsetof(struct job, csv) },
};

const struct mxg_usage usage_report = {
	.synopsis = "[-c CONF] [OPTION]… FILE…\n"
		    "       mxguard report --journal [-c CONF] [OPTION]… [FILE…]",
	.about = "Reads what the front ends have logged and says who came past the filters, which hosts look\n"
		 "like forgotten gateways, and which domains are ready for enforce mode. FILE is a log with\n"
		 "lines of any front end, whatever stands in front of them, also .gz, .xz and .zst; what\n"
		 "--partial has written on another host; or - for standard input.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Interrupting it prints what is known so far. Exit status: 0, 64 wrong use, 66 some file\n"
		 "could not be read (the rest is reported), 73 the page could not be written, 75 memory ran\n"
		 "out, 78 configuration.\n"
		 "Example: mxguard report --since 2026-11-01 /var/log/mail.log*",
	.arguments = MXG_ARGUMENTS_FILES,
};

static int read_options(struct job *job, int argc, char **argv)
{
	job->top = -1;
	int status = mxg_read_options(&usage_report, argc, argv, job);
	if (status != 0)
		return status;
	if (optind == argc && !job->journal)
		return mxg_wrong_use(argv[0], "a FILE is missing, or --journal");
	if (job->json + job->csv + job->partial > 1)
		return mxg_wrong_use(argv[0], "--json, --csv and --partial exclude each other");
	if (job->follow && (job->journal || job->partial))
		return mxg_wrong_use(argv[0],
				     "--follow goes on reading files: neither --journal nor --partial goes with it");
	for (int i = optind; job->follow && i < argc; i++) {
		const char *why = mxg_report_cannot_follow(argv[i]);
		if (why != NULL)
			return mxg_wrong_use(argv[0], "--follow is for plain logs that grow: '%s' %s", argv[i], why);
	}
	if (job->html != NULL && (job->follow || job->partial))
		return mxg_wrong_use(argv[0], "--html is neither for --follow nor for --partial");
	if (job->follow && argc - optind > MXG_REPORT_FOLLOWED_MAX)
		return mxg_wrong_use(argv[0], "--follow is for 64 files at most");
	if (job->top < 0)
		job->top = job->json ? 1000 : 20;
	return 0;
}

/* ---- the configuration: without one the logs are read as well ------------------------------------------- */

static int open_configuration(struct job *job)
{
	char message[512];
	bool named = job->config != NULL;
	const char *path = named ? job->config : MXG_DEFAULT_CONFIG;
	if (!named && access(path, R_OK) != 0)
		return 0;
	int status = mxg_open_session(&job->session, path, MXGUARD_SESSION_FLAG_NO_SNAPSHOT);
	if (status != 0)
		return named ? status : 0;
	const struct mxguard_policy *policy = mxguard_session_policy(job->session);
	if (mxg_history_open(&job->history, policy->state_dir, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		fprintf(stderr, "mxguard report: warning: %s; generations are not known\n", message);
	return 0;
}

/* Domains with a time line: those that are asked about, and those whose MX is known to have changed. */
static bool is_watched(void *context, const char *domain)
{
	const struct job *job = context;
	struct mxg_question q = { .type = MXG_DNS_MX };
	int64_t times[2];
	for (size_t i = 0; i < job->change_count; i++)
		if (strcmp(job->changes[i].domain, domain) == 0)
			return true;
	if (job->history == NULL || mxg_history_is_empty(job->history) ||
	    !mxg_name_from_text(&q.name, domain, strlen(domain)))
		return false;
	for (size_t i = 0; i < job->domain_count; i++)
		if (strcasecmp(job->domains[i], domain) == 0)
			return true;
	return mxg_history_times(job->history, &q, times, 2) > 1;
}

/* ---- telling ------------------------------------------------------------------------------------------------ */

struct shown {
	const struct mxg_report_result *result;
	const struct mxg_report_about *about;
};

static void put_page(const void *what, FILE *to)
{
	const struct shown *shown = what;
	mxg_report_show_page(shown->result, shown->about, to);
}

static bool write_page(const struct job *job, const struct mxg_report_result *result)
{
	const struct mxg_report_about about = { .config = job->session == NULL  ? NULL
							  : job->config == NULL ? MXG_DEFAULT_CONFIG
										: job->config,
						.logs = job->logs,
						.log_count = job->log_count,
						.domains = job->domains,
						.domain_count = job->domain_count,
						.changes = job->changes,
						.change_count = job->change_count,
						.journal = job->journal,
						.since = job->since,
						.now = job->input.now };
	const struct shown shown = { result, &about };
	return mxg_output_write("mxguard report", job->html, put_page, &shown);
}

static int show(struct job *job, bool live)
{
	struct mxg_report_state *state = job->input.state;
	struct mxg_report_result result;
	struct mxguard_policy *policy = job->session == NULL ? NULL : mxguard_session_policy(job->session);
	const struct mxg_report_inputs inputs = {
		.policy = policy,
		.history = job->history,
		.changes = job->changes,
		.change_count = job->change_count,
		.ask_dns = !job->no_dns && !live && policy != NULL,
		.now = job->input.now,
		.top = (size_t)(job->html != NULL && job->top < PEERS_ON_PAGE ? PEERS_ON_PAGE : job->top)
	};
	bool good = mxg_report_judge(&result, state, &inputs);
	result.interrupted = atomic_load(&stopped) && !job->follow;
	bool written = !good || job->html == NULL || write_page(job, &result);
	if (result.peer_count > (size_t)job->top) /* the page has room for more of them */
		result.peer_count = (size_t)job->top;
	if (!good)
		fputs("mxguard report: out of memory\n", stderr);
	else if (job->json)
		mxg_json_print(mxg_report_object(&result));
	else if (job->csv)
		mxg_report_show_csv(&result, stdout);
	else
		mxg_report_show_people(&result, (size_t)job->top, stdout);
	mxg_report_result_clear(&result);
	return !good ? EX_TEMPFAIL : written ? 0 : EX_CANTCREAT;
}

/* On a terminal the screen is drawn anew; else nothing is told before the end. */
static void show_live(void *context)
{
	struct job *job = context;
	if (job->json || job->csv || !mxg_is_terminal(stdout))
		return;
	fputs("\033[H\033[2J", stdout);
	show(job, true);
	fflush(stdout);
}

static int tell(struct job *job)
{
	struct mxg_report_state *state = job->input.state;
	state->doubled |= mxg_seen_gave_up(job->input.seen);
	if (state->nomem) {
		fputs("mxguard report: out of memory: the figures are incomplete\n", stderr);
		return EX_TEMPFAIL;
	}
	int status = 0;
	if (job->partial)
		status = mxg_partial_write(state, stdout) ? 0 : EX_IOERR;
	else
		status = show(job, false);
	return status != 0 ? status : job->input.failed ? EX_NOINPUT : 0;
}

static int report(struct job *job, char **paths, int count)
{
	struct mxg_report_input *in = &job->input;
	in->state = mxg_report_state_new();
	in->seen = mxg_seen_new(LINES_COMPARED);
	if (in->state == NULL || in->seen == NULL) {
		fputs("mxguard report: out of memory\n", stderr);
		return EX_TEMPFAIL;
	}
	in->state->watch = is_watched;
	in->state->watch_context = job;
	mxg_progress_begin(&job->progress, "report", "MiB", (size_t)(mxg_report_size(paths, count) >> 20));
	in->progress = job->follow ? NULL : &job->progress;
	if (job->journal)
		mxg_report_journal(in);
	for (int i = 0; i < count && !job->follow && !atomic_load(&stopped); i++)
		mxg_report_file(in, paths[i]);
	if (job->follow)
		mxg_report_follow(in, paths, count, show_live, job);
	mxg_progress_clear(&job->progress);
	return tell(job);
}

int cmd_report(int argc, char **argv)
{
	static struct job job;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	int status = read_options(&job, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	status = open_configuration(&job);
	if (status != 0)
		return status;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	job.logs = (const char *const *)(uintptr_t)(argv + optind);
	job.log_count = (size_t)(argc - optind);
	job.input.since = job.since;
	job.input.now = mxg_wall_clock();
	job.input.domains = job.domains;
	job.input.domain_count = job.domain_count;
	job.input.stop = &stopped;
	status = report(&job, argv + optind, argc - optind);
	mxg_report_state_free(job.input.state);
	mxg_seen_free(job.input.seen);
	mxg_history_free(job.history);
	mxguard_session_free(job.session);
	return status;
}
