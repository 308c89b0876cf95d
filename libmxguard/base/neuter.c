/* SPDX-License-Identifier: MIT */
#include "base/neuter.h"

#include <stdint.h>

size_t mxg_neuter(char *buffer, size_t size, const char *text, size_t len, const char *also)
{
	static const char hex[] = "0123456789abcdef";
	uint32_t plain[4] = { 0, ~0u, ~0u, ~0u >> 1 }; /* a bit for each byte that may stay */
	size_t out = 0;
	if (size == 0)
		return 0;
	for (; *also != '\0'; also++)
		plain[(*also & 0x7f) >> 5] &= ~(1u << (*also & 31));
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x80 && (plain[c >> 5] >> (c & 31) & 1) != 0) {
			if (out + 1 >= size)
				break;
			buffer[out++] = (char)c;
			continue;
		}
		if (out + 4 >= size)
			break;
		buffer[out++] = '\\';
		buffer[out++] = 'x';
		buffer[out++] = hex[c >> 4];
		buffer[out++] = hex[c & 15];
	}
	buffer[out] = '\0';
	return out;
}
