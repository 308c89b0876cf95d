/* SPDX-License-Identifier: MIT */
#include "dns/unpack.h"

#include <string.h>

#define POINTER 0xc0u /* RFC 1035 §4.1.4 */

/* What was looked at is counted: a loop looks at more than there is. */
int mxg_name_unpack(const uint8_t *message, const uint8_t *end, const uint8_t *at, uint8_t *out, size_t room)
{
	const uint8_t *p = at;
	size_t len = 0, looked = 0, all = (size_t)(end - message);
	int used = -1;
	if (at < message || at >= end)
		return -1;
	for (;;) {
		unsigned n = p < end ? *p++ : POINTER - 1;
		if (n >= POINTER) {
			if (p >= end)
				return -1;
			size_t target = (n & ~POINTER) << 8 | *p++;
			used = used < 0 ? (int)(p - at) : used;
			looked += 2;
			if (target >= all || looked >= all)
				return -1;
			p = message + target;
		} else if (n > 63 || len + n + (n > 0) >= room || (size_t)(end - p) < n) {
			return -1; /* a label type that nobody uses, no end, or no room for it and the root */
		} else {
			out[len++] = (uint8_t)n;
			if (n == 0)
				return used < 0 ? (int)(p - at) : used;
			memcpy(out + len, p, n);
			len += n;
			p += n;
			looked += n + 1;
		}
	}
}
