/* SPDX-License-Identifier: MIT */
/* RFC 4514 §3, strictly. */
#include "base/distinguished_name.h"

#include <string.h>

#include "base/ascii.h"

static bool is_type(char c)
{
	return mxg_ascii_is_alpha(c) || mxg_ascii_is_digit(c) || c == '-' || c == '.';
}

/* One byte of a value, behind which *at stands then; -1: nothing that may stand there. */
static int take_byte(const char **at)
{
	const char *p = *at;
	if (*p != '\\') {
		(*at)++;
		return strchr("\"<>;", *p) != NULL ? -1 : (unsigned char)*p;
	}
	if (p[1] != '\0' && strchr(" \"#+,;<=>\\", p[1]) != NULL) {
		*at += 2;
		return p[1];
	}
	int high = mxg_ascii_hex(p[1]), low = high < 0 ? -1 : mxg_ascii_hex(p[2]);
	*at += 3;
	return low < 0 ? -1 : high << 4 | low;
}

/* A value up to the separator or the end, without its escapes; `name` NULL: nobody wants it. */
static bool take_value(const char **at, char *name)
{
	size_t len = 0;
	if (**at == '#' || **at == ' ') /* "#04024869" is BER; a blank in front would be escaped */
		return false;
	while (**at != '\0' && **at != ',' && **at != '+') {
		int byte = take_byte(at);
		if (byte < 0)
			return false;
		if (name == NULL)
			continue;
		if (byte < ' ' || byte == 0x7f || len == MXG_COMMON_NAME_MAX - 1)
			return false;
		name[len++] = (char)byte;
	}
	if (name != NULL)
		name[len] = '\0';
	return name == NULL || len > 0;
}

bool mxg_common_name(char name[MXG_COMMON_NAME_MAX], const char *at)
{
	bool found = false;
	for (;;) {
		const char *type = at;
		while (is_type(*at))
			at++;
		size_t len = (size_t)(at - type);
		bool common = mxg_ascii_is(type, len, "cn") || mxg_ascii_is(type, len, "2.5.4.3");
		if (len == 0 || *at++ != '=' || (common && found) || !take_value(&at, common ? name : NULL))
			return false;
		found = found || common;
		if (*at == '\0')
			return found;
		at++;
	}
}
