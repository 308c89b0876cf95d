/* SPDX-License-Identifier: MIT */
#include "check/removed_field.h"

#include <string.h>

#include "base/ascii.h"
#include "base/idna.h"
#include "base/line_break.h"

#define RESULTS "authentication-results"
#define VALUE_MAX 1024 /* of a value; no name of ours is longer than 253 bytes */

struct cursor {
	const char *at, *end;
	bool odd; /* what was read can be read in another way */
};

static bool is_control(char c)
{
	return (c >= 0 && c < ' ') || c == 0x7f;
}

static bool is_special(char c)
{
	return c != '\0' && strchr("()<>@,;:\\\"/[]?=", c) != NULL; /* RFC 2045 section 5.1 */
}

/* ---- the name ------------------------------------------------------------------------------ */

enum name { OTHER, SAME, CUT /* the bytes end before the name does */ };

/* Readers may drop the controls that a name must not hold. */
static enum name take_name(struct cursor *c, const char *name)
{
	for (; *name != '\0'; name++) {
		while (c->at < c->end && is_control(*c->at)) {
			c->odd = true;
			c->at++;
		}
		if (c->at == c->end)
			return CUT;
		if (mxg_ascii_lower(*c->at++) != mxg_ascii_lower(*name))
			return OTHER;
	}
	if (c->at == c->end)
		return CUT;
	return is_control(*c->at) || *c->at == ' ' || *c->at == ':' || *c->at == '(' ? SAME : OTHER;
}

/* A continuation of nothing, or an empty line to some readers. */
static void skip_leading(struct cursor *c)
{
	while (c->at < c->end) {
		size_t left = (size_t)(c->end - c->at), n = mxg_line_break(c->at, left);
		if (n == 0)
			n = *c->at == ' ' || is_control(*c->at);
		if (n == 0)
			return;
		c->odd = true;
		c->at += n < left ? n : left;
	}
}

static enum name name_of(const char *field, size_t len, const char *name)
{
	struct cursor c = { .at = field, .end = field + len };
	skip_leading(&c);
	return take_name(&c, name);
}

static bool any_token(const struct mxg_removed *what, const char *field, size_t len, bool cut_too)
{
	const struct mxguard_policy *policy = what->policy;
	if (what->keeps_secrets)
		return false;
	for (size_t r = 0; r < policy->ruleset_count; r++)
		for (size_t g = 0; g < policy->rulesets[r].gateway_count; g++) {
			const char *name = policy->rulesets[r].gateways[g].token.field;
			enum name is = name == NULL ? OTHER : name_of(field, len, name);
			if (is == SAME || (is == CUT && cut_too))
				return true;
		}
	return false;
}

bool mxg_removed_field_may_be(const struct mxg_removed *what, const char *head, size_t len, bool whole)
{
	enum name is = name_of(head, len, RESULTS);
	return is == SAME || (is == CUT && !whole) || any_token(what, head, len, !whole);
}

/* ---- comments and blanks --------------------------------------------------------------------- */

/* RFC 5322 section 3.2.2. Not every reader knows that comments nest, and that a backslash quotes. */
static void skip_comment(struct cursor *c)
{
	unsigned depth = 0;
	do {
		if (*c->at == '(')
			c->odd |= depth++ > 0;
		else if (*c->at == ')')
			depth--;
		else if (*c->at == '\\') {
			c->odd = true;
			c->at += c->at + 1 < c->end;
		}
		c->at++;
	} while (depth > 0 && c->at < c->end);
	c->odd |= depth > 0;
}

/* Other controls than those of a fold stand nowhere in a field that is well-formed. */
static void skip_cfws(struct cursor *c)
{
	for (; c->at < c->end && (is_control(*c->at) || *c->at == ' ' || *c->at == '('); c->at++) {
		c->odd |= is_control(*c->at) && !mxg_ascii_is_blank(*c->at);
		c->odd |= *c->at == '\r' && (c->at + 1 == c->end || c->at[1] != '\n');
		if (*c->at == '(') {
			skip_comment(c);
			c->at--;
		}
	}
}

/* ---- the value -------------------------------------------------------------------------------- */

struct value {
	char text[VALUE_MAX + 1];
	size_t len;
	bool eight_bit;
};

static void add(struct value *v, struct cursor *c, char byte)
{
	if (is_control(byte)) {
		c->odd = true;
		return;
	}
	v->eight_bit |= (unsigned char)byte >= 0x80;
	if (v->len < VALUE_MAX)
		v->text[v->len++] = mxg_ascii_lower(byte);
}

static void take_quoted(struct value *v, struct cursor *c)
{
	for (c->at++; c->at < c->end && *c->at != '"'; c->at++) {
		if (*c->at == '\\' && c->at + 1 < c->end)
			c->at++;
		add(v, c, *c->at);
	}
	c->odd |= c->at == c->end;
	c->at += c->at < c->end;
}

static void take_word(struct value *v, struct cursor *c)
{
	if (c->at < c->end && *c->at == '"')
		take_quoted(v, c);
	for (; c->at < c->end && !mxg_ascii_is_blank(*c->at) && !is_special(*c->at); c->at++)
		add(v, c, *c->at);
}

/* With or without the root's dot. */
static bool is_name(const char *text, size_t len, const char *id)
{
	size_t id_len = strlen(id);
	while (len > 1 && text[len - 1] == '.')
		len--;
	while (id_len > 1 && id[id_len - 1] == '.')
		id_len--;
	for (size_t i = 0; i < len && len == id_len; i++)
		if (text[i] != mxg_ascii_lower(id[i]))
			return false;
	return len == id_len;
}

/* A blank beyond ASCII, or a byte that is no character: readers may trim it, or drop it. */
static size_t without_eight_bit(char *out, const struct value *v)
{
	size_t n = 0;
	for (size_t i = 0; i < v->len; i++)
		if ((unsigned char)v->text[i] < 0x80)
			out[n++] = v->text[i];
	return n;
}

/* Also as DNS has it. */
static bool is_same(const struct value *v, const char *id)
{
	char ascii[VALUE_MAX];
	if (is_name(v->text, v->len, id))
		return true;
	if (!v->eight_bit)
		return false;
	if (mxg_idna_to_ascii(ascii, v->text, v->len) && is_name(ascii, strlen(ascii), id))
		return true;
	return is_name(ascii, without_eight_bit(ascii, v), id);
}

/* Obsolete forms allow comments and blanks around the dots (RFC 5322 section 4.4). */
static bool goes_on(const struct value *v, const struct cursor *c)
{
	if (c->at == c->end || v->len == 0 || v->len == VALUE_MAX)
		return false;
	return *c->at == '.' || (v->text[v->len - 1] == '.' && !is_special(*c->at));
}

/* Whether `id` stands somewhere in the bytes, whatever is put in between. */
static bool holds(const char *at, const char *end, const char *id)
{
	for (; at < end; at++) {
		const char *want = id;
		for (const char *s = at; s < end && *want != '\0'; s++) {
			if (mxg_ascii_lower(*s) == mxg_ascii_lower(*want))
				want++;
			else if (!is_control(*s) && *s != ' ' && *s != '\\' && *s != '"')
				break;
		}
		if (*want == '\0')
			return true;
	}
	return false;
}

/* An encoded word (RFC 2047) is not allowed here, and may say anything. */
static bool is_encoded(const struct value *v, const struct cursor *c)
{
	return memmem(v->text, v->len, "=?", 2) != NULL || (c->end - c->at >= 2 && memcmp(c->at, "=?", 2) == 0);
}

static bool value_is_ours(struct cursor *c, const char *id, bool too_long)
{
	struct value v = { .len = 0 };
	const char *begin = c->at;
	skip_cfws(c);
	do {
		take_word(&v, c);
		if (is_same(&v, id))
			return true;
		skip_cfws(c);
	} while (goes_on(&v, c));
	if (is_encoded(&v, c) || (too_long && (c->odd || c->at == c->end)))
		return true;
	bool empty = v.len == 0 && c->at < c->end;
	bool glued = c->at < c->end && is_special(*c->at) && strchr(";=/", *c->at) == NULL;
	return (c->odd || empty || glued) && holds(begin, c->end, id);
}

static bool claims_to_be_ours(const char *id, const char *field, size_t len, bool too_long)
{
	struct cursor c = { .at = field, .end = field + len };
	skip_leading(&c);
	enum name name = take_name(&c, RESULTS);
	if (name != SAME)
		return name == CUT && too_long;
	const char *behind = c.at;
	while (c.at < c.end && (*c.at == ' ' || *c.at == '\t'))
		c.at++;
	if (c.at < c.end && *c.at != ':') {
		c.odd = true;
		skip_cfws(&c);
	}
	if (c.at == c.end || *c.at != ':')
		c.at = memchr(behind, ':', (size_t)(c.end - behind));
	if (c.at == NULL)
		return too_long;
	c.at++;
	return value_is_ours(&c, id, too_long);
}

bool mxg_removed_field_is(const struct mxg_removed *what, const char *field, size_t len, bool too_long)
{
	if (claims_to_be_ours(what->policy->authserv_id, field, len, too_long))
		return true;
	return (too_long || memchr(field, ':', len) != NULL) && any_token(what, field, len, too_long);
}
