/* SPDX-License-Identifier: MIT */
/* The mechanisms of RFC 7208 §5 that compare the peer with addresses. */
#include <string.h>

#include "spf/walk.h"

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
		if (s->report_self && mxg_prefixes_contain(w->in->self, w->in->self_count, &address))
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

enum mxg_match mxg_walk_void(struct mxg_walk *w, const struct mxg_name *name)
{
	if (mxg_walk_count_void(w))
		return MXG_MATCH_NO;
	mxg_walk_permerror(w, name, MXG_TROUBLE_VOIDS, "more than 2 lookups found nothing");
	return MXG_MATCH_PERMERROR;
}

enum mxg_match mxg_walk_search_peer(struct mxg_walk *w, const struct mxg_name *name)
{
	static const struct mxg_term whole = { .cidr4 = 32, .cidr6 = 128 };
	struct search s = { .term = &whole, .compare = true, .quiet = true };
	search_name(w, &s, name, w->in->peer.family);
	return outcome(&s);
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
		if (mxg_walk_void(w, name) != MXG_MATCH_NO)
			return MXG_MATCH_PERMERROR;
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
		return mxg_walk_void(w, name) == MXG_MATCH_NO ? outcome(&s) : MXG_MATCH_PERMERROR;
	case MXG_GOT_RECORDS:
		break;
	}
	if (mx.count > MXG_WALK_NAMES_MAX) {
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
	return mxg_walk_void(w, name);
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
		return mxg_walk_match_ptr(w, &name, term);
	default:
		return match_exists(w, domain, &name, term);
	}
}
