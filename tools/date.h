/* SPDX-License-Identifier: MIT */
#ifndef MXG_DATE_H
#define MXG_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* What people write for a time: 2026-01-31, 2026-01-31T12:00, …12:00:30, with a blank for the T, a Z or
 * +01:00 behind it (none: UTC), or the seconds since 1970 (@1769860800 or eight digits and more). */
bool mxg_date_read(const char *text, int64_t *out);

/* Days since 1970-01-01 of a date of the Gregorian calendar; month 1 to 12. */
static inline int64_t mxg_days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

#endif
