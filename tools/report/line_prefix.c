/* SPDX-License-Identifier: MIT */
/* What syslog daemons, journalctl and Dovecot write in front of a message. */
#include <time.h>

#include "date.h"
#include "report/decision.h"

#define AHEAD 86400 /* seconds that a line may be ahead of the clock */
#define HALF_YEAR (INT64_C(183) * 86400)

static bool number(const char **at, const char *end, size_t digits, int *out)
{
	if ((size_t)(end - *at) < digits)
		return false;
	*out = 0;
	for (size_t i = 0; i < digits; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*out = *out * 10 + (**at - '0');
	}
	return true;
}

static bool take(const char **at, const char *end, char c)
{
	if (*at >= end || **at != c)
		return false;
	(*at)++;
	return true;
}

static void skip_fraction(const char **at, const char *end)
{
	if (*at < end && (**at == '.' || **at == ','))
		for ((*at)++; *at < end && **at >= '0' && **at <= '9';)
			(*at)++;
}

/* ---- local time ----------------------------------------------------------------------------------- */

/* Seconds to add to a local time for UTC; asked for once an hour of the log. */
static int64_t zone_of(struct mxg_line_clock *c, int64_t local)
{
	int64_t hour = local / 3600;
	if (c->zone_known && c->hour == hour)
		return c->zone;
	time_t t = (time_t)local;
	struct tm tm;
	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	tm.tm_isdst = -1;
	c->zone = (int64_t)mktime(&tm) - local;
	c->hour = hour;
	c->zone_known = true;
	return c->zone;
}

static int64_t civil(int year, int month, int day, int hour, int minute, int second)
{
	return mxg_days_of(year, (unsigned)month, (unsigned)day) * 86400 + hour * 3600 + minute * 60 + second;
}

/* ---- with a year -------------------------------------------------------------------------------------- */

static bool read_clock(const char **at, const char *end, int *hour, int *minute, int *second)
{
	if (!number(at, end, 2, hour) || !take(at, end, ':') || !number(at, end, 2, minute) || !take(at, end, ':') ||
	    !number(at, end, 2, second))
		return false;
	skip_fraction(at, end);
	return *hour < 24 && *minute < 60 && *second <= 60;
}

static bool read_zone(const char **at, const char *end, int64_t *seconds, bool *given)
{
	int hour, minute;
	*given = true;
	*seconds = 0;
	if (take(at, end, 'Z') || take(at, end, 'z'))
		return true;
	if (*at >= end || (**at != '+' && **at != '-')) {
		*given = false;
		return true;
	}
	int sign = *(*at)++ == '-' ? 1 : -1;
	if (!number(at, end, 2, &hour))
		return false;
	take(at, end, ':');
	if (!number(at, end, 2, &minute))
		return false;
	*seconds = sign * (hour * 3600 + minute * 60);
	return true;
}

static const char *read_iso(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	int year, month, day, hour, minute, second;
	int64_t zone;
	bool given;
	if (!number(&at, end, 4, &year) || !take(&at, end, '-') || !number(&at, end, 2, &month) ||
	    !take(&at, end, '-') || !number(&at, end, 2, &day) || (!take(&at, end, 'T') && !take(&at, end, ' ')) ||
	    !read_clock(&at, end, &hour, &minute, &second) || !read_zone(&at, end, &zone, &given) || month < 1 ||
	    month > 12 || day < 1 || day > 31 || year < 1970)
		return NULL;
	int64_t t = civil(year, month, day, hour, minute, second);
	*out = t + (given ? zone : zone_of(c, t));
	return at;
}

/* ---- without one: "Nov 29 05:00:01" ----------------------------------------------------------------------- */

static int month_of(const char *at)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (int i = 0; i < 12; i++)
		if (memcmp(names + (size_t)i * 3, at, 3) == 0)
			return i + 1;
	return 0;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The year goes on where the year turns, and stays where the clock is set back a little. The first line
 * is of the latest year that is not to come. */
static int64_t with_year(struct mxg_line_clock *c, int month, int day, int seconds)
{
	if (c->year == 0) {
		time_t latest = (time_t)(c->latest + AHEAD);
		struct tm tm;
		c->year = gmtime_r(&latest, &tm) == NULL ? 1970 : tm.tm_year + 1900;
		while (civil(c->year, month, day, 0, 0, seconds) > c->latest + AHEAD && c->year > 1970)
			c->year--;
	} else {
		int64_t t = civil(c->year, month, day, 0, 0, seconds);
		if (t < c->last - HALF_YEAR)
			c->year++;
		else if (t > c->last + HALF_YEAR && c->year > 1970)
			c->year--; /* a rotation that is older than the one before it, in one stream */
	}
	if (month == 2 && day == 29)
		while (!is_leap(c->year) && c->year > 1970)
			c->year--;
	return civil(c->year, month, day, 0, 0, seconds);
}

static const char *read_bsd(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	int month, day, hour, minute, second;
	if (end - at < 15 || (month = month_of(at)) == 0 || at[3] != ' ')
		return NULL;
	at += 4;
	bool good = *at == ' ' ? (at++, number(&at, end, 1, &day)) : number(&at, end, 2, &day);
	if (!good || day < 1 || day > 31 || !take(&at, end, ' '))
		return NULL;
	const char *clock = at;
	int year;
	if (number(&at, end, 4, &year) && take(&at, end, ' ')) /* journalctl's and others' "Nov 29 2026 05:00:01" */
		c->year = year >= 1970 ? year : c->year;
	else
		at = clock;
	if (!read_clock(&at, end, &hour, &minute, &second))
		return NULL;
	int64_t t = with_year(c, month, day, hour * 3600 + minute * 60 + second);
	*out = t + zone_of(c, t);
	return at;
}

/* The same text as in the line before is the same time. */
const char *mxg_line_time(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	if (c->len > 0 && (size_t)(end - at) > c->len && memcmp(at, c->text, c->len) == 0 && at[c->len] == ' ') {
		*out = c->last;
		return at + c->len;
	}
	if (end - at < 15)
		return NULL;
	const char *behind = at[0] >= '0' && at[0] <= '9' ? read_iso(out, at, end, c) : read_bsd(out, at, end, c);
	if (behind == NULL)
		return NULL;
	size_t len = (size_t)(behind - at);
	c->len = len < sizeof(c->text) ? len : 0;
	memcpy(c->text, at, c->len);
	c->last = *out;
	return behind;
}

/* ---- the tag ------------------------------------------------------------------------------------------------ */

/* What stands in front of the "[pid]", ":" or "(user)" of a tag. */
static size_t name_length(const char *tag, size_t len)
{
	size_t n = 0;
	while (n < len && tag[n] != '[' && tag[n] != ':' && tag[n] != '(')
		n++;
	return n;
}

#define IS(TEXT) (n == sizeof(TEXT) - 1 && memcmp(tag, TEXT, sizeof(TEXT) - 1) == 0)

bool mxg_line_is_ours(const char *tag, size_t len)
{
	size_t n = name_length(tag, len);
	return IS("mxguard") || IS("dovecot") || IS("mxguard-lda") || IS("lmtp") || IS("lda") || IS("dovecot-lda") ||
	       (n > 8 && n < 40 && memcmp(tag, "mxguard-", 8) == 0 && memchr(tag, ' ', n) == NULL);
}

/* One word up to a blank. */
static const char *word_end(const char *at, const char *end)
{
	while (at < end && *at != ' ')
		at++;
	return at;
}

/* RFC 5424 behind the time: HOST APP PID MSGID STRUCTURED-DATA MESSAGE. */
static const char *skip_structured(const char *at, const char *end)
{
	if (take(&at, end, '-'))
		return at;
	bool quoted = false;
	while (at < end && *at == '[') {
		for (at++; at < end && (quoted || *at != ']'); at++) {
			if (*at == '\\' && quoted && at + 1 < end)
				at++;
			else if (*at == '"')
				quoted = !quoted;
		}
		at += at < end;
	}
	return at;
}

static bool read_5424(struct mxg_prefix_found *out, const char *at, const char *end)
{
	const char *words[4];
	for (size_t i = 0; i < 4; i++) { /* host, program, pid, message id */
		if (!take(&at, end, ' '))
			return false;
		words[i] = at;
		at = word_end(at, end);
		if (i == 1 && !mxg_line_is_ours(words[1], (size_t)(at - words[1])))
			return false;
	}
	if (!take(&at, end, ' '))
		return false;
	at = skip_structured(at, end);
	take(&at, end, ' ');
	if (mxg_begins(at, end, "\xef\xbb\xbf", 3)) /* RFC 5424 §6.4: a byte order mark */
		at += 3;
	out->message = at;
	return true;
}

/* "HOST mxguard[12]: ", or without the host as Dovecot writes its own files. */
static bool read_host_and_tag(struct mxg_prefix_found *out, const char *at, const char *end)
{
	for (int word = 0; word < 2; word++) {
		if (!take(&at, end, ' '))
			return false;
		const char *first = at;
		at = word_end(at, end);
		if (at == first)
			return false;
		/* rsyslog writes a tag that came by RFC 5424 without the colon */
		if (at[-1] != ':' && word == 1 && mxg_line_is_ours(first, (size_t)(at - first))) {
			out->message = at + (at < end);
			return true;
		}
		if (at[-1] != ':')
			continue;
		if (!mxg_line_is_ours(first, (size_t)(at - first)))
			return false;
		/* a bare "mxguard: verdict=" has no tag: it begins the message */
		bool bare = at - first == 8 && memcmp(first, "mxguard:", 8) == 0 && mxg_begins(at, end, " verdict=", 9);
		/* Dovecot's own "lmtp(12): " is read with what follows */
		bool dovecot = first[0] == 'l' || mxg_begins(first, end, "dovecot-lda(", 12);
		out->message = bare || dovecot ? first : at + (at < end);
		return true;
	}
	return false;
}

bool mxg_line_prefix(struct mxg_prefix_found *out, const char *line, size_t len, struct mxg_line_clock *c)
{
	const char *at = line, *end = line + len;
	bool version = false;
	out->time = 0;
	if (at < end && *at == '<') { /* <priority> */
		while (at < end && at - line < 6 && *at != '>')
			at++;
		if (!take(&at, end, '>'))
			return false;
		version = mxg_begins(at, end, "1 ", 2);
		at += version ? 2 : 0;
	}
	if (mxg_begins(at, end, "mxguard: verdict=", 17) || mxg_begins(at, end, "{\"verdict\":", 11)) {
		out->message = at;
		return true;
	}
	const char *behind = mxg_line_time(&out->time, at, end, c);
	if (behind == NULL)
		return false;
	if (mxg_begins(behind, end, " {\"verdict\":", 12)) {
		out->message = behind + 1;
		return true;
	}
	return version ? read_5424(out, behind, end) : read_host_and_tag(out, behind, end);
}

static const char *skip_repeat(const char *at, const char *end, uint32_t *repeat)
{
	static const char begin[] = "message repeated ", middle[] = " times: [ ";
	const char *p = at + sizeof(begin) - 1;
	uint32_t n = 0;
	if (!mxg_begins(at, end, begin, sizeof(begin) - 1))
		return at;
	while (p < end && *p >= '0' && *p <= '9' && n < 10000000)
		n = n * 10 + (uint32_t)(*p++ - '0');
	if (n == 0 || !mxg_begins(p, end, middle, sizeof(middle) - 1))
		return at;
	*repeat = n;
	return p + sizeof(middle) - 1;
}

const char *mxg_line_message(const char *at, const char *end, uint32_t *repeat)
{
	*repeat = 1;
	at = skip_repeat(at, end, repeat);
	if (!mxg_begins(at, end, "lmtp(", 5) && !mxg_begins(at, end, "lda(", 4) &&
	    !mxg_begins(at, end, "dovecot-lda(", 12))
		return at;
	const char *p = at;
	while (p < end && *p != ' ') /* "lmtp(12):", "lda(user)<12><abc>:": no blank in it */
		p++;
	if (p == end || p[-1] != ':')
		return at;
	p++;
	return mxg_begins(p, end, "Info: ", 6) ? p + 6 : p;
}
