/* SPDX-License-Identifier: MIT */
#include "scan/report.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "table.h"
#include "text.h"

static const char *const path_labels[MXG_PATHS] = {
	"through gateways", "directly, past the filters", "unknown", "locally", "authenticated", "exempt",
};

static const char *day(int64_t date, char buf[MXG_TIME_MAX])
{
	if (date == 0)
		return "-";
	mxg_time_format(date, buf);
	buf[10] = '\0';
	return buf;
}

/* ---- for people --------------------------------------------------------------------------- */

static enum mxg_colour path_colour(size_t path)
{
	return path == MXG_PATH_DIRECT ? MXG_RED : path == MXG_PATH_UNKNOWN ? MXG_YELLOW : MXG_PLAIN;
}

static void number(char buf[32], uint64_t value)
{
	snprintf(buf, 32, "%" PRIu64, value);
}

static void percent(char buf[32], uint64_t part, uint64_t whole)
{
	snprintf(buf, 32, "%.1f %%", whole == 0 ? 0.0 : 100.0 * (double)part / (double)whole);
}

static void finish(struct mxg_table *table, FILE *to)
{
	if (table != NULL)
		mxg_table_print(table, to);
	mxg_table_free(table);
}

static void people_paths(const struct mxg_tally *t, FILE *to)
{
	const char *const headings[] = { "how it came", "messages", "share", NULL };
	struct mxg_table *table = mxg_table_new(headings);
	char count[32], share[32];
	for (size_t i = 0; table != NULL && i < MXG_PATHS; i++) {
		const char *cells[] = { path_labels[i], count, share };
		number(count, t->paths[i]);
		percent(share, t->paths[i], t->messages);
		mxg_table_add(table, path_colour(i), cells);
	}
	finish(table, to);
}

static void people_left(const struct mxg_scan_report *r, FILE *to)
{
	const struct mxg_tally *t = r->tally;
	char clean[1200], begins[MXG_TIME_MAX];
	if (t->left > 0) {
		mxg_text_clean(clean, sizeof(clean), t->left_sample, strlen(t->left_sample), NULL);
		fprintf(to, "%" PRIu64 " other %s left unread, such as %s\n", t->left,
			mxg_noun(t->left, "file was", "files were"), clean);
	}
	if (t->own > 0) {
		mxg_text_clean(clean, sizeof(clean), t->own_sample, strlen(t->own_sample), NULL);
		fprintf(to, "%" PRIu64 " %s own mail left out, such as %s (--all-folders)\n", t->own,
			mxg_noun(t->own, "folder of its owner's", "folders of their owners'"), clean);
	}
	if (t->today > 0)
		fprintf(to, "%" PRIu64 " old %s judged by the gateways of today: the history %s%s\n", t->today,
			mxg_noun(t->today, "message was", "messages were"),
			r->history == 0 ? "has not begun (mxguard refresh)"
					: "does not tell those of that time; it begins ",
			r->history == 0 ? "" : day(r->history, begins));
}

static void people_reasons(const struct mxg_tally *t, FILE *to)
{
	const char *const headings[] = { "unknown, because", "messages", NULL };
	struct mxg_table *table = t->reason_count == 0 ? NULL : mxg_table_new(headings);
	char count[32];
	for (size_t i = 0; table != NULL && i < t->reason_count; i++) {
		const char *cells[] = { t->reasons[i].code, count };
		number(count, t->reasons[i].count);
		mxg_table_add(table, MXG_PLAIN, cells);
	}
	if (table != NULL)
		fputc('\n', to);
	finish(table, to);
}

static void people_gateways(const struct mxg_tally *t, FILE *to)
{
	const char *const headings[] = { "gateway entry", "messages", NULL };
	struct mxg_table *table = t->gateway_count == 0 ? NULL : mxg_table_new(headings);
	char count[32];
	for (size_t i = 0; table != NULL && i < t->gateway_count; i++) {
		const char *cells[] = { t->gateways[i].name, count };
		number(count, t->gateways[i].count);
		mxg_table_add(table, MXG_PLAIN, cells);
	}
	if (table != NULL)
		fputc('\n', to);
	finish(table, to);
}

static void people_peers(const struct mxg_scan_report *r, FILE *to)
{
	const char *const headings[] = { "direct peer", "messages", "first", "last", "sample", NULL };
	const struct mxg_tally *t = r->tally;
	struct mxg_table *table = t->peer_count == 0 ? NULL : mxg_table_new(headings);
	char count[32], first[MXG_TIME_MAX], last[MXG_TIME_MAX];
	for (size_t i = 0; table != NULL && i < t->peer_count && i < r->top; i++) {
		const struct mxg_tally_peer *p = &t->peers[i];
		const char *cells[] = { p->address, count, day(p->first, first), day(p->last, last), p->sample };
		snprintf(count, sizeof(count), "%s%" PRIu64, p->error > 0 ? "<= " : "", p->count);
		mxg_table_add(table, MXG_PLAIN, cells);
	}
	if (table != NULL)
		fputc('\n', to);
	finish(table, to);
}

static void bar(FILE *to, char mark, enum mxg_colour colour, uint64_t part, uint64_t most, size_t width)
{
	size_t n = most == 0 ? 0 : (size_t)((double)part / (double)most * (double)width + 0.5);
	if (part > 0 && n == 0)
		n = 1;
	if (n == 0)
		return;
	fputs(mxg_colour_begin(to, colour), to);
	for (size_t i = 0; i < n; i++)
		fputc(mark, to);
	fputs(mxg_colour_end(to), to);
}

static uint64_t month_total(const struct mxg_tally *t, size_t month)
{
	uint64_t all = 0;
	for (size_t i = 0; i < MXG_PATHS; i++)
		all += t->months[month][i];
	return all;
}

static uint64_t busiest_month(const struct mxg_tally *t, size_t first, size_t last)
{
	uint64_t most = 0;
	for (size_t m = first; m <= last; m++)
		if (month_total(t, m) > most)
			most = month_total(t, m);
	return most;
}

static void people_months(const struct mxg_tally *t, FILE *to)
{
	size_t first, last, width = mxg_terminal_width(to);
	if (!mxg_tally_months(t, &first, &last))
		return;
	width = width > 60 ? width - 40 : 20;
	uint64_t most = busiest_month(t, first, last);
	fputs("\nby month  (# through gateways, ! directly, ? unknown, . others)\n", to);
	for (size_t m = first; m <= last; m++) {
		const uint64_t *row = t->months[m];
		char name[16];
		mxg_tally_month_name(m, name);
		fprintf(to, "%s %8" PRIu64 " ", name, month_total(t, m));
		bar(to, '#', MXG_GREEN, row[MXG_PATH_GATEWAY], most, width);
		bar(to, '!', MXG_RED, row[MXG_PATH_DIRECT], most, width);
		bar(to, '?', MXG_YELLOW, row[MXG_PATH_UNKNOWN], most, width);
		bar(to, '.', MXG_FAINT, row[MXG_PATH_LOCAL] + row[MXG_PATH_AUTHENTICATED] + row[MXG_PATH_EXEMPT], most,
		    width);
		fputc('\n', to);
	}
}

static void people_enforce(const struct mxg_tally *t, FILE *to)
{
	fputs("\nenforce mode would have: ", to);
	static const enum mxguard_action order[] = { MXGUARD_ACTION_ACCEPT, MXGUARD_ACTION_TAG,
						     MXGUARD_ACTION_QUARANTINE, MXGUARD_ACTION_REJECT,
						     MXGUARD_ACTION_DEFER };
	for (size_t i = 0; i < 5; i++)
		fprintf(to, "%s%s %" PRIu64, i == 0 ? "" : ", ", mxguard_action_name(order[i]), t->enforce[order[i]]);
	fputc('\n', to);
}

void mxg_report_people(const struct mxg_scan_report *r, FILE *to)
{
	const struct mxg_tally *t = r->tally;
	char first[MXG_TIME_MAX], last[MXG_TIME_MAX];
	fprintf(to, "%" PRIu64 " %s%s", t->messages, mxg_noun(t->messages, "message", "messages"),
		r->interrupted ? ", interrupted: this is what was seen so far" : "");
	if (t->paths[MXG_PATH_UNKNOWN] > 0)
		fprintf(to, ", %" PRIu64 " could not be judged", t->paths[MXG_PATH_UNKNOWN]);
	if (t->failed > 0)
		fprintf(to, ", %" PRIu64 " could not be read", t->failed);
	fputc('\n', to);
	people_left(r, to);
	fputc('\n', to);
	people_paths(t, to);
	people_reasons(t, to);
	people_gateways(t, to);
	people_peers(r, to);
	if (t->first_direct > 0)
		fprintf(to, "\ndirect mail: first %s, last %s\n", day(t->first_direct, first),
			day(t->last_direct, last));
	people_months(t, to);
	people_enforce(t, to);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static json_t *json_paths(const uint64_t counts[MXG_PATHS])
{
	json_t *o = json_object();
	for (size_t i = 0; i < MXG_PATHS; i++)
		json_object_set_new(o, mxg_path_name((enum mxg_path)i), json_integer((json_int_t)counts[i]));
	return o;
}

static json_t *json_peers(const struct mxg_scan_report *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->tally->peer_count && i < r->top; i++) {
		const struct mxg_tally_peer *p = &r->tally->peers[i];
		json_t *o = json_object();
		json_object_set_new(o, "address", mxg_json_text(p->address));
		json_object_set_new(o, "messages", json_integer((json_int_t)p->count));
		json_object_set_new(o, "error", json_integer((json_int_t)p->error));
		json_object_set_new(o, "first", mxg_json_time(p->first));
		json_object_set_new(o, "last", mxg_json_time(p->last));
		json_object_set_new(o, "sample", mxg_json_text(p->sample));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *json_months(const struct mxg_tally *t)
{
	json_t *o = json_object();
	size_t first, last;
	char name[16];
	if (!mxg_tally_months(t, &first, &last))
		return o;
	for (size_t m = first; m <= last; m++) {
		mxg_tally_month_name(m, name);
		json_object_set_new(o, name, json_paths(t->months[m]));
	}
	return o;
}

static json_t *json_domains(const struct mxg_scan_report *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->domain_count; i++) {
		json_t *o = json_paths(r->domains[i]->paths);
		json_object_set_new(o, "domain", mxg_json_text(r->domains[i]->name));
		json_object_set_new(o, "messages", json_integer((json_int_t)mxg_scan_domain_messages(r->domains[i])));
		json_array_append_new(list, o);
	}
	return list;
}

void mxg_report_json(const struct mxg_scan_report *r)
{
	const struct mxg_tally *t = r->tally;
	json_t *o = json_object(), *gateways = json_object(), *enforce = json_object(), *unknown = json_object();
	for (size_t i = 0; i < t->reason_count; i++)
		json_object_set_new(unknown, t->reasons[i].code, json_integer((json_int_t)t->reasons[i].count));
	for (size_t i = 0; i < t->gateway_count; i++)
		json_object_set_new(gateways, t->gateways[i].name, json_integer((json_int_t)t->gateways[i].count));
	for (size_t i = 0; i < 5; i++)
		json_object_set_new(enforce, mxguard_action_name((enum mxguard_action)i),
				    json_integer((json_int_t)t->enforce[i]));
	json_object_set_new(o, "messages", json_integer((json_int_t)t->messages));
	json_object_set_new(o, "failed", json_integer((json_int_t)t->failed));
	json_object_set_new(o, "unknown", unknown);
	json_object_set_new(o, "judged_by_today", json_integer((json_int_t)t->today));
	json_object_set_new(o, "history_from", mxg_json_time(r->history));
	json_object_set_new(o, "left_unread", json_integer((json_int_t)t->left));
	json_object_set_new(o, "left_sample", mxg_json_text(t->left_sample));
	json_object_set_new(o, "own_folders", json_integer((json_int_t)t->own));
	json_object_set_new(o, "own_sample", mxg_json_text(t->own_sample));
	json_object_set_new(o, "interrupted", json_boolean(r->interrupted));
	json_object_set_new(o, "paths", json_paths(t->paths));
	json_object_set_new(o, "gateways", gateways);
	json_object_set_new(o, "direct_peers", json_peers(r));
	json_object_set_new(o, "first_direct", mxg_json_time(t->first_direct));
	json_object_set_new(o, "last_direct", mxg_json_time(t->last_direct));
	json_object_set_new(o, "months", json_months(t));
	json_object_set_new(o, "undated", json_integer((json_int_t)t->undated));
	json_object_set_new(o, "enforce", enforce);
	json_object_set_new(o, "domains", json_domains(r));
	mxg_json_print(o);
}

/* ---- CSV -------------------------------------------------------------------------------------- */

void mxg_report_csv(const struct mxg_scan_report *r, FILE *to)
{
	size_t first, last;
	char name[16];
	fputs("month", to);
	for (size_t i = 0; i < MXG_PATHS; i++)
		fprintf(to, ",%s", mxg_path_name((enum mxg_path)i));
	fputc('\n', to);
	if (!mxg_tally_months(r->tally, &first, &last))
		return;
	for (size_t m = first; m <= last; m++) {
		mxg_tally_month_name(m, name);
		fputs(name, to);
		for (size_t i = 0; i < MXG_PATHS; i++)
			fprintf(to, ",%" PRIu64, r->tally->months[m][i]);
		fputc('\n', to);
	}
}
