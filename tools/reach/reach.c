/* SPDX-License-Identifier: MIT */
/* The walk of everything that a configuration reaches for one domain; see reach.h. */
#include "reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spf/evaluate.h"
#include "spf/macro.h"
#include "base/grow.h"
#include "base/neuter.h"

/* RFC 7208 §4.6.4 allows 10, but a peer for which an included record ends early has used up
 * fewer of them: the walk, which is for all peers, has to look further. */
#define LOOKUPS_MAX 100
#define DEPTH_MAX 12
#define MX_NAMES_MAX 10
#define RANGES_MAX 65536 /* hostile records */

/* What the terms above have in common. */
struct level {
	const struct mxg_name *domain;
	const char *via;
	bool pass;
	int64_t learned, expires;
	bool stale;
};

struct walk {
	struct mxg_reach *out;
	struct mxg_answers *answers;
	const struct mxg_reach_input *in;
	uint32_t term; /* of the configuration */
	unsigned lookups;
	unsigned depth;
	const struct mxg_name *open[DEPTH_MAX];
	bool pending, nomem;
};

void mxg_reach_clear(struct mxg_reach *r)
{
	mxg_arena_free(&r->arena);
	free(r->ranges);
	free(r->gaps);
	free(r->records);
	*r = (struct mxg_reach){ 0 };
}

/* ---- text ------------------------------------------------------------------------------- */

static const char *keep(struct walk *w, const char *text)
{
	const char *copy = mxg_arena_text(&w->out->arena, text, strlen(text));
	if (copy == NULL)
		w->nomem = true;
	return copy == NULL ? "" : copy;
}

static const char *term_text(struct walk *w, const char *text, size_t len, const struct mxg_name *host)
{
	char clean[512], name[MXG_NAME_TEXT_MAX], both[sizeof(clean) + sizeof(name) + 4];
	mxg_neuter(clean, sizeof(clean), text, len, "");
	if (host == NULL)
		return keep(w, clean);
	snprintf(both, sizeof(both), "%s (%s)", clean, mxg_name_format(host, name));
	return keep(w, both);
}

static const char *longer_via(struct walk *w, const char *via, const char *text, size_t len)
{
	char clean[512], both[4096];
	mxg_neuter(clean, sizeof(clean), text, len, "");
	snprintf(both, sizeof(both), "%s%s%s", via, via[0] == '\0' ? "" : " > ", clean);
	return keep(w, both);
}

/* ---- what is found ------------------------------------------------------------------------ */

static void clear_host_bits(struct mxg_prefix *p)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned first = i * 8;
		if (first >= p->bits)
			p->base.bytes[i] = 0;
		else if (p->bits - first < 8)
			p->base.bytes[i] &= (uint8_t)(0xff << (8 - (p->bits - first)));
	}
}

static void add_range(struct walk *w, const struct level *l, const struct mxg_term *term,
		      const struct mxg_prefix *prefix, const struct mxg_name *host)
{
	struct mxg_reach *r = w->out;
	if (r->range_count >= RANGES_MAX || !mxg_grow(&r->ranges, &r->range_room, r->range_count, sizeof(*r->ranges))) {
		w->nomem = true;
		return;
	}
	struct mxg_reach_range *range = &r->ranges[r->range_count++];
	*range = (struct mxg_reach_range){
		.prefix = *prefix,
		.term = w->term,
		.pass = l->pass && term->qualifier == '+',
		.via = l->via,
		.text = term_text(w, term->text, term->text_len, host),
		.learned = l->learned,
		.expires = l->expires,
		.stale = l->stale,
		.wide = prefix->bits < (prefix->base.family == 6 ? MXG_NARROW_IPV6 : MXG_NARROW_IPV4),
	};
	clear_host_bits(&range->prefix);
}

static void add_everything(struct walk *w, const struct level *l, const struct mxg_term *term)
{
	const struct mxg_prefix all4 = { .base = { .family = 4 } }, all6 = { .base = { .family = 6 } };
	add_range(w, l, term, &all4, NULL);
	add_range(w, l, term, &all6, NULL);
}

static void add_gap(struct walk *w, const struct level *l, char qualifier, const char *text, size_t len,
		    const char *why)
{
	struct mxg_reach *r = w->out;
	if (!mxg_grow(&r->gaps, &r->gap_room, r->gap_count, sizeof(*r->gaps))) {
		w->nomem = true;
		return;
	}
	r->gaps[r->gap_count++] = (struct mxg_reach_gap){ .term = w->term,
							  .qualifier = qualifier,
							  .via = l->via,
							  .text = term_text(w, text, len, NULL),
							  .why = why };
}

static void add_record(struct walk *w, struct mxg_reach_record record)
{
	struct mxg_reach *r = w->out;
	if (mxg_grow(&r->records, &r->record_room, r->record_count, sizeof(*r->records)))
		r->records[r->record_count++] = record;
	else
		w->nomem = true;
}

/* ---- asking the table ----------------------------------------------------------------------- */

/* The answer, where there are records; *below then takes it into account. */
static bool look_up(struct walk *w, const struct mxg_name *name, uint16_t type, struct level *below,
		    struct mxg_answer *a)
{
	int entry = mxg_answers_entry(w->answers, name, type);
	if (entry < 0) {
		w->nomem = true;
		return false;
	}
	mxg_answers_lookup(w->answers, entry, &w->in->view, a);
	if (a->kind == MXG_ANSWER_NONE) {
		mxg_answers_set_flags(w->answers, entry, MXG_ENTRY_WANTED, 0);
		w->pending = true;
	}
	if (a->kind != MXG_ANSWER_NONE)
		mxg_answers_set_flags(w->answers, entry, MXG_ENTRY_CONSULTED, 0);
	if (a->kind != MXG_ANSWER_RECORDS)
		return false;
	int64_t expires = a->confirmed + (int64_t)a->ttl;
	if (a->from > below->learned)
		below->learned = a->from;
	if (below->expires == 0 || expires < below->expires)
		below->expires = expires;
	below->stale |= a->stale;
	return true;
}

/* ---- targets ----------------------------------------------------------------------------------- */

#define PER_MESSAGE "slohpictrv" /* every macro but %{d} */

/* False: the name cannot be known in advance (a gap then), or there is none. */
static bool target(struct walk *w, const struct level *l, char qualifier, const char *text, size_t len,
		   const char *whole, size_t whole_len, struct mxg_name *out)
{
	char domain[256], expanded[254];
	size_t expanded_len;
	if (text == NULL) {
		*out = *l->domain;
		return out->len > 1;
	}
	if (mxg_macro_uses(text, len, PER_MESSAGE)) {
		add_gap(w, l, qualifier, whole, whole_len, "it depends on the message");
		return false;
	}
	mxg_name_plain(l->domain, domain);
	const struct mxg_macro_values v = {
		.sender_local = "", .sender_domain = "", .domain = domain, .helo = "", .validated = ""
	};
	return mxg_macro_expand(expanded, &expanded_len, text, len, &v) &&
	       mxg_name_from_text(out, expanded, expanded_len);
}

static bool count_lookup(struct walk *w)
{
	if (w->lookups < LOOKUPS_MAX) {
		w->lookups++;
		return true;
	}
	w->out->incomplete = true;
	snprintf(w->out->trouble, sizeof(w->out->trouble), "more than %d lookups", LOOKUPS_MAX);
	return false;
}

/* ---- a, mx, exists ------------------------------------------------------------------------------ */

/* term NULL: only whether the host is this server. */
static void walk_host_type(struct walk *w, const struct level *above, const struct mxg_term *term,
			   const struct mxg_name *host, uint16_t type, bool name_host)
{
	struct level l = *above;
	struct mxg_answer a;
	const uint8_t *item;
	size_t at = 0, len, width = type == MXG_DNS_A ? 4 : 16;
	if (!look_up(w, host, type, &l, &a))
		return;
	while (mxg_rrset_next(a.data, a.size, &at, &item, &len)) {
		struct mxg_prefix p = { .base = { .family = type == MXG_DNS_A ? 4 : 6 } };
		if (len != width)
			continue;
		memcpy(p.base.bytes, item, len);
		if (term == NULL)
			w->out->mx_is_self |= mxg_list_covers(&w->in->policy->self, &p.base);
		else {
			p.bits = type == MXG_DNS_A ? term->cidr4 : term->cidr6;
			add_range(w, &l, term, &p, name_host ? host : NULL);
		}
	}
}

static void walk_host(struct walk *w, const struct level *l, const struct mxg_term *term, const struct mxg_name *host,
		      bool name_host)
{
	walk_host_type(w, l, term, host, MXG_DNS_A, name_host);
	walk_host_type(w, l, term, host, MXG_DNS_AAAA, name_host);
}

static bool exchange(struct mxg_name *out, const uint8_t *item, size_t len)
{
	if (len < 4 || len - 2 > sizeof(out->wire))
		return false;
	out->len = (uint8_t)(len - 2);
	memcpy(out->wire, item + 2, out->len);
	return true;
}

static void walk_mx(struct walk *w, const struct level *above, const struct mxg_term *term, const struct mxg_name *name)
{
	struct level l = *above;
	struct mxg_answer a;
	struct mxg_name host;
	const uint8_t *item;
	size_t at = 0, len;
	if (!look_up(w, name, MXG_DNS_MX, &l, &a)) {
		/* RFC 5321 §5.1: a domain without MX is its own; no gateway, but perhaps this server */
		if (a.kind == MXG_ANSWER_NODATA && w->depth == 0)
			walk_host(w, &l, NULL, name, false);
		return;
	}
	if (a.count > MX_NAMES_MAX) {
		add_record(w, (struct mxg_reach_record){ .name = *name, .too_many_hosts = true });
		return;
	}
	while (mxg_rrset_next(a.data, a.size, &at, &item, &len))
		if (exchange(&host, item, len))
			walk_host(w, &l, term, &host, true);
}

static void walk_exists(struct walk *w, const struct level *above, const struct mxg_term *term,
			const struct mxg_name *name)
{
	struct level l = *above;
	struct mxg_answer a;
	if (look_up(w, name, MXG_DNS_A, &l, &a))
		add_everything(w, &l, term);
}

/* ---- records --------------------------------------------------------------------------------------- */

static void walk_record(struct walk *w, const struct level *above, const struct mxg_name *name);

static void walk_named(struct walk *w, const struct level *l, const struct mxg_term *term)
{
	struct mxg_name name;
	if (term->mechanism == MXG_MECHANISM_PTR) {
		add_gap(w, l, term->qualifier, term->text, term->text_len, "it asks for the peer's names");
		return;
	}
	if (!target(w, l, term->qualifier, term->target, term->target_len, term->text, term->text_len, &name))
		return;
	struct level below = *l;
	switch (term->mechanism) {
	case MXG_MECHANISM_A:
		walk_host(w, l, term, &name, false);
		break;
	case MXG_MECHANISM_MX:
		walk_mx(w, l, term, &name);
		break;
	case MXG_MECHANISM_INCLUDE:
		below.via = longer_via(w, l->via, term->text, term->text_len);
		below.pass = l->pass && term->qualifier == '+';
		walk_record(w, &below, &name);
		break;
	default:
		walk_exists(w, l, term, &name);
	}
}

/* False: nothing behind this term is ever evaluated. */
static bool walk_term(struct walk *w, const struct level *l, const struct mxg_term *term)
{
	switch (term->mechanism) {
	case MXG_MECHANISM_IP4:
	case MXG_MECHANISM_IP6:
		add_range(w, l, term, &term->prefix, NULL);
		return true;
	case MXG_MECHANISM_ALL:
		add_everything(w, l, term);
		return false;
	default:
		break;
	}
	if (w->depth > 0 && !count_lookup(w))
		return false;
	walk_named(w, l, term);
	return true;
}

static void walk_redirect(struct walk *w, const struct level *l, const struct mxg_record *r)
{
	char text[300];
	struct mxg_name name;
	if (!count_lookup(w))
		return;
	int n = snprintf(text, sizeof(text), "redirect=%.*s", (int)(r->redirect_len > 255 ? 255 : r->redirect_len),
			 r->redirect);
	if (n < 0 || !target(w, l, '+', r->redirect, r->redirect_len, text, strlen(text), &name))
		return;
	struct level below = *l;
	below.via = longer_via(w, l->via, text, strlen(text));
	walk_record(w, &below, &name);
}

static bool is_open(const struct walk *w, const struct mxg_name *name)
{
	for (unsigned i = 0; i < w->depth; i++)
		if (mxg_name_equal(w->open[i], name))
			return true;
	return false;
}

static void walk_text(struct walk *w, const struct level *l, const char *text, size_t len)
{
	struct mxg_record record;
	struct mxg_term_error error;
	enum mxg_record_result result = mxg_record_parse(&record, text, len, &error);
	if (result == MXG_RECORD_NOMEM)
		w->nomem = true;
	if (result == MXG_RECORD_OK) {
		bool on = true;
		for (size_t i = 0; on && i < record.count; i++)
			on = walk_term(w, l, &record.terms[i]);
		if (on && record.redirect != NULL)
			walk_redirect(w, l, &record);
	}
	mxg_record_clear(&record);
}

static void walk_record(struct walk *w, const struct level *above, const struct mxg_name *name)
{
	struct level l = *above;
	struct mxg_answer a;
	const uint8_t *item;
	size_t at = 0, len;
	if (mxg_name_labels(name) < 2 || w->depth >= DEPTH_MAX || is_open(w, name) ||
	    !look_up(w, name, MXG_DNS_TXT, &l, &a) || a.count != 1 || !mxg_rrset_next(a.data, a.size, &at, &item, &len))
		return;
	l.domain = name;
	w->open[w->depth++] = name;
	walk_text(w, &l, (const char *)item, len);
	w->depth--;
}

/* ---- the configuration ------------------------------------------------------------------------------- */

bool mxg_reach_term_shared(const struct mxg_term *term)
{
	return term->mechanism == MXG_MECHANISM_IP4 || term->mechanism == MXG_MECHANISM_IP6 ||
	       (term->target != NULL && memchr(term->target, '%', term->target_len) == NULL);
}

bool mxg_reach_wants_term(const struct mxg_reach_input *in, const struct mxg_term *term)
{
	bool shared = mxg_reach_term_shared(term);
	return !(in->only_own && shared) && !(in->only_shared && !shared);
}

static void note_lookups(struct walk *w, const struct mxg_term *term, const struct level *l)
{
	struct mxg_reach *r = w->out;
	struct mxg_name name;
	size_t gaps = r->gap_count;
	if (target(w, l, term->qualifier, term->target, term->target_len, term->text, term->text_len, &name))
		add_record(w, (struct mxg_reach_record){ .name = name, .lookups = w->lookups });
	r->gap_count = gaps; /* walk_term() has told of it already */
}

static void walk_configured(struct walk *w, const struct level *top)
{
	const struct mxg_ruleset *r = w->in->ruleset;
	for (w->term = 0; w->term < r->term_count; w->term++) {
		const struct mxg_term *term = &r->terms[w->term].term;
		if (!mxg_reach_wants_term(w->in, term))
			continue;
		w->lookups = 0;
		walk_term(w, top, term);
		if (term->mechanism == MXG_MECHANISM_INCLUDE)
			note_lookups(w, term, top);
	}
}

/* The addresses of the domain's own MX, only to know whether they are this server's. */
static void walk_own_mx(struct walk *w, const struct level *top)
{
	struct level l = *top;
	struct mxg_answer a;
	struct mxg_name host;
	const uint8_t *item;
	size_t at = 0, len;
	if (!look_up(w, &w->in->domain, MXG_DNS_MX, &l, &a)) {
		if (a.kind == MXG_ANSWER_NODATA)
			walk_host(w, &l, NULL, &w->in->domain, false);
		return;
	}
	for (unsigned n = 0; n < MX_NAMES_MAX && mxg_rrset_next(a.data, a.size, &at, &item, &len); n++)
		if (exchange(&host, item, len))
			walk_host(w, &l, NULL, &host, false);
}

enum mxg_reach_result mxg_reach_walk(struct mxg_reach *out, struct mxg_answers *answers,
				     const struct mxg_reach_input *in)
{
	struct walk w = { .out = out, .answers = answers, .in = in };
	const struct level top = { .domain = &in->domain, .via = "", .pass = true };
	mxg_arena_reset(&out->arena);
	out->range_count = out->gap_count = out->record_count = 0;
	out->mx_is_self = out->incomplete = false;
	out->trouble[0] = out->wide[0] = '\0';
	mxg_answers_clear_flags(answers, MXG_ENTRY_WANTED | MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE);
	walk_configured(&w, &top);
	if (in->with_mx)
		walk_own_mx(&w, &top);
	if (w.nomem)
		return MXG_REACH_NOMEM;
	return w.pending ? MXG_REACH_PENDING : MXG_REACH_DONE;
}
