/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* Characters that turn the writing direction or are not seen: they can make one name look
 * like another on a terminal (Unicode TR36). */
static bool deceptive(wchar_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0x61c || c == 0xfeff;
}

/* The bytes of the next character, 0 where it is not to be shown as it is. */
static size_t next_character(const char *text, size_t len, size_t *columns)
{
	wchar_t c;
	mbstate_t state = { 0 };
	size_t n = mbrtowc(&c, text, len, &state);
	if (n == 0 || n > len || deceptive(c))
		return 0;
	int width = wcwidth(c);
	if (width < 0)
		return 0;
	*columns = (size_t)width;
	return n;
}

size_t mxg_text_clean(char *buffer, size_t size, const char *text, size_t len, size_t *columns)
{
	size_t out = 0, all = 0;
	for (size_t at = 0; at < len;) {
		size_t width = 0, n = next_character(text + at, len - at, &width);
		size_t room = n > 0 ? n : 4;
		if (out + room >= size)
			break;
		if (n > 0)
			memcpy(buffer + out, text + at, n);
		else
			snprintf(buffer + out, 5, "\\x%02X", (unsigned char)text[at]);
		out += room;
		all += n > 0 ? width : 4;
		at += n > 0 ? n : 1;
	}
	if (size > 0)
		buffer[out] = '\0';
	if (columns != NULL)
		*columns = all;
	return out;
}

size_t mxg_text_columns(const char *text)
{
	size_t all = 0, len = strlen(text);
	for (size_t at = 0; at < len;) {
		size_t width = 1, n = next_character(text + at, len - at, &width);
		all += width;
		at += n > 0 ? n : 1;
	}
	return all;
}

static bool is_plain(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
	return text[0] != '\0' && text[strspn(text, plain)] == '\0';
}

const char *mxg_shell_word(char *buf, size_t size, const char *text)
{
	size_t at = 0;
	if (is_plain(text)) {
		snprintf(buf, size, "%s", text);
		return buf;
	}
	buf[at++] = '\'';
	for (; *text != '\0' && at + 6 < size; text++) {
		if (*text != '\'') {
			buf[at++] = *text;
			continue;
		}
		memcpy(buf + at, "'\\''", 4);
		at += 4;
	}
	buf[at++] = '\'';
	buf[at] = '\0';
	return buf;
}

const char *mxg_time_format(int64_t t, char buf[MXG_TIME_MAX])
{
	time_t clock = (time_t)t;
	struct tm tm;
	if (gmtime_r(&clock, &tm) == NULL || strftime(buf, MXG_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(buf, MXG_TIME_MAX, "%lld", (long long)t);
	return buf;
}
