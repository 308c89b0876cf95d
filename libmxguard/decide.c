/* SPDX-License-Identifier: MIT */
/*
 * Is the boundary peer a gateway of this domain? DESIGN §2.3 and §4: static ranges first,
 * then the DNS terms over the table of answers, as things stand now; then, where that does
 * not authorize, as they stood just before each recent change.
 */
#include "history.h"
#include "pass.h"

static void conclude(struct mxg_domain_check *d, enum mxguard_verdict verdict, enum mxg_reason reason,
		     const struct mxg_gateway_term *term, const char *detail)
{
	d->outcome = (struct mxg_outcome){ .verdict = verdict, .reason = reason, .detail = detail };
	if (term != NULL) {
		d->outcome.gateway = mxg_pass_gateway(d, term);
		d->outcome.term = &term->term;
	}
	d->done = true;
	d->needs_header = false;
}

static void wait_for(struct mxg_domain_check *d, int entry)
{
	if (d->waiting_count < sizeof(d->waiting) / sizeof(d->waiting[0]))
		d->waiting[d->waiting_count] = entry;
	d->waiting_count++;
}

/* Asks, live, all entries that have all of `marks`; false where none is left to wait for. */
static bool ask_marked(struct mxguard_check *c, struct mxg_domain_check *d, unsigned marks)
{
	d->waiting_count = 0;
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++) {
		unsigned flags = mxg_answers_flags(c->answers, e);
		if ((flags & marks) != marks || (flags & MXG_ENTRY_REPLIED) != 0)
			continue;
		if (c->gave_up) {
			struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_CANCELLED };
			mxg_answers_put_live(c->answers, e, &none, c->now);
			mxg_answers_set_flags(c->answers, e, MXG_ENTRY_ASKED | MXG_ENTRY_REPLIED, 0);
			d->dirty = true;
		} else if ((flags & MXG_ENTRY_ASKED) == 0 && !mxg_check_ask(c, e)) {
			return false;
		}
		wait_for(d, e);
	}
	return d->waiting_count > 0;
}

static bool in_grace(struct mxguard_check *c, struct mxg_domain_check *d, bool *needs_header)
{
	int64_t moment;
	const struct mxg_gateway_term *match = mxg_history_match(c, d, &moment, needs_header);
	if (match != NULL)
		conclude(d, MXGUARD_VERDICT_AUTHORIZED, MXG_REASON_GATEWAY_MATCH_GRACE, match,
			 mxg_check_format(c, "until %lld s ago", (long long)(c->now - moment)));
	return match != NULL;
}

static const char *failure_detail(struct mxguard_check *c, const struct mxg_term_outcome *o)
{
	char name[MXG_NAME_TEXT_MAX];
	const char *of = o->question.name.len > 0 ? mxg_name_format(&o->question.name, name) : "";
	if (o->detail[0] != '\0' && of[0] != '\0')
		return mxg_check_format(c, "%s: %s", of, o->detail);
	return mxg_check_format(c, "%s%s", of, o->detail);
}

/* No match, nothing pending, nothing stale: what is it then? */
static void conclude_without_match(struct mxguard_check *c, struct mxg_domain_check *d, const struct mxg_pass *p)
{
	if (p->mx_is_self) {
		conclude(d, MXGUARD_VERDICT_EXEMPT, MXG_REASON_MX_IS_SELF, NULL, NULL);
	} else if (p->failed != NULL) {
		conclude(d, MXGUARD_VERDICT_UNKNOWN, p->failure_reason, p->failed,
			 failure_detail(c, &p->failure));
	} else if (!p->addresses_seen) {
		conclude(d, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_NO_GATEWAY_PUBLISHED, NULL, NULL);
	} else if (p->token_missing) {
		conclude(d, MXGUARD_VERDICT_DIRECT, MXG_REASON_TOKEN_MISSING, p->token_term, NULL);
	} else {
		conclude(d, MXGUARD_VERDICT_DIRECT, MXG_REASON_PEER_NOT_A_GATEWAY, NULL, NULL);
	}
}

static int first_marked(const struct mxguard_check *c, unsigned marks)
{
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++)
		if ((mxg_answers_flags(c->answers, e) & marks) == marks)
			return e;
	return -1;
}

/* A definite answer rests on fresh answers only: stale ones are asked for again, and where
 * that fails the answer is unknown. True: wait. */
static bool stale_needs_asking(struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p)
{
	if (ask_marked(c, d, MXG_ENTRY_STALE_USED))
		return true;
	int stale = first_marked(c, MXG_ENTRY_STALE_USED);
	if (p->failed == NULL && stale >= 0) {
		p->failed = &d->ruleset->terms[d->ruleset->dns_terms[0]];
		p->failure_reason = MXG_REASON_STALE_UNCONFIRMED;
		p->failure = (struct mxg_term_outcome){ 0 };
		p->failure.question = *mxg_answers_question(c->answers, stale);
		p->mx_is_self = false;
	}
	return false;
}

/* The set may be empty for the peer's family only: then it is not empty. True: wait. */
static bool look_at_other_family(struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p,
				 bool failed_before)
{
	struct mxg_text_mark mark = mxg_text_list_mark(&d->steps);
	struct mxg_pass both;
	mxg_pass_init(&both);
	mxg_pass_terms(c, d, 0, true, &both);
	mxg_text_list_cut(&d->steps, mark);
	if (both.pending && ask_marked(c, d, MXG_ENTRY_WANTED))
		return true;
	if (ask_marked(c, d, MXG_ENTRY_STALE_USED))
		return true;
	p->addresses_seen = both.addresses_seen;
	p->mx_is_self |= both.mx_is_self;
	if (!failed_before && both.failed != NULL && !both.addresses_seen) {
		p->failed = both.failed;
		p->failure = both.failure;
		p->failure_reason = both.failure_reason;
	}
	return false;
}

static void settle_on_header(struct mxg_domain_check *d)
{
	d->needs_header = true;
	d->dirty = false;
}

/* The present, as far as answers are in. */
static void evaluate_present(struct mxguard_check *c, struct mxg_domain_check *d, const struct mxg_pass *fixed)
{
	struct mxg_text_mark mark = { 0, 0 };
	mxg_text_list_cut(&d->steps, mark);
	struct mxg_pass p;
	mxg_pass_init(&p);
	p.needs_header = fixed->needs_header;
	p.token_missing = fixed->token_missing;
	p.token_term = fixed->token_term;
	p.addresses_seen = fixed->addresses_seen;
	if (fixed->failed != NULL)
		mxg_pass_fail(&p, fixed->failed, fixed->failure_reason);
	mxg_pass_terms(c, d, 0, false, &p);
	if (p.pending && ask_marked(c, d, MXG_ENTRY_WANTED))
		return;
	if (p.pending) /* nothing more can be asked, yet something is missing: never an answer */
		mxg_pass_fail(&p, &d->ruleset->terms[d->ruleset->dns_terms[0]], MXG_REASON_RECORD_LIMITS);
	if (p.match != NULL) {
		conclude(d, MXGUARD_VERDICT_AUTHORIZED,
			 p.match_stale ? MXG_REASON_GATEWAY_MATCH_STALE : MXG_REASON_GATEWAY_MATCH, p.match, NULL);
		return;
	}
	if (stale_needs_asking(c, d, &p))
		return;
	bool needs_header = p.needs_header;
	bool failed = p.failed != NULL;
	if (in_grace(c, d, &needs_header))
		return;
	if (needs_header) {
		settle_on_header(d);
		return;
	}
	if (!p.addresses_seen && p.other_family_wanted && !p.mx_is_self && look_at_other_family(c, d, &p, failed))
		return;
	conclude_without_match(c, d, &p);
}

static bool make_answers(struct mxguard_check *c)
{
	if (c->answers == NULL)
		c->answers = mxg_answers_new();
	if (c->answers == NULL)
		c->out_of_memory = true;
	return c->answers != NULL;
}

static void decide_by_dns(struct mxguard_check *c, struct mxg_domain_check *d, const struct mxg_pass *fixed)
{
	struct mxg_name name;
	if (!mxg_name_from_text(&name, d->domain, d->domain_len)) {
		conclude(d, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_NO_RECIPIENT_DOMAIN, NULL, NULL);
		return;
	}
	if (!make_answers(c))
		return;
	evaluate_present(c, d, fixed);
	d->dirty = c->gave_up && !d->done && !d->needs_header;
}

void mxg_decide_domain(struct mxguard_check *c, struct mxg_domain_check *d)
{
	struct mxg_pass p;
	mxg_pass_init(&p);
	mxg_pass_prefixes(c, d, &p);
	d->dirty = false;
	d->needs_header = false;
	if (p.match != NULL) {
		conclude(d, MXGUARD_VERDICT_AUTHORIZED, MXG_REASON_GATEWAY_MATCH, p.match, NULL);
		return;
	}
	if (d->ruleset->dns_count > 0)
		decide_by_dns(c, d, &p);
	else if (p.needs_header)
		settle_on_header(d);
	else
		conclude_without_match(c, d, &p);
	if (d->done && d->outcome.verdict == MXGUARD_VERDICT_DIRECT && c->snapshot != NULL && make_answers(c))
		d->settling = mxg_history_mx_changed(c, d);
}
