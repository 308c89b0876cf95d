/* SPDX-License-Identifier: MIT */
/* ptr and %{p} (RFC 7208 §5.5, §7.3): what no snapshot can hold, so each has to ask. */
#include <string.h>

#include "spf/walk.h"

/* The first ten names that resolve back to the peer; a DNS error only makes a name not
 * validated, for the client's reverse zone is the client's affair (§5.5). */
struct validation {
	const struct mxg_name *within; /* what a name should be, or stand below */
	bool any_below; /* a ptr asks, to which the first name below is as good as the exact one; else a %{p} */
	struct mxg_name exact, below, any; /* the first of each kind; len 0: none */
	bool missing, nothing, failed;
};

static void consider(struct mxg_walk *w, struct validation *v, const struct mxg_name *name)
{
	enum mxg_match match = mxg_walk_search_peer(w, name);
	v->missing |= match == MXG_MATCH_MISSING;
	v->failed |= match == MXG_MATCH_TEMPERROR;
	if (match != MXG_MATCH_YES)
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
	return v->exact.len > 0 || (v->any_below && v->below.len > 0);
}

static void consider_all(struct mxg_walk *w, struct validation *v, const struct mxg_answer *ptr)
{
	struct mxg_name name;
	const uint8_t *item;
	size_t at = 0, len;
	bool missing = false;
	for (unsigned n = 0;
	     n < MXG_WALK_NAMES_MAX && !is_concluded(v) && mxg_rrset_next(ptr->data, ptr->size, &at, &item, &len);
	     n++) {
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
	if (w->in->peer.family == 0 || !mxg_macro_reverse_name(&reverse, &w->in->peer))
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
enum mxg_match mxg_walk_match_ptr(struct mxg_walk *w, const struct mxg_name *name, const struct mxg_term *term)
{
	struct validation v = { .within = name, .any_below = true };
	if (term->qualifier == '+')
		w->out->addresses_seen = true;
	validate_names(w, &v);
	if (v.missing)
		return MXG_MATCH_MISSING;
	if (v.nothing && mxg_walk_void(w, name) != MXG_MATCH_NO)
		return MXG_MATCH_PERMERROR;
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
