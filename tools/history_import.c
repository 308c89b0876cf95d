/* SPDX-License-Identifier: MIT */
#include "history_import.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "date.h"
#include "history_sweep.h"

static bool wrong(struct mxg_import *im, const char *why)
{
	im->why = why;
	return false;
}

/* A real time, not in the future: a history does not foretell. */
static bool sane_time(int64_t t, int64_t now)
{
	return t > 0 && t <= now + 86400;
}

static bool read_name(struct mxg_name *out, const char *text, size_t len)
{
	if (len > 1 && text[len - 1] == '.')
		len--;
	return len > 0 && len < 1024 && mxg_history_name_read(out, text, len);
}

static uint16_t read_type(const char *text, size_t len)
{
	char upper[8];
	if (len >= sizeof(upper))
		return 0;
	for (size_t i = 0; i < len; i++)
		upper[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
	return mxg_history_type(upper, len);
}

/* Some exports have the number for the word (RFC 1035 §3.2.2); 0: none of ours. */
static uint16_t number_type(json_int_t n)
{
	static const uint16_t ours[] = { MXG_DNS_A, MXG_DNS_AAAA, MXG_DNS_MX, MXG_DNS_TXT };
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (n == ours[i])
			return ours[i];
	return 0;
}

/* ---- values as zone files have them ---------------------------------------------------------------- */

/* "10 gw.example.", "10:gw.example" or only the host. */
static bool add_exchange(struct mxg_history_line *line, const char *text, size_t len)
{
	char buf[1100];
	size_t digits = 0;
	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	bool preference = digits > 0 && digits < 6 && digits < len && strchr(" \t:", text[digits]) != NULL;
	const char *host = preference ? text + digits + 1 : text;
	size_t n = len - (size_t)(host - text);
	while (n > 0 && (*host == ' ' || *host == '\t')) {
		host++;
		n--;
	}
	n -= n > 1 && host[n - 1] == '.';
	int used = snprintf(buf, sizeof(buf), "%.*s:%.*s", preference ? (int)digits : 2, preference ? text : "10",
			    (int)n, host);
	return n > 0 && used > 0 && (size_t)used < sizeof(buf) && mxg_history_value_read(line, buf, (size_t)used);
}

/* Character-strings in quotes, or bare; put together without anything between (RFC 7208 §3.3). */
static size_t unquote(char *out, size_t size, const char *text, size_t len)
{
	size_t n = 0;
	bool quoted = false;
	for (size_t i = 0; i < len && n < size; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (text[i] == '\\' && i + 1 < len)
			out[n++] = text[++i];
		else if (quoted || memchr(text, '"', len) == NULL)
			out[n++] = text[i];
	}
	return n;
}

static bool add_record(struct mxg_history_line *line, const char *text, size_t len)
{
	char plain[MXG_RRSET_MAX], escaped[4 * MXG_RRSET_MAX + 1];
	size_t n = unquote(plain, sizeof(plain), text, len), used = 0;
	if (n < 6 || strncasecmp(plain, "v=spf1", 6) != 0 || (n > 6 && plain[6] != ' '))
		return true; /* no record of ours: nothing is added */
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(escaped + used, sizeof(escaped) - used, "\\x%02x", (unsigned char)plain[i]);
	return mxg_history_value_read(line, escaped, used);
}

static bool add_value(struct mxg_history_line *line, const char *text, size_t len)
{
	if (line->question.type == MXG_DNS_MX)
		return add_exchange(line, text, len);
	if (line->question.type == MXG_DNS_TXT)
		return add_record(line, text, len);
	return mxg_history_value_read(line, text, len);
}

/* ---- Passive DNS, Common Output Format ----------------------------------------------------------------- */

static bool json_time(const json_t *o, int64_t *out)
{
	if (json_is_integer(o))
		*out = json_integer_value(o);
	else if (json_is_real(o) && json_real_value(o) > 0 && json_real_value(o) < 1e12)
		*out = (int64_t)json_real_value(o);
	else
		return json_is_string(o) && mxg_date_read(json_string_value(o), out);
	return true;
}

static bool take_rdata(struct mxg_import *im, struct mxg_sweep *s, struct mxg_history_line *line, const json_t *value,
		       int64_t first, int64_t last)
{
	line->count = 0;
	line->size = 0;
	if (!json_is_string(value) || !add_value(line, json_string_value(value), json_string_length(value)))
		return wrong(im, "rdata does not fit rrtype");
	if (line->count == 0)
		im->unused++;
	else if (!mxg_sweep_seen(s, line, first, last))
		im->dropped++;
	return true;
}

static bool take_object(struct mxg_import *im, struct mxg_sweep *s, const json_t *o, struct mxg_history_line *line,
			int64_t now)
{
	const json_t *name = json_object_get(o, "rrname"), *type = json_object_get(o, "rrtype"),
		     *rdata = json_object_get(o, "rdata");
	const json_t *from = json_object_get(o, "time_first"), *to = json_object_get(o, "time_last");
	int64_t first, last;
	if (from == NULL && to == NULL) { /* of a zone that was transferred, not of what was asked */
		from = json_object_get(o, "zone_time_first");
		to = json_object_get(o, "zone_time_last");
	}
	if (!json_is_string(name) ||
	    !read_name(&line->question.name, json_string_value(name), json_string_length(name)))
		return wrong(im, "rrname is missing or no name");
	if (!json_is_string(type) && !json_is_integer(type))
		return wrong(im, "rrtype is missing");
	if (!json_time(from, &first) || !json_time(to, &last) || first > last || !sane_time(first, now) ||
	    !sane_time(last, now))
		return wrong(im, "time_first and time_last are no times, in their order, up to now");
	line->question.type = json_is_integer(type) ? number_type(json_integer_value(type))
						    : read_type(json_string_value(type), json_string_length(type));
	if (line->question.type == 0) {
		im->unused++;
		return true;
	}
	if (!json_is_array(rdata))
		return take_rdata(im, s, line, rdata, first, last);
	for (size_t i = 0; i < json_array_size(rdata); i++)
		if (!take_rdata(im, s, line, json_array_get(rdata, i), first, last))
			return false;
	return true;
}

static bool take_json(struct mxg_import *im, struct mxg_sweep *s, const char *text, size_t len,
		      struct mxg_history_line *line, int64_t now)
{
	json_error_t error;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (o == NULL)
		return wrong(im, "no JSON object");
	bool good = take_object(im, s, o, line, now);
	json_decref(o);
	return good;
}

/* ---- text ------------------------------------------------------------------------------------------------ */

static bool next_word(const char **at, const char **word, size_t *len)
{
	*word = *at + strspn(*at, " \t");
	*len = strcspn(*word, " \t");
	*at = *word + *len;
	return *len > 0;
}

static bool take_values(struct mxg_history_line *line, const char *at)
{
	const char *word;
	size_t len, count = 0;
	if (line->question.type == MXG_DNS_TXT) {
		at += strspn(at, " \t");
		return add_value(line, at, strlen(at)) && line->count > 0;
	}
	for (; next_word(&at, &word, &len); count++) {
		len -= word[len - 1] == ',';
		if (!add_value(line, word, len))
			return false;
	}
	return count > 0;
}

static bool take_text(struct mxg_import *im, struct mxg_sweep *s, char *text, struct mxg_history_line *line,
		      int64_t now)
{
	const char *at = text, *word;
	char date[64];
	size_t len;
	if (!next_word(&at, &word, &len) || len >= sizeof(date))
		return wrong(im, "a date is missing");
	memcpy(date, word, len);
	date[len] = '\0';
	if (!mxg_date_read(date, &line->time) || !sane_time(line->time, now))
		return wrong(im, "it does not begin with a date such as 2026-01-31, up to now");
	if (!next_word(&at, &word, &len) || !read_name(&line->question.name, word, len))
		return wrong(im, "behind the date no name");
	if (!next_word(&at, &word, &len) || (line->question.type = read_type(word, len)) == 0)
		return wrong(im, "behind the name none of A, AAAA, MX, TXT");
	at += strspn(at, " \t");
	line->count = 0;
	line->size = 0;
	if (at[0] != '\0' && at[1] == '\0' && strchr("-!?", at[0]) != NULL)
		line->kind = at[0] == '-' ? MXG_ANSWER_NODATA : at[0] == '!' ? MXG_ANSWER_NXDOMAIN : MXG_ANSWER_NONE;
	else if (!take_values(line, at))
		return wrong(im, "no values of that type behind it");
	if (!mxg_sweep_state(s, line))
		im->dropped++;
	return true;
}

/* ---- together ---------------------------------------------------------------------------------------------- */

static void take_line(struct mxg_import *im, struct mxg_sweep *s, char *text, size_t len, struct mxg_history_line *line,
		      int64_t now)
{
	bool good;
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
		text[--len] = '\0';
	size_t blanks = strspn(text, " \t");
	im->lines++;
	if (text[blanks] == '\0' || text[blanks] == '#')
		return;
	if (text[blanks] == '{')
		good = take_json(im, s, text, len, line, now);
	else
		good = take_text(im, s, text, line, now);
	if (!good && im->wrong++ == 0)
		im->first_wrong = im->lines;
}

static void fail_line(struct mxg_import *im, const char *why)
{
	im->lines++;
	wrong(im, why);
	if (im->wrong++ == 0)
		im->first_wrong = im->lines;
}

/* A line over the bound is read to its end and is wrong. */
static void read_lines(struct mxg_import *im, struct mxg_sweep *s, FILE *from, char *text,
		       struct mxg_history_line *line, int64_t now)
{
	const char *first_why = NULL;
	for (size_t len; mxg_sweep_ok(s) && fgets(text, MXG_IMPORT_LINE_MAX, from) != NULL;) {
		len = strlen(text);
		bool whole = len + 1 < MXG_IMPORT_LINE_MAX || text[len - 1] == '\n';
		if (whole && (len == 0 || (text[len - 1] != '\n' && !feof(from)))) {
			fail_line(im, "a NUL byte");
		} else if (whole) {
			take_line(im, s, text, len, line, now);
		} else {
			for (int c = 0; c != '\n' && c != EOF;)
				c = fgetc(from);
			fail_line(im, "too long");
		}
		if (first_why == NULL && im->wrong > 0)
			first_why = im->why;
	}
	im->why = first_why;
}

bool mxg_import_run(struct mxg_import *im, FILE *from, const struct mxg_history *before, struct mxg_history_writer *w,
		    int64_t now)
{
	char *text = malloc(MXG_IMPORT_LINE_MAX);
	struct mxg_history_line *line = calloc(1, sizeof(*line));
	struct mxg_sweep *sweep = mxg_sweep_new(MXG_IMPORT_SEEN_MAX, MXG_IMPORT_NAME_MAX, MXG_IMPORT_GAP);
	*im = (struct mxg_import){ 0 };
	bool ok = text != NULL && line != NULL && sweep != NULL;
	if (ok) {
		read_lines(im, sweep, from, text, line, now);
		ok = mxg_sweep_ok(sweep) && mxg_sweep_known(sweep, before) && mxg_sweep_write(sweep, before, w);
		im->written = w->lines;
		im->names = mxg_sweep_names(sweep);
		im->dropped += mxg_sweep_dropped(sweep);
	}
	mxg_sweep_free(sweep);
	free(line);
	free(text);
	return ok;
}
