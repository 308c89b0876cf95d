/* SPDX-License-Identifier: MIT */
/* The page around what a command has found out. Style and script are named by their hashes: the browser runs nothing
 * else, asks nobody for anything, and lets no text become an element. */
#include "page/page.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "page_assets.h"
#include "text.h"

static const char policy[] =
	"default-src 'none'; style-src '" PAGE_STYLE_HASH "'; script-src '" PAGE_SCRIPT_HASH
	"'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types";

static void put_element(FILE *to, const char *name, const char *text)
{
	fprintf(to, "<%s>", name);
	mxg_page_put_html(to, text);
	fprintf(to, "</%s>", name);
}

void mxg_page_begin(struct mxg_page *p, FILE *to, const char *title, const char *command, int64_t now)
{
	char time[MXG_TIME_MAX];
	*p = (struct mxg_page){ .to = to, .at = MXG_PAGE_HEAD };
	fprintf(to,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\"><meta name=\"color-scheme\" content=\"light dark\">\n",
		policy);
	put_element(to, "title", title);
	fputs("\n<style>", to);
	fwrite(page_style, 1, sizeof(page_style) - 1, to);
	fputs("</style></head>\n<body>\n<header>", to);
	put_element(to, "h1", title);
	fputs("\n<p class=\"made\">", to);
	mxg_page_put_html(to, command);
	fprintf(to, ", <time>%s</time></p>\n", mxg_time_format(now, time));
}

static void put_formatted(FILE *to, const char *format, va_list arguments)
{
	char *text = NULL;
	if (vasprintf(&text, format, arguments) < 0)
		return;
	mxg_page_put_html(to, text);
	free(text);
}

void mxg_page_say(struct mxg_page *p, const char *tone, const char *format, ...)
{
	va_list arguments;
	fprintf(p->to, "<p class=\"say tone-%s\">", tone);
	va_start(arguments, format);
	put_formatted(p->to, format, arguments);
	va_end(arguments);
	fputs("</p>\n", p->to);
}

static void put_fact(FILE *to, const char *name, const char *value)
{
	put_element(to, "dt", name);
	put_element(to, "dd", value);
	fputc('\n', to);
}

static void begin_facts(struct mxg_page *p)
{
	char host[HOST_NAME_MAX + 1] = "";
	if (p->at >= MXG_PAGE_FACTS)
		return;
	p->at = MXG_PAGE_FACTS;
	gethostname(host, sizeof(host) - 1);
	fputs("<div id=\"sums\"></div>\n</header>\n<section id=\"facts\" aria-label=\"what this page is about\"><dl>\n",
	      p->to);
	put_fact(p->to, "host", host);
}

void mxg_page_fact(struct mxg_page *p, const char *name, const char *format, ...)
{
	va_list arguments;
	begin_facts(p);
	put_element(p->to, "dt", name);
	fputs("<dd>", p->to);
	va_start(arguments, format);
	put_formatted(p->to, format, arguments);
	va_end(arguments);
	fputs("</dd>\n", p->to);
}

static void begin_part(struct mxg_page *p)
{
	begin_facts(p);
	if (p->at < MXG_PAGE_PARTS)
		fputs("</dl></section>\n<noscript><p class=\"say tone-warn\">The charts and tables are drawn by a "
		      "script "
		      "in this page, which this browser does not run.</p></noscript>\n<main id=\"parts\"></main>\n"
		      "<script type=\"application/json\" id=\"data\">[",
		      p->to);
	p->at = MXG_PAGE_PARTS;
	fputs(p->parts++ > 0 ? ",\n" : "\n", p->to);
}

void mxg_page_part(struct mxg_page *p, json_t *part)
{
	begin_part(p);
	mxg_page_put_json(p->to, part);
	json_decref(part);
}

void mxg_page_begin_rows(struct mxg_page *p, json_t *part)
{
	begin_part(p);
	fputc('{', p->to);
	mxg_page_put_fields(p->to, part);
	fputs(",\"rows\":[", p->to);
	json_decref(part);
	p->rows = 0;
}

void mxg_page_row(struct mxg_page *p, json_t *row)
{
	fputs(p->rows++ > 0 ? ",\n" : "\n", p->to);
	mxg_page_put_json(p->to, row);
	json_decref(row);
}

void mxg_page_end_rows(struct mxg_page *p)
{
	fputs("]}", p->to);
}

json_t *mxg_page_new_table(const char *id, const char *title, const char *note, const struct mxg_page_column *columns,
			   int most_first)
{
	json_t *list = json_array();
	for (; columns->title != NULL; columns++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "title", columns->title, "kind",
						      columns->kind == NULL ? "text" : columns->kind));
	json_t *table = json_pack("{s:s, s:s, s:s, s:o}", "part", "table", "id", id, "title", title, "columns", list);
	if (note != NULL)
		json_object_set_new(table, "note", json_string(note));
	if (most_first >= 0)
		json_object_set_new(table, "sort", json_pack("[i, s]", most_first, "descending"));
	return table;
}

void mxg_page_end(struct mxg_page *p)
{
	if (p->at < MXG_PAGE_PARTS)
		mxg_page_part(p, json_pack("{s:s, s:[]}", "part", "sums", "items"));
	fputs("\n]</script>\n<script>", p->to);
	fwrite(page_script, 1, sizeof(page_script) - 1, p->to);
	fputs("</script>\n</body></html>\n", p->to);
}
