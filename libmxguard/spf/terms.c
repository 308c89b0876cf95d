/* SPDX-License-Identifier: MIT */
/* RFC 7208's terms, as §12 spells them. One grammar for both sources; what the
 * configuration may not have is refused on top of it. */
#include "spf/terms.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/grow.h"
#include "spf/macro.h"

struct cursor {
	const char *at, *end;
	struct mxg_term_error *error;
};

static bool fail(struct cursor *c, const char *at, size_t len, const char *what)
{
	*c->error = (struct mxg_term_error){ .at = at, .at_len = len, .what = what };
	return false;
}

static bool fail_rest(struct cursor *c, const char *what)
{
	return fail(c, c->at, (size_t)(c->end - c->at), what);
}

/* ---- CIDR lengths (§12: no leading zeros) ---------------------------------------------- */

static bool cidr_number(const char *text, size_t len, unsigned most, uint8_t *out)
{
	unsigned value = 0;
	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	*out = (uint8_t)value;
	return value <= most;
}

/* Where a trailing "/digits" begins, at `slashes` slashes; NULL: there is none. */
static const char *trailing_cidr(const char *from, const char *end, size_t slashes)
{
	const char *p = end;
	while (p > from && mxg_ascii_is_digit(p[-1]))
		p--;
	if ((size_t)(p - from) < slashes)
		return NULL;
	for (size_t i = 1; i <= slashes; i++)
		if (p[-(ptrdiff_t)i] != '/')
			return NULL;
	return p - slashes;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]; cut from the end. */
static bool take_dual_cidr(struct cursor *c, struct mxg_term *out)
{
	const char *start = trailing_cidr(c->at, c->end, 2);
	out->cidr4 = 32;
	out->cidr6 = 128;
	if (start != NULL) {
		if (!cidr_number(start + 2, (size_t)(c->end - start) - 2, 128, &out->cidr6))
			return fail(c, start, (size_t)(c->end - start), "the IPv6 prefix length must be 0 to 128");
		c->end = start;
	}
	start = trailing_cidr(c->at, c->end, 1);
	if (start != NULL) {
		if (!cidr_number(start + 1, (size_t)(c->end - start) - 1, 32, &out->cidr4))
			return fail(c, start, (size_t)(c->end - start), "the IPv4 prefix length must be 0 to 32");
		c->end = start;
	}
	return true;
}

/* ---- targets ------------------------------------------------------------------------------ */

static bool take_domain_spec(struct cursor *c, struct mxg_term *out)
{
	size_t len = (size_t)(c->end - c->at);
	const char *what = mxg_macro_check_domain_spec(c->at, len);
	if (what != NULL)
		return fail_rest(c, what);
	out->target = c->at;
	out->target_len = len;
	return true;
}

static bool required_target(struct cursor *c, struct mxg_term *out)
{
	if (c->at == c->end || *c->at != ':')
		return fail_rest(c, "a ':' and a domain name must follow");
	c->at++;
	return take_domain_spec(c, out);
}

static bool optional_target(struct cursor *c, struct mxg_term *out)
{
	return c->at == c->end ? true : required_target(c, out);
}

static bool no_argument(struct cursor *c, struct mxg_term *out)
{
	(void)out;
	return c->at == c->end ? true : fail_rest(c, "this takes no argument");
}

static bool target_and_cidr(struct cursor *c, struct mxg_term *out)
{
	return take_dual_cidr(c, out) && optional_target(c, out);
}

/* ---- ip4, ip6 --------------------------------------------------------------------------------- */

static void clear_host_bits(struct mxg_prefix *p)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = p->bits >= (i + 1) * 8 ? 8 : p->bits > i * 8 ? p->bits - i * 8u : 0;
		p->base.bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
}

/* The address is not folded here: a published ip6:::ffff:… is about IPv6 (§5.6), and an
 * IPv4 peer is not covered by it. */
static bool take_network(struct cursor *c, struct mxg_term *out, int family)
{
	char text[48];
	unsigned full = family == AF_INET ? 32 : 128;
	if (c->at == c->end || *c->at != ':')
		return fail_rest(c, "a ':' and an address must follow");
	c->at++;
	const char *slash = memchr(c->at, '/', (size_t)(c->end - c->at));
	size_t len = (size_t)((slash == NULL ? c->end : slash) - c->at);
	out->prefix.bits = (uint8_t)full;
	if (slash != NULL) {
		size_t digits = (size_t)(c->end - slash) - 1;
		for (size_t i = 0; i < digits; i++)
			if (!mxg_ascii_is_digit(slash[1 + i]))
				digits = 0;
		if (!cidr_number(slash + 1, digits, full, &out->prefix.bits))
			return fail(c, slash, (size_t)(c->end - slash),
				    family == AF_INET ? "the prefix length must be 0 to 32"
						      : "the prefix length must be 0 to 128");
	}
	if (len == 0 || len >= sizeof(text))
		return fail_rest(c, "this is not an address");
	memcpy(text, c->at, len);
	text[len] = '\0';
	if (strlen(text) != len || inet_pton(family, text, out->prefix.base.bytes) != 1)
		return fail_rest(c, family == AF_INET ? "this is not an IPv4 address" : "this is not an IPv6 address");
	out->prefix.base.family = family == AF_INET ? 4 : 6;
	clear_host_bits(&out->prefix);
	return true;
}

static bool take_ip4(struct cursor *c, struct mxg_term *out)
{
	return take_network(c, out, AF_INET);
}

static bool take_ip6(struct cursor *c, struct mxg_term *out)
{
	return take_network(c, out, AF_INET6);
}

/* ---- one mechanism ---------------------------------------------------------------------------- */

static const struct mechanism {
	const char *name;
	enum mxg_mechanism number;
	bool (*take)(struct cursor *, struct mxg_term *);
} mechanisms[] = {
	{ "all", MXG_MECHANISM_ALL, no_argument },     { "include", MXG_MECHANISM_INCLUDE, required_target },
	{ "a", MXG_MECHANISM_A, target_and_cidr },     { "mx", MXG_MECHANISM_MX, target_and_cidr },
	{ "ptr", MXG_MECHANISM_PTR, optional_target }, { "ip4", MXG_MECHANISM_IP4, take_ip4 },
	{ "ip6", MXG_MECHANISM_IP6, take_ip6 },        { "exists", MXG_MECHANISM_EXISTS, required_target },
};

static const struct mechanism *find_mechanism(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (mxg_ascii_is(name, len, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

static bool take_mechanism(struct cursor *c, struct mxg_term *out)
{
	const char *start = c->at;
	*out = (struct mxg_term){ .qualifier = '+', .text = c->at, .text_len = (size_t)(c->end - c->at) };
	if (c->at < c->end && memchr("+-~?", *c->at, 4) != NULL)
		out->qualifier = *c->at++;
	const char *name = c->at;
	while (c->at < c->end && *c->at != ':' && *c->at != '/')
		c->at++;
	const struct mechanism *m = find_mechanism(name, (size_t)(c->at - name));
	if (m == NULL)
		return fail(c, start, (size_t)(c->end - start),
			    "unknown mechanism; known are ip4 ip6 a mx include exists ptr all");
	out->mechanism = m->number;
	return m->take(c, out);
}

bool mxg_term_parse_configured(struct mxg_term *out, const char *text, size_t len, bool insecure_macros,
			       struct mxg_term_error *error)
{
	struct cursor c = { .at = text, .end = text + len, .error = error };
	if (mxg_macro_modifier_name(text, len) > 0)
		return fail_rest(&c, "modifiers such as redirect= belong into published records");
	if (!take_mechanism(&c, out))
		return false;
	if (out->qualifier != '+')
		return fail(&c, text, len, "only '+' (or no) qualifier: an entry says who is a gateway");
	if (out->mechanism == MXG_MECHANISM_IP4 || out->mechanism == MXG_MECHANISM_IP6) {
		const char *address = (const char *)memchr(text, ':', len) + 1;
		enum mxg_prefix_error bad = mxg_prefix_parse(&out->prefix, address, len - (size_t)(address - text));
		if (bad == MXG_PREFIX_HOST_BITS)
			return fail(&c, address, len - (size_t)(address - text), MXG_TERM_HOST_BITS);
		if (bad != MXG_PREFIX_OK)
			return fail(&c, text, len, "this is not an address range");
	}
	if (out->target != NULL && !insecure_macros && mxg_target_ends_in_macro(out->target, out->target_len))
		return fail(&c, text, len,
			    "the target must end in two literal labels or in %{d}: otherwise the client "
			    "chooses whose DNS is asked");
	return true;
}

/* ---- published records ------------------------------------------------------------------------- */

static bool take_modifier(struct cursor *c, struct mxg_record *r, size_t name_len, bool *seen_exp)
{
	const char *start = c->at, *value = c->at + name_len + 1;
	size_t len = (size_t)(c->end - value);
	const char *what = NULL;
	if (mxg_ascii_is(start, name_len, "redirect")) {
		what = r->redirect != NULL ? "redirect= stands twice" : mxg_macro_check_domain_spec(value, len);
		r->redirect = value;
		r->redirect_len = len;
	} else if (mxg_ascii_is(start, name_len, "exp")) {
		what = *seen_exp ? "exp= stands twice" : mxg_macro_check_domain_spec(value, len);
		*seen_exp = true;
	} else {
		what = mxg_macro_check_string(value, len);
	}
	return what == NULL ? true : fail_rest(c, what);
}

static enum mxg_record_result add_term(struct mxg_record *r, const struct mxg_term *term, size_t *room)
{
	if (!mxg_grow(&r->terms, room, r->count, sizeof(*r->terms)))
		return MXG_RECORD_NOMEM;
	r->terms[r->count++] = *term;
	return MXG_RECORD_OK;
}

enum mxg_record_result mxg_record_parse(struct mxg_record *out, const char *text, size_t len,
					struct mxg_term_error *error)
{
	const char *end = text + len, *p = text + 6; /* behind v=spf1 */
	bool seen_exp = false;
	size_t room = 0;
	*out = (struct mxg_record){ .text = text, .text_len = len };
	while (p < end) {
		struct mxg_term term;
		size_t n = 0;
		for (; p < end && *p == ' '; p++)
			;
		while (p + n < end && p[n] != ' ')
			n++;
		struct cursor c = { .at = p, .end = p + n, .error = error };
		size_t name = mxg_macro_modifier_name(p, n);
		bool good = n == 0 || (name > 0 ? take_modifier(&c, out, name, &seen_exp) : take_mechanism(&c, &term));
		if (!good)
			return MXG_RECORD_SYNTAX;
		if (n > 0 && name == 0 && add_term(out, &term, &room) != MXG_RECORD_OK)
			return MXG_RECORD_NOMEM;
		p += n;
	}
	return MXG_RECORD_OK;
}

void mxg_record_clear(struct mxg_record *record)
{
	free(record->terms);
	*record = (struct mxg_record){ 0 };
}

bool mxg_term_is_wide(const struct mxg_term *term, int family)
{
	unsigned narrow = family == 6 ? MXG_NARROW_IPV6 : MXG_NARROW_IPV4;
	switch (term->mechanism) {
	case MXG_MECHANISM_ALL:
		return true;
	case MXG_MECHANISM_IP4:
	case MXG_MECHANISM_IP6:
		return term->prefix.base.family == family && term->prefix.bits < narrow;
	case MXG_MECHANISM_A:
	case MXG_MECHANISM_MX:
		return (family == 6 ? term->cidr6 : term->cidr4) < narrow;
	default:
		return false;
	}
}
