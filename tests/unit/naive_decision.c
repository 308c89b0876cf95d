/* SPDX-License-Identifier: MIT */
#include "naive_decision.h"

#include <stdlib.h>
#include <string.h>

#define MOMENTS 8 /* docs/design.md, "Grace": past states, newest first, at most 8 */

/* ---- sets ---------------------------------------------------------------------------------- */

static bool same_address(const struct mxg_address *a, const struct mxg_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 6 ? 16 : 4) == 0;
}

static bool same_record(const struct history_question *q, const struct history_record *a,
			const struct history_record *b)
{
	return q->type == MXG_DNS_A || q->type == MXG_DNS_AAAA ? same_address(&a->address, &b->address)
							       : strcmp(a->text, b->text) == 0;
}

static bool contains(const struct history_question *q, const struct history_set *a, const struct history_set *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		bool has = false;
		for (unsigned k = 0; k < a->count; k++)
			has |= same_record(q, &a->records[k], &b->records[i]);
		if (!has)
			return false;
	}
	return true;
}

static bool same_set(const struct history_question *q, const struct history_set *a, const struct history_set *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind != MXG_ANSWER_RECORDS || (contains(q, a, b) && contains(q, b, a));
}

/* ---- what a view shows ---------------------------------------------------------------------- */

struct seen {
	const struct history_set *set; /* NULL: nothing is known */
	bool stale, live;
};

static const struct history_version *standing(const struct history_question *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->versions[i].superseded == 0)
			return &q->versions[i];
	return NULL;
}

static bool live_answers(const struct history_question *q)
{
	return q->live.kind != MXG_ANSWER_FAILED;
}

/* docs/design.md, "Alarms": where DNS says what was held back, what stands goes on. */
static const struct history_set *says(const struct history_question *q)
{
	const struct history_version *v = standing(q);
	if (!live_answers(q))
		return NULL;
	if (v == NULL || q->refused.kind == MXG_ANSWER_NONE)
		return &q->live;
	bool nothing = q->live.kind != MXG_ANSWER_RECORDS && q->refused.kind != MXG_ANSWER_RECORDS;
	return nothing || same_set(q, &q->live, &q->refused) ? &v->set : &q->live;
}

int64_t naive_ttl(const struct naive_policy *policy, const struct history_version *v)
{
	int64_t ttl = v->ttl;
	if (v->set.kind != MXG_ANSWER_RECORDS && ttl > 3 * 3600)
		ttl = 3 * 3600;
	return ttl > policy->max_ttl ? policy->max_ttl : ttl;
}

/* Fresh until its TTL; positive ones for keep_stale more; what is not usable is asked for. */
static struct seen seen_now(const struct naive_case *c, const struct history_question *q)
{
	const struct history_version *v = standing(q);
	struct seen live = { says(q), false, true };
	if (q->again && live_answers(q))
		return live;
	if (v == NULL || v->confirmed > c->now)
		return live;
	int64_t age = c->now - v->confirmed;
	if (age < naive_ttl(c->policy, v))
		return (struct seen){ &v->set, false, false };
	if (v->set.kind == MXG_ANSWER_RECORDS && !v->alarm && age < naive_ttl(c->policy, v) + c->policy->keep_stale)
		return (struct seen){ &v->set, true, false };
	return live;
}

static struct seen seen_before(const struct history_question *q, int64_t moment)
{
	for (size_t i = 0; i < q->count; i++) {
		const struct history_version *v = &q->versions[i];
		if (v->from < moment && (v->superseded == 0 || v->superseded >= moment))
			return (struct seen){ v->alarm && v->superseded != 0 ? NULL : &v->set, false, false };
	}
	return (struct seen){ 0 };
}

/* moment 0: now */
static struct seen look(const struct naive_case *c, const struct history_question *q, int64_t moment)
{
	return moment == 0 ? seen_now(c, q) : seen_before(q, moment);
}

static void show_record(struct zone *z, const struct history_question *q, const struct history_record *r)
{
	struct zone_record *out = &z->records[z->count++];
	strcpy(out->name, q->name);
	out->type = q->type;
	out->failure = MXG_DNS_OK;
	out->address = r->address;
	if (q->type == MXG_DNS_MX)
		strcpy(out->target, r->text);
	out->text = (char *)(uintptr_t)r->text;
	out->text_len = strlen(r->text);
}

/* A name's record of another type makes the name exist; nothing here depends on that. */
static void show(const struct naive_case *c, int64_t moment, struct zone *z)
{
	z->count = 0;
	for (size_t i = 0; i < c->history->count; i++) {
		const struct history_question *q = &c->history->questions[i];
		struct seen s = look(c, q, moment);
		if (s.set == NULL) {
			show_record(z, q, &q->live.records[0]);
			z->records[z->count - 1].failure = MXG_DNS_TIMEOUT;
			continue;
		}
		for (unsigned r = 0; s.set->kind == MXG_ANSWER_RECORDS && r < s.set->count; r++)
			show_record(z, q, &s.set->records[r]);
	}
}

/* ---- all terms in one view --------------------------------------------------------------- */

struct pass {
	int match; /* the first entry that covers the peer; -1: none */
	bool match_stale, stale, failed, seen, other_failed, foreign;
};

static struct history_question *find(const struct naive_case *c, const char *name, uint16_t type)
{
	for (size_t i = 0; i < c->history->count; i++)
		if (c->history->questions[i].type == type && strcmp(c->history->questions[i].name, name) == 0)
			return &c->history->questions[i];
	return NULL;
}

static bool touch(const struct naive_case *c, struct history_question *q, int64_t moment)
{
	if (q == NULL || moment != 0)
		return false;
	q->touched = true;
	return seen_now(c, q).stale;
}

static bool is_static(const char *term)
{
	return strncmp(term, "ip", 2) == 0;
}

/* Whoever writes the recipient's domain chooses whose DNS is asked. */
static bool is_foreign(const struct naive_case *c, const char *term)
{
	bool by_recipient = strchr(term, ':') == NULL || strstr(term, "%{d}") != NULL;
	return c->policy->list == NAIVE_FOREIGN && by_recipient && strcmp(term, "all") != 0;
}

static struct pass evaluate(const struct naive_case *c, int64_t moment, bool both_families)
{
	static struct zone zone;
	static struct naive n;
	struct pass p = { .match = -1 };
	show(c, moment, &zone);
	for (size_t i = 0; i < c->history->count; i++)
		c->history->questions[i].touched &= moment != 0;
	for (int t = 0; t < 6 && c->policy->terms[t] != NULL && p.match < 0; t++) {
		bool stale = false;
		n.zone = &zone;
		n.peer = c->peer;
		n.sender = n.helo = "unknown";
		n.domain = c->history->domain;
		n.both_families = both_families;
		p.seen |= is_static(c->policy->terms[t]); /* and it has been tried before */
		if (is_static(c->policy->terms[t]))
			continue;
		p.foreign |= is_foreign(c, c->policy->terms[t]);
		if (is_foreign(c, c->policy->terms[t]))
			continue;
		enum mxg_term_result result = naive_term(&n, c->policy->terms[t]);
		for (size_t i = 0; i < n.count; i++)
			stale |= touch(c, find(c, n.log[i].name, n.log[i].type), moment);
		p.stale |= stale;
		p.seen |= n.seen;
		p.other_failed |= n.other_failed;
		p.failed |= result == MXG_TERM_TEMPERROR || result == MXG_TERM_PERMERROR;
		if (result == MXG_TERM_MATCH && n.wide) {
			p.failed = true;
		} else if (result == MXG_TERM_MATCH) {
			p.match = t;
			p.match_stale = stale;
		}
	}
	return p;
}

/* ---- the recipient's MX is this server (docs/design.md, "MX is self") -------------------------------------- */

struct self {
	bool named, failed, stale;
};

static void look_for_self(const struct naive_case *c, const char *host, int family, struct self *out)
{
	struct history_question *q = find(c, host, family == 6 ? MXG_DNS_AAAA : MXG_DNS_A);
	if (q == NULL)
		return;
	out->stale |= touch(c, q, 0);
	struct seen s = seen_now(c, q);
	out->failed |= s.set == NULL;
	for (unsigned i = 0; s.set != NULL && s.set->kind == MXG_ANSWER_RECORDS && i < s.set->count; i++)
		out->named |= same_address(&s.set->records[i].address, &c->self);
}

static struct self find_self(const struct naive_case *c, int family)
{
	struct self out = { 0 };
	bool asks = false;
	for (int t = 0; t < 6 && c->policy->terms[t] != NULL; t++)
		asks |= strcmp(c->policy->terms[t], "mx") == 0;
	struct history_question *mx = find(c, c->history->domain, MXG_DNS_MX);
	if (!asks || mx == NULL || c->policy->list == NAIVE_FOREIGN)
		return out;
	out.stale = touch(c, mx, 0);
	struct seen s = seen_now(c, mx);
	if (s.set == NULL)
		return out; /* the term itself has failed */
	for (unsigned i = 0; s.set->kind == MXG_ANSWER_RECORDS && i < s.set->count; i++)
		look_for_self(c, s.set->records[i].text, family, &out);
	/* a domain without MX is its own; whether it is one at all, the list says */
	if (s.set->kind == MXG_ANSWER_NODATA && c->policy->list == NAIVE_LISTED)
		look_for_self(c, c->history->domain, family, &out);
	return out;
}

/* ---- grace --------------------------------------------------------------------------------- */

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The newest supersession before `before` among the names touched, its version within its grace. */
static int64_t last_change(const struct naive_case *c, int64_t before)
{
	int64_t last = 0;
	for (size_t i = 0; i < c->history->count; i++) {
		const struct history_question *q = &c->history->questions[i];
		for (size_t v = 0; q->touched && v < q->count; v++) {
			int64_t at = q->versions[v].superseded;
			if (at > 0 && at <= c->now && at < before && at > last && !q->versions[v].alarm &&
			    c->now - at < greater(naive_ttl(c->policy, &q->versions[v]), c->policy->grace))
				last = at;
		}
	}
	return last;
}

static int match_in_grace(const struct naive_case *c)
{
	int64_t moment = last_change(c, INT64_MAX);
	for (int n = 0; n < MOMENTS && moment != 0; n++) {
		struct pass then = evaluate(c, moment, false);
		if (then.match >= 0)
			return then.match;
		moment = last_change(c, moment);
	}
	return -1;
}

/* ---- settle ---------------------------------------------------------------------------------- */

/* The MX set changed within `settle`; what DNS says now and no refresh has seen is a change of
 * this very moment. */
static bool is_settling(const struct naive_case *c)
{
	const struct history_question *q = find(c, c->history->domain, MXG_DNS_MX);
	if (c->policy->settle == 0 || q == NULL)
		return false;
	const struct history_version *v = standing(q);
	if (v != NULL && q->touched && seen_now(c, q).live && live_answers(q) && !same_set(q, &v->set, says(q)))
		return true;
	for (size_t i = 0; i < q->count; i++) {
		int64_t at = q->versions[i].superseded;
		if (at > 0 && at <= c->now && c->now - at < c->policy->settle)
			return true;
	}
	return false;
}

/* ---- the decision ------------------------------------------------------------------------------ */

static int static_match(const struct naive_case *c)
{
	static const struct zone nothing;
	static struct naive n;
	for (int t = 0; t < 6 && c->policy->terms[t] != NULL; t++) {
		n.zone = &nothing;
		n.peer = c->peer;
		n.sender = n.helo = n.domain = "unknown";
		if (is_static(c->policy->terms[t]) && naive_term(&n, c->policy->terms[t]) == MXG_TERM_MATCH)
			return t;
	}
	return -1;
}

/* Every stale answer that was rested on is asked for again; false: all of them have been. */
static bool ask_again(const struct naive_case *c)
{
	bool any = false;
	for (size_t i = 0; i < c->history->count; i++) {
		struct history_question *q = &c->history->questions[i];
		if (!q->touched || q->again || !seen_now(c, q).stale)
			continue;
		q->again = any = true;
	}
	return any;
}

static struct naive_decision authorized(int entry, enum naive_why why)
{
	return (struct naive_decision){ .verdict = MXGUARD_VERDICT_AUTHORIZED, .entry = entry, .why = why };
}

static struct naive_decision without_match(const struct naive_case *c, const struct pass *p, const struct self *self)
{
	struct naive_decision d = { .verdict = MXGUARD_VERDICT_UNKNOWN, .entry = -1 };
	if (self->named && !self->stale) {
		d.verdict = MXGUARD_VERDICT_EXEMPT;
		d.why = NAIVE_SELF;
	} else if (p->foreign && !p->failed && !p->stale) {
		d.why = NAIVE_ANOTHERS;
	} else if (!p->failed && !p->stale && !self->failed && !self->stale) {
		d.verdict = p->seen ? MXGUARD_VERDICT_DIRECT : MXGUARD_VERDICT_UNKNOWN;
		d.why = p->seen ? NAIVE_PLAIN : NAIVE_EMPTY;
		d.settling = p->seen && is_settling(c);
	}
	return d;
}

/* The present once: false where stale answers were found that are to be asked for again. */
static bool try_once(const struct naive_case *c, struct naive_decision *out)
{
	struct pass p = evaluate(c, 0, false);
	if (p.match >= 0) {
		*out = authorized(p.match, p.match_stale ? NAIVE_STALE : NAIVE_PLAIN);
		return true;
	}
	struct self self = find_self(c, c->peer.family);
	if (ask_again(c))
		return false;
	int entry = match_in_grace(c);
	if (entry >= 0) {
		*out = authorized(entry, NAIVE_GRACE);
		return true;
	}
	bool certain = !p.failed && !p.stale && !self.failed && !self.stale;
	if (certain && !p.seen && !self.named && !p.foreign) { /* empty, or empty for the peer's family only? */
		p = evaluate(c, 0, true);
		p.failed |= p.other_failed && !p.seen;
		struct self other = find_self(c, c->peer.family == 6 ? 4 : 6);
		self = (struct self){ other.named, other.failed && !p.seen, other.stale };
		if (ask_again(c))
			return false;
	}
	*out = without_match(c, &p, &self);
	return true;
}

struct naive_decision naive_decide(const struct naive_case *c)
{
	struct naive_decision d = { .entry = static_match(c) };
	for (size_t i = 0; i < c->history->count; i++)
		c->history->questions[i].touched = c->history->questions[i].again = false;
	if (d.entry >= 0)
		return authorized(d.entry, NAIVE_PLAIN);
	while (!try_once(c, &d))
		;
	return d;
}
