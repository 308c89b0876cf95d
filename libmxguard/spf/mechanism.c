/* SPDX-License-Identifier: MIT */
/* The mechanisms of RFC 7208 §5 that compare the peer with addresses. */
#include <string.h>

#include "spf/walk.h"

#define NAMES_MAX 10 /* §4.6.4: of an mx (more: permerror) and of a ptr (the rest is ignored) */

/* ---- addresses of a name ----------------------------------------------------------------- */

static uint16_t type_of(int family)
{
	return family == 6 ? MXG_DNS_AAAA : MXG_DNS_A;
}

static bool item_address(struct mxg_address *out, const uint8_t *item, size_t len)
{
	*out = (struct mxg_address){ .family = len == 16 ? 6 : 4 };
	if (len != 4 && len != 16)
		return false;
	memcpy(out->bytes, item, len);
	return true;
}

static bool in_network(const struct mxg_walk *w, const struct mxg_address *network, const struct mxg_term *term)
{
	struct mxg_prefix p = { .base = *network, .bits = network->family == 6 ? term->cidr6 : term->cidr4 };
	return mxg_prefix_contains(&p, &w->in->peer);
}

static bool is_self(const struct mxg_walk *w, const struct mxg_address *a)
{
	for (size_t i = 0; i < w->in->self_count; i++)
		if (mxg_prefix_contains(&w->in->self[i], a))
			return true;
	return false;
}

/* What is being looked for among the addresses of one or more names. */
struct search {
	const struct mxg_term *term;
	const struct mxg_name *domain; /* whose term it is */
	bool foreseeable;
	bool report_self; /* a bare mx term of the configuration */
	bool compare; /* false: only whether it is this server itself */
	bool quiet;
	bool tolerant; /* a failure does not end the search */
	bool any; /* some address was there */
	bool matched, failed, missing;
};

static void look_at_answer(struct mxg_walk *w, struct search *s, const struct mxg_answer *a)
{
	const uint8_t *item;
	size_t at = 0, len;
	struct mxg_address address;
	while (mxg_rrset_next(a->data, a->size, &at, &item, &len)) {
		if (!item_address(&address, item, len))
			continue;
		s->any = true;
		if (s->report_self && is_self(w, &address))
			w->out->mx_is_self = true;
		if (s->compare && in_network(w, &address, s->term))
			s->matched = true;
	}
}

static void search_name(struct mxg_walk *w, struct search *s, const struct mxg_name *name, int family)
{
	struct mxg_answer a;
	bool pending = w->pending;
	enum mxg_got got = mxg_walk_lookup(w, name, type_of(family), s->foreseeable, &a);
	if (got == MXG_GOT_MISSING)
		s->missing = true;
	if (got == MXG_GOT_FAILURE)
		s->failed = true;
	if (got == MXG_GOT_RECORDS)
		look_at_answer(w, s, &a);
	if (!pending && !s->quiet)
		mxg_walk_tell_host(w, s->domain, s->term, name, &a, s->matched ? "match" : "no match");
}

/* Whether the set holds addresses of the family that the peer has not got. */
static void search_other_family(struct mxg_walk *w, const struct search *s, const struct mxg_name *name)
{
	struct search other = *s;
	other.any = other.compare = other.failed = false;
	other.quiet = true;
	if (!w->both_families || w->pending || s->term->qualifier != '+')
		return;
	search_name(w, &other, name, w->in->peer.family == 6 ? 4 : 6);
	w->out->addresses_seen |= other.any;
	w->other_failed |= other.failed;
}

static void note_addresses(struct mxg_walk *w, const struct search *s)
{
	if (s->term->qualifier != '+')
		return;
	if (s->any)
		w->out->addresses_seen = true;
	else if (!s->missing && !s->failed && !w->both_families)
		w->out->other_family_wanted = true;
}

/* In published records the first failure ends the evaluation (§5), and the search with it;
 * among the hosts that the administrator's own term names a match wins over another's trouble. */
static enum mxg_match outcome(const struct search *s)
{
	if (s->matched)
		return MXG_MATCH_YES;
	if (s->failed)
		return MXG_MATCH_TEMPERROR;
	return s->missing ? MXG_MATCH_MISSING : MXG_MATCH_NO;
}

static enum mxg_match void_limit(struct mxg_walk *w, const struct mxg_name *name)
{
	mxg_walk_permerror(w, name, MXG_TROUBLE_VOIDS, "more than 2 lookups found nothing");
	return MXG_MATCH_PERMERROR;
}

/* ---- a ------------------------------------------------------------------------------------- */

static enum mxg_match match_a(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_name *name,
			      const struct mxg_term *term)
{
	struct search s = {
		.term = term, .domain = domain, .foreseeable = mxg_walk_foreseeable(term), .compare = true
	};
	search_name(w, &s, name, w->in->peer.family);
	note_addresses(w, &s);
	if (!s.any && !s.missing && !s.failed) {
		if (!mxg_walk_count_void(w))
			return void_limit(w, name);
		search_other_family(w, &s, name);
	}
	return outcome(&s);
}

/* ---- mx ------------------------------------------------------------------------------------ */

static bool exchange_name(struct mxg_name *out, const uint8_t *item, size_t len)
{
	/* RFC 7505: "." is no host */
	return len > 3 && mxg_name_from_wire(out, item + 2, len - 2);
}

/* In the order of the answer, up to the first match: so the steps are the same however the
 * replies come in. Behind a missing answer the others are only asked for. */
static void search_exchanges(struct mxg_walk *w, struct search *s, const struct mxg_answer *mx)
{
	const uint8_t *item;
	struct mxg_name name;
	size_t at = 0, len;
	while (!s->matched && (s->tolerant || !s->failed) && mxg_rrset_next(mx->data, mx->size, &at, &item, &len))
		if (exchange_name(&name, item, len))
			search_name(w, s, &name, w->in->peer.family);
	note_addresses(w, s);
	for (at = 0; !s->any && !s->failed && mxg_rrset_next(mx->data, mx->size, &at, &item, &len);)
		if (exchange_name(&name, item, len))
			search_other_family(w, s, &name);
}

/* RFC 5321 §5.1: a domain without MX is its own. No gateway then, but perhaps this server. */
static void look_for_implicit_mx(struct mxg_walk *w, struct search *s, const struct mxg_name *name,
				 const struct mxg_answer *mx)
{
	if (!s->report_self || w->in->explicit_self || mx->kind != MXG_ANSWER_NODATA || w->in->self_count == 0)
		return;
	s->compare = false;
	s->quiet = true;
	search_name(w, s, name, w->in->peer.family);
	if (!w->both_families)
		w->out->other_family_wanted |= !s->missing && !s->failed;
	else if (!w->pending)
		search_name(w, s, name, w->in->peer.family == 6 ? 4 : 6);
}

static enum mxg_match match_mx(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_name *name,
			       const struct mxg_term *term)
{
	struct mxg_answer mx;
	struct search s = { .term = term,
			    .domain = domain,
			    .tolerant = w->depth == 0,
			    .foreseeable = mxg_walk_foreseeable(term),
			    .report_self = w->depth == 0 && term->target == NULL,
			    .compare = true };
	switch (mxg_walk_lookup(w, name, MXG_DNS_MX, s.foreseeable, &mx)) {
	case MXG_GOT_FAILURE:
		return MXG_MATCH_TEMPERROR;
	case MXG_GOT_MISSING:
		return MXG_MATCH_MISSING;
	case MXG_GOT_NOTHING:
		mxg_walk_tell_host(w, domain, term, name, &mx, "no match");
		look_for_implicit_mx(w, &s, name, &mx);
		return mxg_walk_count_void(w) ? outcome(&s) : void_limit(w, name);
	case MXG_GOT_RECORDS:
		break;
	}
	if (mx.count > NAMES_MAX) {
		mxg_walk_permerror(w, name, MXG_TROUBLE_MX_NAMES, "more than 10 names in an MX set");
		return MXG_MATCH_PERMERROR;
	}
	search_exchanges(w, &s, &mx);
	return outcome(&s);
}

/* ---- exists -------------------------------------------------------------------------------- */

static enum mxg_match match_exists(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_name *name,
				   const struct mxg_term *term)
{
	struct mxg_answer a;
	if (term->qualifier == '+')
		w->out->addresses_seen = true; /* it answers for each peer: its "no" is one */
	enum mxg_got got = mxg_walk_lookup(w, name, MXG_DNS_A, mxg_walk_foreseeable(term), &a);
	mxg_walk_tell_host(w, domain, term, name, &a, got == MXG_GOT_RECORDS ? "match" : "no match");
	switch (got) {
	case MXG_GOT_RECORDS:
		return MXG_MATCH_YES;
	case MXG_GOT_FAILURE:
		return MXG_MATCH_TEMPERROR;
	case MXG_GOT_MISSING:
		return MXG_MATCH_MISSING;
	case MXG_GOT_NOTHING:
		break;
	}
	return mxg_walk_count_void(w) ? MXG_MATCH_NO : void_limit(w, name);
}

/* ---- ptr and %{p} (§5.5) ------------------------------------------------------------------- */

static bool reverse_name(const struct mxg_address *a, struct mxg_name *out)
{
	static const char hex[] = "0123456789abcdef";
	char text[100];
	size_t at = 0;
	if (a->family == 6) {
		for (int i = 15; i >= 0; i--) {
			text[at++] = hex[a->bytes[i] & 15];
			text[at++] = '.';
			text[at++] = hex[a->bytes[i] >> 4];
			text[at++] = '.';
		}
		memcpy(text + at, "ip6.arpa", 8);
		return mxg_name_from_text(out, text, at + 8);
	}
	struct mxg_address turned = { .family = 4 };
	for (int i = 0; i < 4; i++)
		turned.bytes[i] = a->bytes[3 - i];
	mxg_address_format(&turned, text);
	at = strlen(text);
	memcpy(text + at, ".in-addr.arpa", 13);
	return mxg_name_from_text(out, text, at + 13);
}

/* The first ten names that resolve back to the peer; a DNS error only makes a name not
 * validated, for the client's reverse zone is the client's affair (§5.5). */
struct validation {
	const struct mxg_name *within; /* what a name should be, or stand below */
	const struct mxg_term *term; /* the ptr that asks; NULL: a %{p} */
	const struct mxg_name *domain;
	struct mxg_name exact, below, any; /* the first of each kind; len 0: none */
	bool missing, nothing, failed;
};

static void consider(struct mxg_walk *w, struct validation *v, const struct mxg_name *name)
{
	static const struct mxg_term whole = { .cidr4 = 32, .cidr6 = 128 };
	struct search s = { .term = &whole, .compare = true, .quiet = true };
	search_name(w, &s, name, w->in->peer.family);
	v->missing |= s.missing;
	v->failed |= s.failed;
	if (!s.matched)
		return;
	if (v->any.len == 0)
		v->any = *name;
	if (v->exact.len == 0 && mxg_name_equal(name, v->within))
		v->exact = *name;
	else if (v->below.len == 0 && mxg_name_within(name, v->within))
		v->below = *name;
}

/* Nothing that the other names say could change it. */
static bool is_concluded(const struct validation *v)
{
	return v->exact.len > 0 || (v->term != NULL && v->below.len > 0);
}

static void consider_all(struct mxg_walk *w, struct validation *v, const struct mxg_answer *ptr)
{
	struct mxg_name name;
	const uint8_t *item;
	size_t at = 0, len;
	bool missing = false;
	for (unsigned n = 0;
	     n < NAMES_MAX && !is_concluded(v) && mxg_rrset_next(ptr->data, ptr->size, &at, &item, &len); n++) {
		if (!mxg_name_from_wire(&name, item, len))
			continue;
		w->pending = false; /* the names of one set are asked for together */
		consider(w, v, &name);
		missing |= w->pending;
	}
	w->pending = missing;
}

static void validate_names(struct mxg_walk *w, struct validation *v)
{
	struct mxg_answer ptr;
	struct mxg_name reverse;
	if (w->in->peer.family == 0 || !reverse_name(&w->in->peer, &reverse))
		return;
	enum mxg_got got = mxg_walk_lookup(w, &reverse, MXG_DNS_PTR, false, &ptr);
	v->missing = got == MXG_GOT_MISSING;
	v->nothing = got == MXG_GOT_NOTHING;
	v->failed = got == MXG_GOT_FAILURE;
	if (got == MXG_GOT_RECORDS)
		consider_all(w, v, &ptr);
}

/* Published: an error does not match, and that is all (§5.5). The administrator's own term may
 * be about a gateway with a lame reverse zone: trouble there is no definite "no". */
static enum mxg_match match_ptr(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_name *name,
				const struct mxg_term *term)
{
	struct validation v = { .within = name, .term = term, .domain = domain };
	if (term->qualifier == '+')
		w->out->addresses_seen = true;
	validate_names(w, &v);
	if (v.missing)
		return MXG_MATCH_MISSING;
	if (v.nothing && !mxg_walk_count_void(w))
		return void_limit(w, name);
	if (is_concluded(&v))
		return MXG_MATCH_YES;
	return v.failed && w->depth == 0 ? MXG_MATCH_TEMPERROR : MXG_MATCH_NO;
}

bool mxg_walk_validated_name(struct mxg_walk *w, const struct mxg_name *domain, char out[256])
{
	struct validation v = { .within = domain };
	validate_names(w, &v);
	if (v.missing)
		return false;
	const struct mxg_name *best = v.exact.len > 0 ? &v.exact : v.below.len > 0 ? &v.below : &v.any;
	size_t at = 0, n = 0;
	if (best->len == 0)
		return true;
	for (; at < best->len && best->wire[at] != 0; at += 1u + best->wire[at]) {
		if (n > 0)
			out[n++] = '.';
		memcpy(out + n, best->wire + at + 1, best->wire[at]);
		n += best->wire[at];
	}
	out[n] = '\0';
	return true;
}

/* ---- all of them ------------------------------------------------------------------------------ */

static enum mxg_match match_prefix(struct mxg_walk *w, const struct mxg_term *term)
{
	if (term->qualifier == '+')
		w->out->addresses_seen = true;
	return mxg_prefix_contains(&term->prefix, &w->in->peer) ? MXG_MATCH_YES : MXG_MATCH_NO;
}

enum mxg_match mxg_walk_mechanism(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	struct mxg_name name;
	if (term->mechanism == MXG_MECHANISM_IP4 || term->mechanism == MXG_MECHANISM_IP6)
		return match_prefix(w, term);
	if (term->mechanism == MXG_MECHANISM_ALL) {
		w->out->addresses_seen |= term->qualifier == '+';
		return MXG_MATCH_YES;
	}
	switch (mxg_walk_target(w, domain, term->target, term->target_len, &name)) {
	case MXG_TARGET_NO_NAME: /* §4.8: a name that DNS cannot have does not match */
		return MXG_MATCH_NO;
	case MXG_TARGET_CLIENT_CHOSEN:
		return MXG_MATCH_CLIENT_CHOSEN;
	case MXG_TARGET_MISSING:
		return MXG_MATCH_MISSING;
	case MXG_TARGET_NAME:
		break;
	}
	switch (term->mechanism) {
	case MXG_MECHANISM_A:
		return match_a(w, domain, &name, term);
	case MXG_MECHANISM_MX:
		return match_mx(w, domain, &name, term);
	case MXG_MECHANISM_PTR:
		return match_ptr(w, domain, &name, term);
	default:
		return match_exists(w, domain, &name, term);
	}
}
