/* SPDX-License-Identifier: MIT */
/* The report as a page: what it says first is for whoever decides, and everything else stands below. */
#include "report/show_page.h"

#include <inttypes.h>
#include <stdlib.h>

#include "json.h"
#include "page/page.h"
#include "page/words.h"
#include "report/show.h"
#include "text.h"

#define PATHS_SHOWN 20

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static size_t ready_domains(const struct mxg_report_result *r)
{
	size_t ready = 0;
	for (size_t i = 0; i < r->domain_count; i++)
		ready += r->domains[i].ready;
	return ready;
}

/* ---- the first screen ----------------------------------------------------------------------------------- */

static bool has_uncounted_lines(const struct mxg_report_result *r)
{
	bool all = true;
	for (size_t i = 0; i < r->line_count; i++)
		all &= r->lines[i].counted || !r->lines[i].logged;
	return !all;
}

static void say_how_sure(const struct mxg_report_result *r, struct mxg_page *page)
{
	if (r->interrupted)
		mxg_page_say(page, "warn", "The report was interrupted: this is what was seen so far.");
	if (r->state->unread > 0)
		mxg_page_say(page, "warn", "%" PRIu64 " %s cut or damaged and %s not count.", r->state->unread,
			     mxg_noun(r->state->unread, "line of mxguard is", "lines of mxguard are"),
			     mxg_noun(r->state->unread, "does", "do"));
	if (r->state->undated > 0)
		mxg_page_say(page, "warn", "%" PRIu64 " %s no time; no day counts %s.", r->state->undated,
			     mxg_noun(r->state->undated, "decision has", "decisions have"),
			     mxg_noun(r->state->undated, "it", "them"));
	if (r->state->left_out > 0)
		mxg_page_say(page, "warn", "%" PRIu64 " %s no time and %s left out.", r->state->left_out,
			     mxg_noun(r->state->left_out, "decision has", "decisions have"),
			     mxg_noun(r->state->left_out, "is", "are"));
	if (has_uncounted_lines(r))
		mxg_page_say(page, "warn",
			     "The time line of some domain is not known: some partial results were made with "
			     "neither --changed nor the history.");
	if (r->state->doubled)
		mxg_page_say(page, "warn",
			     "There were more lines than can be compared: what stands in two logs may count twice.");
	if (r->state->cut)
		mxg_page_say(page, "warn",
			     "There were more direct peers than are kept: those that sent least are not listed.");
}

static void say(const struct mxg_report_result *r, struct mxg_page *page)
{
	const struct mxg_report_state *s = r->state;
	uint64_t direct = s->verdicts[MXGUARD_VERDICT_DIRECT];
	size_t ready = ready_domains(r);
	if (s->decisions == 0 && s->left_out == 0)
		mxg_page_say(page, "warn",
			     "There are no decisions in these logs: they are not those of a front end, or it has "
			     "decided nothing that was asked for.");
	else if (s->decisions > 0)
		mxg_page_say(page, direct > 0 ? "bad" : "good",
			     "Of %" PRIu64 " %s, %" PRIu64 " (%.1f %%) %s about mail that came past the filters.",
			     s->decisions, mxg_noun(s->decisions, "decision", "decisions"), direct,
			     percent(direct, s->decisions), mxg_noun(direct, "was", "were"));
	if (r->domain_count > 0)
		mxg_page_say(page, ready == r->domain_count ? "good" : "warn",
			     "%zu of %zu %s ready for enforce mode: it would have refused or held up nobody "
			     "who looks legitimate.",
			     ready, r->domain_count, mxg_noun(r->domain_count, "domain is", "domains are"));
	if (r->candidate_count > 0)
		mxg_page_say(page, "warn",
			     "%zu %s. Whether that is true must be known before enforce mode is switched on.",
			     r->candidate_count,
			     mxg_noun(r->candidate_count, "sender looks like a forgotten gateway",
				      "senders look like forgotten gateways"));
	say_how_sure(r, page);
}

static void tell_inputs(const struct mxg_report_about *a, struct mxg_page *page)
{
	char since[MXG_TIME_MAX];
	for (size_t i = 0; i < a->log_count && i < PATHS_SHOWN; i++)
		mxg_page_fact(page, "log", "%s", a->logs[i]);
	if (a->log_count > PATHS_SHOWN)
		mxg_page_fact(page, "log", "and %zu more", a->log_count - PATHS_SHOWN);
	if (a->journal)
		mxg_page_fact(page, "log", "the journal of this host");
	mxg_page_fact(page, "configuration", "%s", a->config != NULL ? a->config : "none was read");
	if (a->since != 0)
		mxg_page_fact(page, "only since", "%s", mxg_time_format(a->since, since));
	for (size_t i = 0; i < a->domain_count; i++)
		mxg_page_fact(page, "only domain", "%s", a->domains[i]);
	for (size_t i = 0; i < a->change_count; i++)
		mxg_page_fact(page, "told", "the MX of %s was changed at %s", a->changes[i].domain,
			      mxg_time_format(a->changes[i].at, since));
}

static void tell_facts(const struct mxg_report_result *r, const struct mxg_report_about *a, struct mxg_page *page)
{
	const struct mxg_report_state *s = r->state;
	char from[MXG_TIME_MAX], until[MXG_TIME_MAX];
	tell_inputs(a, page);
	if (s->from != 0)
		mxg_page_fact(page, "decided", "from %s to %s", mxg_time_format(s->from, from),
			      mxg_time_format(s->to, until));
	mxg_page_fact(page, "counted", "%" PRIu64 " %s in %" PRIu64 " %s; %" PRIu64 " stood in two logs and %s once",
		      s->decisions, mxg_noun(s->decisions, "decision", "decisions"), s->lines,
		      mxg_noun(s->lines, "line", "lines"), s->duplicates, mxg_noun(s->duplicates, "counts", "count"));
	mxg_page_fact(page, "domains", "%zu", r->domain_count);
	mxg_page_fact(page, "place",
		      "that of each front end: one at the door refuses direct mail, one behind the queue only "
		      "quarantines it, by default");
	mxg_page_fact(page, "history", "%s", r->history == 0 ? "none" : mxg_time_format(r->history, from));
}

static void put_sums(const struct mxg_report_result *r, struct mxg_page *page)
{
	const struct mxg_report_state *s = r->state;
	char ready[64];
	snprintf(ready, sizeof(ready), "%zu of %zu", ready_domains(r), r->domain_count);
	json_t *items = json_pack(
		"[{s:s, s:I}, {s:s, s:I, s:s}, {s:s, s:I, s:s}, {s:s, s:I, s:s}, {s:s, s:s, s:s}, {s:s, s:I, s:s}]",
		"label", "decisions", "value", (json_int_t)s->decisions, "label", "authorized", "value",
		(json_int_t)s->verdicts[MXGUARD_VERDICT_AUTHORIZED], "tone", "good", "label", "direct", "value",
		(json_int_t)s->verdicts[MXGUARD_VERDICT_DIRECT], "tone", "bad", "label", "unknown", "value",
		(json_int_t)s->verdicts[MXGUARD_VERDICT_UNKNOWN], "tone", "warn", "label", "domains are ready", "value",
		ready, "tone", ready_domains(r) == r->domain_count ? "good" : "warn", "label", "candidates", "value",
		(json_int_t)r->candidate_count, "tone", r->candidate_count > 0 ? "warn" : "plain");
	mxg_page_part(page, json_pack("{s:s, s:o}", "part", "sums", "items", items));
}

/* ---- domains -------------------------------------------------------------------------------------------- */

static void put_domain(const struct mxg_report_result *r, const struct mxg_domain_verdict *v, struct mxg_page *page)
{
	const struct mxg_domain_state *d = &r->state->domains[v->domain];
	json_t *blockers = json_array();
	char text[MXG_BLOCKER_MAX];
	uint64_t all = 0;
	for (size_t i = 0; i < MXG_REPORT_VERDICTS; i++)
		all += d->verdicts[i];
	for (size_t n = 0; mxg_report_blocker(r, v, n, text); n++)
		json_array_append_new(blockers, mxg_json_text(text));
	mxg_page_row(page, json_pack("[o, I, I, I, I, I, b, o]", mxg_json_text(d->name), (json_int_t)all,
				     (json_int_t)d->verdicts[MXGUARD_VERDICT_AUTHORIZED],
				     (json_int_t)d->verdicts[MXGUARD_VERDICT_DIRECT],
				     (json_int_t)d->verdicts[MXGUARD_VERDICT_UNKNOWN], (json_int_t)d->refused, v->ready,
				     blockers));
}

static void put_domains(const struct mxg_report_result *r, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "domain", "domain" },
		{ "decisions", "number" },
		{ "authorized", "number" },
		{ "direct", "number" },
		{ "unknown", "number" },
		{ "not let in", "number" },
		{ "ready", "yes" },
		{ "what stands in the way", "list" },
		{ NULL, NULL },
	};
	json_t *table = mxg_page_new_table("domains", "Domains",
					   "Not let in: direct mail that enforce mode would have refused, held up or "
					   "put aside.",
					   columns, 1);
	json_object_set_new(table, "names", json_true());
	mxg_page_begin_rows(page, table);
	for (size_t i = 0; i < r->domain_count; i++)
		put_domain(r, &r->domains[i], page);
	mxg_page_end_rows(page);
}

/* ---- candidates, peers, reasons, actions ---------------------------------------------------------------- */

/* Domains by their place in the table above. */
#define DOMAINS_SHOWN 1000
static json_t *domain_places(const uint32_t *places, const uint32_t *domains, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count && i < DOMAINS_SHOWN; i++)
		json_array_append_new(list, number(places[domains[i]]));
	return list;
}

static json_t *candidate_row(const uint32_t *places, const struct mxg_candidate *c)
{
	char text[MXG_BLOCKER_MAX];
	json_t *why = json_array();
	for (size_t n = 0; mxg_report_reason_why(c, n, text); n++)
		json_array_append_new(why, mxg_json_text(text));
	return json_pack("[o, I, o, o, o, b, o, o]", mxg_json_text(c->term), (json_int_t)c->messages, why,
			 mxg_json_text(c->names), domain_places(places, c->domains, c->domain_count), c->proven,
			 mxg_json_time(c->first), mxg_json_time(c->last));
}

static void put_candidates(const struct mxg_report_result *r, const uint32_t *places, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "term", "term" },  { "messages", "number" }, { "why", "list" },
		{ "name", NULL },    { "domains", "domains" }, { "proven", "yes" },
		{ "first", "time" }, { "last", "time" },       { NULL, NULL },
	};
	mxg_page_begin_rows(page, mxg_page_new_table("candidates", "What looks like a forgotten gateway",
						     "If it is yours, copy the term into an entry of gateways in "
						     "mxguard.conf.",
						     columns, 1));
	for (size_t i = 0; i < r->candidate_count; i++)
		mxg_page_row(page, candidate_row(places, &r->candidates[i]));
	mxg_page_end_rows(page);
}

static json_t *peer_row(const uint32_t *places, const struct mxg_peer_state *p)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	return json_pack("[s, I, o, I, I, o, o, o]", mxg_address_format(&p->address, address), (json_int_t)p->messages,
			 domain_places(places, mxg_peer_domains(p), p->domain_count),
			 (json_int_t)mxg_least_count(&p->senders), (json_int_t)mxg_least_count(&p->recipients),
			 mxg_json_time(p->first), mxg_json_time(p->last), mxg_json_text(p->sample));
}

static void put_peers(const struct mxg_report_result *r, const uint32_t *places, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "peer", "address" },   { "messages", "number" },   { "domains", "domains" },
		{ "senders", "number" }, { "recipients", "number" }, { "first", "time" },
		{ "last", "time" },      { "sample", NULL },         { NULL, NULL },
	};
	char note[200];
	snprintf(note, sizeof(note),
		 "The %zu that sent most, of %zu. Senders and recipients are exact up to 64, and estimates beyond.",
		 r->peer_count, r->state->peer_count);
	mxg_page_begin_rows(page, mxg_page_new_table("peers", "Who came past the filters", note, columns, 1));
	for (size_t i = 0; i < r->peer_count; i++)
		mxg_page_row(page, peer_row(places, &r->state->peers[r->peers[i]]));
	mxg_page_end_rows(page);
}

static void put_actions(const struct mxg_report_state *s, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "action", NULL },
		{ "was done", "number" },
		{ "enforce mode would have", "number" },
		{ NULL, NULL },
	};
	mxg_page_begin_rows(page, mxg_page_new_table("actions", "What was done, and what enforce mode would have done",
						     "What enforce mode would have done stands in the log in monitor "
						     "mode only.",
						     columns, -1));
	for (size_t i = 0; i < MXG_REPORT_ACTIONS; i++)
		mxg_page_row(page, json_pack("[s, I, I]", mxguard_action_name((enum mxguard_action)i),
					     (json_int_t)s->actions[i], (json_int_t)s->would[i]));
	mxg_page_end_rows(page);
}

static void put_reasons(const struct mxg_report_state *s, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "reason", NULL },
		{ "decisions", "number" },
		{ "what it means", NULL },
		{ NULL, NULL },
	};
	mxg_page_begin_rows(page, mxg_page_new_table("reasons", "Why", NULL, columns, 1));
	for (size_t i = 0; i < s->reason_count; i++)
		if (s->reasons[i].count > 0)
			mxg_page_row(page, json_pack("[o, I, o]", mxg_json_text(s->reasons[i].name),
						     (json_int_t)s->reasons[i].count,
						     mxg_json_text(mxg_page_reason(s->reasons[i].name))));
	mxg_page_end_rows(page);
}

static void put_lines(const struct mxg_report_result *r, struct mxg_page *page)
{
	json_t *items = json_array();
	for (size_t i = 0; i < r->line_count; i++)
		json_array_append_new(items, mxg_report_line_object(r, &r->lines[i]));
	mxg_page_part(page, json_pack("{s:s, s:s, s:s, s:s, s:o}", "part", "lines", "id", "lines", "title",
				      "What became of direct mail", "note",
				      "After the gateways of a domain changed, senders keep the old address for a "
				      "while, and spammers for good.",
				      "items", items));
}

void mxg_report_show_page(const struct mxg_report_result *r, const struct mxg_report_about *about, FILE *to)
{
	struct mxg_page page;
	uint32_t *places = calloc(r->domain_count + 1, sizeof(*places));
	for (size_t i = 0; places != NULL && i < r->domain_count; i++)
		places[r->domains[i].domain] = (uint32_t)i;
	mxg_page_begin(&page, to, "Mail past the filters: what the logs say", "mxguard report", about->now);
	say(r, &page);
	tell_facts(r, about, &page);
	put_sums(r, &page);
	mxg_report_put_verdicts(r, &page);
	mxg_report_put_days(r->state, &page);
	if (r->candidate_count > 0 && places != NULL)
		put_candidates(r, places, &page);
	put_domains(r, &page);
	if (r->line_count > 0)
		put_lines(r, &page);
	if (places != NULL)
		put_peers(r, places, &page);
	put_actions(r->state, &page);
	put_reasons(r->state, &page);
	mxg_page_part(&page, mxg_page_words(MXG_WORDS_REPORT));
	mxg_page_end(&page);
	free(places);
}
