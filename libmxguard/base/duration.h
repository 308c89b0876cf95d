/* SPDX-License-Identifier: MIT */
#ifndef MXG_DURATION_H
#define MXG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* "500ms", "5s", "10m", "12h", "2d", "1w": a decimal number and a unit, nothing else.
 * False for anything else and for more than a year. */
bool mxg_duration_parse(const char *text, uint64_t *milliseconds);

#define MXG_SPAN_MAX 32
/* "45 s", "3 min", "2 h 10 min", "5 d 3 h". Returns buf. */
const char *mxg_span_format(int64_t seconds, char buf[MXG_SPAN_MAX]);

#endif
