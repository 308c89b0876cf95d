/* SPDX-License-Identifier: MIT */
/* The time at the beginning of a line. */
#include <time.h>

#include "date.h"
#include "report/decision.h"

#define AHEAD 86400 /* seconds that a line may be ahead of the clock */
#define HALF_YEAR 183
#define DAY 86400

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

/* ---- local time ----------------------------------------------------------------------------------- */

static int64_t offset_at(int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;
	return localtime_r(&t, &tm) == NULL ? 0 : (int64_t)tm.tm_gmtoff;
}

/* Seconds to add to a local time for UTC; asked for once an hour of the log. mktime(3) would do, but what it
 * says of the hour that comes twice depends on what it was asked before. */
static int64_t zone_of(struct mxg_line_clock *c, int64_t local)
{
	int64_t hour = local / 3600;
	if (c->zone_known && c->hour == hour)
		return c->zone;
	c->zone = -offset_at(local - offset_at(local));
	c->hour = hour;
	c->zone_known = true;
	return c->zone;
}

static int64_t day_of(int year, int month, int day)
{
	return mxg_days_of(year, (unsigned)month, (unsigned)day);
}

/* "05:00:01.5": seconds of the day. */
static bool read_clock(const char **at, const char *end, int *seconds)
{
	int hour, minute, second;
	if (!number(at, end, 2, &hour) || !take(at, end, ':') || !number(at, end, 2, &minute) || !take(at, end, ':') ||
	    !number(at, end, 2, &second))
		return false;
	if (*at < end && (**at == '.' || **at == ','))
		for ((*at)++; *at < end && **at >= '0' && **at <= '9';)
			(*at)++;
	*seconds = hour * 3600 + minute * 60 + second;
	return hour < 24 && minute < 60 && second <= 60;
}

/* ---- with a year -------------------------------------------------------------------------------------- */

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

static bool read_iso_date(const char **at, const char *end, struct mxg_line_clock *c)
{
	const char *p = *at;
	int year, month, day;
	if (!number(&p, end, 4, &year) || !take(&p, end, '-') || !number(&p, end, 2, &month) || !take(&p, end, '-') ||
	    !number(&p, end, 2, &day) || (!take(&p, end, 'T') && !take(&p, end, ' ')) || month < 1 || month > 12 ||
	    day < 1 || day > 31 || year < 1970)
		return false;
	c->day = day_of(year, month, day);
	c->date_len = (size_t)(p - *at);
	memcpy(c->date, *at, c->date_len);
	*at = p;
	return true;
}

static const char *behind_iso_date(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	int seconds;
	int64_t zone;
	bool given;
	if (!read_clock(&at, end, &seconds) || !read_zone(&at, end, &zone, &given))
		return NULL;
	int64_t t = c->day * DAY + seconds;
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

/* The first line is of the latest year that is not to come. */
static int first_year(const struct mxg_line_clock *c, int month, int day)
{
	time_t latest = (time_t)(c->latest + AHEAD);
	struct tm tm;
	int year = gmtime_r(&latest, &tm) == NULL ? 1970 : tm.tm_year + 1900;
	while (day_of(year, month, day) * DAY > c->latest + AHEAD && year > 1970)
		year--;
	return year;
}

/* The year goes on where the year turns, and stays where the clock is set back a little. */
static void set_year(struct mxg_line_clock *c, int month, int day)
{
	if (c->year == 0)
		c->year = first_year(c, month, day);
	else if (day_of(c->year, month, day) < c->day - HALF_YEAR)
		c->year++;
	else if (day_of(c->year, month, day) > c->day + HALF_YEAR && c->year > 1970)
		c->year--; /* a rotation that is older than the one before it, in one stream */
	if (month == 2 && day == 29)
		while (!is_leap(c->year) && c->year > 1970)
			c->year--;
}

static bool read_bsd_date(const char **at, const char *end, struct mxg_line_clock *c)
{
	const char *begin = *at, *p = begin + 4;
	int month, day, year;
	if (end - begin < 15 || (month = month_of(begin)) == 0 || begin[3] != ' ')
		return false;
	bool good = *p == ' ' ? (p++, number(&p, end, 1, &day)) : number(&p, end, 2, &day);
	if (!good || day < 1 || day > 31 || !take(&p, end, ' '))
		return false;
	const char *behind = p;
	if (number(&p, end, 4, &year) && take(&p, end, ' ') && year >= 1970) { /* "Nov 29 2026 05:00:01" */
		c->year = year;
	} else {
		p = behind;
		set_year(c, month, day);
	}
	c->day = day_of(c->year, month, day);
	c->date_len = (size_t)(p - begin);
	memcpy(c->date, begin, c->date_len);
	*at = p;
	return true;
}

static const char *behind_bsd_date(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	int seconds;
	if (!read_clock(&at, end, &seconds))
		return NULL;
	int64_t t = c->day * DAY + seconds;
	*out = t + zone_of(c, t);
	return at;
}

/* ---- either ------------------------------------------------------------------------------------------------- */

static void note_first(struct mxg_line_clock *c, const char *at, const char *behind)
{
	c->stepped = true;
	c->first_len = (size_t)(behind - at) < sizeof(c->first) ? (size_t)(behind - at) : sizeof(c->first);
	memcpy(c->first, at, c->first_len);
	c->first_year = c->year;
	c->first_day = c->day;
}

static const char *behind_date(int64_t *out, const char *at, const char *end, bool iso, struct mxg_line_clock *c)
{
	return iso ? behind_iso_date(out, at, end, c) : behind_bsd_date(out, at, end, c);
}

/* What turns out to be no time has not moved the clock. */
static const char *read_anew(int64_t *out, const char *at, const char *end, bool iso, struct mxg_line_clock *c)
{
	struct mxg_line_clock new = *c;
	if (end - at < 15 || !(iso ? read_iso_date(&at, end, &new) : read_bsd_date(&at, end, &new)))
		return NULL;
	at = behind_date(out, at, end, iso, &new);
	if (at != NULL)
		*c = new;
	return at;
}

/* "1795437331.123456", as journalctl's short-unix has it. */
static const char *read_unix(int64_t *out, const char *at, const char *end)
{
	int64_t t = 0;
	size_t digits = 0;
	for (; at < end && *at >= '0' && *at <= '9' && digits < 12; at++, digits++)
		t = t * 10 + (*at - '0');
	if (digits < 9 || !take(&at, end, '.'))
		return NULL;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	*out = t;
	return at;
}

/* "Mon 2026-11-23 12:35:31 UTC", as journalctl's short-full has it: a zone's name tells nothing but of UTC. */
static const char *read_full(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	const char *p = read_anew(out, at + 4, end, true, c), *zone = p;
	if (p == NULL || !take(&p, end, ' '))
		return NULL;
	while (p < end && ((*p >= 'A' && *p <= 'Z') || *p == '+' || *p == '-' || (*p >= '0' && *p <= '9')))
		p++;
	if (mxg_begins(zone, end, " UTC ", 5))
		*out -= c->zone; /* it was taken for local time */
	return p;
}

static bool is_weekday(const char *at, const char *end)
{
	static const char names[] = "Mon Tue Wed Thu Fri Sat Sun ";
	for (size_t i = 0; end - at > 20 && at[3] == ' ' && i < sizeof(names) - 1; i += 4)
		if (memcmp(names + i, at, 4) == 0)
			return true;
	return false;
}

/* Most lines are of the day of the line before: what stood for it is not read again. */
const char *mxg_line_time(int64_t *out, const char *at, const char *end, struct mxg_line_clock *c)
{
	const char *behind = NULL;
	bool iso = at < end && *at >= '0' && *at <= '9';
	if (c->date_len > 0 && (size_t)(end - at) > c->date_len && memcmp(at, c->date, c->date_len) == 0)
		behind = behind_date(out, at + c->date_len, end, iso, c);
	if (behind == NULL)
		behind = read_anew(out, at, end, iso, c);
	if (behind == NULL)
		behind = iso ? read_unix(out, at, end) : is_weekday(at, end) ? read_full(out, at, end, c) : NULL;
	if (behind != NULL && !c->stepped)
		note_first(c, at, behind);
	return behind;
}

bool mxg_line_clock_agrees(const struct mxg_line_clock *before, const struct mxg_line_clock *later)
{
	struct mxg_line_clock c = *before;
	int64_t t;
	c.stepped = true;
	mxg_line_time(&t, later->first, later->first + later->first_len, &c);
	return c.year == later->first_year && c.day == later->first_day;
}
