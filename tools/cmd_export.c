/* SPDX-License-Identifier: MIT */
/* mxguard export: the authorized addresses in the forms of other programs. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/nearest.h"
#include "commands.h"
#include "export_format.h"
#include "flatten.h"
#include "load.h"
#include "options.h"
#include "output_file.h"
#include "refresh.h"

struct request {
	const char *command, *config, *output;
	bool partial, no_snapshot;
	mxg_export_writer *writer;
};

struct collection {
	struct mxg_flattener flattener;
	struct mxg_flat flat;
	struct mxg_prefix *prefixes;
	size_t count, room;
	struct mxg_text_list remarks, domains;
	const struct mxg_ruleset *ruleset; /* the first one that was used */
	bool several_rulesets, incomplete, nomem;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 'o', "output", "FILE", "replace FILE in one step, only if everything went well", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, output) },
	{ 0, "partial", NULL, "write even if something could not be asked", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, partial) },
	{ 0, "no-snapshot", NULL, "ask DNS for everything", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, no_snapshot) },
};

const struct mxg_usage usage_export = {
	.synopsis = "[-c CONF] [OPTION]… FORMAT [DOMAIN…]",
	.about = "Writes the addresses that are authorized for DOMAIN, or for all local domains, in a form\n"
		 "that another program reads: postfix (cidr table), nftables (sets), exim (host list),\n"
		 "rspamd (map), spamassassin (trusted_networks), plain, json.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Terms that are no list of addresses (exists, ptr, entries with a header condition) are\n"
		 "named in comments and on standard error.\n"
		 "Exit status: 0; 75 something could not be asked, nothing is written; 73, 74 FILE cannot be\n"
		 "written; 64 wrong use; 78 wrong configuration.\n"
		 "Example: mxguard export -o /etc/postfix/gateways.cidr postfix",
	.arguments = MXG_ARGUMENTS_OTHER,
	.first = mxg_export_format_names,
};

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .command = argv[0], .config = MXG_DEFAULT_CONFIG };
	int status = mxg_read_options(&usage_export, argc, argv, q);
	if (status != 0)
		return status;
	if (optind == argc)
		return mxg_wrong_use(argv[0], "the format is missing: postfix, nftables, exim, rspamd, "
					      "spamassassin, plain or json");
	q->writer = mxg_export_format(argv[optind]);
	if (q->writer != NULL)
		return 0;
	const char *const *names = mxg_export_format_names();
	size_t count = 0;
	while (names[count] != NULL)
		count++;
	const char *near = mxg_nearest(argv[optind], names, count);
	return mxg_wrong_use(argv[0], "there is no format '%s'%s%s", argv[optind],
			     near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
}

/* ---- collecting --------------------------------------------------------------------------- */

static void remark(struct collection *c, const char *command, const char *text)
{
	for (size_t i = 0; i < c->remarks.count; i++)
		if (strcmp(mxg_text_list_get(&c->remarks, i), text) == 0)
			return;
	mxg_text_list_add(&c->remarks, "%s", text);
	fprintf(stderr, "%s: %s\n", command, text);
}

static void remark_gaps(struct collection *c, const char *command, const struct mxg_ruleset *ruleset)
{
	char text[1200];
	for (size_t i = 0; i < c->flat.present.gap_count; i++) {
		const struct mxg_reach_gap *g = &c->flat.present.gaps[i];
		snprintf(text, sizeof(text), "not in this list: %.400s%s%.300s (entry %.100s): %s%s", g->via,
			 g->via[0] == '\0' ? "" : " > ", g->text,
			 ruleset->gateways[ruleset->terms[g->term].gateway].name, g->why,
			 g->qualifier == '+' ? "" : "; it may take away from what is in this list");
		remark(c, command, text);
	}
}

static bool add_prefix(struct collection *c, const struct mxg_prefix *prefix)
{
	if (c->count == c->room) {
		size_t room = c->room == 0 ? 256 : c->room * 2;
		struct mxg_prefix *prefixes = reallocarray(c->prefixes, room, sizeof(*prefixes));
		if (prefixes == NULL)
			return false;
		c->prefixes = prefixes;
		c->room = room;
	}
	c->prefixes[c->count++] = *prefix;
	return true;
}

/* An address is no proof where the entry asks for a header field as well. */
static void take_ranges(struct collection *c, const char *command, const struct mxg_ruleset *ruleset)
{
	char text[400];
	for (size_t i = 0; i < c->flat.count && !c->nomem; i++) {
		const struct mxg_reach_range *r = &c->flat.ranges[i].range;
		const struct mxg_gateway *g = &ruleset->gateways[ruleset->terms[r->term].gateway];
		if (g->token.field != NULL) {
			snprintf(text, sizeof(text),
				 "not in this list: entry %.100s: it asks for the header field "
				 "%.100s as well",
				 g->name, g->token.field);
			remark(c, command, text);
		} else {
			c->nomem = !add_prefix(c, &r->prefix);
		}
	}
}

static void collect(struct collection *c, const struct request *q, const struct mxg_ruleset *ruleset,
		    const char *domain, bool only_own)
{
	struct mxg_name name;
	char text[600];
	if (domain[0] != '\0' && !mxg_name_from_text(&name, domain, strlen(domain)))
		return;
	if (!mxg_flatten(&c->flattener, &c->flat, ruleset, domain[0] == '\0' ? NULL : &name, only_own)) {
		c->nomem = true;
		return;
	}
	take_ranges(c, q->command, ruleset);
	remark_gaps(c, q->command, ruleset);
	if (domain[0] != '\0')
		mxg_text_list_add(&c->domains, "%s", domain);
	if (c->flat.incomplete) {
		c->incomplete = true;
		snprintf(text, sizeof(text), "not complete: %s", c->flat.trouble);
		remark(c, q->command, text);
	}
	c->several_rulesets |= c->ruleset != NULL && c->ruleset != ruleset;
	c->ruleset = ruleset;
}

/* The terms that are the same for all domains once for each policy, the others for each domain. */
static int collect_all(struct collection *c, const struct request *q)
{
	struct mxg_refresh run = { .policy = c->flattener.policy };
	if (run.policy->nothing_to_refresh) { /* its warning has told which domains are missing */
		fputs("mxguard export: a list without them would shut everybody out; nothing is written\n", stderr);
		return EX_CONFIG;
	}
	int status = mxg_refresh_domains(&run);
	if (status != 0)
		return status;
	for (size_t i = 0; i < run.domain_count && !c->nomem; i++) {
		const struct mxg_local_domain *d = &run.domains[i];
		bool own = false;
		for (size_t t = 0; t < d->ruleset->term_count; t++)
			own |= !mxg_reach_term_shared(&d->ruleset->terms[t].term);
		if (d->shared || own)
			collect(c, q, d->ruleset, d->name, !d->shared);
		else
			mxg_text_list_add(&c->domains, "%s", d->name);
	}
	for (size_t i = 0; i < run.domain_count; i++)
		if (!run.domains[i].shared)
			free((void *)(uintptr_t)run.domains[i].name);
	free(run.domains);
	return 0;
}

static int collect_named(struct collection *c, const struct request *q, int argc, char **argv)
{
	char domain[256];
	for (int i = optind + 1; i < argc && !c->nomem; i++) {
		const char *error = NULL;
		if (!mxg_domains_line(domain, argv[i], strlen(argv[i]), &error))
			return mxg_wrong_use(q->command, "'%s' is not a domain", argv[i]);
		collect(c, q, mxg_policy_ruleset(c->flattener.policy, domain, strlen(domain)), domain, false);
	}
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int cannot_write(const struct request *q, const char *why, int status)
{
	fprintf(stderr, "%s: %s: %s; it is as it was\n", q->command, q->output, why);
	return status;
}

static int write_file(const struct request *q, const struct mxg_export *e)
{
	struct mxg_output_file output;
	if (!mxg_output_open(&output, q->output))
		return cannot_write(q, output.why, EX_CANTCREAT);
	q->writer(e, output.file);
	return mxg_output_finish(&output) ? 0 : cannot_write(q, output.why, EX_IOERR);
}

static int write_out(struct collection *c, const struct request *q)
{
	const struct mxg_export e = { .prefixes = c->prefixes,
				      .count = c->count = mxg_prefixes_merge(c->prefixes, c->count),
				      .remarks = &c->remarks,
				      .domains = &c->domains,
				      .now = c->flattener.now,
				      .config = q->config };
	if (q->output != NULL)
		return write_file(q, &e);
	q->writer(&e, stdout);
	return 0;
}

static int export(struct collection *c, const struct request *q, int argc, char **argv)
{
	int status = optind + 1 < argc ? collect_named(c, q, argc, argv) : collect_all(c, q);
	if (status != 0)
		return status;
	if (c->nomem || c->domains.lost || c->remarks.lost) {
		fprintf(stderr, "%s: out of memory\n", q->command);
		return EX_TEMPFAIL;
	}
	if (c->several_rulesets)
		remark(c, q->command, "several policies are merged here: for a single domain less may be authorized");
	if (c->incomplete && !q->partial) {
		fprintf(stderr, "%s: nothing is written (--partial would write what is known)\n", q->command);
		return EX_TEMPFAIL;
	}
	status = write_out(c, q);
	return status != 0 ? status : c->incomplete ? EX_TEMPFAIL : 0;
}

int cmd_export(int argc, char **argv)
{
	struct request q;
	struct mxguard_session *session;
	int status = read_options(&q, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	status = mxg_open_session(&session, q.config, q.no_snapshot ? MXGUARD_SESSION_FLAG_NO_SNAPSHOT : 0);
	if (status != 0)
		return status;
	struct collection *c = calloc(1, sizeof(*c));
	status = EX_TEMPFAIL;
	if (c != NULL &&
	    mxg_flattener_init(&c->flattener, mxguard_session_policy(session), mxguard_session_snapshot(session)))
		status = export(c, &q, argc, argv);
	else
		fprintf(stderr, "%s: out of memory\n", argv[0]);
	if (c != NULL) {
		mxg_flattener_clear(&c->flattener);
		mxg_flat_clear(&c->flat);
		mxg_text_list_clear(&c->remarks);
		mxg_text_list_clear(&c->domains);
		free(c->prefixes);
	}
	free(c);
	mxguard_session_free(session);
	return status;
}
