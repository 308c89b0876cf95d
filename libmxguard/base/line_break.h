/* SPDX-License-Identifier: MIT */
#ifndef MXG_LINE_BREAK_H
#define MXG_LINE_BREAK_H

#include <stddef.h>
#include <string.h>

/* What some readers take for a line's end, beside LF: see check/hidden_field.h. The length of the one with which the
 * text begins, or 0; more than `len` where more bytes have to tell. */
static inline size_t mxg_line_break(const char *s, size_t len)
{
	static const char *const breaks[] = { "\r",   "\v",       "\f",           "\x1c",        "\x1d",
					      "\x1e", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9" };
	for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
		size_t n = strlen(breaks[i]);
		if (memcmp(s, breaks[i], n < len ? n : len) == 0)
			return n;
	}
	return 0;
}

#endif
