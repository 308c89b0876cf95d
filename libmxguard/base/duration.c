/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

#include <stdio.h>
#include <string.h>

#define YEAR_MS (366u * UINT64_C(86400000))

static const struct unit {
	const char *name;
	uint32_t milliseconds;
} units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 },
};

bool mxg_duration_parse(const char *text, uint64_t *milliseconds)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t value = 0;
	if (digits == 0 || digits > 10)
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		*milliseconds = value * units[i].milliseconds;
		return *milliseconds <= YEAR_MS;
	}
	return false;
}

const char *mxg_span_format(int64_t s, char buf[MXG_SPAN_MAX])
{
	long long n = s < 0 ? -(long long)s : (long long)s;
	const char *sign = s < 0 ? "-" : "";
	if (n < 120)
		snprintf(buf, MXG_SPAN_MAX, "%s%lld s", sign, n);
	else if (n < 7200)
		snprintf(buf, MXG_SPAN_MAX, "%s%lld min", sign, n / 60);
	else if (n < 172800)
		snprintf(buf, MXG_SPAN_MAX, "%s%lld h %lld min", sign, n / 3600, n / 60 % 60);
	else
		snprintf(buf, MXG_SPAN_MAX, "%s%lld d %lld h", sign, n / 86400, n / 3600 % 24);
	return buf;
}
