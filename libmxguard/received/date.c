/* SPDX-License-Identifier: MIT */
#include "received/clauses.h"

#include <string.h>

struct reader {
	const char *at, *end;
};

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
		r->at++;
}

/* min to max digits; -1 if there are others. */
static int read_number(struct reader *r, unsigned min, unsigned max)
{
	int value = 0;
	unsigned n = 0;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && n < max; r->at++, n++)
		value = value * 10 + (*r->at - '0');
	return n < min ? -1 : value;
}

static bool read_char(struct reader *r, char c)
{
	if (r->at >= r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* Index of the three letters in the table; -1 if they are not there. */
static int read_name(struct reader *r, const char *table)
{
	if (r->end - r->at < 3)
		return -1;
	for (int i = 0; table[3 * i] != '\0'; i++) {
		if (memcmp(r->at, table + 3 * i, 3) == 0) {
			r->at += 3;
			return i;
		}
	}
	return -1;
}

/* "+0000", "GMT", "UT"; seconds east. False for a zone that is neither. */
static bool read_zone(struct reader *r, int *seconds)
{
	*seconds = 0;
	if (r->at >= r->end || (*r->at != '+' && *r->at != '-')) {
		const char *start = r->at;
		while (r->at < r->end && *r->at >= 'A' && *r->at <= 'Z')
			r->at++;
		size_t n = (size_t)(r->at - start);
		static const char us[] = "EDTESTCDTCSTMDTMSTPDTPST";
		struct reader name = { start, r->at };
		int i = n == 3 ? read_name(&name, us) : -1;
		if (i >= 0)
			*seconds = -(4 + (i + 1) / 2) * 3600;
		return i >= 0 || (n == 3 && memcmp(start, "GMT", 3) == 0) || (n == 3 && memcmp(start, "UTC", 3) == 0) ||
		       (n == 2 && memcmp(start, "UT", 2) == 0);
	}
	int sign = *r->at++ == '-' ? -1 : 1;
	int n = read_number(r, 4, 4);
	if (n < 0 || n % 100 > 59)
		return false;
	*seconds = sign * (n / 100 * 3600 + n % 100 * 60);
	return true;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era_day = 365 * y + y / 4 - y / 100 + y / 400;
	return (int64_t)era_day + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
}

static bool read_comment_or_end(struct reader *r)
{
	skip_blanks(r);
	if (read_char(r, '(')) {
		while (r->at < r->end && *r->at != ')' && *r->at != '(')
			r->at++;
		if (!read_char(r, ')'))
			return false;
		skip_blanks(r);
	}
	return r->at == r->end;
}

int64_t mxg_date_parse(const char *at, const char *end, bool *weekday)
{
	struct reader r = { at, end };
	skip_blanks(&r);
	*weekday = read_name(&r, "MonTueWedThuFriSatSun") >= 0;
	if (*weekday && !read_char(&r, ','))
		return 0;
	skip_blanks(&r);
	int day = read_number(&r, 1, 2);
	skip_blanks(&r);
	int month = read_name(&r, "JanFebMarAprMayJunJulAugSepOctNovDec") + 1;
	skip_blanks(&r);
	int year = read_number(&r, 4, 4);
	skip_blanks(&r);
	int hour = read_number(&r, 2, 2);
	bool colon = read_char(&r, ':');
	int minute = read_number(&r, 2, 2);
	int second = 0, zone = 0;
	if (read_char(&r, ':'))
		second = read_number(&r, 2, 2);
	skip_blanks(&r);
	if (!read_zone(&r, &zone) || !read_comment_or_end(&r) || !colon)
		return 0;
	if (day < 1 || day > 31 || month < 1 || year < 1970 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    second < 0 || second > 60)
		return 0;
	return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
}
