/* SPDX-License-Identifier: MIT */
/* The scan as a page: one that an administrator can show to a manager, and search himself. */
#include <inttypes.h>

#include "json.h"
#include "page/page.h"
#include "page/words.h"
#include "scan/report.h"
#include "text.h"

#define PATHS_SHOWN 20

static const struct {
	enum mxg_path path;
	const char *label, *tone;
} shown[MXG_PATHS] = { /* direct mail stands on the axis, where its height can be compared */
		       { MXG_PATH_DIRECT, "direct", "bad" },
		       { MXG_PATH_UNKNOWN, "unknown", "warn" },
		       { MXG_PATH_GATEWAY, "through gateways", "good" },
		       { MXG_PATH_AUTHENTICATED, "authenticated", "plain" },
		       { MXG_PATH_LOCAL, "locally", "calm" },
		       { MXG_PATH_EXEMPT, "exempt", "other" }
};

static double share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (double)part / (double)whole;
}

static const char *day(int64_t date, char buf[MXG_TIME_MAX])
{
	mxg_time_format(date, buf);
	buf[10] = '\0';
	return buf;
}

/* ---- the first screen ----------------------------------------------------------------------------------- */

static void say(const struct mxg_scan_report *r, struct mxg_page *page)
{
	const struct mxg_tally *t = r->tally;
	char first[MXG_TIME_MAX], last[MXG_TIME_MAX];
	uint64_t direct = t->paths[MXG_PATH_DIRECT], unknown = t->paths[MXG_PATH_UNKNOWN];
	if (r->interrupted)
		mxg_page_say(page, "warn", "The scan was interrupted: this is what was seen so far.");
	mxg_page_say(page, direct > 0 ? "bad" : "good",
		     "Of %" PRIu64 " %s, %" PRIu64 " (%.1f %%) %s delivered past the filters; %" PRIu64
		     " came through them.",
		     t->messages, mxg_noun(t->messages, "message", "messages"), direct,
		     100 * share(direct, t->messages), mxg_noun(direct, "was", "were"), t->paths[MXG_PATH_GATEWAY]);
	if (t->first_direct > 0)
		mxg_page_say(page, "plain", "Mail past the filters: first %s, last %s.", day(t->first_direct, first),
			     day(t->last_direct, last));
	if (unknown > 0)
		mxg_page_say(page, "warn", "%" PRIu64 " (%.1f %%) could not be judged; the reasons stand below.",
			     unknown, 100 * share(unknown, t->messages));
	if (t->failed > 0)
		mxg_page_say(page, "warn", "%" PRIu64 " %s could not be read.", t->failed,
			     mxg_noun(t->failed, "file or folder", "files or folders"));
	if (t->today > 0)
		mxg_page_say(page, "warn",
			     "%" PRIu64 " old %s judged by the gateways of today, since the history does not "
			     "tell those of %s time.",
			     t->today, mxg_noun(t->today, "message was", "messages were"),
			     mxg_noun(t->today, "its", "their"));
}

static void tell_paths(const struct mxg_scan_report *r, struct mxg_page *page)
{
	for (size_t i = 0; i < r->path_count && i < PATHS_SHOWN; i++)
		mxg_page_fact(page, "path", "%s", r->paths[i]);
	if (r->path_count > PATHS_SHOWN)
		mxg_page_fact(page, "path", "and %zu more", r->path_count - PATHS_SHOWN);
	mxg_page_fact(page, "configuration", "%s", r->config);
	mxg_page_fact(page, "assumed place", "%s", mxg_page_place(r->place));
}

static void tell_dates(const struct mxg_scan_report *r, struct mxg_page *page)
{
	char from[16], until[16], begins[MXG_TIME_MAX];
	size_t first, last;
	if (mxg_tally_months(r->tally, &first, &last)) {
		mxg_tally_month_name(first, from);
		mxg_tally_month_name(last, until);
		mxg_page_fact(page, "dates", "from %s to %s; %" PRIu64 " %s none", from, until, r->tally->undated,
			      mxg_noun(r->tally->undated, "message has", "messages have"));
	}
	if (r->since != 0)
		mxg_page_fact(page, "only since", "%s", day(r->since, begins));
	mxg_page_fact(page, "history", "%s", r->history == 0 ? "none" : mxg_time_format(r->history, begins));
}

static void tell_facts(const struct mxg_scan_report *r, struct mxg_page *page)
{
	const struct mxg_tally *t = r->tally;
	tell_paths(r, page);
	tell_dates(r, page);
	mxg_page_fact(page, "domains", "%zu%s", r->domain_count,
		      r->domains_cut ? ", and more of which not all is counted by domain" : "");
	if (r->recipient != NULL)
		mxg_page_fact(page, "recipient, where a message tells none", "%s", r->recipient);
	if (r->all_folders)
		mxg_page_fact(page, "folders", "all of them, Sent and Drafts too");
	else if (t->own > 0)
		mxg_page_fact(page, "folders", "%" PRIu64 " of %s own mail left out, such as %s", t->own,
			      mxg_noun(t->own, "its owner's", "their owners'"), t->own_sample);
	else
		mxg_page_fact(page, "folders", "Sent, Drafts and the like would be left out; none was found");
	if (t->left > 0)
		mxg_page_fact(page, "left unread", "%" PRIu64 " %s, such as %s", t->left,
			      mxg_noun(t->left, "file that is no message", "files that are no messages"),
			      t->left_sample);
}

static void put_sums(const struct mxg_tally *t, struct mxg_page *page)
{
	json_t *items = json_pack("[{s:s, s:I}]", "label", "messages", "value", (json_int_t)t->messages);
	for (size_t i = 0; i < MXG_PATHS; i++) {
		char note[32];
		uint64_t n = t->paths[shown[i].path];
		snprintf(note, sizeof(note), "%.1f %%", 100 * share(n, t->messages));
		if (n > 0 || i < 3)
			json_array_append_new(items, json_pack("{s:s, s:I, s:s, s:s}", "label", shown[i].label, "value",
							       (json_int_t)n, "tone", shown[i].tone, "note", note));
	}
	mxg_page_part(page, json_pack("{s:s, s:o}", "part", "sums", "items", items));
}

/* ---- by month ------------------------------------------------------------------------------------------- */

static json_t *month_series(const struct mxg_tally *t, size_t which, size_t first, size_t last)
{
	json_t *values = json_array();
	for (size_t m = first; m <= last; m++)
		json_array_append_new(values, json_integer((json_int_t)t->months[m][shown[which].path]));
	return json_pack("{s:s, s:s, s:o}", "name", shown[which].label, "tone", shown[which].tone, "values", values);
}

static json_t *domain_months(const struct mxg_scan_domain *d, size_t first)
{
	json_t *row = json_array();
	for (size_t i = 0; i < d->month_count; i++) {
		json_t *month = json_pack("[I]", (json_int_t)(d->months[i].month - first));
		for (size_t n = 0; n < MXG_PATHS; n++)
			json_array_append_new(month, json_integer(d->months[i].paths[shown[n].path]));
		json_array_append_new(row, month);
	}
	return row;
}

static void put_months(const struct mxg_scan_report *r, struct mxg_page *page)
{
	json_t *names = json_array(), *series = json_array();
	size_t first = 0, last = 0;
	bool any = mxg_tally_months(r->tally, &first, &last);
	char name[16];
	for (size_t m = first; any && m <= last; m++) {
		mxg_tally_month_name(m, name);
		json_array_append_new(names, json_string(name));
	}
	for (size_t i = 0; i < MXG_PATHS; i++)
		json_array_append_new(series, any ? month_series(r->tally, i, first, last) : json_object());
	json_t *bars = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "part", "bars", "id", "months", "title",
				 "By month", "unit", "messages a month", "axis", "month", "of", "domains", "x", names,
				 "series", series);
	if (!any) {
		json_decref(bars);
		return;
	}
	mxg_page_begin_rows(page, bars);
	for (size_t i = 0; i < r->domain_count; i++)
		mxg_page_row(page, domain_months(r->domains[i], first));
	mxg_page_end_rows(page);
}

/* ---- tables --------------------------------------------------------------------------------------------- */

static void put_domains(const struct mxg_scan_report *r, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "domain", "domain" },    { "messages", "number" },
		{ "direct", "number" },    { "share of direct", "share" },
		{ "unknown", "number" },   { "through gateways", "number" },
		{ "others", "number" },    { "first direct", "time" },
		{ "last direct", "time" }, { NULL, NULL },
	};
	json_t *table = mxg_page_new_table("domains", "Domains", "Of the recipients.", columns, 2);
	json_object_set_new(table, "names", json_true());
	mxg_page_begin_rows(page, table);
	for (size_t i = 0; i < r->domain_count; i++) {
		const struct mxg_scan_domain *d = r->domains[i];
		uint64_t all = mxg_scan_domain_messages(d), direct = d->paths[MXG_PATH_DIRECT],
			 unknown = d->paths[MXG_PATH_UNKNOWN], via = d->paths[MXG_PATH_GATEWAY];
		mxg_page_row(page, json_pack("[o, I, I, f, I, I, I, o, o]", mxg_json_text(d->name), (json_int_t)all,
					     (json_int_t)direct, share(direct, all), (json_int_t)unknown,
					     (json_int_t)via, (json_int_t)(all - direct - unknown - via),
					     mxg_json_time(d->first_direct), mxg_json_time(d->last_direct)));
	}
	mxg_page_end_rows(page);
}

static void put_peers(const struct mxg_scan_report *r, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "peer", "address" }, { "messages", "number" }, { "too many by", "number" },
		{ "first", "time" },   { "last", "time" },       { "sample", "text" },
		{ NULL, NULL },
	};
	mxg_page_begin_rows(page, mxg_page_new_table("peers", "Who delivered past the filters",
						     "Of all domains. The counts are exact up to 1,024 peers; beyond, "
						     "one may be too high by as many as are said.",
						     columns, 1));
	for (size_t i = 0; i < r->tally->peer_count; i++) {
		const struct mxg_tally_peer *p = &r->tally->peers[i];
		mxg_page_row(page, json_pack("[o, I, I, o, o, o]", mxg_json_text(p->address), (json_int_t)p->count,
					     (json_int_t)p->error, mxg_json_time(p->first), mxg_json_time(p->last),
					     mxg_json_text(p->sample)));
	}
	mxg_page_end_rows(page);
}

static void put_gateways(const struct mxg_tally *t, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = { { "entry", "text" },
							  { "messages", "number" },
							  { NULL, NULL } };
	mxg_page_begin_rows(page, mxg_page_new_table("gateways", "Through which gateways", NULL, columns, 1));
	for (size_t i = 0; i < t->gateway_count; i++)
		mxg_page_row(page,
			     json_pack("[o, I]", mxg_json_text(t->gateways[i].name), (json_int_t)t->gateways[i].count));
	mxg_page_end_rows(page);
}

static void put_enforce(const struct mxg_tally *t, struct mxg_page *page)
{
	static const enum mxguard_action order[] = { MXGUARD_ACTION_ACCEPT, MXGUARD_ACTION_TAG,
						     MXGUARD_ACTION_QUARANTINE, MXGUARD_ACTION_REJECT,
						     MXGUARD_ACTION_DEFER };
	static const struct mxg_page_column columns[] = { { "action", "text" },
							  { "messages", "number" },
							  { NULL, NULL } };
	mxg_page_begin_rows(page, mxg_page_new_table("enforce", "What enforce mode would have done",
						     "At the assumed place, see above.", columns, -1));
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		mxg_page_row(page,
			     json_pack("[s, I]", mxguard_action_name(order[i]), (json_int_t)t->enforce[order[i]]));
	mxg_page_end_rows(page);
}

static void put_reasons(const struct mxg_tally *t, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "reason", "text" }, { "messages", "number" }, { "what it means", "text" }, { NULL, NULL }
	};
	mxg_page_begin_rows(page, mxg_page_new_table("reasons", "Why messages could not be judged", NULL, columns, 1));
	for (size_t i = 0; i < t->reason_count; i++)
		mxg_page_row(page, json_pack("[s, I, s]", t->reasons[i].code, (json_int_t)t->reasons[i].count,
					     mxg_page_reason(t->reasons[i].code)));
	mxg_page_end_rows(page);
}

static void put_unknown(const struct mxg_scan_report *r, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "date", "time" }, { "reason", "text" },          { "domain", "domains" },
		{ "file", "text" }, { "message in it", "number" }, { NULL, NULL },
	};
	mxg_page_begin_rows(page, mxg_page_new_table("unknown", "Messages that could not be judged",
						     "The newest 1,000 of them at most; mxguard scan --list unknown "
						     "lists all, and mxguard trace explains one.",
						     columns, 0));
	for (size_t i = 0; i < r->unknown_count; i++) {
		const struct mxg_listed *m = &r->unknown[i];
		mxg_page_row(page, json_pack("[o, s, o, o, o]", mxg_json_time(m->date), m->reason,
					     mxg_json_text(m->domain), mxg_json_text(m->file),
					     m->number == 0 ? json_null() : json_integer((json_int_t)m->number)));
	}
	mxg_page_end_rows(page);
}

void mxg_report_page(const struct mxg_scan_report *r, FILE *to)
{
	struct mxg_page page;
	mxg_page_begin(&page, to, "Mail past the filters: what lies in the mailboxes", "mxguard scan", r->now);
	say(r, &page);
	tell_facts(r, &page);
	put_sums(r->tally, &page);
	put_months(r, &page);
	put_domains(r, &page);
	put_peers(r, &page);
	put_enforce(r->tally, &page);
	if (r->tally->gateway_count > 0)
		put_gateways(r->tally, &page);
	if (r->unknown_count > 0) {
		put_reasons(r->tally, &page);
		put_unknown(r, &page);
	}
	mxg_page_part(&page, mxg_page_words(MXG_WORDS_SCAN));
	mxg_page_end(&page);
}
