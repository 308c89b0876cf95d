/* SPDX-License-Identifier: MIT */
#include "base/header_cutter.h"

#include <string.h>

#include "base/ascii.h"
#include "base/block.h"

/* Field by field: the room is the larger part, and holds nothing yet. */
void mxg_header_init(struct mxg_header_cutter *c, char *room, size_t limit)
{
	c->bytes = c->start = NULL;
	c->len = c->name_len = c->used = 0;
	c->from = c->offset = 0;
	c->kind = MXG_HEADER_KIND_FIELD;
	c->wanted = c->too_long = false;
	c->room = room;
	c->limit = limit;
	c->state = MXG_HEADER_AT_START;
	c->first_line = true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_envelope(const struct mxg_header_cutter *c)
{
	return (c->first_line && c->len >= 5 && memcmp(c->bytes, "From ", 5) == 0) ||
	       (c->len >= 6 && memcmp(c->bytes, ">From ", 6) == 0);
}

/* Whether all are visible ASCII: eight bytes a step. */
static bool is_name(const char *s, size_t len)
{
	size_t i = 0;
	for (uint64_t word; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, s + i, sizeof(word));
		uint64_t high = word | (word + MXG_ASCII_ONES) | ~(word + MXG_ASCII_ONES * (0x80 - '!'));
		if ((high & MXG_ASCII_HIGH) != 0)
			return false;
	}
	for (; i < len; i++)
		if (s[i] <= ' ' || s[i] == 0x7f) /* 8-bit bytes are negative */
			return false;
	return true;
}

static enum mxg_header_kind kind_of(struct mxg_header_cutter *c, bool colon)
{
	size_t n = c->len - colon;
	if (is_envelope(c))
		return MXG_HEADER_KIND_ENVELOPE;
	while (n > 0 && is_blank(c->bytes[n - 1]))
		n--;
	c->name_len = n;
	return colon && n > 0 && is_name(c->bytes, n) ? MXG_HEADER_KIND_FIELD : MXG_HEADER_KIND_BROKEN;
}

/* Points bytes and len to the field so far: `taken` bytes of the piece belong to it. */
static void show(struct mxg_header_cutter *c, const char *piece, size_t taken)
{
	if (c->start != NULL) {
		c->bytes = c->start;
		c->len = (size_t)(piece + taken - c->start);
		return;
	}
	c->bytes = c->room;
	c->len = c->used;
}

/* Of a field that is not, or not only, in this piece. At most the limit is kept. */
static void keep(struct mxg_header_cutter *c, const char *bytes, size_t len)
{
	size_t left = c->limit - c->used;
	memcpy(c->room + c->used, bytes, len < left ? len : left);
	c->used += len < left ? len : left;
}

/* A colon or a line's end has been reached, or more bytes than a name may have. */
static enum mxg_header_event begin_line(struct mxg_header_cutter *c, char last)
{
	bool line_end = last == '\n';
	if (line_end && (c->len == 1 || (c->len == 2 && c->bytes[0] == '\r'))) {
		c->state = MXG_HEADER_OVER;
		return MXG_HEADER_END;
	}
	c->kind = kind_of(c, last == ':');
	c->wanted = c->too_long = false;
	c->state = line_end ? MXG_HEADER_AFTER_LINE : MXG_HEADER_IN_LINE;
	c->first_line = c->first_line && !line_end;
	return MXG_HEADER_LINE;
}

/* The first colon or line feed; len: there is none. */
static size_t find_head_end(const char *s, size_t len)
{
	size_t i = 0;
	for (; len - i >= sizeof(mxg_block); i += sizeof(mxg_block)) {
		mxg_block b = mxg_block_load(s + i);
		size_t n = mxg_block_first((mxg_block)((b == ':') | (b == '\n')));
		if (n < sizeof(mxg_block))
			return i + n;
	}
	while (i < len && s[i] != ':' && s[i] != '\n')
		i++;
	return i;
}

/* Reads the first bytes of a line. */
static enum mxg_header_event take_head(struct mxg_header_cutter *c, const char **bytes, size_t *len)
{
	const char *s = *bytes;
	size_t before = c->start != NULL ? (size_t)(s - c->start) : c->used, most = MXG_HEADER_HEAD_MAX - before;
	most = most < *len ? most : *len;
	size_t i = find_head_end(s, most);
	bool found = i < most;
	i += found;
	if (c->start == NULL)
		keep(c, s, i);
	c->offset += i;
	*bytes += i;
	*len -= i;
	if (!found && before + i < MXG_HEADER_HEAD_MAX)
		return MXG_HEADER_MORE;
	show(c, s, i);
	return begin_line(c, c->bytes[c->len - 1]);
}

/* Behind the next line feed that no blank follows, or that ends what is at hand; NULL: there is none.
 * Unless `folds`, behind the next line feed. */
static const char *find_field_end(const char *at, const char *end, bool folds)
{
	for (; end - at > (ptrdiff_t)sizeof(mxg_block); at += sizeof(mxg_block)) {
		unsigned feeds = mxg_block_mask((mxg_block)(mxg_block_load(at) == '\n'));
		for (; feeds != 0; feeds &= feeds - 1) {
			const char *behind = at + __builtin_ctz(feeds) + 1; /* before the end */
			if (!folds || !is_blank(*behind))
				return behind;
		}
	}
	for (; at < end; at++)
		if (*at == '\n' && (!folds || at + 1 == end || !is_blank(at[1])))
			return at + 1;
	return NULL;
}

/* The rest of a line, and the lines behind it that continue the field, as far as they are at hand. */
static size_t rest_of_field(struct mxg_header_cutter *c, const char *s, size_t len)
{
	const char *end = find_field_end(s, s + len, c->kind != MXG_HEADER_KIND_ENVELOPE);
	if (end == NULL)
		return len;
	c->state = MXG_HEADER_AFTER_LINE;
	c->first_line = false;
	return (size_t)(end - s);
}

static enum mxg_header_event take_rest(struct mxg_header_cutter *c, const char **bytes, size_t *len)
{
	const char *s = *bytes;
	size_t n = rest_of_field(c, s, *len);
	*bytes += n;
	*len -= n;
	c->offset += n;
	if (!c->wanted || c->too_long || c->offset - c->from <= c->limit) {
		if (c->wanted && !c->too_long && c->start == NULL)
			keep(c, s, n);
		return MXG_HEADER_MORE;
	}
	if (c->start == NULL)
		keep(c, s, n);
	show(c, s, n);
	c->len = c->limit;
	c->too_long = true;
	return MXG_HEADER_TOO_LONG;
}

static void begin_field(struct mxg_header_cutter *c, const char *piece)
{
	c->from = c->offset;
	c->start = piece;
	c->used = 0;
	c->wanted = false;
	c->state = MXG_HEADER_IN_HEAD;
}

/* At a line's first byte: does it continue the field above? */
static enum mxg_header_event next_line(struct mxg_header_cutter *c, const char *s)
{
	if (c->state == MXG_HEADER_AFTER_LINE && is_blank(*s) && c->kind != MXG_HEADER_KIND_ENVELOPE) {
		c->state = MXG_HEADER_IN_LINE;
		return MXG_HEADER_MORE;
	}
	if (c->state == MXG_HEADER_AFTER_LINE && c->wanted) {
		show(c, s, 0);
		c->state = MXG_HEADER_AT_START;
		return MXG_HEADER_FIELD;
	}
	begin_field(c, s);
	return MXG_HEADER_MORE;
}

static enum mxg_header_event step(struct mxg_header_cutter *c, const char **bytes, size_t *len)
{
	switch (c->state) {
	case MXG_HEADER_IN_HEAD:
		return take_head(c, bytes, len);
	case MXG_HEADER_IN_LINE:
		return take_rest(c, bytes, len);
	case MXG_HEADER_AT_START:
	case MXG_HEADER_AFTER_LINE:
		return next_line(c, *bytes);
	case MXG_HEADER_OVER:
		break;
	}
	return MXG_HEADER_END;
}

enum mxg_header_event mxg_header_next(struct mxg_header_cutter *c, const char **bytes, size_t *len)
{
	enum mxg_header_event event = c->state == MXG_HEADER_OVER ? MXG_HEADER_END : MXG_HEADER_MORE;
	while (event == MXG_HEADER_MORE && *len > 0)
		event = step(c, bytes, len);
	bool kept = c->state == MXG_HEADER_IN_HEAD || (c->wanted && !c->too_long);
	if (event == MXG_HEADER_MORE && c->start != NULL) {
		if (kept) /* the piece goes */
			keep(c, c->start, (size_t)(*bytes - c->start));
		c->start = NULL;
	}
	return event;
}

enum mxg_header_event mxg_header_finish(struct mxg_header_cutter *c)
{
	if (c->state == MXG_HEADER_IN_HEAD) {
		show(c, NULL, 0);
		if (c->len > 1 || c->bytes[0] != '\r') {
			begin_line(c, 0);
			return MXG_HEADER_LINE;
		}
	} else if ((c->state == MXG_HEADER_IN_LINE || c->state == MXG_HEADER_AFTER_LINE) && c->wanted) {
		show(c, NULL, 0);
		c->wanted = false;
		return MXG_HEADER_FIELD;
	}
	c->state = MXG_HEADER_OVER;
	return MXG_HEADER_END;
}

bool mxg_header_is(const struct mxg_header_cutter *c, const char *name, size_t len)
{
	return c->kind == MXG_HEADER_KIND_FIELD && c->name_len == len && mxg_ascii_is_word(c->bytes, name, len);
}
