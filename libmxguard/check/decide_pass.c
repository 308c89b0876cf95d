/* SPDX-License-Identifier: MIT */
/* All DNS terms of a ruleset, evaluated in one view, the present or a past moment: what came of it. */
#include <string.h>

#include "check/decide_internal.h"
#include "snapshot/snapshot.h"

/* Everything but `failure`, which is large, and read only where `failed` is set: static
 * decisions are counted in nanoseconds. */
void mxg_pass_init(struct mxg_pass *p)
{
	p->match = p->token_term = p->certificate_term = p->failed = NULL;
	p->match_stale = p->pending = p->needs_header = p->token_missing = false;
	p->addresses_seen = p->other_family_wanted = p->mx_is_self = p->foreign = false;
	p->failure_reason = MXG_REASON_UNDECIDED;
}

enum token_state { TOKEN_HOLDS, TOKEN_MISSING, TOKEN_UNREADABLE, TOKEN_NEEDS_HEADER };

static enum token_state token_state(const struct mxguard_check *c, const struct mxg_gateway *gateway)
{
	if (gateway->token.field == NULL)
		return TOKEN_HOLDS;
	/* whoever may not read the secret leaves it to whom reads the header */
	if (gateway->token.value == NULL)
		return c->tokens.ended || c->gave_up ? TOKEN_UNREADABLE : TOKEN_NEEDS_HEADER;
	if (mxg_token_reader_saw(&c->tokens, &gateway->token))
		return TOKEN_HOLDS;
	/* given up without a header, a secret is not missing: nobody could look */
	return c->tokens.ended ? TOKEN_MISSING : TOKEN_NEEDS_HEADER;
}

const struct mxg_gateway *mxg_pass_gateway(const struct mxg_domain_check *d, const struct mxg_gateway_term *term)
{
	return &d->ruleset->gateways[term->gateway];
}

struct mxg_text_list *mxg_pass_steps(const struct mxguard_check *c, struct mxg_domain_check *d)
{
	return (c->flags & MXGUARD_CHECK_FLAG_STEPS) != 0 ? &d->steps : NULL;
}

void mxg_pass_fail(struct mxg_pass *p, const struct mxg_gateway_term *term, enum mxg_reason reason)
{
	if (p->failed != NULL)
		return;
	p->failed = term;
	p->failure_reason = reason;
	p->failure = (struct mxg_term_outcome){ 0 };
}

/* True where the covering term's other conditions hold as well, or there are none. */
static bool accept_match(const struct mxguard_check *c, const struct mxg_domain_check *d,
			 const struct mxg_gateway_term *term, struct mxg_pass *p)
{
	/* of whom a gateway's field names, only the address is known, and asked for */
	bool bound = mxg_pass_gateway(d, term)->certificate.set && d->client == NULL;
	if (bound && !mxg_pass_certificate(c, d, term, p))
		return false;
	switch (token_state(c, mxg_pass_gateway(d, term))) {
	case TOKEN_HOLDS:
		return true;
	case TOKEN_NEEDS_HEADER:
		p->needs_header = true;
		break;
	case TOKEN_MISSING:
		p->token_missing = true;
		break;
	case TOKEN_UNREADABLE:
		mxg_pass_fail(p, term, MXG_REASON_TOKEN_UNREADABLE);
		break;
	}
	if (p->token_term == NULL)
		p->token_term = term;
	return false;
}

/* The first of the entries that need no address, where it stands before what has matched. */
static void pass_certificates(const struct mxguard_check *c, const struct mxg_domain_check *d, struct mxg_pass *p)
{
	const struct mxg_ruleset *r = d->ruleset;
	for (size_t i = 0; i < r->certificate_count; i++) {
		const struct mxg_gateway_term *term = &r->certificate_terms[i];
		if (p->match != NULL && p->match->gateway < term->gateway)
			return;
		if (!accept_match(c, d, term, p))
			continue;
		p->match = term;
		return;
	}
}

void mxg_pass_fixed(struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p)
{
	const struct mxg_ruleset *r = d->ruleset;
	size_t count;
	const uint32_t *numbers =
		mxg_prefix_set_lookup(r->prefixes, d->client != NULL ? d->client : &c->boundary, &count);
	p->addresses_seen = r->dns_count < r->term_count || r->certificate_count > 0;
	for (size_t i = 0; i < count; i++) {
		const struct mxg_gateway_term *term = &r->terms[numbers[i]];
		if (!accept_match(c, d, term, p))
			continue;
		p->match = term;
		break;
	}
	if (r->certificate_count > 0 && d->client == NULL)
		pass_certificates(c, d, p);
}

/* Moves what the last term touched into our own marks; true where it was stale. */
static bool collect_touched(struct mxg_answers *answers)
{
	bool stale = false;
	for (int e = 0; e < (int)mxg_answers_count(answers); e++) {
		unsigned flags = mxg_answers_flags(answers, e);
		if ((flags & MXG_ENTRY_CONSULTED) == 0)
			continue;
		unsigned own = MXG_ENTRY_TOUCHED;
		if ((flags & MXG_ENTRY_STALE) != 0) {
			own |= MXG_ENTRY_STALE_USED;
			stale = true;
		}
		mxg_answers_set_flags(answers, e, own, MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE);
	}
	return stale;
}

static enum mxg_reason failure_reason(const struct mxg_term_outcome *o)
{
	if (o->result == MXG_TERM_CLIENT_CHOSEN)
		return MXG_REASON_CLIENT_CHOSEN;
	if (o->result == MXG_TERM_NOMEM)
		return MXG_REASON_OUT_OF_MEMORY;
	if (o->result == MXG_TERM_PERMERROR) {
		switch (o->trouble) {
		case MXG_TROUBLE_MISSING:
			return MXG_REASON_RECORD_MISSING;
		case MXG_TROUBLE_LOOKUPS:
		case MXG_TROUBLE_VOIDS:
		case MXG_TROUBLE_MX_NAMES:
			return MXG_REASON_RECORD_LIMITS;
		default:
			return MXG_REASON_RECORD_BROKEN;
		}
	}
	switch (o->failure) {
	case MXG_DNS_TIMEOUT:
		return MXG_REASON_DNS_TIMEOUT;
	case MXG_DNS_REFUSED:
		return MXG_REASON_DNS_REFUSED;
	case MXG_DNS_SERVFAIL:
		return MXG_REASON_DNS_SERVFAIL;
	case MXG_DNS_INSECURE:
		return MXG_REASON_DNS_INSECURE;
	case MXG_DNS_CANCELLED:
		return MXG_REASON_DNS_CANCELLED;
	case MXG_DNS_LOCAL:
		return MXG_REASON_DNS_LOCAL;
	default:
		return MXG_REASON_DNS_BROKEN;
	}
}

/* Everybody is no gateway (docs/design.md, "Width guard"). */
static void fail_on_width(const struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p,
			  const struct mxg_gateway_term *term, const struct mxg_term_outcome *o)
{
	char name[MXG_NAME_TEXT_MAX];
	if (mxg_pass_steps(c, d) != NULL)
		mxg_text_list_add(&d->steps, "%s: %s: so wide that it authorizes nobody",
				  mxg_name_format(&o->question.name, name), o->detail);
	if (p->failed != NULL)
		return;
	p->failed = term;
	p->failure = *o;
	p->failure_reason = MXG_REASON_RECORD_TOO_WIDE;
}

/* One term's outcome into the pass. True: what follows cannot matter any more. */
static bool add_outcome(const struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p,
			const struct mxg_gateway_term *term, const struct mxg_term_outcome *o, bool stale)
{
	p->addresses_seen |= o->addresses_seen;
	p->other_family_wanted |= o->other_family_wanted;
	p->mx_is_self |= o->mx_is_self && !stale; /* stale answers prove `authorized` only */
	switch (o->result) {
	case MXG_TERM_NO_MATCH:
		return false;
	case MXG_TERM_PENDING:
		p->pending = true;
		return false;
	case MXG_TERM_MATCH:
		if (o->wide && !c->policy->accept_any_width) {
			fail_on_width(c, d, p, term, o);
			return false;
		}
		if (!accept_match(c, d, term, p))
			return false;
		p->match = term;
		p->match_stale = stale;
		return true;
	default: /* the first one counts; but nothing rests on a pass for which memory ran out, whatever it says */
		if (p->failed == NULL || failure_reason(o) == MXG_REASON_OUT_OF_MEMORY) {
			p->failed = term;
			p->failure = *o;
			p->failure_reason = failure_reason(o);
		}
		return false;
	}
}

static void load_past(struct mxguard_check *c, int entry)
{
	int64_t grace = c->policy->grace, settle = c->policy->settle, back = grace > settle ? grace : settle;
	back = back > c->policy->reply_rules.max_ttl ? back : c->policy->reply_rules.max_ttl;
	enum mxg_past cover = MXG_PAST_UNHEARD;
	switch (c->past_load(c->past, c->answers, entry, c->now, back)) {
	case MXG_HISTORY_NOMEM:
		c->out_of_memory = true;
		return;
	case MXG_HISTORY_UNCOVERED:
		cover = MXG_PAST_UNCOVERED;
		break;
	case MXG_HISTORY_COVERED:
		cover = MXG_PAST_KNOWN;
		break;
	case MXG_HISTORY_ABSENT:
		break;
	}
	c->past_cover = cover > c->past_cover ? cover : c->past_cover;
}

/* What the snapshot holds about an entry, before the evaluation looks at it. */
void mxg_pass_load(void *context, int entry)
{
	struct mxguard_check *c = context;
	mxg_answers_set_flags(c->answers, entry, MXG_ENTRY_LOADED, 0);
	if (c->past != NULL) {
		load_past(c, entry);
		return;
	}
	c->past_cover = MXG_PAST_UNHEARD;
	if (c->snapshot != NULL && mxg_snapshot_load(c->snapshot, c->answers, entry) == MXG_SNAPSHOT_NOMEM)
		c->out_of_memory = true;
}

static void fill_input(struct mxguard_check *c, const struct mxg_domain_check *d, struct mxg_eval_input *in,
		       int64_t as_of)
{
	*in = (struct mxg_eval_input){
		.peer = d->client != NULL ? *d->client : c->boundary,
		.sender = c->sender,
		.helo = c->boundary_helo != NULL && d->client == NULL ? c->boundary_helo : "",
		.receiver = c->policy->hostname,
		.view = { .now = c->now, .as_of = as_of, .keep_stale = c->policy->keep_stale },
		.insecure_macros = c->policy->insecure_client_macros,
		.self = c->policy->self.items,
		/* a host's own name is no domain without filters */
		.self_count = d->standing == MXG_STANDING_HOST ? 0 : c->policy->self.count,
		.explicit_self = d->standing != MXG_STANDING_LISTED,
		.load = mxg_pass_load,
		.load_context = c,
	};
	mxg_name_from_text(&in->domain, d->domain, d->domain_len);
}

/* A live answer counts in the place of a stale one for whoever asked for it, once all that he
 * asked for are in: else which of them comes first, or another recipient's question, could change
 * the verdict. */
static void hold_replies(const struct mxguard_check *c, const struct mxg_domain_check *d)
{
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++)
		mxg_answers_set_flags(c->answers, e, mxg_decide_asked_again(d, e) ? 0 : MXG_ENTRY_HELD,
				      mxg_decide_asked_again(d, e) ? MXG_ENTRY_HELD : 0);
}

void mxg_pass_run(struct mxguard_check *c, struct mxg_domain_check *d, int64_t as_of, bool both_families,
		  struct mxg_pass *p)
{
	const struct mxg_ruleset *r = d->ruleset;
	struct mxg_eval_input in;
	fill_input(c, d, &in, as_of);
	hold_replies(c, d);
	mxg_answers_clear_flags(c->answers, MXG_ENTRY_WANTED | MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE |
						    MXG_ENTRY_TOUCHED | MXG_ENTRY_STALE_USED);
	for (size_t i = 0; i < r->dns_count; i++) {
		const struct mxg_gateway_term *term = &r->terms[r->dns_terms[i]];
		struct mxg_term_outcome o;
		if (term->by_recipient && d->standing >= MXG_STANDING_FOREIGN) {
			p->foreign = true;
			continue;
		}
		mxg_evaluate_term(c->answers, &in, &term->term, both_families, mxg_pass_steps(c, d), &o);
		if (add_outcome(c, d, p, term, &o, collect_touched(c->answers)))
			break;
	}
}
