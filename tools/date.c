/* SPDX-License-Identifier: MIT */
#include "date.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static bool digits(const char **at, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*out = *out * 10 + (**at - '0');
	}
	return true;
}

static bool take(const char **at, const char *one_of)
{
	if (**at == '\0' || strchr(one_of, **at) == NULL)
		return false;
	(*at)++;
	return true;
}

static bool seconds_since_1970(const char *text, int64_t *out)
{
	char *end;
	bool marked = *text == '@';
	text += marked;
	if (strspn(text, "0123456789") != strlen(text) || strlen(text) < (marked ? 1 : 8))
		return false;
	errno = 0;
	*out = (int64_t)strtoll(text, &end, 10);
	return errno == 0;
}

static bool read_clock(const char **at, int64_t *seconds)
{
	int hour, minute, second = 0, fraction;
	if (!digits(at, 2, &hour) || !take(at, ":") || !digits(at, 2, &minute))
		return false;
	if (take(at, ":") && !digits(at, 2, &second))
		return false;
	if (take(at, ".,"))
		while (digits(at, 1, &fraction))
			;
	*seconds = hour * 3600 + minute * 60 + second;
	return hour < 24 && minute < 60 && second <= 60;
}

static bool read_zone(const char **at, int64_t *seconds)
{
	int hour, minute;
	*seconds = 0;
	if (**at == '\0' || take(at, "Zz"))
		return true;
	int sign = **at == '-' ? 1 : -1;
	if (!take(at, "+-") || !digits(at, 2, &hour))
		return false;
	take(at, ":");
	if (!digits(at, 2, &minute))
		return false;
	*seconds = sign * (hour * 3600 + minute * 60);
	return hour < 15 && minute < 60;
}

bool mxg_date_read(const char *text, int64_t *out)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day;
	int64_t clock = 0, zone = 0;
	const char *at = text;
	if (seconds_since_1970(text, out))
		return true;
	if (!digits(&at, 4, &year) || !take(&at, "-") || !digits(&at, 2, &month) || !take(&at, "-") ||
	    !digits(&at, 2, &day) || month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	if (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
		return false;
	if (take(&at, "Tt ") && (!read_clock(&at, &clock) || !read_zone(&at, &zone)))
		return false;
	*out = mxg_days_of(year, (unsigned)month, (unsigned)day) * 86400 + clock + zone;
	return *at == '\0';
}
