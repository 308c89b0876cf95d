/* SPDX-License-Identifier: MIT */
/* Text from outside, for a page: whatever it holds, a browser shows it and does nothing else with it. */
#include <stdbool.h>
#include <string.h>

#include "page/page.h"

/* The character at *at, which is moved on; false where the bytes are none, and the first of them is meant. */
static bool next_character(const char **at, uint32_t *c)
{
	const unsigned char *s = (const unsigned char *)*at;
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned more = s[0] < 0x80 ? 0 : s[0] < 0xc2 ? 9 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : s[0] < 0xf5 ? 3 : 9;
	*c = more == 9 ? s[0] : more == 0 ? s[0] : s[0] & (0x3fu >> more);
	for (unsigned i = 1; more != 9 && i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			more = 9;
		else
			*c = *c << 6 | (s[i] & 0x3f);
	}
	bool good = more != 9 && *c >= least[more] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
	*c = good ? *c : s[0];
	*at += good ? more + 1 : 1;
	return good;
}

/* What turns the writing direction, is not seen, or means nothing: one name could look like another. */
static bool is_hidden(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x34f, 0x34f },      { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f },    { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x2800, 0x2800 }, { 0x3164, 0x3164 }, { 0xe000, 0xf8ff },    { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xe0000, 0x10ffff },
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return (c & 0xfffe) == 0xfffe;
}

void mxg_page_put_html(FILE *to, const char *text)
{
	uint32_t c;
	while (*text != '\0') {
		if (!next_character(&text, &c))
			fprintf(to, "\\x%02x", c);
		else if (is_hidden(c))
			fprintf(to, c > 0xffff ? "\\u{%x}" : "\\u%04x", c);
		else if (c > 0x7e || strchr("<>&\"'`", (int)c) != NULL)
			fprintf(to, "&#%u;", c);
		else
			fputc((int)c, to);
	}
}

/* The \ that shows a hidden character is itself one of the string. */
static void put_string(FILE *to, const char *text)
{
	uint32_t c;
	fputc('"', to);
	while (*text != '\0') {
		if (!next_character(&text, &c))
			fprintf(to, "\\\\x%02x", c);
		else if (is_hidden(c))
			fprintf(to, c > 0xffff ? "\\\\u{%x}" : "\\\\u%04x", c);
		else if (c > 0xffff)
			fprintf(to, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
		else if (c > 0x7e || strchr("<>&\"'\\", (int)c) != NULL)
			fprintf(to, "\\u%04x", c);
		else
			fputc((int)c, to);
	}
	fputc('"', to);
}

static void put_array(FILE *to, const json_t *array)
{
	fputc('[', to);
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			fputc(',', to);
		mxg_page_put_json(to, json_array_get(array, i));
	}
	fputc(']', to);
}

void mxg_page_put_fields(FILE *to, const json_t *object)
{
	json_t *o = (json_t *)(uintptr_t)object, *value; /* jansson's iterators take no const */
	const char *key, *between = "";
	json_object_foreach(o, key, value)
	{
		fputs(between, to);
		put_string(to, key);
		fputc(':', to);
		mxg_page_put_json(to, value);
		between = ",";
	}
}

void mxg_page_put_json(FILE *to, const json_t *value)
{
	if (json_is_object(value)) {
		fputc('{', to);
		mxg_page_put_fields(to, value);
		fputc('}', to);
	} else if (json_is_array(value)) {
		put_array(to, value);
	} else if (json_is_string(value)) {
		put_string(to, json_string_value(value));
	} else if (json_is_integer(value)) {
		fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_real(value)) {
		fprintf(to, "%.10g", json_real_value(value));
	} else {
		fputs(json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null", to);
	}
}
