/* SPDX-License-Identifier: MIT */
/* mxguard audit: by which names mail can still reach this host past the gateways. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "audit/audit.h"
#include "audit/guard.h"
#include "audit/past.h"
#include "audit/probe.h"
#include "audit/show.h"
#include "audit/sts.h"
#include "base/domain_text.h"
#include "commands.h"
#include "load.h"
#include "options.h"
#include "output_file.h"
#include "policy/policy.h"
#include "text.h"

#define EXIT_UNGUARDED 1
#define RCPT_MOST 500

static const char default_config[] = MXG_DEFAULT_CONFIG;

struct request {
	const char *config, *names, *probe, *rcpt, *html;
	struct mxg_guard_sources sources;
	long rate, concurrency;
	bool json, quiet;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 0, "names", "FILE", "try these names as well, one a line: a label, or a whole name\nwith a dot at its end",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, names) },
	{ 0, "probe", "HOST:PORT",
	  "offer a message for --rcpt there, as far as RCPT, and nothing\nelse; for a host "
	  "outside that is no gateway",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, probe) },
	{ 0, "rcpt", "ADDRESS", "for --probe: a mailbox behind that host", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, rcpt) },
	{ 0, "rate", "N", "questions to DNS a second, at most (1000)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct request, rate), .min = 1, .max = 1000000 },
	{ 0, "concurrency", "N", "questions that are out at a time (64)", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct request, concurrency), .min = 1, .max = 4096 },
	{ 0, "postfix", "FOLDER", "the folder of main.cf and master.cf, as postconf -c takes it",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, sources.postfix) },
	{ 0, "dovecot", "FILE", "dovecot.conf, as doveconf -c takes it", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, sources.dovecot) },
	{ 0, "exim", "FILE", "Exim's configuration, as exim -C takes it", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, sources.exim) },
	{ 0, "opensmtpd", "FILE", "smtpd.conf of OpenSMTPD (/etc/smtpd.conf)", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, sources.opensmtpd) },
	{ 0, "sendmail", "FILE", "sendmail.cf (/etc/mail/sendmail.cf)", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, sources.sendmail) },
	{ 0, "html", "FILE", "one self-contained page as well", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, html) },
	{ 'q', "quiet", NULL, "no progress bar", .kind = MXG_OPTION_FLAG, .field = offsetof(struct request, quiet) },
	{ 0, "json", NULL, "one JSON object a line, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_audit = {
	.synopsis = "[-c CONF] [OPTION]… [DOMAIN…]\n"
		    "       mxguard audit --probe HOST:PORT --rcpt ADDRESS [-c CONF] [--json]",
	.about = "Looks for the names by which mail can still reach this host past the gateways, for the\n"
		 "domains given or for all of the configuration's, and says what guards the ports there.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0 nothing unguarded answers; 1 something does; 75 something could not be asked,\n"
		 "or found out, and nothing unguarded was seen; 64 wrong use; 65 and 66 the file of --names is\n"
		 "wrong or cannot be read; 73 the page cannot be written; 78 wrong configuration.\n"
		 "Example: mxguard audit --json example.com",
	.arguments = MXG_ARGUMENTS_OTHER,
};

/* ---- what is to be looked at -------------------------------------------------------------------- */

static int no_memory(void)
{
	fputs("mxguard audit: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

static int take_domains(struct mxg_audit *audit, int argc, char **argv)
{
	size_t wrong = 0;
	if (argc == 0) {
		int status = mxg_domain_names(&audit->domains, audit->policy, &wrong);
		if (status != 0)
			return status;
		if (wrong > 0)
			mxg_audit_failed_text(audit, "all of the domains: %zu %s of domains_file", wrong,
					      mxg_noun(wrong, "line is no domain", "lines are no domains"));
		if (audit->domains.count == 0)
			return mxg_wrong_use("mxguard audit", "name a domain: the configuration lists none");
	}
	for (int i = 0; i < argc; i++) {
		char name[256];
		const char *wanted = mxg_domain_text(name, argv[i], strlen(argv[i]));
		if (wanted != NULL)
			return mxg_wrong_use("mxguard audit", "'%s' is not %s", argv[i], wanted);
		if (!mxg_names_put(&audit->domains, name))
			return no_memory();
	}
	mxg_names_sort(&audit->domains);
	return 0;
}

/* A line of --names: blanks and what stands behind # do not count. */
static int take_label(struct mxg_audit *audit, char *line, const char *path, size_t number)
{
	struct mxg_name name;
	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	line[strcspn(line, " \t")] = '\0';
	if (line[0] == '\0')
		return 0;
	if (!mxg_name_from_text(&name, line, strlen(line))) {
		fprintf(stderr, "mxguard audit: %s:%zu: this is no name\n", path, number);
		return EX_DATAERR;
	}
	return mxg_names_put(&audit->labels, line) ? 0 : no_memory();
}

static int take_labels(struct mxg_audit *audit, const char *path)
{
	char line[1024];
	int status = 0;
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		fprintf(stderr, "mxguard audit: %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	for (size_t number = 1; status == 0 && fgets(line, sizeof(line), file) != NULL; number++)
		status = take_label(audit, line, path, number);
	fclose(file);
	mxg_names_sort(&audit->labels);
	return status;
}

/* ---- the audit ------------------------------------------------------------------------------------- */

static int look(struct mxg_audit *audit, const struct request *q)
{
	if (!mxg_self_read(&audit->self, audit->policy)) {
		fprintf(stderr, "mxguard audit: this host's addresses: %s\n", strerror(errno));
		return EX_TEMPFAIL;
	}
	if (!audit->self.v4 && !audit->self.v6)
		mxg_audit_failed_text(audit, "the addresses of this host: it has none but loopback; set self");
	audit->asker = mxg_asker_new(audit->policy, (unsigned)q->rate, (unsigned)q->concurrency);
	audit->guards = mxg_guards_read(&q->sources, audit);
	audit->past = mxg_past_read(audit);
	audit->policies = mxg_policies_new(audit);
	if (audit->asker == NULL || audit->guards == NULL || audit->past == NULL || audit->policies == NULL)
		return no_memory();
	mxg_audit_run(audit, q->quiet);
	return audit->nomem ? no_memory() : 0;
}

static void clear(struct mxg_audit *audit)
{
	mxg_asker_free(audit->asker);
	mxg_guards_free(audit->guards);
	mxg_past_free(audit->past);
	mxg_policies_free(audit->policies);
	mxg_self_clear(&audit->self);
	mxg_names_free(&audit->domains);
	mxg_names_free(&audit->labels);
}

static int outcome(const struct mxg_audit *audit)
{
	if (audit->unguarded > 0)
		return EXIT_UNGUARDED;
	return audit->failures > 0 || audit->unknown > 0 ? EX_TEMPFAIL : 0;
}

struct shown {
	const struct mxg_show *show;
	const struct mxg_audit *audit;
	const char *config;
};

static void put_page(const void *what, FILE *to)
{
	const struct shown *shown = what;
	mxg_show_page(shown->show, shown->audit, shown->config, mxg_wall_clock(), to);
}

static int run(struct mxg_audit *audit, const struct request *q, int argc, char **argv)
{
	struct mxg_show show;
	const struct shown shown = { &show, audit, q->config };
	if (!mxg_show_begin(&show, q->json, q->html != NULL))
		return no_memory();
	audit->row = mxg_show_row;
	audit->failure = mxg_show_failure;
	audit->to = &show;
	int status = take_domains(audit, argc, argv);
	if (status == 0 && q->names != NULL)
		status = take_labels(audit, q->names);
	if (status == 0)
		status = look(audit, q);
	const bool looked = status == 0;
	if (looked)
		status = outcome(audit);
	if (audit->policies != NULL && q->html != NULL && !mxg_output_write("mxguard audit", q->html, put_page, &shown))
		status = EX_CANTCREAT;
	if (!mxg_show_end(&show, looked, looked && mxg_asker_is_deaf(audit->asker)))
		status = EX_TEMPFAIL;
	clear(audit);
	return status;
}

/* ---- the probe -------------------------------------------------------------------------------------- */

static bool is_address(const char *rcpt)
{
	const char *at = strrchr(rcpt, '@');
	for (const char *c = rcpt; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c) || *c == ' ' || *c == '<' || *c == '>')
			return false;
	return at != NULL && at != rcpt && at[1] != '\0' && strlen(rcpt) <= RCPT_MOST;
}

static int ask_probe(const struct request *q, const char *reply_text)
{
	static const struct {
		enum mxg_guard guard;
		const char *says;
		int status;
	} results[] = {
		[MXG_PROBE_ACCEPTED] = { MXG_GUARD_NONE, "accepted: nothing guards the port", EXIT_UNGUARDED },
		[MXG_PROBE_REFUSED] = { MXG_GUARD_UNKNOWN, "refused at RCPT, in the words of mxguard", 0 },
		[MXG_PROBE_OTHER] = { MXG_GUARD_UNKNOWN, "not in the words of mxguard, or of reply_text here",
				      EX_TEMPFAIL },
		[MXG_PROBE_FAILED] = { MXG_GUARD_UNKNOWN, "it could not be asked", EX_TEMPFAIL },
	};
	struct mxg_probe probe;
	struct mxg_show show;
	char advice[600];
	if (!is_address(q->rcpt))
		return mxg_wrong_use("mxguard audit", "--rcpt takes an address, not '%s'", q->rcpt);
	if (!mxg_probe_target(&probe, q->probe))
		return mxg_wrong_use("mxguard audit", "--probe takes HOST:PORT, not '%s'", q->probe);
	if (!mxg_show_begin(&show, q->json, false))
		return no_memory();
	probe.reply_text = reply_text;
	enum mxg_probe_result result = mxg_probe_run(&probe, q->rcpt);
	snprintf(advice, sizeof(advice), "%s: %s", results[result].says, probe.reply);
	mxg_show_row(&show, &(struct mxg_audit_row){ .domain = strrchr(q->rcpt, '@') + 1,
						     .name = probe.host,
						     .address = probe.address,
						     .leak = MXG_LEAK_HOSTNAME,
						     .port = (unsigned)atoi(probe.port),
						     .guard = results[result].guard,
						     .advice = advice });
	if (result == MXG_PROBE_FAILED || result == MXG_PROBE_OTHER)
		mxg_show_failure(&show, MXG_TROUBLE_QUESTION, result == MXG_PROBE_FAILED ? probe.reply : advice);
	return mxg_show_end(&show, true, false) ? results[result].status : EX_TEMPFAIL;
}

/* The configuration tells the words of a refusal, and there need be none here. */
static int probe(const struct request *q)
{
	struct mxguard_policy *policy = NULL;
	char message[512] = "";
	const char *at = strrchr(q->rcpt, '@'), *domain = at == NULL ? "" : at + 1;
	int result = mxguard_policy_load(&policy, q->config, 0, message, sizeof(message));
	if (result != MXGUARD_ERROR_NONE && q->config != default_config) {
		fprintf(stderr, "mxguard audit: %s\n", message);
		return result == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
	}
	int status =
		ask_probe(q, policy == NULL ? NULL : mxg_policy_ruleset(policy, domain, strlen(domain))->reply_text);
	mxguard_policy_unref(policy);
	return status;
}

int cmd_audit(int argc, char **argv)
{
	struct request q = { .config = default_config, .rate = 1000, .concurrency = 64 };
	struct mxguard_session *session;
	int status = mxg_read_options(&usage_audit, argc, argv, &q);
	if (status != 0)
		return status < 0 ? 0 : status;
	if ((q.probe == NULL) != (q.rcpt == NULL))
		return mxg_wrong_use(argv[0], "--probe and --rcpt belong together");
	if (q.probe != NULL && (q.html != NULL || q.names != NULL))
		return mxg_wrong_use(argv[0], "--probe asks one host: --html and --names do not go with it");
	if (q.probe != NULL && optind < argc)
		return mxg_wrong_use(argv[0], "--probe asks that host alone: '%s' is an argument too many",
				     argv[optind]);
	if (q.probe != NULL)
		return probe(&q);
	status = mxg_open_session(&session, q.config, MXGUARD_SESSION_FLAG_NO_SNAPSHOT);
	if (status != 0)
		return status;
	struct mxg_audit audit = { .policy = mxguard_session_policy(session) };
	status = run(&audit, &q, argc - optind, argv + optind);
	mxguard_session_free(session);
	return status;
}
