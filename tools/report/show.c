/* SPDX-License-Identifier: MIT */
/* The report for people, and a row a domain for spreadsheets. */
#include <inttypes.h>

#include "report/show.h"
#include "table.h"
#include "text.h"

static void number(char text[32], uint64_t n)
{
	snprintf(text, 32, "%" PRIu64, n);
}

static uint64_t decisions_of(const struct mxg_domain_state *d)
{
	uint64_t all = 0;
	for (size_t v = 0; v < MXG_REPORT_VERDICTS; v++)
		all += d->verdicts[v];
	return all;
}

static void all_blockers(const struct mxg_report_result *r, const struct mxg_domain_verdict *v, const char *between,
			 char *out, size_t size)
{
	char text[MXG_BLOCKER_MAX];
	size_t at = 0;
	out[0] = '\0';
	for (size_t n = 0; at < size && mxg_report_blocker(r, v, n, text); n++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", n == 0 ? "" : between, text);
}

/* ---- CSV ----------------------------------------------------------------------------------------------- */

/* In quotes; what a spreadsheet would take for a formula is not begun. */
static void put_quoted(FILE *to, const char *text)
{
	fputs(strchr("=+-@", text[0]) != NULL && text[0] != '\0' ? "\"'" : "\"", to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

void mxg_report_show_csv(const struct mxg_report_result *r, FILE *to)
{
	char blockers[2000];
	fputs("domain,decisions,authorized,direct,unknown,ready,blockers\n", to);
	for (size_t i = 0; i < r->domain_count; i++) {
		const struct mxg_domain_verdict *v = &r->domains[i];
		const struct mxg_domain_state *d = &r->state->domains[v->domain];
		all_blockers(r, v, "; ", blockers, sizeof(blockers));
		put_quoted(to, d->name);
		fprintf(to, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,", decisions_of(d),
			d->verdicts[MXGUARD_VERDICT_AUTHORIZED], d->verdicts[MXGUARD_VERDICT_DIRECT],
			d->verdicts[MXGUARD_VERDICT_UNKNOWN], v->ready ? "yes" : "no");
		put_quoted(to, blockers);
		fputc('\n', to);
	}
}

/* ---- for people ------------------------------------------------------------------------------------------- */

static void finish(struct mxg_table *table, FILE *to)
{
	if (table != NULL && mxg_table_rows(table) > 0) {
		fputc('\n', to);
		mxg_table_print(table, to);
	}
	mxg_table_free(table);
}

static void show_sums(const struct mxg_report_result *r, FILE *to)
{
	const struct mxg_report_state *s = r->state;
	char from[MXG_TIME_MAX], until[MXG_TIME_MAX];
	fprintf(to, "%" PRIu64 " %s in %" PRIu64 " %s%s\n", s->decisions,
		mxg_noun(s->decisions, "decision", "decisions"), s->lines, mxg_noun(s->lines, "line", "lines"),
		r->interrupted ? ", interrupted: this is what was seen so far" : "");
	if (s->decisions == 0 && s->left_out == 0)
		fputs("none: these are not the logs of a front end, or it has decided nothing that was asked for\n",
		      to);
	if (s->from != 0)
		fprintf(to, "from %s to %s\n", mxg_time_format(s->from, from), mxg_time_format(s->to, until));
	if (s->duplicates > 0)
		fprintf(to, "%" PRIu64 " %s in two logs and %s once\n", s->duplicates,
			mxg_noun(s->duplicates, "is", "are"), mxg_noun(s->duplicates, "counts", "count"));
	if (s->unread > 0)
		fprintf(to, "%" PRIu64 " %s of mxguard cut or damaged\n", s->unread,
			mxg_noun(s->unread, "line", "lines"));
	if (s->undated > 0)
		fprintf(to, "%" PRIu64 " %s no time\n", s->undated,
			mxg_noun(s->undated, "decision has", "decisions have"));
	if (s->left_out > 0)
		fprintf(to, "%" PRIu64 " %s no time and %s left out (--since)\n", s->left_out,
			mxg_noun(s->left_out, "decision has", "decisions have"), mxg_noun(s->left_out, "is", "are"));
	if (s->doubled)
		fputs("there are more lines than can be compared: what is in two logs may count twice\n", to);
	if (s->cut)
		fputs("there are more direct peers than are kept: those that sent least are not listed\n", to);
}

static void show_verdicts(const struct mxg_report_state *s, FILE *to)
{
	static const char *const headings[] = { "VERDICT", "MESSAGES", NULL };
	struct mxg_table *table = mxg_table_new(headings);
	char count[32];
	for (size_t i = 0; table != NULL && i < MXG_REPORT_VERDICTS; i++) {
		const char *cells[] = { mxguard_verdict_name((enum mxguard_verdict)i), count };
		number(count, s->verdicts[i]);
		if (s->verdicts[i] > 0)
			mxg_table_add(table, i == MXGUARD_VERDICT_DIRECT ? MXG_RED : MXG_PLAIN, cells);
	}
	finish(table, to);
}

static void show_domains(const struct mxg_report_result *r, size_t top, FILE *to)
{
	static const char *const headings[] = {
		"DOMAIN", "DECISIONS", "AUTHORIZED", "DIRECT", "UNKNOWN", "READY", "WHAT STANDS IN THE WAY", NULL
	};
	struct mxg_table *table = mxg_table_new(headings);
	char all[32], authorized[32], direct[32], unknown[32], blockers[1000];
	for (size_t i = 0; table != NULL && i < r->domain_count && i < top; i++) {
		const struct mxg_domain_verdict *v = &r->domains[i];
		const struct mxg_domain_state *d = &r->state->domains[v->domain];
		const char *cells[] = { d->name, all, authorized, direct, unknown, v->ready ? "yes" : "no", blockers };
		number(all, decisions_of(d));
		number(authorized, d->verdicts[MXGUARD_VERDICT_AUTHORIZED]);
		number(direct, d->verdicts[MXGUARD_VERDICT_DIRECT]);
		number(unknown, d->verdicts[MXGUARD_VERDICT_UNKNOWN]);
		all_blockers(r, v, "; ", blockers, sizeof(blockers));
		mxg_table_add(table, v->ready ? MXG_GREEN : MXG_YELLOW, cells);
	}
	finish(table, to);
	if (r->domain_count > top)
		fprintf(to, "… and %zu more %s (--top, --csv)\n", r->domain_count - top,
			mxg_noun(r->domain_count - top, "domain", "domains"));
}

static const char *day(int64_t t, char text[MXG_TIME_MAX])
{
	if (t == 0)
		return "-";
	mxg_time_format(t, text);
	text[10] = '\0';
	return text;
}

static void show_peers(const struct mxg_report_result *r, size_t top, FILE *to)
{
	static const char *const headings[] = { "DIRECT PEER", "MESSAGES", "FIRST", "LAST", "SAMPLE", NULL };
	struct mxg_table *table = mxg_table_new(headings);
	char address[MXG_ADDRESS_TEXT_MAX], count[32], first[MXG_TIME_MAX], last[MXG_TIME_MAX];
	for (size_t i = 0; table != NULL && i < r->peer_count && i < top; i++) {
		const struct mxg_peer_state *p = &r->state->peers[r->peers[i]];
		const char *cells[] = { mxg_address_format(&p->address, address), count, day(p->first, first),
					day(p->last, last), p->sample == NULL ? "" : p->sample };
		number(count, p->messages);
		mxg_table_add(table, MXG_PLAIN, cells);
	}
	finish(table, to);
}

static void show_candidates(const struct mxg_report_result *r, FILE *to)
{
	char text[MXG_BLOCKER_MAX];
	if (r->candidate_count > 0)
		fputs("\nThese look like forgotten gateways. If they are yours, add the term to an entry of "
		      "gateways:\n",
		      to);
	for (size_t i = 0; i < r->candidate_count; i++) {
		const struct mxg_candidate *c = &r->candidates[i];
		fprintf(to, "  %s%s%s   %" PRIu64 " %s%s\n", mxg_colour_begin(to, MXG_BOLD), c->term,
			mxg_colour_end(to), c->messages, mxg_noun(c->messages, "message", "messages"),
			c->proven ? "" : " (not proven)");
		for (size_t n = 0; mxg_report_reason_why(c, n, text); n++)
			fprintf(to, "      %s\n", text);
	}
}

static void put_rate(const struct mxg_time_line *l, char text[32])
{
	if (!l->logged)
		snprintf(text, 32, "outside the log");
	else if (!l->counted)
		snprintf(text, 32, "not counted");
	else
		snprintf(text, 32, "%.1f", l->direct_per_day);
}

static void show_time_lines(const struct mxg_report_result *r, FILE *to)
{
	static const char *const headings[] = { "DOMAIN", "FROM",   "UNTIL",       "DIRECT A DAY", "HALF-LIFE", "DRY",
						"MOVED",  "STAYED", "UNPUBLISHED", "GATEWAYS",     NULL };
	struct mxg_table *table = mxg_table_new(headings);
	char from[MXG_TIME_MAX], until[MXG_TIME_MAX], rate[32], half[32], dry[MXG_TIME_MAX], moved[32], stayed[32],
		found[32], all[600];
	bool counted = true;
	for (size_t i = 0; table != NULL && i < r->line_count; i++) {
		const struct mxg_time_line *l = &r->lines[i];
		size_t at = 0;
		bool known = l->logged && l->counted;
		put_rate(l, rate);
		snprintf(half, sizeof(half), l->half_life_days < 0 ? "-" : "%.1f d", l->half_life_days);
		number(moved, l->moved_count);
		number(stayed, l->stayed_count);
		number(found, l->unpublished_count);
		all[0] = '\0';
		for (size_t g = 0; g < l->gateway_count && at < sizeof(all); g++)
			at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", g == 0 ? "" : " ", l->gateways[g]);
		const char *cells[] = { r->state->domains[l->domain].name,
					day(l->from, from),
					day(l->until, until),
					rate,
					half,
					l->dry < 0 ? "-" : day((int64_t)l->dry * 86400, dry),
					known ? moved : "-",
					known ? stayed : "-",
					l->unpublished_since == 0 ? "-" : found,
					all };
		mxg_table_add(table, MXG_PLAIN, cells);
		counted &= l->counted || !l->logged;
	}
	finish(table, to);
	if (!counted)
		fputs("not counted: some partial results were made with neither --changed nor the history; make them "
		      "again with one of these\n",
		      to);
}

void mxg_report_show_people(const struct mxg_report_result *r, size_t top, FILE *to)
{
	show_sums(r, to);
	show_verdicts(r->state, to);
	show_domains(r, top, to);
	show_candidates(r, to);
	show_peers(r, top, to);
	show_time_lines(r, to);
}
