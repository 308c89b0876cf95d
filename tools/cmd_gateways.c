/* SPDX-License-Identifier: MIT */
/* mxguard gateways: who may hand over mail for a domain, and since when, and how long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/duration.h"
#include "commands.h"
#include "date.h"
#include "flatten.h"
#include "gateways_past.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "table.h"
#include "snapshot/format.h"
#include "text.h"

struct request {
	const char *config, *import;
	int64_t at; /* 0: now */
	bool json, no_snapshot, no_dns, generations, several;
};

static bool take_at(void *target, const char *text)
{
	struct request *q = target;
	return mxg_date_read(text, &q->at) && q->at > 0;
}

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct request),
	{ 0, "no-snapshot", NULL, "ask DNS for everything", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, no_snapshot) },
	{ 0, "no-dns", NULL, "ask DNS for nothing: only what the snapshot knows", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, no_dns) },
	{ 0, "at", "DATE", "as things stood then, from the history", .kind = MXG_OPTION_OWN, .take = take_at,
	  .takes = "a date such as 2026-01-31 or 2026-01-31T12:00Z" },
	{ 0, "generations", NULL, "from when to when which addresses were gateways, from the history",
	  .kind = MXG_OPTION_FLAG, .field = offsetof(struct request, generations) },
	{ 0, "import", "FILE", "put what was seen before into the history: lines of text or passive DNS",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, import) },
	{ 0, "json", NULL, "one JSON object a domain, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_gateways = {
	.synopsis = "[-c CONF] [OPTION]… DOMAIN…",
	.about = "Says which addresses are authorized to hand over mail for DOMAIN, by which entry and\n"
		 "term of the configuration, and for how long; or were, at a time that is past.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0; 75 where something could not be asked or a published record cannot be\n"
		 "used, so that more may be authorized than is shown; 64 wrong use; 65 --import, and some\n"
		 "lines were wrong; 66 the history or the file to import cannot be read; 74 the history\n"
		 "cannot be written; 78 wrong configuration.\n"
		 "Example: mxguard gateways --at 2026-09-01 example.com",
	.arguments = MXG_ARGUMENTS_OTHER,
};

static int read_options(struct request *q, int argc, char **argv)
{
	*q = (struct request){ .config = MXG_DEFAULT_CONFIG };
	int status = mxg_read_options(&usage_gateways, argc, argv, q);
	if (status != 0)
		return status;
	if (optind == argc && q->import == NULL)
		return mxg_wrong_use(argv[0], "a domain is missing");
	if (q->no_snapshot && q->no_dns)
		return mxg_wrong_use(argv[0], "with --no-snapshot and --no-dns nothing is left to ask");
	return 0;
}

static const struct mxg_gateway *gateway_of(const struct mxg_ruleset *r, uint32_t term)
{
	return &r->gateways[r->terms[term].gateway];
}

/* Entries without terms: their certificate makes a gateway of any address. */
static const struct mxg_gateway *certificate_entry(const struct mxg_ruleset *ruleset, size_t index)
{
	return &ruleset->gateways[ruleset->certificate_terms[index].gateway];
}

/* ---- JSON ------------------------------------------------------------------------------- */

static json_t *range_object(const struct mxg_ruleset *ruleset, const struct mxg_flat_range *flat)
{
	const struct mxg_reach_range *r = &flat->range;
	const struct mxg_gateway *g = gateway_of(ruleset, r->term);
	char prefix[MXG_PREFIX_TEXT_MAX];
	json_t *o = json_object();
	json_object_set_new(o, "prefix", json_string(mxg_prefix_format(&r->prefix, prefix)));
	json_object_set_new(o, "gateway", mxg_json_text(g->name));
	json_object_set_new(o, "term", mxg_json_text(r->text));
	json_object_set_new(o, "via", mxg_json_text(r->via));
	json_object_set_new(o, "learned", mxg_json_time(r->learned));
	json_object_set_new(o, "expires", mxg_json_time(r->expires));
	json_object_set_new(o, "stale", json_boolean(r->stale));
	json_object_set_new(o, "grace_until", mxg_json_time(flat->grace_until));
	json_object_set_new(o, "header", mxg_json_text(g->token.field));
	json_object_set_new(o, "certificate", json_boolean(g->certificate.set));
	return o;
}

static void print_json(const struct mxg_ruleset *ruleset, const struct mxg_flat *flat, const char *domain, int64_t at,
		       const struct mxguard_snapshot *snapshot)
{
	json_t *ranges = json_array(), *gaps = json_array();
	for (size_t i = 0; i < flat->count; i++)
		json_array_append_new(ranges, range_object(ruleset, &flat->ranges[i]));
	for (size_t i = 0; i < flat->present.gap_count; i++) {
		const struct mxg_reach_gap *g = &flat->present.gaps[i];
		json_t *o = json_pack("{s:s, s:s}", "term", g->text, "why", g->why);
		json_object_set_new(o, "gateway", mxg_json_text(gateway_of(ruleset, g->term)->name));
		json_object_set_new(o, "via", mxg_json_text(g->via));
		json_array_append_new(gaps, o);
	}
	json_t *alarms = json_array();
	for (size_t i = 0; i < flat->alarm_count; i++) {
		const struct mxg_flat_alarm *a = &flat->alarms[i];
		json_array_append_new(alarms, json_pack("{s:s, s:s, s:o, s:b}", "name", a->name, "type",
							mxg_dns_type_name(a->type), "alarms",
							mxg_json_alarms(a->alarms), "kept_old", a->held));
	}
	json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:b}", "domain", domain, "policy", ruleset->label, "gateways",
			      ranges, "not_flattened", gaps, "complete", !flat->incomplete);
	json_object_set_new(o, "trouble", mxg_json_text(flat->trouble));
	json_t *certificates = json_array();
	for (size_t i = 0; i < ruleset->certificate_count; i++)
		json_array_append_new(certificates, mxg_json_text(certificate_entry(ruleset, i)->name));
	json_object_set_new(o, "certificates", certificates);
	json_object_set_new(o, "alarms", alarms);
	if (at != 0)
		json_object_set_new(o, "at", mxg_json_time(at));
	json_object_set_new(o, "too_wide", mxg_json_text(flat->present.wide));
	json_object_set_new(o, "generation",
			    snapshot == NULL ? json_null() : json_integer(mxg_snapshot_generation(snapshot)));
	mxg_json_print(o);
}

/* ---- people ------------------------------------------------------------------------------- */

static const char *since(int64_t now, int64_t then, char *text, size_t size)
{
	char span[MXG_SPAN_MAX];
	if (then == 0)
		return "configured";
	snprintf(text, size, "%s ago", mxg_span_format(now - then, span));
	return text;
}

static const char *state_of(const struct mxg_flat_range *r, const struct mxg_gateway *g, int64_t now, char *text,
			    size_t size)
{
	char span[MXG_SPAN_MAX];
	if (r->grace_until != 0)
		snprintf(text, size, "in grace, %s left", mxg_span_format(r->grace_until - now, span));
	else if (r->range.stale)
		snprintf(text, size, "stale by %s", mxg_span_format(now - r->range.expires, span));
	else if (r->range.expires != 0)
		snprintf(text, size, "expires in %s", mxg_span_format(r->range.expires - now, span));
	else
		snprintf(text, size, "%s", r->range.learned == 0 ? "always" : "in force then");
	size_t at = strlen(text);
	if (g->token.field != NULL)
		snprintf(text + at, size - at, "; with header %.60s", g->token.field);
	at = strlen(text);
	if (g->certificate.set)
		snprintf(text + at, size - at, "; with certificate");
	return text;
}

static void print_range(struct mxg_table *table, const struct mxg_ruleset *ruleset, const struct mxg_flat_range *r,
			int64_t now)
{
	char prefix[MXG_PREFIX_TEXT_MAX], learned[64], state[160];
	const struct mxg_gateway *g = gateway_of(ruleset, r->range.term);
	const char *cells[] = { mxg_prefix_format(&r->range.prefix, prefix),
				g->name,
				since(now, r->range.learned, learned, sizeof(learned)),
				state_of(r, g, now, state, sizeof(state)),
				r->range.text,
				r->range.via };
	mxg_table_add(table, r->grace_until != 0 || r->range.stale ? MXG_YELLOW : MXG_PLAIN, cells);
}

static void print_alarms(const struct mxg_flat *flat)
{
	char names[MXG_ALARM_NAMES_MAX], word[MXG_SHELL_WORD_MAX(MXG_NAME_TEXT_MAX)];
	for (size_t i = 0; i < flat->alarm_count; i++) {
		const struct mxg_flat_alarm *a = &flat->alarms[i];
		mxg_alarm_names(names, a->alarms, ", ");
		printf("alarm: %s %s: %s; %s mxguard refresh --accept %s\n", a->name, mxg_dns_type_name(a->type), names,
		       a->held ? "the old answers stay until" : "taken; if it is meant:",
		       mxg_shell_word(word, sizeof(word), a->name));
	}
	if (flat->present.wide[0] != '\0')
		printf("too wide to authorize anybody: %s\n", flat->present.wide);
}

static int print_people(const struct mxg_ruleset *ruleset, const struct mxg_flat *flat, const char *domain, int64_t now,
			const struct mxguard_snapshot *snapshot, bool named)
{
	static const char *const headings[] = { "ADDRESS", "ENTRY", "LEARNED", "STATE", "TERM", "VIA", NULL };
	struct mxg_table *table = mxg_table_new(headings);
	if (table == NULL)
		return -1;
	for (size_t i = 0; i < flat->count; i++)
		print_range(table, ruleset, &flat->ranges[i], now);
	if (named)
		printf("%s%s%s (policy %s)\n", mxg_colour_begin(stdout, MXG_BOLD), domain, mxg_colour_end(stdout),
		       ruleset->label);
	int result = mxg_table_print(table, stdout);
	mxg_table_free(table);
	for (size_t i = 0; i < flat->present.gap_count; i++) {
		const struct mxg_reach_gap *g = &flat->present.gaps[i];
		printf("not a list of addresses: %s%s%s, entry %s: %s\n", g->via, g->via[0] == '\0' ? "" : " > ",
		       g->text, gateway_of(ruleset, g->term)->name, g->why);
	}
	for (size_t i = 0; i < ruleset->certificate_count; i++)
		printf("not a list of addresses: entry %s: whoever shows its certificate\n",
		       certificate_entry(ruleset, i)->name);
	print_alarms(flat);
	if (flat->count == 0 && flat->present.gap_count == 0 && ruleset->certificate_count == 0 && !flat->incomplete)
		printf("no address is authorized for %s\n", domain);
	if (snapshot != NULL)
		printf("snapshot: generation %u\n", mxg_snapshot_generation(snapshot));
	return result;
}

/* ---- the command -------------------------------------------------------------------------------- */

static int show(struct mxg_flattener *f, struct mxg_flat *flat, const struct request *q, const char *command,
		const char *typed)
{
	char domain[256];
	const char *error = NULL;
	struct mxg_name name;
	if (!mxg_domains_line(domain, typed, strlen(typed), &error) ||
	    !mxg_name_from_text(&name, domain, strlen(domain)))
		return mxg_wrong_use(command, "'%s' is not a domain", typed);
	const struct mxg_ruleset *ruleset = mxg_policy_ruleset(f->policy, domain, strlen(domain));
	bool named = q->several || mxg_is_terminal(stdout);
	if (q->generations)
		return mxg_gateways_generations(f, ruleset, &name, domain, q->json, named);
	if (!mxg_flatten(f, flat, ruleset, &name, false)) {
		fprintf(stderr, "%s: out of memory\n", command);
		return EX_TEMPFAIL;
	}
	for (size_t i = 0; q->at != 0 && i < flat->count; i++)
		flat->ranges[i].range.expires = 0; /* a TTL of then says nothing */
	if (q->json)
		print_json(ruleset, flat, domain, q->at, f->snapshot);
	else if (print_people(ruleset, flat, domain, f->now, f->snapshot, named) != 0)
		return EX_TEMPFAIL;
	if (!flat->incomplete)
		return 0;
	fprintf(stderr, "%s: %s: not everything is known: %s\n", command, domain, flat->trouble);
	return EX_TEMPFAIL;
}

static int show_all(struct mxguard_policy *policy, struct mxguard_snapshot *snapshot, const struct request *q, int argc,
		    char **argv)
{
	struct mxg_flattener f;
	struct mxg_history *history = NULL;
	struct mxg_flat *flat = calloc(1, sizeof(*flat));
	int status = 0;
	if (!mxg_flattener_init(&f, policy, snapshot) || flat == NULL) {
		fprintf(stderr, "%s: out of memory\n", argv[0]);
		status = EX_TEMPFAIL;
	}
	f.no_dns = q->no_dns;
	if (status == 0 && (q->at != 0 || q->generations))
		status = mxg_gateways_history(policy, &history);
	f.history = history;
	f.now = q->at != 0 ? q->at : f.now;
	for (int i = optind; i < argc && status != EX_USAGE && status != EX_NOINPUT && flat != NULL; i++) {
		int own = show(&f, flat, q, argv[0], argv[i]);
		status = own != 0 ? own : status;
	}
	if (flat != NULL)
		mxg_flat_clear(flat);
	free(flat);
	mxg_history_free(history);
	mxg_flattener_clear(&f);
	return status;
}

int cmd_gateways(int argc, char **argv)
{
	struct request q;
	struct mxguard_session *session;
	int status = read_options(&q, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	q.several = argc - optind > 1;
	bool past = q.at != 0 || q.generations || optind == argc;
	status = mxg_open_session(&session, q.config, q.no_snapshot || past ? MXGUARD_SESSION_FLAG_NO_SNAPSHOT : 0);
	if (status != 0)
		return status;
	struct mxguard_policy *policy = mxguard_session_policy(session);
	if (q.import != NULL)
		status = mxg_gateways_import(policy, q.import, q.json);
	if (status == 0 && optind < argc)
		status = show_all(policy, mxguard_session_snapshot(session), &q, argc, argv);
	mxguard_session_free(session);
	return status;
}
