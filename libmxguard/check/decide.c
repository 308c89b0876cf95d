/* SPDX-License-Identifier: MIT */
/*
 * Is the boundary peer a gateway of this domain? docs/design.md, "Gateways" and "Grace": static ranges first,
 * then the DNS terms over the table of answers, as things stand now; then, where that does
 * not authorize, as they stood just before each recent change.
 */
#include "check/decide_internal.h"
#include "snapshot/grace.h"

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

static void tell_change(struct mxguard_check *c, struct mxg_domain_check *d, const struct mxg_grace_moment *change)
{
	char name[MXG_NAME_TEXT_MAX];
	if (mxg_pass_steps(c, d) != NULL)
		mxg_text_list_add(&d->steps,
				  "as things stood %lld s ago, before %s changed (in grace for %lld s more):",
				  (long long)(c->now - change->at),
				  mxg_name_format(&mxg_answers_question(c->answers, change->entry)->name, name),
				  (long long)(change->until - c->now));
}

/* Past states, from the snapshot alone: nothing is asked for them. What was not known then, or is
 * forgotten, proves nothing, and takes nothing from what another term proves. */
static bool in_grace(struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *present)
{
	struct mxg_grace_moment changes[MXG_GRACE_MOMENTS];
	size_t count = mxg_grace_moments(c->answers, MXG_ENTRY_TOUCHED, c->policy->grace, c->now, changes);
	for (size_t i = 0; i < count; i++) {
		const struct mxg_grace_moment *change = &changes[i];
		struct mxg_pass p;
		mxg_pass_init(&p);
		tell_change(c, d, change);
		mxg_pass_run(c, d, change->at, false, &p);
		if (p.match != NULL) {
			conclude(d, MXGUARD_VERDICT_AUTHORIZED, MXG_REASON_GATEWAY_MATCH_GRACE, p.match,
				 mxg_check_format(c, "until %lld s ago", (long long)(c->now - change->at)));
			return true;
		}
		present->needs_header |= p.needs_header;
		if (p.failed != NULL && p.failure_reason == MXG_REASON_OUT_OF_MEMORY)
			mxg_pass_fail(present, p.failed, p.failure_reason);
	}
	return false;
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
	bool lost = p->failed != NULL && p->failure_reason == MXG_REASON_OUT_OF_MEMORY;
	if (p->mx_is_self && !lost) {
		conclude(d, MXGUARD_VERDICT_EXEMPT, MXG_REASON_MX_IS_SELF, NULL, NULL);
	} else if (p->failed != NULL) {
		conclude(d, MXGUARD_VERDICT_UNKNOWN, p->failure_reason, p->failed, failure_detail(c, &p->failure));
	} else if (p->foreign) {
		conclude(d, MXGUARD_VERDICT_UNKNOWN,
			 d->standing == MXG_STANDING_DOUBT ? MXG_REASON_DOMAINS_UNREADABLE : MXG_REASON_FOREIGN_DOMAIN,
			 NULL, NULL);
	} else if (!p->addresses_seen) {
		conclude(d, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_NO_GATEWAY_PUBLISHED, NULL, NULL);
	} else if (p->token_missing) {
		conclude(d, MXGUARD_VERDICT_DIRECT, MXG_REASON_TOKEN_MISSING, p->token_term, NULL);
	} else if (p->certificate_term != NULL) {
		conclude(d, MXGUARD_VERDICT_DIRECT, p->certificate_reason, p->certificate_term, p->certificate_why);
	} else {
		conclude(d, MXGUARD_VERDICT_DIRECT, MXG_REASON_PEER_NOT_A_GATEWAY, NULL, NULL);
	}
}

/* … and where that failed, the answer is unknown. */
static void fail_on_stale(const struct mxguard_check *c, const struct mxg_domain_check *d, struct mxg_pass *p)
{
	int stale = mxg_decide_first(c, MXG_ENTRY_STALE_USED);
	if (p->failed != NULL || stale < 0)
		return;
	mxg_pass_fail(p, &d->ruleset->terms[d->ruleset->dns_terms[0]], MXG_REASON_STALE_UNCONFIRMED);
	p->failure.question = *mxg_answers_question(c->answers, stale);
}

/* Nothing more can be asked, yet something is missing: never an answer. */
static void fail_on_pending(const struct mxg_domain_check *d, struct mxg_pass *p)
{
	mxg_pass_fail(p, &d->ruleset->terms[d->ruleset->dns_terms[0]], MXG_REASON_RECORD_LIMITS);
}

/* The set may be empty for the peer's family only: then it is not empty. */
static enum mxg_decide_progress look_at_other_family(struct mxguard_check *c, struct mxg_domain_check *d,
						     struct mxg_pass *p)
{
	struct mxg_text_mark mark = mxg_text_list_mark(&d->steps);
	struct mxg_pass both;
	mxg_pass_init(&both);
	mxg_pass_run(c, d, 0, true, &both);
	mxg_text_list_cut(&d->steps, mark);
	if (both.pending && mxg_decide_ask(c, d, MXG_ENTRY_WANTED))
		return MXG_PROGRESS_WAIT;
	if (both.pending)
		fail_on_pending(d, p);
	enum mxg_decide_progress progress = mxg_decide_ask_again(c, d);
	if (progress != MXG_PROGRESS_ON)
		return progress;
	fail_on_stale(c, d, p);
	p->addresses_seen = both.addresses_seen;
	p->mx_is_self |= both.mx_is_self;
	if (p->failed == NULL && both.failed != NULL && !both.addresses_seen) {
		p->failed = both.failed;
		p->failure = both.failure;
		p->failure_reason = both.failure_reason;
	}
	return MXG_PROGRESS_ON;
}

static void conclude_on_header(struct mxg_domain_check *d)
{
	d->needs_header = true;
	d->dirty = false;
}

/* The present, as far as answers are in. */
static enum mxg_decide_progress evaluate_present(struct mxguard_check *c, struct mxg_domain_check *d,
						 const struct mxg_pass *fixed)
{
	struct mxg_text_mark mark = { 0, 0 };
	mxg_text_list_cut(&d->steps, mark);
	mxg_pass_tell_certificates(c, d);
	struct mxg_pass p;
	mxg_pass_init(&p);
	d->waiting_count = 0;
	p.needs_header = fixed->needs_header;
	p.token_missing = fixed->token_missing;
	p.token_term = fixed->token_term;
	p.certificate_term = fixed->certificate_term;
	p.certificate_why = fixed->certificate_why;
	p.certificate_reason = fixed->certificate_reason;
	p.addresses_seen = fixed->addresses_seen;
	if (fixed->failed != NULL)
		mxg_pass_fail(&p, fixed->failed, fixed->failure_reason);
	mxg_pass_run(c, d, 0, false, &p);
	if (p.pending && mxg_decide_ask(c, d, MXG_ENTRY_WANTED))
		return MXG_PROGRESS_WAIT;
	if (p.pending)
		fail_on_pending(d, &p);
	if (p.match != NULL) {
		conclude(d, MXGUARD_VERDICT_AUTHORIZED,
			 p.match_stale ? MXG_REASON_GATEWAY_MATCH_STALE : MXG_REASON_GATEWAY_MATCH, p.match, NULL);
		return MXG_PROGRESS_ON;
	}
	enum mxg_decide_progress progress = mxg_decide_ask_again(c, d);
	if (progress != MXG_PROGRESS_ON)
		return progress;
	fail_on_stale(c, d, &p);
	if (in_grace(c, d, &p))
		return MXG_PROGRESS_ON;
	if (p.needs_header) {
		conclude_on_header(d);
		return MXG_PROGRESS_ON;
	}
	if (!p.addresses_seen && p.failed == NULL && p.other_family_wanted && !p.mx_is_self && !p.foreign) {
		progress = look_at_other_family(c, d, &p);
		if (progress != MXG_PROGRESS_ON)
			return progress;
	}
	conclude_without_match(c, d, &p);
	return MXG_PROGRESS_ON;
}

/* Whether the domain's MX set changed within `settle`: then senders may still hold the old
 * one in their caches, and are to try again, not to be refused (docs/design.md, "Settle"). */
static bool mx_changed_lately(struct mxguard_check *c, const struct mxg_domain_check *d)
{
	struct mxg_name name;
	if (c->policy->settle == 0 || !mxg_name_from_text(&name, d->domain, d->domain_len))
		return false;
	int entry = mxg_answers_entry(c->answers, &name, MXG_DNS_MX);
	if (entry < 0)
		return true; /* it cannot be known: nothing is refused */
	if ((mxg_answers_flags(c->answers, entry) & MXG_ENTRY_LOADED) == 0)
		mxg_pass_load(c, entry);
	if (mxg_answers_live_differs(c->answers, entry))
		return true;
	const struct mxg_answer *versions;
	size_t n = mxg_answers_versions(c->answers, entry, &versions);
	for (size_t i = 0; i < n; i++)
		if (versions[i].superseded > 0 && versions[i].superseded <= c->now &&
		    c->now < versions[i].superseded + (int64_t)c->policy->settle)
			return true;
	return false;
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
	if (d->ruleset->by_recipient && d->standing == MXG_STANDING_OPEN)
		d->standing = mxg_check_standing(c, d->domain, d->domain_len);
	/* each turn asks for something again that was not asked for before */
	while (mxg_decide_again_is_in(c, d) && evaluate_present(c, d, fixed) == MXG_PROGRESS_AGAIN)
		;
	d->dirty = c->gave_up && !d->done && !d->needs_header;
}

void mxg_decide_domain(struct mxguard_check *c, struct mxg_domain_check *d)
{
	struct mxg_text_mark none = { 0, 0 };
	struct mxg_pass p;
	mxg_text_list_cut(&d->steps, none);
	mxg_pass_tell_certificates(c, d);
	mxg_pass_init(&p);
	mxg_pass_fixed(c, d, &p);
	d->dirty = false;
	d->needs_header = false;
	if (p.match != NULL) {
		conclude(d, MXGUARD_VERDICT_AUTHORIZED, MXG_REASON_GATEWAY_MATCH, p.match, NULL);
		return;
	}
	if (d->ruleset->dns_count > 0)
		decide_by_dns(c, d, &p);
	else if (p.needs_header)
		conclude_on_header(d);
	else
		conclude_without_match(c, d, &p);
	if (d->done && d->outcome.verdict == MXGUARD_VERDICT_DIRECT && (c->snapshot != NULL || c->past != NULL) &&
	    make_answers(c))
		d->settling = mx_changed_lately(c, d);
	if (c->out_of_memory) /* what could not be looked at is not what was not there */
		d->done = false;
}
