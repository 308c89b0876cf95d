/* SPDX-License-Identifier: MIT */
#include "neuter.h"

#include <string.h>

size_t mxg_neuter(char *buffer, size_t size, const char *text, size_t len, const char *also)
{
	static const char hex[] = "0123456789abcdef";
	size_t out = 0;
	if (size == 0)
		return 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c < 0x7f && strchr(also, c) == NULL) {
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
