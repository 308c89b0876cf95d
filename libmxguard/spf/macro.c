/* SPDX-License-Identifier: MIT */
#include "spf/macro.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "spf/terms.h"

static bool is_delimiter(char c)
{
	return c != '\0' && strchr(".-+,/_=", c) != NULL;
}

/* ---- syntax ----------------------------------------------------------------------- */

/* %{letter digits r delimiters}, taken apart. */
struct macro {
	char letter; /* lower case; '%', '_' or '-' for %%, %_, %- */
	bool escape; /* upper-case letter: URL escape */
	unsigned keep; /* right-hand parts; 0: all */
	bool reverse;
	const char *delimiters;
	size_t delimiter_count;
};

/* Takes the macro at p (which is a '%'); returns its length, 0 where it is none. */
static size_t take_macro(const char *p, size_t len, struct macro *m)
{
	size_t at = 3;
	*m = (struct macro){ 0 };
	if (len >= 2 && (p[1] == '%' || p[1] == '_' || p[1] == '-')) {
		m->letter = p[1];
		return 2;
	}
	if (len < 4 || p[1] != '{' || p[2] == '\0' || strchr("slodipvhcrt", mxg_ascii_lower(p[2])) == NULL)
		return 0;
	m->letter = mxg_ascii_lower(p[2]);
	m->escape = m->letter != p[2];
	bool digits = false;
	for (; at < len && mxg_ascii_is_digit(p[at]); at++) {
		m->keep = m->keep > 999 ? m->keep : m->keep * 10 + (unsigned)(p[at] - '0');
		digits = true;
	}
	if (digits && m->keep == 0) /* §7.3: DIGIT must be non-zero */
		return 0;
	if (at < len && mxg_ascii_lower(p[at]) == 'r') {
		m->reverse = true;
		at++;
	}
	m->delimiters = p + at;
	while (at < len && is_delimiter(p[at]))
		at++;
	m->delimiter_count = (size_t)(p + at - m->delimiters);
	return at < len && p[at] == '}' ? at + 1 : 0;
}

static const char *check_string(const char *text, size_t len, size_t *last_macro_end)
{
	struct macro m;
	*last_macro_end = 0;
	for (size_t i = 0; i < len;) {
		if (text[i] != '%') {
			if (text[i] < 0x21 || text[i] > 0x7e)
				return "only printable ASCII may stand here";
			i++;
			continue;
		}
		size_t n = take_macro(text + i, len - i, &m);
		if (n == 0)
			return "this is no macro of RFC 7208, section 7";
		if (strchr("crt", m.letter) != NULL)
			return "%{c}, %{r} and %{t} belong to explanations only";
		i += n;
		*last_macro_end = i;
	}
	return NULL;
}

const char *mxg_macro_check_string(const char *text, size_t len)
{
	size_t end;
	return check_string(text, len, &end);
}

/* toplabel: letters, digits and inner hyphens, not digits alone (§7.1). */
static bool is_toplabel(const char *label, size_t len)
{
	bool other_than_digit = false;
	if (len == 0 || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!mxg_ascii_is_alpha(label[i]) && !mxg_ascii_is_digit(label[i]) && label[i] != '-')
			return false;
		other_than_digit |= !mxg_ascii_is_digit(label[i]);
	}
	return other_than_digit;
}

const char *mxg_macro_check_domain_spec(const char *text, size_t len)
{
	size_t macro_end;
	const char *what = check_string(text, len, &macro_end);
	if (what != NULL)
		return what;
	if (len == 0)
		return "a domain name must stand here";
	if (macro_end == len)
		return NULL;
	size_t end = text[len - 1] == '.' ? len - 1 : len, start = end;
	while (start > macro_end && text[start - 1] != '.')
		start--;
	if (start == macro_end || !is_toplabel(text + start, end - start))
		return "a domain name must end in a macro or in a dot and a top-level name";
	return NULL;
}

size_t mxg_macro_modifier_name(const char *text, size_t len)
{
	size_t n = 0;
	if (len == 0 || !mxg_ascii_is_alpha(text[0]))
		return 0;
	while (n < len && (mxg_ascii_is_alpha(text[n]) || mxg_ascii_is_digit(text[n]) ||
			   (text[n] != '\0' && strchr("-_.", text[n]) != NULL)))
		n++;
	return n < len && text[n] == '=' ? n : 0;
}

bool mxg_macro_uses(const char *text, size_t len, const char *letters)
{
	struct macro m;
	for (size_t i = 0; i < len;) {
		size_t n = text[i] == '%' ? take_macro(text + i, len - i, &m) : 0;
		if (n > 2 && strchr(letters, m.letter) != NULL)
			return true;
		i += n == 0 ? 1 : n;
	}
	return false;
}

/* Text behind the last macro of `letters`, which fixes whose zone is asked: two literal labels
 * of their own, or the whole of %{d}. */
static bool tail_is_fixed(const char *target, size_t len, const char *letters)
{
	struct macro m;
	bool found = false, fixed = true;
	size_t dots = 0;
	size_t stop = len > 0 && target[len - 1] == '.' ? len - 1 : len;
	for (size_t i = 0; i < stop;) {
		size_t n = target[i] == '%' ? take_macro(target + i, stop - i, &m) : 0;
		bool whole_domain = n > 2 && m.letter == 'd' && !m.reverse && m.keep != 1 && m.delimiter_count == 0 &&
				    (i == 0 || target[i - 1] == '.');
		if (n > 2 && strchr(letters, m.letter) != NULL && !whole_domain) {
			found = true;
			fixed = false;
			dots = 0;
		} else if (whole_domain || (n == 0 && target[i] == '.' && ++dots >= 2)) {
			fixed = true;
		}
		i += n == 0 ? 1 : n;
	}
	return !found || fixed;
}

bool mxg_target_ends_client_chosen(const char *target, size_t len)
{
	return !tail_is_fixed(target, len, "slohp");
}

bool mxg_target_ends_in_macro(const char *target, size_t len)
{
	return !tail_is_fixed(target, len, "slodipvhcrt");
}

bool mxg_target_per_message(const char *target, size_t len)
{
	return mxg_macro_uses(target, len, "slohipvcrt");
}

/* ---- expansion ----------------------------------------------------------------------- */

/* Only the right-hand end of an expansion can come into a query, so only that is kept. */
struct output {
	char text[1024];
	size_t len;
};

#define TAIL 320 /* more than a name, with its trailing dot */
#define VALUE_MAX 640 /* local part, '@' and domain are shorter (RFC 5321 §4.5.3.1) */

static void put(struct output *out, const char *text, size_t len)
{
	if (len > sizeof(out->text) - out->len) {
		memmove(out->text, out->text + out->len - TAIL, TAIL);
		out->len = TAIL;
	}
	memcpy(out->text + out->len, text, len);
	out->len += len;
}

/* §7.3: everything but RFC 3986's unreserved characters. */
static void put_escaped(struct output *out, const char *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (mxg_ascii_is_alpha(c) || mxg_ascii_is_digit(c) || (c != '\0' && strchr("-._~", c) != NULL)) {
			put(out, &c, 1);
		} else {
			char escaped[3] = { '%', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 15] };
			put(out, escaped, 3);
		}
	}
}

static bool splits(const struct macro *m, char c)
{
	if (m->delimiter_count == 0)
		return c == '.';
	return memchr(m->delimiters, c, m->delimiter_count) != NULL;
}

struct part {
	uint16_t at, len;
};

static size_t split(const struct macro *m, const char *value, struct part parts[VALUE_MAX + 1])
{
	size_t count = 0, start = 0, len = strnlen(value, VALUE_MAX);
	for (size_t i = 0; i <= len; i++) {
		if (i < len && !splits(m, value[i]))
			continue;
		parts[count++] = (struct part){ (uint16_t)start, (uint16_t)(i - start) };
		start = i + 1;
	}
	return count;
}

/* Split at the delimiters, reverse, keep the right-hand parts, join with dots (§7.3). */
static void put_value(struct output *out, const struct macro *m, const char *value)
{
	struct part parts[VALUE_MAX + 1];
	size_t count = split(m, value, parts);
	size_t kept = m->keep == 0 || m->keep > count ? count : m->keep;
	for (size_t i = count - kept; i < count; i++) {
		const struct part *part = &parts[m->reverse ? count - 1 - i : i];
		if (i > count - kept)
			put(out, ".", 1);
		if (m->escape)
			put_escaped(out, value + part->at, part->len);
		else
			put(out, value + part->at, part->len);
	}
}

/* %{i}: dotted quad, or the nibbles of IPv6 between dots (§7.3). */
static void dotted(const struct mxg_address *a, char out[64])
{
	static const char hex[] = "0123456789abcdef";
	if (a->family != 6) {
		mxg_address_format(a, out);
		return;
	}
	for (size_t i = 0; i < 16; i++) {
		out[i * 4] = hex[a->bytes[i] >> 4];
		out[i * 4 + 1] = '.';
		out[i * 4 + 2] = hex[a->bytes[i] & 15];
		out[i * 4 + 3] = i == 15 ? '\0' : '.';
	}
}

static void put_macro(struct output *out, const struct macro *m, const struct mxg_macro_values *v)
{
	char buf[700];
	switch (m->letter) {
	case '%':
		put(out, "%", 1);
		return;
	case '_':
		put(out, " ", 1);
		return;
	case '-':
		put(out, "%20", 3);
		return;
	case 's':
		snprintf(buf, sizeof(buf), "%.320s@%.320s", v->sender_local, v->sender_domain);
		put_value(out, m, buf);
		return;
	case 'i':
		dotted(&v->peer, buf);
		put_value(out, m, buf);
		return;
	case 'l':
		put_value(out, m, v->sender_local);
		return;
	case 'o':
		put_value(out, m, v->sender_domain);
		return;
	case 'd':
		put_value(out, m, v->domain);
		return;
	case 'h':
		put_value(out, m, v->helo);
		return;
	case 'p':
		put_value(out, m, v->validated);
		return;
	case 'v':
		put_value(out, m, v->peer.family == 6 ? "ip6" : "in-addr");
		return;
	default:
		return;
	}
}

bool mxg_macro_expand(char out[254], size_t *out_len, const char *text, size_t len,
		      const struct mxg_macro_values *values)
{
	struct output o = { .len = 0 };
	struct macro m;
	for (size_t i = 0; i < len;) {
		size_t n = text[i] == '%' ? take_macro(text + i, len - i, &m) : 0;
		if (n == 0)
			put(&o, text + i++, 1);
		else
			put_macro(&o, &m, values);
		i += n;
	}
	if (o.len > 0 && o.text[o.len - 1] == '.')
		o.len--;
	const char *start = o.text, *end = o.text + o.len;
	while (end - start > 253) { /* labels are cut from the left until it fits */
		const char *dot = memchr(start, '.', (size_t)(end - start));
		if (dot == NULL)
			return false;
		start = dot + 1;
	}
	*out_len = (size_t)(end - start);
	memcpy(out, start, *out_len);
	out[*out_len] = '\0';
	return true;
}

bool mxg_macro_reverse_name(struct mxg_name *out, const struct mxg_address *address)
{
	static const char reverse[] = "%{ir}.%{v}.arpa";
	struct mxg_macro_values values = { .peer = *address };
	char text[254];
	size_t len;
	return mxg_macro_expand(text, &len, reverse, sizeof(reverse) - 1, &values) &&
	       mxg_name_from_text(out, text, len);
}

unsigned mxg_macro_peer_bits(const char *text, size_t len, const struct mxg_macro_values *values)
{
	char one[254], other[254];
	size_t one_len, other_len;
	unsigned bits = 0, step = values->peer.family == 6 ? 4 : 8; /* §7.3: nibbles, octets */
	if (!mxg_macro_expand(one, &one_len, text, len, values))
		return 0;
	for (unsigned at = 0; at < (values->peer.family == 6 ? 128 : 32); at += step) {
		struct mxg_macro_values changed = *values;
		changed.peer.bytes[at / 8] ^= (uint8_t)(at % 8 == 0 && step == 4 ? 0x10 : 1);
		if (!mxg_macro_expand(other, &other_len, text, len, &changed) || other_len != one_len ||
		    memcmp(one, other, one_len) != 0)
			bits += step;
	}
	return bits;
}
