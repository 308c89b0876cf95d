/* SPDX-License-Identifier: MIT */
/*
 * From what the walk collected to what really authorizes: the ends of all ranges of a term cut
 * the address space into pieces in which every peer fares alike; one peer of each piece is
 * evaluated.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spf/evaluate.h"
#include "base/grow.h"
#include "reach.h"

#define ENTRIES_MAX (MXG_ANSWERS_MAX / 2) /* per-peer questions pile up; then a new copy is made */

/* ---- arithmetic on addresses --------------------------------------------------------------- */

static unsigned width_of(int family)
{
	return family == 6 ? 16 : 4;
}

static int compare_address(const struct mxg_address *a, const struct mxg_address *b)
{
	return a->family != b->family ? a->family - b->family : memcmp(a->bytes, b->bytes, 16);
}

static struct mxg_address last_of(const struct mxg_prefix *p)
{
	struct mxg_address a = p->base;
	for (unsigned i = 0; i < width_of(a.family); i++) {
		unsigned first = i * 8;
		if (first >= p->bits)
			a.bytes[i] = 0xff;
		else if (p->bits - first < 8)
			a.bytes[i] |= (uint8_t)(0xff >> (p->bits - first));
	}
	return a;
}

/* The next address; false at the end of the family. */
static bool increment(struct mxg_address *a)
{
	for (unsigned i = width_of(a->family); i-- > 0;)
		if (++a->bytes[i] != 0)
			return true;
	return false;
}

static bool decrement(struct mxg_address *a)
{
	for (unsigned i = width_of(a->family); i-- > 0;)
		if (a->bytes[i]-- != 0)
			return true;
	return false;
}

/* The largest prefix that begins at `first` and does not go beyond `last`. */
static struct mxg_prefix largest_prefix(const struct mxg_address *first, const struct mxg_address *last)
{
	struct mxg_prefix p = { .base = *first, .bits = (uint8_t)(width_of(first->family) * 8) };
	while (p.bits > 0) {
		struct mxg_prefix wider = { .base = *first, .bits = (uint8_t)(p.bits - 1) };
		uint8_t bit = (uint8_t)(0x80 >> (wider.bits % 8));
		struct mxg_address end;
		if ((first->bytes[wider.bits / 8] & bit) != 0)
			break;
		end = last_of(&wider);
		if (compare_address(&end, last) > 0)
			break;
		p = wider;
	}
	return p;
}

struct span {
	struct mxg_address first, last;
};

static int by_first(const void *a, const void *b)
{
	return compare_address(&((const struct span *)a)->first, &((const struct span *)b)->first);
}

/* Spans sorted by their beginning, put together where they touch. */
static size_t join_spans(struct span *s, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct mxg_address next = kept > 0 ? s[kept - 1].last : s[i].first;
		bool more = kept > 0 && next.family == s[i].first.family && increment(&next);
		bool whole = kept > 0 && next.family == s[i].first.family && !more; /* up to the very end */
		if (kept > 0 && (whole || (more && compare_address(&s[i].first, &next) <= 0))) {
			if (compare_address(&s[i].last, &s[kept - 1].last) > 0)
				s[kept - 1].last = s[i].last;
		} else {
			s[kept++] = s[i];
		}
	}
	return kept;
}

size_t mxg_prefixes_merge(struct mxg_prefix *prefixes, size_t count)
{
	struct span *spans = calloc(count == 0 ? 1 : count, sizeof(*spans));
	if (spans == NULL)
		return count; /* not merged, but not wrong */
	for (size_t i = 0; i < count; i++)
		spans[i] = (struct span){ .first = prefixes[i].base, .last = last_of(&prefixes[i]) };
	qsort(spans, count, sizeof(*spans), by_first);
	size_t joined = join_spans(spans, count), out = 0;
	for (size_t i = 0; i < joined; i++) {
		struct mxg_address at = spans[i].first;
		for (bool more = true; more && compare_address(&at, &spans[i].last) <= 0 && out < count;) {
			prefixes[out] = largest_prefix(&at, &spans[i].last);
			at = last_of(&prefixes[out++]);
			more = increment(&at);
		}
	}
	free(spans);
	return out;
}

/* ---- evaluating one peer --------------------------------------------------------------------- */

struct flattening {
	struct mxg_reach *reach;
	const struct mxg_answers *answers;
	const struct mxg_reach_input *in;
	struct mxg_answers *copy; /* with per-peer questions answered "no" */
	struct mxg_reach_range *exact; /* what authorizes */
	size_t count, room;
	bool nomem;
};

/* The live answer of an entry, once more. */
static bool copy_live(struct mxg_answers *to, int entry, const struct mxg_answer *a, int64_t now)
{
	struct mxg_reply reply = { .kind = a->kind, .failure = a->failure, .ad = a->ad, .ttl = a->ttl };
	reply.records = (struct mxg_rrset){ .count = a->count, .size = a->size };
	if (a->size > 0) {
		reply.records.data = malloc(a->size);
		if (reply.records.data == NULL)
			return false;
		memcpy(reply.records.data, a->data, a->size);
	}
	mxg_answers_put_live(to, entry, &reply, now);
	return true;
}

static bool copy_entry(struct mxg_answers *to, const struct mxg_answers *from, int e, const struct mxg_view *view)
{
	const struct mxg_question *q = mxg_answers_question(from, e);
	const struct mxg_answer *versions;
	struct mxg_answer a;
	struct mxg_view present = { .now = view->now, .keep_stale = view->keep_stale };
	int entry = mxg_answers_entry(to, &q->name, q->type);
	size_t n = mxg_answers_versions(from, e, &versions);
	if (entry < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!mxg_answers_put_version(to, entry, &versions[i]))
			return false;
	mxg_answers_lookup(from, e, &present, &a);
	return (!a.live && a.kind != MXG_ANSWER_FAILED) || copy_live(to, entry, &a, a.from);
}

static bool make_copy(struct flattening *f)
{
	mxg_answers_free(f->copy);
	f->copy = mxg_answers_new();
	if (f->copy == NULL)
		return false;
	for (int e = 0; e < (int)mxg_answers_count(f->answers); e++)
		if (!copy_entry(f->copy, f->answers, e, &f->in->view))
			return false;
	return true;
}

/* What only a delivery can ask (the walk has not asked for it) counts as "no" here, now and in
 * every past. */
static bool answer_no(struct flattening *f)
{
	const struct mxg_answer no = {
		.kind = MXG_ANSWER_NXDOMAIN, .from = 1, .confirmed = f->in->view.now, .ttl = 0x7fffffff
	};
	bool any = false;
	for (int e = (int)mxg_answers_count(f->answers); e < (int)mxg_answers_count(f->copy); e++) {
		if ((mxg_answers_flags(f->copy, e) & MXG_ENTRY_WANTED) == 0)
			continue;
		mxg_answers_set_flags(f->copy, e, 0, MXG_ENTRY_WANTED);
		if (!mxg_answers_put_version(f->copy, e, &no))
			return false;
		any = true;
	}
	return any;
}

static void remember_trouble(struct flattening *f, const struct mxg_term_outcome *o)
{
	char name[MXG_NAME_TEXT_MAX];
	if (o->result == MXG_TERM_NO_MATCH || o->result == MXG_TERM_MATCH)
		return;
	f->nomem |= o->result == MXG_TERM_NOMEM;
	f->reach->incomplete = true;
	if (f->reach->trouble[0] != '\0')
		return;
	mxg_name_format(&o->question.name, name);
	snprintf(f->reach->trouble, sizeof(f->reach->trouble), "%.90s: %s", o->question.name.len > 0 ? name : "DNS",
		 o->detail[0] != '\0' ? o->detail : "no usable answer");
}

/* Everybody is no gateway (docs/design.md, "Width guard"). */
static void remember_width(struct flattening *f, const struct mxg_term_outcome *o)
{
	char name[MXG_NAME_TEXT_MAX];
	if (f->reach->wide[0] == '\0')
		snprintf(f->reach->wide, sizeof(f->reach->wide), "%.120s: %.100s",
			 mxg_name_format(&o->question.name, name), o->detail);
}

static bool peer_matches(struct flattening *f, uint32_t term, const struct mxg_address *peer)
{
	struct mxg_term_outcome o;
	struct mxg_eval_input in = {
		.peer = *peer,
		.domain = f->in->domain,
		.sender = "",
		.helo = "",
		.receiver = f->in->policy->hostname,
		.view = f->in->view,
		.insecure_macros = f->in->policy->insecure_client_macros,
	};
	if (mxg_answers_count(f->copy) > ENTRIES_MAX && !make_copy(f)) {
		f->nomem = true;
		return false;
	}
	do {
		mxg_answers_clear_flags(f->copy, MXG_ENTRY_WANTED);
		mxg_evaluate_term(f->copy, &in, &f->in->ruleset->terms[term].term, false, NULL, &o);
	} while (o.result == MXG_TERM_PENDING && answer_no(f));
	remember_trouble(f, &o);
	if (o.wide && !f->in->policy->accept_any_width) {
		remember_width(f, &o);
		return false;
	}
	return o.result == MXG_TERM_MATCH;
}

/* ---- pieces ------------------------------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
	return compare_address(a, b);
}

/* Where pieces begin, sorted, each once. */
static struct mxg_address *piece_starts(const struct mxg_reach_range *ranges, size_t count, size_t *pieces)
{
	struct mxg_address *starts = calloc(count * 2 + 1, sizeof(*starts));
	size_t n = 0, kept = 0;
	if (starts == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		starts[n++] = ranges[i].prefix.base;
		starts[n] = last_of(&ranges[i].prefix);
		n += increment(&starts[n]);
	}
	qsort(starts, n, sizeof(*starts), by_address);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare_address(&starts[kept - 1], &starts[i]) != 0)
			starts[kept++] = starts[i];
	*pieces = kept;
	return starts;
}

/* The first range that would authorize the peer; NULL: none. */
static const struct mxg_reach_range *source_of(const struct mxg_reach_range *ranges, size_t count,
					       const struct mxg_address *peer)
{
	for (size_t i = 0; i < count; i++)
		if (ranges[i].pass && mxg_prefix_contains(&ranges[i].prefix, peer))
			return &ranges[i];
	return NULL;
}

static void add_exact(struct flattening *f, const struct mxg_reach_range *source, const struct mxg_prefix *prefix)
{
	if (!mxg_grow(&f->exact, &f->room, f->count, sizeof(*f->exact))) {
		f->nomem = true;
		return;
	}
	f->exact[f->count] = *source;
	f->exact[f->count++].prefix = *prefix;
}

/* The span as prefixes. */
static void add_span(struct flattening *f, const struct mxg_reach_range *source, const struct span *s)
{
	struct mxg_address at = s->first;
	for (bool more = true; more && !f->nomem && compare_address(&at, &s->last) <= 0;) {
		struct mxg_prefix p = largest_prefix(&at, &s->last);
		add_exact(f, source, &p);
		at = last_of(&p);
		more = increment(&at);
	}
}

static struct mxg_address piece_end(const struct mxg_address *starts, size_t count, size_t i)
{
	struct mxg_address end = { .family = starts[i].family };
	if (i + 1 < count && starts[i + 1].family == end.family) {
		end = starts[i + 1];
		decrement(&end);
		return end;
	}
	memset(end.bytes, 0xff, width_of(end.family));
	return end;
}

/* All ranges of one term of the configuration. */
static void flatten_term(struct flattening *f, const struct mxg_reach_range *ranges, size_t count)
{
	size_t pieces;
	const struct mxg_reach_range *open_source = NULL;
	struct span open = { .first = { 0 } };
	struct mxg_address *starts = piece_starts(ranges, count, &pieces);
	if (starts == NULL) {
		f->nomem = true;
		return;
	}
	for (size_t i = 0; i < pieces && !f->nomem; i++) {
		const struct mxg_reach_range *source = source_of(ranges, count, &starts[i]);
		if (source != NULL && !peer_matches(f, ranges->term, &starts[i]))
			source = NULL;
		if (open_source != NULL && (source != open_source || open.first.family != starts[i].family)) {
			add_span(f, open_source, &open);
			open_source = NULL;
		}
		if (source == NULL)
			continue;
		if (open_source == NULL)
			open.first = starts[i];
		open_source = source;
		open.last = piece_end(starts, pieces, i);
	}
	if (open_source != NULL)
		add_span(f, open_source, &open);
	free(starts);
}

static void probe_failures(struct flattening *f);

bool mxg_reach_flatten(struct mxg_reach *r, const struct mxg_answers *answers, const struct mxg_reach_input *in)
{
	struct flattening f = { .reach = r, .answers = answers, .in = in };
	if (!make_copy(&f))
		f.nomem = true;
	for (size_t first = 0, next; first < r->range_count && !f.nomem; first = next) {
		for (next = first + 1; next < r->range_count && r->ranges[next].term == r->ranges[first].term;)
			next++;
		const struct mxg_term *term = &in->ruleset->terms[r->ranges[first].term].term;
		if (term->mechanism == MXG_MECHANISM_IP4 || term->mechanism == MXG_MECHANISM_IP6)
			add_exact(&f, &r->ranges[first], &r->ranges[first].prefix);
		else
			flatten_term(&f, r->ranges + first, next - first);
	}
	if (!f.nomem)
		probe_failures(&f);
	mxg_answers_free(f.copy);
	if (f.nomem) {
		free(f.exact);
		return false;
	}
	free(r->ranges);
	r->ranges = f.exact;
	r->range_count = f.count;
	r->range_room = f.room;
	return true;
}

/* A term that failed for everybody has collected no ranges; nobody would hear of it. One peer
 * of each family that no range covers, most likely, is evaluated for its trouble alone. */
static void probe_failures(struct flattening *f)
{
	static const struct mxg_address peers[] = {
		{ .family = 4, .bytes = { 192, 0, 2, 255 } },
		{ .family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [14] = 0xff, [15] = 0xff } },
	};
	const struct mxg_ruleset *r = f->in->ruleset;
	for (size_t i = 0; i < r->dns_count; i++)
		for (size_t n = 0; mxg_reach_wants_term(f->in, &r->terms[r->dns_terms[i]].term) &&
				   n < sizeof(peers) / sizeof(peers[0]);
		     n++)
			peer_matches(f, r->dns_terms[i], &peers[n]);
}
