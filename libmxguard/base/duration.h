/* SPDX-License-Identifier: MIT */
#ifndef MXG_DURATION_H
#define MXG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* "500ms", "5s", "10m", "12h", "2d", "1w": a decimal number and a unit, nothing else.
 * False for anything else and for more than a year. */
bool mxg_duration_parse(const char *text, uint64_t *milliseconds);

#endif
