/* SPDX-License-Identifier: MIT */
/* RFC 3461 §4. */
#include "xtext.h"

#include "base/ascii.h"

bool mxg_xtext_decode(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; from++) {
		int byte = (unsigned char)*from;
		if (byte == '+') {
			int high = mxg_ascii_hex(from[1]), low = high < 0 ? -1 : mxg_ascii_hex(from[2]);
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
