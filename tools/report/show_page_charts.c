/* SPDX-License-Identifier: MIT */
/* The charts of the report's page. */
#include <string.h>

#include "page/page.h"
#include "report/show_page.h"
#include "text.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static const struct {
	enum mxguard_verdict verdict;
	const char *tone;
} shown[] = {
	{ MXGUARD_VERDICT_AUTHORIZED, "good" },     { MXGUARD_VERDICT_DIRECT, "bad" },
	{ MXGUARD_VERDICT_UNKNOWN, "warn" },        { MXGUARD_VERDICT_INTERNAL, "calm" },
	{ MXGUARD_VERDICT_AUTHENTICATED, "plain" }, { MXGUARD_VERDICT_EXEMPT, "other" },
};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

/* A bar a verdict, each with a tone of its own: a series that is nought everywhere else. */
static json_t *verdict_series(const struct mxg_report_state *s, size_t which)
{
	json_t *values = json_array();
	for (size_t i = 0; i < SHOWN; i++)
		json_array_append_new(values, number(i == which ? s->verdicts[shown[i].verdict] : 0));
	return json_pack("{s:s, s:s, s:o}", "name", mxguard_verdict_name(shown[which].verdict), "tone",
			 shown[which].tone, "values", values);
}

static json_t *verdict_row(const struct mxg_domain_state *d)
{
	json_t *row = json_array();
	for (size_t i = 0; i < SHOWN; i++) {
		if (d->verdicts[shown[i].verdict] == 0)
			continue;
		json_t *place = json_pack("[I]", (json_int_t)i);
		for (size_t n = 0; n < i; n++)
			json_array_append_new(place, json_integer(0));
		json_array_append_new(place, number(d->verdicts[shown[i].verdict]));
		json_array_append_new(row, place);
	}
	return row;
}

void mxg_report_put_verdicts(const struct mxg_report_result *r, struct mxg_page *page)
{
	json_t *names = json_array(), *series = json_array();
	for (size_t i = 0; i < SHOWN; i++) {
		json_array_append_new(names, json_string(mxguard_verdict_name(shown[i].verdict)));
		json_array_append_new(series, verdict_series(r->state, i));
	}
	mxg_page_begin_rows(page, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "part", "bars", "id",
					    "verdicts", "title", "What was decided", "unit", "decisions", "axis",
					    "verdict", "of", "domains", "x", names, "series", series));
	for (size_t i = 0; i < r->domain_count; i++)
		mxg_page_row(page, verdict_row(&r->state->domains[r->domains[i].domain]));
	mxg_page_end_rows(page);
}

/* ---- by day; by month or year where there are too many to see one ---------------------------------------- */

#define COLUMNS_SEEN 400

static const struct step {
	const char *title, *unit, *axis;
	int32_t days; /* at least */
	size_t shown; /* of "2026-11-29" */
} steps[] = {
	{ "Day by day", "decisions a day", "day", 1, 10 },
	{ "Month by month", "decisions a month", "month", 28, 7 },
	{ "Year by year", "decisions a year", "year", 365, 4 },
};

static const struct step *step_of(const struct mxg_report_state *s)
{
	int32_t days = s->dates[s->date_count - 1].day - s->dates[0].day + 1;
	size_t i = 0;
	while (i + 1 < sizeof(steps) / sizeof(steps[0]) && days / steps[i].days > COLUMNS_SEEN)
		i++;
	return &steps[i];
}

struct span {
	json_t *names, *values[SHOWN];
	uint64_t sums[SHOWN];
	char name[MXG_TIME_MAX]; /* "": none is open */
};

static void end_column(struct span *span)
{
	if (span->name[0] == '\0')
		return;
	json_array_append_new(span->names, json_string(span->name));
	for (size_t i = 0; i < SHOWN; i++)
		json_array_append_new(span->values[i], number(span->sums[i]));
	memset(span->sums, 0, sizeof(span->sums));
}

/* Days without any mail have their column, too. */
static void add_columns(struct span *span, const struct mxg_report_state *s, const struct step *step)
{
	char name[MXG_TIME_MAX];
	size_t at = 0;
	for (int32_t day = s->dates[0].day; at < s->date_count; day++) {
		mxg_time_format((int64_t)day * 86400, name);
		name[step->shown] = '\0';
		if (strcmp(name, span->name) != 0) {
			end_column(span);
			memcpy(span->name, name, sizeof(name));
		}
		for (size_t i = 0; s->dates[at].day == day && i < SHOWN; i++)
			span->sums[i] += s->dates[at].verdicts[shown[i].verdict];
		at += s->dates[at].day == day;
	}
	end_column(span);
}

void mxg_report_put_days(const struct mxg_report_state *s, struct mxg_page *page)
{
	if (s->date_count == 0)
		return;
	const struct step *step = step_of(s);
	struct span span = { .names = json_array() };
	json_t *series = json_array();
	for (size_t i = 0; i < SHOWN; i++)
		span.values[i] = json_array();
	add_columns(&span, s, step);
	for (size_t i = 0; i < SHOWN; i++)
		json_array_append_new(series,
				      json_pack("{s:s, s:s, s:o}", "name", mxguard_verdict_name(shown[i].verdict),
						"tone", shown[i].tone, "values", span.values[i]));
	mxg_page_part(page, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "part", "bars", "id", "days", "title",
				      step->title, "unit", step->unit, "axis", step->axis, "x", span.names, "series",
				      series));
}
