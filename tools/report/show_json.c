/* SPDX-License-Identifier: MIT */
/* The report as one JSON object (docs/report.md): scripts and the page read nothing else. */
#include <inttypes.h>
#include <stdlib.h>

#include "json.h"
#include "report/show.h"
#include "text.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *address(const struct mxg_address *a)
{
	char text[MXG_ADDRESS_TEXT_MAX];
	return json_string(mxg_address_format(a, text));
}

static json_t *day(int32_t d)
{
	char text[MXG_TIME_MAX];
	if (d < 0)
		return json_null();
	mxg_time_format((int64_t)d * 86400, text);
	text[10] = '\0';
	return json_string(text);
}

#define DOMAINS_SHOWN 1000

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By name: numbers are those of the order in which domains were seen. */
static json_t *domain_names(const struct mxg_report_state *s, const uint32_t *domains, size_t count)
{
	json_t *list = json_array();
	const char **names = calloc(count + 1, sizeof(*names));
	for (size_t i = 0; names != NULL && i < count; i++)
		names[i] = s->domains[domains[i]].name;
	if (names != NULL)
		qsort(names, count, sizeof(*names), by_name);
	for (size_t i = 0; names != NULL && i < count && i < DOMAINS_SHOWN; i++)
		json_array_append_new(list, mxg_json_text(names[i]));
	free(names);
	return list;
}

/* ---- sums ---------------------------------------------------------------------------------------------- */

static json_t *verdicts(const struct mxg_report_state *s)
{
	json_t *o = json_object();
	for (size_t i = 0; i < MXG_REPORT_VERDICTS; i++)
		if (s->verdicts[i] > 0)
			json_object_set_new(o, mxguard_verdict_name((enum mxguard_verdict)i), number(s->verdicts[i]));
	return o;
}

static json_t *actions(const uint64_t counts[MXG_REPORT_ACTIONS])
{
	json_t *o = json_object();
	for (size_t i = 0; i < MXG_REPORT_ACTIONS; i++)
		if (counts[i] > 0)
			json_object_set_new(o, mxguard_action_name((enum mxguard_action)i), number(counts[i]));
	return o;
}

static json_t *reasons(const struct mxg_report_state *s)
{
	json_t *o = json_object();
	for (size_t i = 0; i < s->reason_count; i++)
		if (s->reasons[i].count > 0)
			json_object_set_new(o, s->reasons[i].name, number(s->reasons[i].count));
	return o;
}

/* ---- lists ------------------------------------------------------------------------------------------------ */

/* How many of the others stand before it: those with more messages, or the same and an earlier name. */
static size_t place_among(const struct mxg_report_state *s, const struct mxg_count_by_reason *all,
			  const struct mxg_count_by_reason *one)
{
	size_t before = 0;
	for (const struct mxg_count_by_reason *c = all; c != NULL; c = c->next)
		before += c->count > one->count || (c->count == one->count && strcmp(s->reasons[c->reason].name,
										     s->reasons[one->reason].name) < 0);
	return before;
}

bool mxg_report_blocker(const struct mxg_report_result *r, const struct mxg_domain_verdict *v, size_t n,
			char text[MXG_BLOCKER_MAX])
{
	const struct mxg_domain_state *d = &r->state->domains[v->domain];
	if (v->candidate_messages > 0 && n-- == 0) {
		snprintf(text, MXG_BLOCKER_MAX, "candidate: %s, %" PRIu64 " %s", v->candidate, v->candidate_messages,
			 mxg_noun(v->candidate_messages, "message", "messages"));
		return true;
	}
	if (v->no_gateway_mail && n-- == 0) {
		snprintf(text, MXG_BLOCKER_MAX, "no-gateway-mail: nothing came through an authorized gateway");
		return true;
	}
	if (d->left_out > 0 && n-- == 0) {
		snprintf(text, MXG_BLOCKER_MAX, "left-out: %" PRIu64 " %s no time", d->left_out,
			 mxg_noun(d->left_out, "decision has", "decisions have"));
		return true;
	}
	for (const struct mxg_count_by_reason *c = d->held_up; c != NULL; c = c->next)
		if (place_among(r->state, d->held_up, c) == n) {
			snprintf(text, MXG_BLOCKER_MAX, "unknown: %s, %" PRIu64 " %s",
				 r->state->reasons[c->reason].name, c->count,
				 mxg_noun(c->count, "message", "messages"));
			return true;
		}
	return false;
}

static json_t *domain_object(const struct mxg_report_result *r, const struct mxg_domain_verdict *v)
{
	const struct mxg_domain_state *d = &r->state->domains[v->domain];
	json_t *o = json_object(), *blockers = json_array();
	char text[MXG_BLOCKER_MAX];
	uint64_t all = 0;
	for (size_t i = 0; i < MXG_REPORT_VERDICTS; i++)
		all += d->verdicts[i];
	for (size_t n = 0; mxg_report_blocker(r, v, n, text); n++)
		json_array_append_new(blockers, mxg_json_text(text));
	json_object_set_new(o, "domain", mxg_json_text(d->name));
	json_object_set_new(o, "decisions", number(all));
	json_object_set_new(o, "authorized", number(d->verdicts[MXGUARD_VERDICT_AUTHORIZED]));
	json_object_set_new(o, "direct", number(d->verdicts[MXGUARD_VERDICT_DIRECT]));
	json_object_set_new(o, "unknown", number(d->verdicts[MXGUARD_VERDICT_UNKNOWN]));
	json_object_set_new(o, "ready", json_boolean(v->ready));
	json_object_set_new(o, "blockers", blockers);
	return o;
}

static json_t *peer_object(const struct mxg_report_state *s, const struct mxg_peer_state *p)
{
	json_t *o = json_object();
	json_object_set_new(o, "peer", address(&p->address));
	json_object_set_new(o, "messages", number(p->messages));
	json_object_set_new(o, "domains", domain_names(s, mxg_peer_domains(p), p->domain_count));
	json_object_set_new(o, "domain_count", number(p->domain_count));
	json_object_set_new(o, "senders", number(mxg_least_count(&p->senders)));
	json_object_set_new(o, "recipients", number(mxg_least_count(&p->recipients)));
	json_object_set_new(o, "first", mxg_json_time(p->first));
	json_object_set_new(o, "last", mxg_json_time(p->last));
	json_object_set_new(o, "sample", mxg_json_text(p->sample));
	return o;
}

bool mxg_report_reason_why(const struct mxg_candidate *c, size_t n, char text[MXG_BLOCKER_MAX])
{
	if ((c->why & MXG_WHY_KNOWN_SENDERS) != 0 && n-- == 0)
		snprintf(text, MXG_BLOCKER_MAX, "known-senders: %" PRIu64 " of %" PRIu64 " %s also %s through gateways",
			 c->senders_known, c->senders_tested, mxg_noun(c->senders_tested, "sender", "senders"),
			 mxg_noun(c->senders_known, "comes", "come"));
	else if ((c->why & MXG_WHY_MANY_RECIPIENTS) != 0 && n-- == 0)
		snprintf(text, MXG_BLOCKER_MAX, "many-recipients: %" PRIu64, c->recipients);
	else if ((c->why & MXG_WHY_STEADY) != 0 && n-- == 0)
		snprintf(text, MXG_BLOCKER_MAX, "steady: on %" PRIu64 " %s of %lld", c->days,
			 mxg_noun(c->days, "day", "days"), (long long)(c->last / 86400 - c->first / 86400 + 1));
	else if ((c->why & MXG_WHY_FEW_HOSTS) != 0 && n-- == 0)
		snprintf(text, MXG_BLOCKER_MAX, "few-hosts: %zu", c->host_count);
	else if ((c->why & MXG_WHY_NAMED) != 0 && n-- == 0)
		snprintf(text, MXG_BLOCKER_MAX, "named: %.180s", c->names);
	else
		return false;
	return true;
}

static json_t *candidate_object(const struct mxg_report_state *s, const struct mxg_candidate *c)
{
	json_t *o = json_object(), *peers = json_array(), *why = json_array();
	char text[MXG_BLOCKER_MAX];
	for (size_t i = 0; i < c->host_count; i++)
		json_array_append_new(peers, address(&c->hosts[i]));
	for (size_t n = 0; mxg_report_reason_why(c, n, text); n++)
		json_array_append_new(why, mxg_json_text(text));
	json_object_set_new(o, "peers", peers);
	json_object_set_new(o, "term", json_string(c->term));
	json_object_set_new(o, "proven", json_boolean(c->proven));
	json_object_set_new(o, "messages", number(c->messages));
	json_object_set_new(o, "domains", domain_names(s, c->domains, c->domain_count));
	json_object_set_new(o, "domain_count", number(c->domain_count));
	json_object_set_new(o, "first", mxg_json_time(c->first));
	json_object_set_new(o, "last", mxg_json_time(c->last));
	json_object_set_new(o, "names", mxg_json_text(c->names));
	json_object_set_new(o, "why", why);
	return o;
}

/* ---- the time line ------------------------------------------------------------------------------------------ */

static json_t *moved_list(const struct mxg_time_line *l)
{
	json_t *list = json_array();
	for (size_t i = 0; i < l->moved_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:f}", "peer", address(&l->moved[i].host), "after_days",
						      l->moved[i].after_days));
	return list;
}

static json_t *stayed_list(const struct mxg_time_line *l)
{
	json_t *list = json_array();
	for (size_t i = 0; i < l->stayed_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "peer", address(&l->stayed[i].host),
						      "messages", (json_int_t)l->stayed[i].messages, "last",
						      mxg_json_time(l->stayed[i].last)));
	return list;
}

#define UNPUBLISHED_SHOWN 1000
static json_t *unpublished_object(const struct mxg_time_line *l)
{
	json_t *peers = json_array();
	for (size_t i = 0; i < l->unpublished_count && i < UNPUBLISHED_SHOWN; i++)
		json_array_append_new(peers, json_pack("{s:o, s:I, s:o}", "peer", address(&l->unpublished[i].host),
						       "messages", (json_int_t)l->unpublished[i].messages, "first",
						       mxg_json_time(l->unpublished[i].first)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "since", mxg_json_time(l->unpublished_since), "hosts",
			 number(l->unpublished_count), "messages", number(l->unpublished_messages), "first",
			 mxg_json_time(l->unpublished_first), "peers", peers);
}

json_t *mxg_report_line_object(const struct mxg_report_result *r, const struct mxg_time_line *l)
{
	json_t *o = json_object(), *gateways = json_array(), *days = json_array();
	for (size_t i = 0; i < l->gateway_count; i++)
		json_array_append_new(gateways, json_string(l->gateways[i]));
	for (size_t i = 0; i < l->day_count; i++)
		json_array_append_new(days, json_pack("{s:o, s:I}", "day", day(l->days[i].day), "direct",
						      (json_int_t)l->days[i].direct));
	json_object_set_new(o, "domain", mxg_json_text(r->state->domains[l->domain].name));
	json_object_set_new(o, "from", mxg_json_time(l->from));
	json_object_set_new(o, "until", mxg_json_time(l->until));
	json_object_set_new(o, "gateways", gateways);
	json_object_set_new(o, "logged", json_boolean(l->logged));
	json_object_set_new(o, "counted", json_boolean(l->counted));
	json_object_set_new(o, "direct_per_day", l->logged && l->counted ? json_real(l->direct_per_day) : json_null());
	json_object_set_new(o, "half_life_days", l->half_life_days < 0 ? json_null() : json_real(l->half_life_days));
	json_object_set_new(o, "dry", day(l->dry));
	json_object_set_new(o, "moved", moved_list(l));
	json_object_set_new(o, "stayed", stayed_list(l));
	json_object_set_new(o, "never_published", l->unpublished_since == 0 ? json_null() : unpublished_object(l));
	json_object_set_new(o, "days", days);
	return o;
}

/* All domains' decisions day by day. */
static json_t *dates(const struct mxg_report_state *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->date_count; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "day", day(s->dates[i].day));
		for (size_t v = MXGUARD_VERDICT_UNDECIDED + 1; v < MXG_REPORT_VERDICTS; v++)
			json_object_set_new(o, mxguard_verdict_name((enum mxguard_verdict)v),
					    number(s->dates[i].verdicts[v]));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *mxg_report_object(const struct mxg_report_result *r)
{
	const struct mxg_report_state *s = r->state;
	json_t *o = json_object(), *domains = json_array(), *peers = json_array(), *candidates = json_array(),
	       *lines = json_array();
	for (size_t i = 0; i < r->domain_count; i++)
		json_array_append_new(domains, domain_object(r, &r->domains[i]));
	for (size_t i = 0; i < r->peer_count; i++)
		json_array_append_new(peers, peer_object(s, &s->peers[r->peers[i]]));
	for (size_t i = 0; i < r->candidate_count; i++)
		json_array_append_new(candidates, candidate_object(s, &r->candidates[i]));
	for (size_t i = 0; i < r->line_count; i++)
		json_array_append_new(lines, mxg_report_line_object(r, &r->lines[i]));
	json_object_set_new(o, "lines", number(s->lines));
	json_object_set_new(o, "decisions", number(s->decisions));
	json_object_set_new(o, "duplicates", number(s->duplicates));
	json_object_set_new(o, "unread", number(s->unread));
	json_object_set_new(o, "undated", number(s->undated));
	json_object_set_new(o, "left_out", number(s->left_out));
	json_object_set_new(o, "from", mxg_json_time(s->from));
	json_object_set_new(o, "to", mxg_json_time(s->to));
	json_object_set_new(o, "verdicts", verdicts(s));
	json_object_set_new(o, "actions", actions(s->actions));
	json_object_set_new(o, "would", actions(s->would));
	json_object_set_new(o, "reasons", reasons(s));
	json_object_set_new(o, "domains", domains);
	json_object_set_new(o, "direct_peers", peers);
	json_object_set_new(o, "candidates", candidates);
	json_object_set_new(o, "generations", lines);
	json_object_set_new(o, "days", dates(s));
	json_object_set_new(o, "history_from", mxg_json_time(r->history));
	json_object_set_new(o, "exact", json_boolean(!s->cut && !s->doubled));
	json_object_set_new(o, "interrupted", json_boolean(r->interrupted));
	return o;
}
