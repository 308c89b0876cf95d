/* SPDX-License-Identifier: MIT */
#include "audit/show.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/guard.h"
#include "json.h"
#include "text.h"

#define FAILURES_SHOWN 1000 /* on the page */

bool mxg_show_begin(struct mxg_show *s, bool json, bool page)
{
	static const char *const headings[] = { "DOMAIN", "NAME",  "ADDRESS", "PORT",   "GUARD",
						"LEAK",   "SINCE", "UNTIL",   "ADVICE", NULL };
	*s = (struct mxg_show){ .json = json, .table = json ? NULL : mxg_table_new(headings) };
	s->rows = page ? json_array() : NULL;
	s->told = page ? json_array() : NULL;
	return json || s->table != NULL;
}

static void put_json(struct mxg_show *s, const struct mxg_audit_row *row)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	json_t *object = json_object();
	json_object_set_new(object, "domain", mxg_json_text(row->domain));
	json_object_set_new(object, "name", mxg_json_text(row->name));
	json_object_set_new(object, "address", mxg_json_text(mxg_address_format(&row->address, address)));
	json_object_set_new(object, "leak", json_string(mxg_leak_word(row->leak)));
	json_object_set_new(object, "since", mxg_json_time(row->since));
	json_object_set_new(object, "until", mxg_json_time(row->until));
	json_object_set_new(object, "port", row->port == 0 ? json_null() : json_integer(row->port));
	json_object_set_new(object, "guard", json_string(mxg_guard_word(row->guard)));
	json_object_set_new(object, "advice", mxg_json_text(row->advice));
	s->failed |= mxg_json_print(object) != 0;
}

static enum mxg_colour colour_of(const struct mxg_audit_row *row)
{
	if (row->port == 0)
		return MXG_FAINT;
	return row->guard == MXG_GUARD_NONE ? MXG_RED : row->guard == MXG_GUARD_UNKNOWN ? MXG_YELLOW : MXG_PLAIN;
}

/* "2026-11-29". */
static void put_day(int64_t when, char day[MXG_TIME_MAX])
{
	if (when != 0) {
		mxg_time_format(when, day);
		day[10] = '\0';
	}
}

static void put_people(struct mxg_show *s, const struct mxg_audit_row *row)
{
	char address[MXG_ADDRESS_TEXT_MAX], port[12] = "-", since[MXG_TIME_MAX] = "-", until[MXG_TIME_MAX] = "-";
	if (row->port != 0)
		snprintf(port, sizeof(port), "%u", row->port);
	put_day(row->since, since);
	put_day(row->until, until);
	const char *cells[] = { row->domain == NULL ? "-" : row->domain,
				row->name,
				mxg_address_format(&row->address, address),
				port,
				mxg_guard_word(row->guard),
				mxg_leak_word(row->leak),
				since,
				until,
				row->advice };
	mxg_table_add(s->table, colour_of(row), cells);
}

void mxg_show_row(void *show, const struct mxg_audit_row *row)
{
	struct mxg_show *s = show;
	if (s->rows != NULL)
		s->failed |= json_array_append_new(s->rows, mxg_show_page_row(row)) != 0;
	if (s->json)
		put_json(s, row);
	else
		put_people(s, row);
}

static void keep(struct mxg_told *told, const char *before, const char *text)
{
	char clean[1500];
	if (told->count++ >= MXG_FAILURES_TOLD)
		return;
	mxg_text_clean(clean, sizeof(clean), text, strlen(text), NULL);
	if (asprintf(&told->lines[told->count - 1], "%s: %s", before, clean) < 0)
		told->lines[--told->count] = NULL;
}

void mxg_show_failure(void *show, enum mxg_audit_trouble trouble, const char *text)
{
	struct mxg_show *s = show;
	s->failures++;
	if (s->told != NULL && s->failures <= FAILURES_SHOWN)
		json_array_append_new(s->told, mxg_json_text(text));
	keep(trouble == MXG_TROUBLE_SILENCE ? &s->silent : &s->others,
	     trouble == MXG_TROUBLE_HERE ? "not known" : "could not ask", text);
}

static size_t put_lines(struct mxg_told *told, size_t most)
{
	size_t n = 0;
	for (; n < most && n < told->count && n < MXG_FAILURES_TOLD; n++)
		fprintf(stderr, "mxguard audit: %s\n", told->lines[n]);
	return n;
}

static void free_lines(struct mxg_told *told)
{
	for (size_t i = 0; i < MXG_FAILURES_TOLD; i++)
		free(told->lines[i]);
}

static void put_failures(struct mxg_show *s, bool deaf)
{
	size_t told = put_lines(&s->others, MXG_FAILURES_TOLD);
	if (deaf) {
		told += s->silent.count;
		fprintf(stderr, "mxguard audit: could not ask: %zu %s to DNS %s no answer: " MXG_RESOLVER_HINT "\n",
			s->silent.count, mxg_noun(s->silent.count, "question", "questions"),
			mxg_noun(s->silent.count, "has", "have"));
	} else {
		told += put_lines(&s->silent, MXG_FAILURES_TOLD - told);
	}
	if (s->failures > told)
		fprintf(stderr, "mxguard audit: %zu more %s or not known\n", s->failures - told,
			mxg_noun(s->failures - told, "thing could not be asked", "things could not be asked"));
}

bool mxg_show_end(struct mxg_show *s, bool table, bool deaf)
{
	put_failures(s, deaf);
	free_lines(&s->silent);
	free_lines(&s->others);
	if (s->table != NULL && table) {
		if (mxg_table_rows(s->table) > 0)
			s->failed |= mxg_table_print(s->table, stdout) != 0;
		else
			puts(s->failures == 0
				     ? "No name leads to this host."
				     : "No name was found that leads to this host, but not all could be asked.");
	}
	mxg_table_free(s->table);
	json_decref(s->rows);
	json_decref(s->told);
	return !s->failed;
}
