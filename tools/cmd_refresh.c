/* SPDX-License-Identifier: MIT */
/* mxguard refresh: asks DNS for everything that the configuration reaches, for every local
 * domain, and keeps it for deliveries. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands.h"
#include "load.h"
#include "metrics/metrics.h"
#include "metrics/refresh_file.h"
#include "options.h"
#include "refresh_fetch.h"
#include "refresh_pass.h"
#include "snapshot_write.h"

#define NAMES_MAX 64
#define DOMAINS_MAX 1000

struct request {
	const char *config, *state_dir, *fetch;
	const char *forget[NAMES_MAX], *accept[NAMES_MAX], *domains[DOMAINS_MAX];
	struct mxg_pass_options pass;
};
#define PASS(member) (offsetof(struct request, pass) + offsetof(struct mxg_pass_options, member))
#define PASS_COUNT(member) (PASS(member) + offsetof(struct mxg_string_list, count))

static bool is_domain(void *target, const char *name)
{
	struct mxg_name wire;
	return mxg_name_from_text(&wire, name, strlen(name));
}

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 0, "due", NULL, "ask only for domains that are new and for what has expired:\na cheap run, every minute",
	  .kind = MXG_OPTION_FLAG, .field = PASS(due) },
	{ 0, "domain", "DOMAIN",
	  "ask for DOMAIN alone, at once; with domains_file or domains_command\nit counts as ours "
	  "until the list is read again; may be given several times",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct request, domains), .max = DOMAINS_MAX,
	  .count = PASS_COUNT(domains), .take = is_domain, .takes = "a domain name" },
	{ 0, "strict", NULL, "a set with an alarm keeps its old answers", .kind = MXG_OPTION_FLAG,
	  .field = PASS(strict) },
	{ 0, "accept", "NAME", "take what was held back at NAME, and be silent about it;\nmay be given several times",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct request, accept), .max = NAMES_MAX,
	  .count = PASS_COUNT(accept), .take = is_domain, .takes = "a domain name" },
	{ 0, "forget", "NAME", "drop all that is known about NAME at once, then ask anew;\nmay be given several times",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct request, forget), .max = NAMES_MAX,
	  .count = PASS_COUNT(forget), .take = is_domain, .takes = "a domain name" },
	{ 0, "concurrency", "N", "questions that are out at a time (64)", .kind = MXG_OPTION_NUMBER,
	  .field = PASS(concurrency), .min = 1, .max = 4096 },
	{ 0, "per-second", "N", "questions a second, instead of the configuration's dns.per_second",
	  .kind = MXG_OPTION_NUMBER, .field = PASS(per_second), .min = 1, .max = 1000000 },
	{ 0, "state-dir", "FOLDER", "instead of the configuration's state_dir", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, state_dir) },
	{ 0, "metrics-file", "FILE", "leave figures there for node_exporter's textfile collector",
	  .kind = MXG_OPTION_TEXT, .field = PASS(metrics_file) },
	{ 0, "publish", "FILE", "then put the snapshot that stands there, for other hosts", .kind = MXG_OPTION_TEXT,
	  .field = PASS(publish) },
	{ 0, "fetch", "FILE", "ask nothing: take what another host has published, if it is sound",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, fetch) },
	{ 0, "force", NULL,
	  "take also what has lost more than a fifth: with --fetch domains or names,\nelse what "
	  "domains_command prints, or domains_file with wrong lines",
	  .kind = MXG_OPTION_FLAG, .field = PASS(force) },
	{ 'q', "quiet", NULL, "say nothing but errors and alarms", .kind = MXG_OPTION_FLAG, .field = PASS(quiet) },
	{ 0, "json", NULL, "one JSON object, for scripts", .kind = MXG_OPTION_FLAG, .field = PASS(json) },
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

static bool asks(const struct mxg_pass_options *p)
{
	return p->strict || p->due || p->accept.count > 0 || p->forget.count > 0 || p->domains.count > 0 ||
	       p->concurrency != 0 || p->per_second != 0 || p->publish != NULL;
}

/* As the lists have them. */
static int name_domains(struct request *q, const char *command)
{
	static char names[DOMAINS_MAX][256];
	const char *error = NULL;
	for (size_t i = 0; i < q->pass.domains.count; i++) {
		if (!mxg_domains_line(names[i], q->domains[i], strlen(q->domains[i]), &error))
			return mxg_wrong_use(command, "--domain: '%s' is no domain name", q->domains[i]);
		q->domains[i] = names[i];
	}
	return 0;
}

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .config = MXG_DEFAULT_CONFIG };
	q->pass.forget.items = q->forget;
	q->pass.accept.items = q->accept;
	q->pass.domains.items = q->domains;
	int status = mxg_read_options(&usage_refresh, argc, argv, q);
	if (status != 0)
		return status;
	if (q->fetch != NULL && asks(&q->pass))
		return mxg_wrong_use(argv[0], "--fetch asks nothing: --due, --domain, --strict, --accept, --forget, "
					      "--concurrency, --per-second and --publish belong to the host that does");
	q->pass.concurrency = q->pass.concurrency == 0 ? 64 : q->pass.concurrency;
	return name_domains(q, argv[0]);
}

/* ---- the two kinds of run --------------------------------------------------------------------- */

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

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

/* What was asked is not lost: it is written, and the next run goes on. */
static void end_by_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static int refresh(const struct mxguard_policy *policy, struct request *q, int folder)
{
	end_by_signals();
	q->pass.signalled = &signalled;
	return mxg_refresh_pass(policy, &q->pass, folder);
}

static int fetch(const struct mxguard_policy *policy, const struct request *q, int folder)
{
	const struct mxg_fetch ask = {
		.file = q->fetch, .force = q->pass.force, .quiet = q->pass.quiet, .json = q->pass.json
	};
	int64_t began = mxg_monotonic_us();
	int status = mxg_refresh_fetch(policy, folder, &ask);
	if (q->pass.metrics_file != NULL)
		mxg_refresh_file_write(q->pass.metrics_file, policy, NULL, status,
				       (double)(mxg_monotonic_us() - began) / 1e6);
	return status;
}

int cmd_refresh(int argc, char **argv)
{
	static struct request q;
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
	if (q.pass.force && q.fetch == NULL && !mxg_policy_lists_elsewhere(policy)) {
		mxguard_session_free(session);
		return mxg_wrong_use(argv[0], "--force belongs to --fetch, domains_command and domains_file");
	}
	status = lock(policy, &folder, &lock_fd);
	if (status == 0) {
		status = q.fetch != NULL ? fetch(policy, &q, folder) : refresh(policy, &q, folder);
		close(folder);
		close(lock_fd);
	}
	mxguard_session_free(session);
	return status;
}
