/* SPDX-License-Identifier: MIT */
/* mxguard export: the authorized addresses in the forms of other programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/nearest.h"
#include "commands.h"
#include "base/domain_map.h"
#include "export_write.h"
#include "flatten.h"
#include "load.h"
#include "options.h"
#include "refresh.h"

#define EXIT_WIDE 1

struct request {
	const char *command, *config, *output;
	bool partial, no_snapshot, merge;
	const struct mxg_export_format *format;
	struct mxg_export_zone zone;
};

struct collection {
	struct mxg_flattener flattener;
	struct mxg_flat flat;
	struct mxg_export_sets sets;
	struct mxg_text_list remarks;
	bool incomplete, wide, nomem;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 'o', "output", "FILE", "replace FILE in one step, only if everything went well", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, output) },
	{ 0, "merge", NULL, "put sets that differ from domain to domain into one list", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, merge) },
	{ 0, "partial", NULL, "write even if something could not be asked", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, partial) },
	{ 0, "zone", "NAME", "zone: what the zone is called, for $ORIGIN", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, zone.origin) },
	{ 0, "ns", "HOST", "zone, rbldnsd: a name server of the zone; may be given several times (this host)",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct request, zone.servers), .max = MXG_ZONE_SERVERS_MOST,
	  .count = offsetof(struct request, zone.server_count) },
	{ 0, "hostmaster", "NAME", "zone, rbldnsd: whom to write to, with a dot for @ (hostmaster.ZONE)",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, zone.hostmaster) },
	{ 0, "ttl", "TIME", "zone, rbldnsd: for how long an answer is kept (5m)", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, zone.ttl_text) },
	{ 0, "no-snapshot", NULL, "ask DNS for everything", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, no_snapshot) },
};

const struct mxg_usage usage_export = {
	.synopsis = "[-c CONF] [OPTION]… FORMAT [DOMAIN…]",
	.about = "Writes the addresses that are authorized for DOMAIN, or for all local domains, in a form\n"
		 "that another program reads: postfix (cidr table), postfix-domains (restriction classes, one\n"
		 "for each set), nftables (sets), exim (host list), exim-domains and exim-cdb (a host list for\n"
		 "each domain), zone (DNS, for exists:%{ir}.ZONE), rbldnsd (the same), rspamd (map),\n"
		 "spamassassin (trusted_networks), plain, json.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Terms that are no list of addresses (exists, ptr, entries with a header condition) are\n"
		 "named in comments and on standard error.\n"
		 "Exit status: 0; 1 written, but something is very wide; 75 something could not be asked, or\n"
		 "no address is authorized for some domain, nothing is written; 73, 74 FILE cannot be written;\n"
		 "64 wrong use, or sets differ and --merge is missing; 78 wrong configuration.\n"
		 "Example: mxguard export -o /etc/postfix/gateways.cidr postfix",
	.arguments = MXG_ARGUMENTS_OTHER,
	.first = mxg_export_format_names,
};

static int check_zone_options(const struct request *q)
{
	const struct mxg_export_zone *z = &q->zone;
	if (q->format->is_zone ||
	    (z->origin == NULL && z->server_count == 0 && z->hostmaster == NULL && z->ttl_text == NULL))
		return 0;
	return mxg_wrong_use(q->command, "--zone, --ns, --hostmaster and --ttl are for zone and rbldnsd");
}

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .command = argv[0], .config = MXG_DEFAULT_CONFIG };
	int status = mxg_read_options(&usage_export, argc, argv, q);
	if (status != 0)
		return status;
	if (optind == argc)
		return mxg_wrong_use(argv[0], "the format is missing: postfix, postfix-domains, nftables, "
					      "exim, exim-domains, exim-cdb, zone, rbldnsd, rspamd, "
					      "spamassassin, plain or json");
	q->format = mxg_export_format(argv[optind]);
	if (q->format != NULL)
		return check_zone_options(q);
	const char *const *names = mxg_export_format_names();
	size_t count = 0;
	while (names[count] != NULL)
		count++;
	const char *near = mxg_nearest(argv[optind], names, count);
	return mxg_wrong_use(argv[0], "there is no format '%s'%s%s%s", argv[optind],
			     near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
			     near == NULL ? "" : "'?");
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

/* An address is no proof where the entry asks for a header field or a certificate as well. */
static bool remark_condition(struct collection *c, const char *command, const struct mxg_gateway *g)
{
	char text[400];
	if (g->token.field == NULL && !g->certificate.set)
		return false;
	snprintf(text, sizeof(text), "not in this list: entry %.100s: it asks for %s%.100s as well", g->name,
		 g->token.field != NULL ? "the header field " : "a certificate",
		 g->token.field != NULL ? g->token.field : "");
	remark(c, command, text);
	return true;
}

static void take_ranges(struct collection *c, const char *command, const struct mxg_ruleset *ruleset,
			struct mxg_prefixes *to)
{
	char text[400];
	for (size_t i = 0; i < c->flat.count && !c->nomem; i++) {
		const struct mxg_reach_range *r = &c->flat.ranges[i].range;
		const struct mxg_gateway *g = &ruleset->gateways[ruleset->terms[r->term].gateway];
		if (remark_condition(c, command, g))
			continue;
		c->nomem = !mxg_prefixes_add(to, &r->prefix, 1);
		if (!r->wide)
			continue;
		c->wide = true;
		snprintf(text, sizeof(text), "very wide: %.200s (entry %.100s)", r->text, g->name);
		remark(c, command, text);
	}
}

static void remark_certificates(struct collection *c, const char *command, const struct mxg_ruleset *ruleset)
{
	char text[200];
	for (size_t i = 0; i < ruleset->certificate_count; i++) {
		snprintf(text, sizeof(text),
			 "not in this list: entry %.100s: a certificate makes it a gateway, no address",
			 ruleset->gateways[ruleset->certificate_terms[i].gateway].name);
		remark(c, command, text);
	}
}

/* Trouble, and what covers everybody, which authorizes nobody. */
static void remark_rest(struct collection *c, const char *command)
{
	char text[600];
	if (c->flat.present.wide[0] != '\0') {
		c->wide = true;
		snprintf(text, sizeof(text), "not in this list, since it is too wide to authorize: %s",
			 c->flat.present.wide);
		remark(c, command, text);
	}
	if (c->flat.incomplete) {
		c->incomplete = true;
		snprintf(text, sizeof(text), "not complete: %s", c->flat.trouble);
		remark(c, command, text);
	}
}

static void collect(struct collection *c, const struct request *q, const struct mxg_ruleset *ruleset,
		    const char *domain, bool only_own, struct mxg_prefixes *to)
{
	struct mxg_name name;
	if (domain[0] != '\0' && !mxg_name_from_text(&name, domain, strlen(domain)))
		return;
	if (!mxg_flatten(&c->flattener, &c->flat, ruleset, domain[0] == '\0' ? NULL : &name, only_own)) {
		c->nomem = true;
		return;
	}
	take_ranges(c, q->command, ruleset, to);
	remark_gaps(c, q->command, ruleset);
	remark_certificates(c, q->command, ruleset);
	remark_rest(c, q->command);
}

static bool has_own_terms(const struct mxg_ruleset *ruleset)
{
	for (size_t t = 0; t < ruleset->term_count; t++)
		if (!mxg_reach_term_shared(&ruleset->terms[t].term))
			return true;
	return false;
}

/* What all domains of a policy share, and what its terms make of this one. */
static void add_domain(struct collection *c, const struct request *q, const struct mxg_ruleset *ruleset,
		       const struct mxg_prefixes *shared, const char *domain)
{
	struct mxg_prefixes own = { .items = NULL };
	c->nomem |= !mxg_prefixes_add(&own, shared->items, shared->count);
	if (has_own_terms(ruleset))
		collect(c, q, ruleset, domain, true, &own);
	mxg_export_sets_add(&c->sets, &own, domain);
	c->nomem |= c->sets.nomem;
}

/* ".suffix"es of policies: which domains they stand for nobody says. */
static void add_suffixes(struct collection *c, const struct request *q, const struct mxg_prefixes *shared)
{
	const struct mxguard_policy *policy = c->flattener.policy;
	const char *name;
	char text[400];
	uint32_t of;
	for (size_t i = 0; (name = mxg_domain_map_name(policy->map, i, &of)) != NULL && !c->nomem; i++) {
		if (name[0] != '.')
			continue;
		snprintf(text, sizeof(text), "*%.255s", name);
		if (!has_own_terms(&policy->rulesets[of])) {
			add_domain(c, q, &policy->rulesets[of], &shared[of], text);
			continue;
		}
		snprintf(text, sizeof(text), "not in this list: domains in %.255s that `domains` does not name", name);
		remark(c, q->command, text);
	}
}

static void collect_domains(struct collection *c, const struct request *q, const struct mxg_refresh *run,
			    struct mxg_prefixes *shared)
{
	const struct mxguard_policy *policy = run->policy;
	for (size_t i = 0; i < run->domain_count && !c->nomem; i++) {
		const struct mxg_local_domain *d = &run->domains[i];
		size_t number = (size_t)(d->ruleset - policy->rulesets);
		if (d->shared)
			collect(c, q, d->ruleset, "", false, &shared[number]);
		else
			add_domain(c, q, d->ruleset, &shared[number], d->name);
	}
	add_suffixes(c, q, shared);
	if (c->sets.count == 0 && !c->nomem)
		mxg_export_sets_add(&c->sets, &shared[0], NULL);
}

static int collect_all(struct collection *c, const struct request *q)
{
	struct mxg_refresh run = { .policy = c->flattener.policy };
	if (run.policy->nothing_to_refresh) { /* its warning has told which domains are missing */
		fputs("mxguard export: a list without them would shut everybody out; nothing is written\n", stderr);
		return EX_CONFIG;
	}
	if (run.policy->domains_command.count > 0 && c->flattener.snapshot == NULL) {
		fputs("mxguard export: what domains_command prints stands in the snapshot, and there is none that can "
		      "be used; "
		      "nothing is written\n",
		      stderr);
		return EX_TEMPFAIL;
	}
	int status = mxg_refresh_domains_known(&run, c->flattener.snapshot);
	if (status != 0)
		return status;
	struct mxg_prefixes *shared = calloc(run.policy->ruleset_count, sizeof(*shared));
	c->nomem |= shared == NULL;
	if (shared != NULL)
		collect_domains(c, q, &run, shared);
	for (size_t i = 0; shared != NULL && i < run.policy->ruleset_count; i++)
		free(shared[i].items);
	free(shared);
	mxg_refresh_domains_clear(&run);
	return 0;
}

static int collect_named(struct collection *c, const struct request *q, int argc, char **argv)
{
	char domain[256];
	for (int i = optind + 1; i < argc && !c->nomem; i++) {
		const char *error = NULL;
		struct mxg_prefixes all = { .items = NULL };
		if (!mxg_domains_line(domain, argv[i], strlen(argv[i]), &error))
			return mxg_wrong_use(q->command, "'%s' is not a domain", argv[i]);
		collect(c, q, mxg_policy_ruleset(c->flattener.policy, domain, strlen(domain)), domain, false, &all);
		mxg_export_sets_add(&c->sets, &all, domain);
	}
	return 0;
}

/* ---- what must not be written ------------------------------------------------------------------ */

static const char *first_domain(const struct mxg_export_set *set)
{
	const char *domain = mxg_text_list_get(&set->domains, 0);
	return domain == NULL ? "any domain" : domain;
}

/* Whoever loads a list without an address shuts everybody out. There is one such set at most. */
static bool is_empty(struct collection *c, const struct request *q)
{
	struct mxg_export_sets *s = &c->sets;
	for (size_t i = 0; i < s->count; i++) {
		if (s->items[i].prefixes.count > 0)
			continue;
		fprintf(stderr, "%s: no address is authorized for %s%s\n", q->command, first_domain(&s->items[i]),
			s->items[i].domains.count > 1 ? " and others" : "");
		if (!q->partial || s->count == 1)
			return true;
		c->incomplete = true;
		mxg_export_sets_drop(s, i);
		break;
	}
	return s->count == 0;
}

/* One list for all would let one domain's gateways hand over another's mail. */
static int refuse_to_merge(const struct collection *c, const struct request *q)
{
	fprintf(stderr,
		"%s: what is authorized for %s is not so for %s; nothing is written (--merge puts %zu sets into one "
		"list; postfix-domains, exim-domains, exim-cdb and json keep them apart)\n",
		q->command, first_domain(&c->sets.items[0]), first_domain(&c->sets.items[1]), c->sets.count);
	return EX_USAGE;
}

static int judge(struct collection *c, const struct request *q)
{
	if (is_empty(c, q)) {
		if (!c->incomplete || q->partial)
			fprintf(stderr, "%s: nothing is written\n", q->command);
		return EX_TEMPFAIL;
	}
	if (c->sets.count > 1 && q->merge) {
		remark(c, q->command, "sets are merged here: for a single domain less may be authorized");
		mxg_export_sets_merge(&c->sets);
		c->nomem |= c->sets.nomem;
	}
	return c->sets.count > 1 && !q->format->by_domain ? refuse_to_merge(c, q) : 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_out(struct collection *c, struct request *q)
{
	struct mxg_export e = { .sets = c->sets.items,
				.set_count = c->sets.count,
				.remarks = &c->remarks,
				.wide = c->wide,
				.now = c->flattener.now,
				.config = q->config,
				.zone = q->format->is_zone ? &q->zone : NULL };
	if (q->output != NULL)
		return mxg_export_replace(q->format, &e, q->command, q->output);
	return mxg_export_print(q->format, &e, q->command);
}

static int export(struct collection *c, struct request *q, int argc, char **argv)
{
	int status = optind + 1 < argc ? collect_named(c, q, argc, argv) : collect_all(c, q);
	if (status == 0 && q->format->is_zone &&
	    !mxg_export_zone_complete(&q->zone, q->command, c->flattener.policy->hostname))
		status = EX_USAGE;
	if (status != 0)
		return status;
	if (!c->nomem && (status = judge(c, q)) != 0 && !(c->incomplete && !q->partial))
		return status;
	if (c->nomem || c->remarks.lost) {
		fprintf(stderr, "%s: out of memory\n", q->command);
		return EX_TEMPFAIL;
	}
	if (c->incomplete && !q->partial) {
		fprintf(stderr, "%s: nothing is written (--partial would write what is known)\n", q->command);
		return EX_TEMPFAIL;
	}
	status = write_out(c, q);
	if (status == 0 && c->incomplete)
		return EX_TEMPFAIL;
	return status != 0 ? status : c->wide ? EXIT_WIDE : 0;
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
		mxg_export_sets_clear(&c->sets);
	}
	free(c);
	mxguard_session_free(session);
	return status;
}
