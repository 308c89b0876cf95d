/* SPDX-License-Identifier: MIT */
#include "scan/rows.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NOTHING (-1)

static bool fill(struct mxg_rows *r)
{
	ssize_t n;
	do
		n = read(r->fd, r->buffer, sizeof(r->buffer));
	while (n < 0 && errno == EINTR);
	r->at = 0;
	r->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* The byte, or NOTHING. */
static int next(struct mxg_rows *r)
{
	return r->at < r->len || fill(r) ? (unsigned char)r->buffer[r->at++] : NOTHING;
}

static int next_word(struct mxg_rows *r)
{
	int c = next(r);
	while (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		c = next(r);
	return c;
}

/* ---- strings ------------------------------------------------------------------------------------------- */

static void put(struct mxg_row_field *f, int c)
{
	if (f->len < f->room)
		f->value[f->len++] = (char)c;
}

static void put_character(struct mxg_row_field *f, uint32_t c)
{
	if (c < 0x80) {
		put(f, (int)c);
		return;
	}
	if (c >= 0x10000)
		put(f, (int)(0xf0 | c >> 18));
	if (c >= 0x800)
		put(f, (int)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12));
	put(f, (int)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6));
	put(f, (int)(0x80 | (c & 0x3f)));
}

static bool four_digits(struct mxg_rows *r, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		int c = next(r), digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
		if (digit < 0 || digit > 15 || (digit > 9 && (c | 0x20) < 'a'))
			return false;
		*out = *out << 4 | (uint32_t)digit;
	}
	return true;
}

/* Half of a pair is written on its own; what it means nobody could say. */
static bool read_code(struct mxg_rows *r, struct mxg_row_field *f)
{
	uint32_t c, low;
	if (!four_digits(r, &c))
		return false;
	if (c < 0xd800 || c > 0xdbff) {
		put_character(f, c);
		return true;
	}
	if (next(r) != '\\' || next(r) != 'u' || !four_digits(r, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	put_character(f, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
	return true;
}

static bool read_escape(struct mxg_rows *r, struct mxg_row_field *f)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	int c = next(r);
	if (c == 'u')
		return read_code(r, f);
	const char *letter = c <= 0 ? NULL : strchr(letters, c);
	if (letter == NULL)
		return false;
	put(f, meant[letter - letters]);
	return true;
}

/* Behind its opening quote. */
static bool read_string(struct mxg_rows *r, struct mxg_row_field *f)
{
	f->len = 0;
	for (int c; (c = next(r)) != '"';) {
		if (c == NOTHING || (c == '\\' && !read_escape(r, f)))
			return false;
		if (c != '\\')
			put(f, c);
	}
	f->value[f->len] = '\0';
	return true;
}

/* ---- objects --------------------------------------------------------------------------------------------- */

static struct mxg_row_field *field_of(struct mxg_rows *r, const char *name, struct mxg_row_field *unwanted)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->fields[i].name, name) == 0)
			return &r->fields[i];
	return unwanted;
}

/* A number or a word; returns what stands behind it. */
static int read_bare(struct mxg_rows *r, struct mxg_row_field *f, int c)
{
	f->len = 0;
	for (; c != NOTHING && strchr(",}] \t\r\n{[\":", c) == NULL; c = next(r))
		put(f, c);
	f->value[f->len] = '\0';
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? next_word(r) : c;
}

/* Behind the key's opening quote; *c is what stands behind the value. */
static bool read_member(struct mxg_rows *r, int *c)
{
	char name[64], dropped[1];
	struct mxg_row_field key = { .value = name, .room = sizeof(name) - 1 }, unwanted = { .value = dropped };
	if (!read_string(r, &key) || next_word(r) != ':')
		return false;
	struct mxg_row_field *f = field_of(r, name, &unwanted);
	*c = next_word(r);
	if (*c == '"') {
		bool good = read_string(r, f);
		*c = good ? next_word(r) : NOTHING;
		return good;
	}
	*c = read_bare(r, f, *c);
	return true;
}

/* Behind the opening brace. */
static bool read_object(struct mxg_rows *r)
{
	int c = next_word(r);
	for (size_t i = 0; i < r->count; i++) {
		r->fields[i].len = 0;
		r->fields[i].value[0] = '\0';
	}
	while (c == '"') {
		if (!read_member(r, &c))
			return false;
		if (c == '}')
			return true;
		c = c == ',' ? next_word(r) : NOTHING;
	}
	return c == '}';
}

bool mxg_rows_next(struct mxg_rows *r)
{
	if (r->ended || r->broken)
		return false;
	int c = next_word(r);
	if (!r->begun) {
		if (c != '[') {
			r->broken = true;
			return false;
		}
		c = next_word(r);
		r->ended = c == ']';
	} else {
		r->ended = c == ']';
		c = c == ',' ? next_word(r) : NOTHING;
	}
	r->begun = true;
	if (r->ended)
		return false;
	r->broken = c != '{' || !read_object(r);
	return !r->broken;
}
