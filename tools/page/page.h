/* SPDX-License-Identifier: MIT */
#ifndef MXG_PAGE_H
#define MXG_PAGE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/*
 * One page that needs nothing else: what a command has found out, with a style and a script that are built in. A
 * command hands over sentences, facts and parts, in this order; none of them need be clean: text is written so
 * that no browser takes it for anything else, and what is not to be seen is made visible as \u202e.
 *
 * A part is an object; page.js draws it, in the order of the parts. All have "part", and all but sums and words
 * "id" (a word, for links), "title" and may have "note" (a sentence).
 *
 *   sums    "items": [{"label", "value", "tone"?, "note"?}]
 *           big figures for the first screen; "value" is a number or a text
 *   bars    "unit", "x": [names], "series": [{"name", "tone", "values": [numbers]}]
 *           stacked bars, the first series on the axis; with "of": the id of a table, and "rows":
 *           [[[place in x, number a series…], …], …], the bars of each of its rows
 *   lines   "items": [{"domain", "from", "until", "gateways": [], "logged", "direct_per_day", "half_life_days",
 *           "dry", "moved": [{"peer", "after_days"}], "stayed": [{"peer", "messages", "last"}],
 *           "never_published": null or {"hosts", "first", "peers": [{"peer", "messages", "first"}]},
 *           "days": [{"day", "direct"}]}]: what became of direct mail, a generation each
 *   table   "columns": [{"title", "kind"?, "note"?}], "sort"?: [column, "ascending" | "descending"],
 *           "names"?: true where its first column holds each domain once, for the selector,
 *           "rows": [[cells]]; a cell may be null
 *   words   "items": [[word, what it means], …]
 *
 * The kinds of a column: "text" (as it stands, the default), "number", "share" (of 1), "time", "address",
 * "domain" and "domains" (a text or a list of them, which the selector looks at), "list" (of texts), "yes"
 * (true or false), "term" (a text to be copied, with a button), "state" (a list [tone, text]).
 *
 * Tones: "good", "bad", "warn", "calm", "plain", "other". None says anything by its colour alone.
 */
struct mxg_page {
	FILE *to;
	enum { MXG_PAGE_HEAD, MXG_PAGE_FACTS, MXG_PAGE_PARTS } at;
	size_t parts, rows;
};

/* command: "mxguard scan"; now: when the page was made. */
void mxg_page_begin(struct mxg_page *page, FILE *to, const char *title, const char *command, int64_t now);
/* A sentence for whoever decides; tone "plain" for what goes without saying. */
void mxg_page_say(struct mxg_page *page, const char *tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* What the page is about and how it came to be: "host", "configuration", … Always "host" first, by itself. */
void mxg_page_fact(struct mxg_page *page, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Takes the reference, as the next ones do. */
void mxg_page_part(struct mxg_page *page, json_t *part);
/* A part whose "rows" come one by one, so that however many take no memory. */
void mxg_page_begin_rows(struct mxg_page *page, json_t *part);
void mxg_page_row(struct mxg_page *page, json_t *row);
void mxg_page_end_rows(struct mxg_page *page);

/* A table without its rows. most_first: the column that it is sorted by at first; -1: as the rows come. */
struct mxg_page_column {
	const char *title, *kind; /* title NULL: the end; kind NULL: "text" */
};
json_t *mxg_page_new_table(const char *id, const char *title, const char *note, const struct mxg_page_column *columns,
			   int most_first);

void mxg_page_end(struct mxg_page *page);

/* text.c: as HTML text or attribute, and as JSON inside of HTML; ASCII only. */
void mxg_page_put_html(FILE *to, const char *text);
void mxg_page_put_json(FILE *to, const json_t *value);
void mxg_page_put_fields(FILE *to, const json_t *object); /* without its braces */

#endif
