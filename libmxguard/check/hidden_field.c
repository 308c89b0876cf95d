/* SPDX-License-Identifier: MIT */
#include "check/hidden_field.h"

#include <string.h>

#include "base/line_break.h"
#include "check/removed_field.h"

void mxg_hidden_field_init(struct mxg_hidden_field *h)
{
	h->offset = h->from = h->to = 0;
	h->found = false;
	h->len = 0;
}

static bool may_begin(char c)
{
	return (c > 0 && c < ' ' && c != '\t' && c != '\n') || c == '\xc2' || c == '\xe2';
}

/* The breaks at the beginning, with other controls among them: readers may drop those. */
static size_t skip_breaks(const char *s, size_t len)
{
	size_t at = 0;
	while (at < len) {
		size_t n = mxg_line_break(s + at, len - at);
		if (n == 0)
			n = (s[at] >= 0 && s[at] < ' ' && s[at] != '\t' && s[at] != '\n') || s[at] == 0x7f;
		if (n == 0)
			break;
		at += n;
	}
	return at;
}

/* Whether the text is, or can still become, breaks and a name. */
static bool may_be(struct mxg_hidden_field *h, const struct mxg_removed *what)
{
	if (mxg_line_break(h->text, h->len) == 0)
		return false;
	size_t run = skip_breaks(h->text, h->len);
	h->to = h->from + (run < h->len ? run : h->len);
	if (run >= h->len)
		return true;
	const char *name = h->text + run;
	if (*name == ' ' || *name == '\t' || *name == '\n') /* no name, and a blank continues the field around it */
		return false;
	return mxg_removed_field_may_be(what, name, h->len - run, h->text[h->len - 1] == '\n');
}

/* Goes on at the next break in the text that is not among its first `at` bytes. */
static void shift(struct mxg_hidden_field *h, size_t at)
{
	while (at < h->len && !may_begin(h->text[at]))
		at++;
	h->len -= at;
	h->from += at;
	memmove(h->text, h->text + at, h->len);
}

/* A name is told by the colon behind it or the end of its line; breaks that go on for ever are none that ought to
 * stay. */
static bool is_told(const struct mxg_hidden_field *h)
{
	char last = h->text[h->len - 1];
	return last == ':' || last == '\n' || h->len == sizeof(h->text);
}

static void settle(struct mxg_hidden_field *h, const struct mxg_removed *what)
{
	while (h->len > 0) {
		if (may_be(h, what)) {
			h->found = is_told(h);
			return;
		}
		shift(h, 1);
	}
}

void mxg_hidden_field_next(struct mxg_hidden_field *h, const struct mxg_removed *what)
{
	h->found = false;
	shift(h, (size_t)(h->to - h->from));
	settle(h, what);
}

static void add(struct mxg_hidden_field *h, const struct mxg_removed *what, char c)
{
	if (h->len == 0)
		h->from = h->offset;
	h->text[h->len++] = c;
	h->offset++;
	settle(h, what);
}

void mxg_hidden_field_look(struct mxg_hidden_field *h, const struct mxg_removed *what, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !h->found; i++) {
		if (h->len == 0 && (!may_begin(bytes[i]) || (bytes[i] == '\r' && i + 1 < len && bytes[i + 1] == '\n')))
			h->offset++;
		else
			add(h, what, bytes[i]);
	}
}
