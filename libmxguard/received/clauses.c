/* SPDX-License-Identifier: MIT */
/* Cuts a Received field at its anchors; no MTA's grammar is known here. */
#include "received/clauses.h"

#include <string.h>

struct lexer {
	const char *at, *end;
	unsigned line;
	bool fresh;
};

static bool is_blank(char c)
{
	return mxg_byte_is(c, MXG_BYTE_BLANK);
}

/* The survey has let no byte below SP through that is no blank. */
static void skip_blanks(struct lexer *l)
{
	const char *at = l->at, *end = l->end;
	l->fresh = false;
	for (; at < end && (unsigned char)*at <= ' '; at++) {
		if (*at == '\n') {
			l->line++;
			l->fresh = true;
		}
	}
	l->at = at;
}

/* What stands where the next nesting byte is: a parenthesis or a line's end. True at the one that
 * closes the comment. */
static inline bool step_nesting(char c, unsigned *depth, unsigned *line)
{
	if (c == '\n')
		++*line;
	else if (c == '(')
		++*depth;
	else
		return --*depth == 0;
	return false;
}

/* Where the comment at `at` closes; end if it does not. */
static const char *find_close(const char *at, const char *end, unsigned *line)
{
	unsigned depth = 0;
	for (; end - at >= 16; at += 16) {
		mxg_block b = mxg_block_load(at);
		unsigned stops = mxg_block_mask((mxg_block)((b == '(') | (b == ')') | (b == '\n')));
		for (; stops != 0; stops &= stops - 1) {
			const char *stop = at + __builtin_ctz(stops);
			if (step_nesting(*stop, &depth, line))
				return stop;
		}
	}
	for (; at < end; at++)
		if (mxg_byte_is(*at, MXG_BYTE_NEST) && step_nesting(*at, &depth, line))
			return at;
	return end;
}

/* Comments nest (RFC 5322 section 3.2.2). Backslashes and quotes are not
 * honoured: no MTA writes them for a client without balancing the rest, and
 * where one does, the parentheses do not add up and nothing is believed. */
static bool read_comment(struct lexer *l, struct mxg_item *item)
{
	item->comment = true;
	item->fresh = l->fresh;
	item->line = l->line;
	item->text.at = l->at + 1;
	const char *close = find_close(l->at, l->end, &l->line);
	if (close == l->end)
		return false;
	item->text.len = (size_t)(close - item->text.at);
	item->last_line = l->line;
	l->at = close + 1;
	return true;
}

static inline const char *find_word_end(const char *at, const char *end, char also)
{
	for (; end - at >= 16; at += 16) {
		mxg_block b = mxg_block_load(at);
		size_t n = mxg_block_first((mxg_block)((b <= ' ') | (b == (unsigned char)also)));
		if (n < 16)
			return at + n;
	}
	while (at < end && (unsigned char)*at > ' ' && *at != also)
		at++;
	return at;
}

static void read_word(struct lexer *l, struct mxg_item *item, bool stop_at_semicolon)
{
	item->comment = false;
	item->fresh = l->fresh;
	item->line = item->last_line = l->line;
	const char *at = find_word_end(l->at, l->end, stop_at_semicolon ? ';' : ' ');
	item->text = (struct mxg_slice){ l->at, (size_t)(at - l->at) };
	l->at = at;
}

/* Exim quotes a local user's name that needs it; a quoted string that holds
 * blanks is no HELO, and only Exim's local form takes it. */
static void read_helo(struct lexer *l, struct mxg_slice *helo)
{
	struct mxg_item item;
	if (l->at < l->end && *l->at == '"') {
		const char *close = l->at + 1;
		while (close < l->end && *close != '"' && *close != '\\' && *close != '\n')
			close++;
		if (close + 1 < l->end && *close == '"' && is_blank(close[1])) {
			*helo = (struct mxg_slice){ l->at, (size_t)(close + 1 - l->at) };
			l->at = close + 1;
			return;
		}
	}
	read_word(l, &item, false);
	*helo = item.text;
}

static bool add_comment(struct lexer *l, struct mxg_items *items)
{
	if (items->count == MXG_CLAUSE_ITEMS || !read_comment(l, &items->item[items->count]))
		return false;
	items->count++;
	return true;
}

/* From behind HELO to "by". A comment may not run into the next word. */
static bool read_from_items(struct lexer *l, struct mxg_clauses *c, bool *found, bool *fresh)
{
	*found = false;
	for (;;) {
		skip_blanks(l);
		if (l->at == l->end || *l->at == ';')
			return true;
		if (*l->at == '(') {
			if (!add_comment(l, &c->from))
				return false;
			continue;
		}
		struct mxg_item word;
		*fresh = l->fresh;
		const char *start = l->at;
		if (start[-1] == ')')
			return false;
		read_word(l, &word, false);
		*found = mxg_slice_is(word.text, "by");
		if (*found)
			return true;
		if (mxg_slice_is(word.text, "with")) {
			l->at = start;
			return true;
		}
		if (c->from.count == MXG_CLAUSE_ITEMS)
			return false;
		c->from.item[c->from.count++] = word;
	}
}

/* From behind the by name to "with", or to where the tail begins. */
static bool read_by_items(struct lexer *l, struct mxg_clauses *c, bool *with)
{
	*with = false;
	for (;;) {
		skip_blanks(l);
		if (l->at == l->end || *l->at == ';')
			return true;
		if (*l->at == '(') {
			if (!add_comment(l, &c->after_by))
				return false;
			continue;
		}
		struct mxg_item word;
		const char *start = l->at;
		read_word(l, &word, true);
		*with = mxg_slice_is(word.text, "with");
		if (*with)
			return true;
		if (mxg_slice_is(word.text, "id") || mxg_slice_is(word.text, "for")) {
			l->at = start;
			return true;
		}
		if (c->after_by.count == MXG_CLAUSE_ITEMS)
			return false;
		c->after_by.item[c->after_by.count++] = word;
	}
}

static bool read_protocol(struct lexer *l, struct mxg_clauses *c)
{
	for (skip_blanks(l); l->at < l->end && *l->at == '('; skip_blanks(l)) {
		if (!add_comment(l, &c->cipher))
			return false;
	}
	struct mxg_item word;
	read_word(l, &word, true);
	c->protocol = word.text;
	return word.text.len > 0;
}

/* Behind the protocol stand the MTA's id and comments, then the client's
 * sender and recipients: read for display as far as the words are known. */
static void read_tail(struct lexer *l, struct mxg_clauses *c)
{
	struct mxg_item word;
	for (unsigned n = 0; n < 16; n++) {
		skip_blanks(l);
		if (l->at == l->end || *l->at == ';')
			return;
		if (*l->at == '(') {
			if (!add_comment(l, &c->tail))
				return;
			continue;
		}
		read_word(l, &word, true);
		struct mxg_slice name = word.text, value;
		skip_blanks(l);
		read_word(l, &word, true);
		value = word.text;
		if (mxg_slice_is(name, "id") && c->id.len == 0)
			c->id = value;
		else if (mxg_slice_is(name, "for") && c->recipient.len == 0)
			c->recipient = value;
		else if (!mxg_slice_is(name, "tls") && !mxg_slice_is(name, "envelope-from"))
			return;
	}
}

static bool is_by(const char *at)
{
	return at[1] == 'b' && at[2] == 'y' && is_blank(at[0]) && is_blank(at[3]);
}

bool mxg_has_second_by(const char *at, const char *end)
{
	for (; end - at >= 19; at += 16) {
		/* in two of the four bytes: mostly, that settles it */
		mxg_block b = (mxg_block)((mxg_block_load(at + 1) == 'b') & (mxg_block_load(at + 2) == 'y'));
		for (size_t i = mxg_block_first(b); i < 16; i++) {
			if (is_by(at + i))
				return true;
		}
	}
	for (; end - at >= 4; at++) {
		if (is_by(at))
			return true;
	}
	return false;
}

static bool split_by(struct lexer *l, struct mxg_clauses *c)
{
	struct mxg_item word;
	bool with;
	skip_blanks(l);
	read_word(l, &word, true);
	c->by = word.text;
	const char *behind = l->at;
	if (word.text.len == 0 || !read_by_items(l, c, &with))
		return false;
	if (with && !read_protocol(l, c))
		return false;
	c->after_protocol = (struct mxg_slice){ l->at, (size_t)(c->end - l->at) };
	read_tail(l, c);
	/* one semicolon, and a date to the end: else there are two tails, and one is a client's */
	c->semicolon = memchr(behind, ';', (size_t)(c->end - behind));
	if (c->semicolon != NULL && memchr(c->semicolon + 1, ';', (size_t)(c->end - c->semicolon - 1)) != NULL)
		return false;
	/* nor on the line of the first, or on one line with it */
	return !mxg_has_second_by(behind, c->end);
}

static bool split_from(struct lexer *l, struct mxg_clauses *c, const char *first_by)
{
	bool found, fresh = false;
	skip_blanks(l);
	c->late = l->fresh;
	if (l->at < l->end && *l->at != '(')
		read_helo(l, &c->helo);
	if (!read_from_items(l, c, &found, &fresh))
		return false;
	c->form = found ? MXG_FORM_FROM : MXG_FORM_FROM_ONLY;
	c->folded = found && fresh;
	/* where a line begins with "by", that is the anchor, and the words must
	 * have led there: else the client wrote a "by" of his own before it */
	if (first_by != NULL && (!c->folded || l->at != first_by + 2))
		return false;
	return !found || split_by(l, c);
}

/* Only what is read unconditionally: the items are many, and counted. */
static void clear(struct mxg_clauses *c)
{
	static const struct mxg_slice none = { NULL, 0 };
	c->from.count = c->after_by.count = c->cipher.count = c->tail.count = 0;
	c->helo = c->by = c->protocol = c->after_protocol = c->id = c->recipient = none;
	c->folded = c->late = false;
	c->semicolon = NULL;
}

bool mxg_clauses_split(struct mxg_clauses *c, const struct mxg_lines *lines, const char *value, const char *end)
{
	const char *first_by = lines->first_by;
	clear(c);
	c->value = value;
	c->end = end;
	c->lines = lines->count;
	/* An MTA writes "by" once. A second one is a client's, got in through a
	 * folded data line or a CR that some host took for a line end; which of
	 * the two is which cannot be told. */
	if (lines->by > 1 || lines->from > 0)
		return false;
	struct lexer l = { value, end, 0, true };
	struct mxg_slice all = { value, (size_t)(end - value) };
	if (all.len > 5 && memcmp(value, "from", 4) == 0 && is_blank(value[4])) {
		l.at += 4;
		return split_from(&l, c, first_by);
	}
	if (all.len > 3 && memcmp(value, "by", 2) == 0 && is_blank(value[2])) {
		l.at += 2;
		c->form = MXG_FORM_BY;
		c->folded = true;
		return first_by == NULL && split_by(&l, c);
	}
	if (all.len == 0 || *value != '(')
		return false;
	/* the comment stands in HELO's place; the rest is as above */
	bool found, fresh = false;
	c->form = MXG_FORM_COMMENT;
	if (!read_from_items(&l, c, &found, &fresh))
		return false;
	c->folded = found && fresh;
	if (first_by != NULL && (!c->folded || l.at != first_by + 2))
		return false;
	if (!found)
		c->semicolon = memrchr(value, ';', all.len);
	return !found || split_by(&l, c);
}
