/* SPDX-License-Identifier: MIT */
#include "base/route.h"

#include <string.h>

#include "base/ascii.h"

/* ---- is there more in it than local@domain? ------------------------------------------------- */

static bool is_separator(char c)
{
	return c == '@' || c == '%' || c == '!' || c == ':' || c == ',' || c == ';' || c == '<' || c == '>';
}

static bool is_name_byte(char c)
{
	return (unsigned char)c >= 0x80 || mxg_ascii_is_alpha(c) || mxg_ascii_is_digit(c) || c == '-' || c == '.' ||
	       c == '_';
}

/* @, % and ! route in the local part whatever else it may be; a name has name bytes only. One that
 * is not all ASCII may be folded, and one without a dot completed. */
bool mxg_route_is_needed(const char *path, size_t at, size_t len)
{
	for (size_t i = 0; i < at; i++)
		if (path[i] == '@' || path[i] == '%' || path[i] == '!')
			return true;
	if (at > 0 && path[at - 1] == '\\') /* the user's own @ */
		return true;
	for (size_t i = at + 1; i < len; i++)
		if (!is_name_byte(path[i]) || (unsigned char)path[i] >= 0x80)
			return true;
	while (len > at && path[len - 1] == '.')
		len--;
	return at < len && memchr(path + at, '.', len - at) == NULL;
}

/* ---- folding ------------------------------------------------------------------------------------ */

static const struct fold {
	const char *from, *to;
} folds[] = {
	{ "\xc3\x9f", "ss" }, /* ß */
	{ "\xe1\xba\x9e", "ss" }, /* its capital */
	{ "\xc5\xbf", "s" }, /* long s */
	{ "\xe2\x84\xaa", "k" }, /* the Kelvin sign */
	{ "\xef\xac\x80", "ff" },  { "\xef\xac\x81", "fi" }, { "\xef\xac\x82", "fl" }, { "\xef\xac\x83", "ffi" },
	{ "\xef\xac\x84", "ffl" }, { "\xef\xac\x85", "st" }, { "\xef\xac\x86", "st" },
};

static const struct fold *fold_at(const char *p, size_t len)
{
	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		size_t n = strlen(folds[i].from);
		if (n <= len && memcmp(folds[i].from, p, n) == 0)
			return &folds[i];
	}
	return NULL;
}

bool mxg_route_fold(char out[256], const char *domain, size_t len)
{
	size_t n = 0;
	bool folded = false;
	for (size_t i = 0; i < len && n < 252; i++) {
		const struct fold *f = (unsigned char)domain[i] < 0x80 ? NULL : fold_at(domain + i, len - i);
		if (f == NULL && (unsigned char)domain[i] >= 0x80)
			return false;
		if (f == NULL) {
			out[n++] = domain[i];
			continue;
		}
		memcpy(out + n, f->to, strlen(f->to));
		n += strlen(f->to);
		i += strlen(f->from) - 1;
		folded = true;
	}
	out[n] = '\0';
	return folded && n < 252;
}

/* ---- what an MTA overlooks --------------------------------------------------------------------- */

/* The length of the comment at p (RFC 5322 §3.2.2); 0: it does not end. */
static size_t comment_length(const char *p, size_t len)
{
	unsigned depth = 0;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\')
			i++;
		else if (p[i] == '(')
			depth++;
		else if (p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static bool is_overlooked(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f || c == '"' || c == '\\';
}

/* Without comments, blanks, quotes and escapes: some MTAs crack a quoted local part open and read
 * it as an address, in which all of them may stand once more. */
static size_t clean(struct mxg_route *out, char *buffer, const char *path, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		size_t comment = path[i] == '(' ? comment_length(path + i, len - i) : 0;
		out->unreadable |= path[i] == ')' || (path[i] == '(' && comment == 0);
		if (comment > 0)
			i += comment - 1;
		else if (!is_overlooked(path[i]))
			buffer[n++] = path[i];
	}
	return n;
}

/* ---- pieces -------------------------------------------------------------------------------------- */

/* The end of the piece at i; a literal may hold what separates elsewhere. */
static size_t piece_end(const char *text, size_t i, size_t len)
{
	const char *closed = i < len && text[i] == '[' ? memchr(text + i, ']', len - i) : NULL;
	if (closed != NULL)
		return (size_t)(closed - text) + 1;
	while (i < len && !is_separator(text[i]))
		i++;
	return i;
}

static bool is_domain(const struct mxg_route_piece *p)
{
	bool literal = p->len > 1 && p->at[0] == '[' && p->at[p->len - 1] == ']';
	for (size_t i = 0; !literal && i < p->len; i++)
		if (!is_name_byte(p->at[i]))
			return false;
	return true;
}

static void add_domain(struct mxg_route *out, struct mxg_route_piece p)
{
	while (p.len > 0 && p.at[p.len - 1] == '.')
		p.len--;
	if (out->count == MXG_ROUTE_MOST || !is_domain(&p)) {
		out->unreadable = true;
		return;
	}
	memmove(out->domains + 1, out->domains, out->count * sizeof(p));
	out->domains[0] = p;
	out->count++;
}

/* There must be one: which of several it is, MTAs may see differently. */
static void add_user(struct mxg_route *out, struct mxg_route_piece p)
{
	if (out->user.at != NULL) {
		out->unreadable = true;
		if (memchr(p.at, '.', p.len) != NULL)
			add_domain(out, p);
		if (memchr(out->user.at, '.', out->user.len) != NULL)
			add_domain(out, out->user);
	}
	out->user = p;
}

/* A route's @ begins a piece; that of an address stands behind its local part, whatever is quoted in that. */
static bool has_outer_domain(const char *path, size_t len)
{
	bool quoted = false;
	for (size_t i = 0; i < len; i++) {
		size_t comment = path[i] == '(' && !quoted ? comment_length(path + i, len - i) : 0;
		quoted ^= path[i] == '"';
		if (path[i] == '@' && !quoted && i > 0 && path[i - 1] != ',' && path[i - 1] != ':')
			return true;
		i += path[i] == '\\' ? 1 : comment > 0 ? comment - 1 : 0;
	}
	return false;
}

void mxg_route_read(struct mxg_route *out, char *buffer, const char *path, size_t len)
{
	char before = ',';
	*out = (struct mxg_route){ 0 };
	size_t n = clean(out, buffer, path, len);
	for (size_t i = 0; i <= n; i++) {
		size_t end = piece_end(buffer, i, n);
		char after = end < n ? buffer[end] : ',';
		struct mxg_route_piece p = { buffer + i, end - i };
		out->unreadable |= !is_separator(after);
		if (before == '@' || before == '%' || after == '!')
			add_domain(out, p);
		else if (p.len > 0)
			add_user(out, p);
		before = after;
		i = end;
	}
	if (out->count > 0 && !has_outer_domain(path, len))
		add_domain(out, (struct mxg_route_piece){ buffer, 0 }); /* to some, the whole is a user of this host */
	out->unreadable |= out->user.at == NULL;
	if (out->unreadable || n != len) /* "post master" is not postmaster */
		out->user = (struct mxg_route_piece){ 0 };
}
