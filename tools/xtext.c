/* SPDX-License-Identifier: MIT */
/* RFC 3461 §4. */
#include "xtext.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mxg_xtext_decode(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; from++) {
		int byte = (unsigned char)*from;
		if (byte == '+') {
			int high = digit(from[1]), low = high < 0 ? -1 : digit(from[2]);
			byte = low < 0 ? 0 : high << 4 | low;
			from += low < 0 ? 0 : 2;
		}
		if (byte < ' ' || byte == 0x7f) {
			text[0] = '\0';
			return false;
		}
		*to++ = (char)byte;
	}
	*to = '\0';
	return true;
}
