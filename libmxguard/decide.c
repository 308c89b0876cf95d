/* SPDX-License-Identifier: MIT */
/*
 * Is the boundary peer a gateway of this domain? DESIGN §2.3 and §4: static ranges first,
 * then the DNS terms over the table of answers, as things stand now; then, where that does
 * not authorize, as they stood just before each recent change.
 */
#include <string.h>

#include "history.h"
#include "pass.h"

enum progress {
	PROGRESS_ON,
	PROGRESS_WAIT, /* for replies */
	PROGRESS_AGAIN /* more is to be looked at: from the start */
};

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

/* No reply will come any more. */
static void cancel(struct mxguard_check *c, int entry)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_CANCELLED };
	mxg_answers_put_live(c->answers, entry, &none, c->now);
	mxg_answers_set_flags(c->answers, entry, MXG_ENTRY_ASKED | MXG_ENTRY_REPLIED, 0);
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
			cancel(c, e);
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

/* Marks the stale answers that were rested on as asked for again; false: all of them are. */
static bool mark_stale(struct mxguard_check *c, struct mxg_domain_check *d)
{
	bool new = false;
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++) {
		if ((mxg_answers_flags(c->answers, e) & MXG_ENTRY_STALE_USED) == 0 || mxg_pass_asked_again(d, e))
			continue;
		if (d->asked_again == NULL) {
			d->asked_again = mxg_arena_take(&c->arena, MXG_ANSWERS_MAX / 8);
			if (d->asked_again == NULL) {
				c->out_of_memory = true;
				return true;
			}
			memset(d->asked_again, 0, MXG_ANSWERS_MAX / 8);
		}
		d->asked_again[e / 8] |= (uint8_t)(1u << e % 8);
		new = true;
	}
	return new;
}

/* A definite answer rests on fresh answers only: stale ones are asked for again. */
static enum progress ask_stale_again(struct mxguard_check *c, struct mxg_domain_check *d)
{
	if (!mark_stale(c, d))
		return PROGRESS_ON;
	return ask_marked(c, d, MXG_ENTRY_STALE_USED) || c->out_of_memory ? PROGRESS_WAIT : PROGRESS_AGAIN;
}

/* Whether the replies to all of them are in, or will not come any more. */
static bool again_is_in(struct mxguard_check *c, struct mxg_domain_check *d)
{
	for (int e = 0; d->asked_again != NULL && e < (int)mxg_answers_count(c->answers); e++) {
		if (!mxg_pass_asked_again(d, e) || (mxg_answers_flags(c->answers, e) & MXG_ENTRY_REPLIED) != 0)
			continue;
		if (!c->gave_up)
			return false;
		cancel(c, e);
	}
	return true;
}

/* … and where that failed, the answer is unknown. */
static void fail_on_stale(const struct mxguard_check *c, const struct mxg_domain_check *d, struct mxg_pass *p)
{
	int stale = first_marked(c, MXG_ENTRY_STALE_USED);
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
static enum progress look_at_other_family(struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p)
{
	struct mxg_text_mark mark = mxg_text_list_mark(&d->steps);
	struct mxg_pass both;
	mxg_pass_init(&both);
	mxg_pass_terms(c, d, 0, true, &both);
	mxg_text_list_cut(&d->steps, mark);
	if (both.pending && ask_marked(c, d, MXG_ENTRY_WANTED))
		return PROGRESS_WAIT;
	if (both.pending)
		fail_on_pending(d, p);
	enum progress progress = ask_stale_again(c, d);
	if (progress != PROGRESS_ON)
		return progress;
	fail_on_stale(c, d, p);
	p->addresses_seen = both.addresses_seen;
	p->mx_is_self |= both.mx_is_self;
	if (p->failed == NULL && both.failed != NULL && !both.addresses_seen) {
		p->failed = both.failed;
		p->failure = both.failure;
		p->failure_reason = both.failure_reason;
	}
	return PROGRESS_ON;
}

static void settle_on_header(struct mxg_domain_check *d)
{
	d->needs_header = true;
	d->dirty = false;
}

/* The present, as far as answers are in. */
static enum progress evaluate_present(struct mxguard_check *c, struct mxg_domain_check *d, const struct mxg_pass *fixed)
{
	struct mxg_text_mark mark = { 0, 0 };
	mxg_text_list_cut(&d->steps, mark);
	struct mxg_pass p;
	mxg_pass_init(&p);
	d->waiting_count = 0;
	p.needs_header = fixed->needs_header;
	p.token_missing = fixed->token_missing;
	p.token_term = fixed->token_term;
	p.addresses_seen = fixed->addresses_seen;
	if (fixed->failed != NULL)
		mxg_pass_fail(&p, fixed->failed, fixed->failure_reason);
	mxg_pass_terms(c, d, 0, false, &p);
	if (p.pending && ask_marked(c, d, MXG_ENTRY_WANTED))
		return PROGRESS_WAIT;
	if (p.pending)
		fail_on_pending(d, &p);
	if (p.match != NULL) {
		conclude(d, MXGUARD_VERDICT_AUTHORIZED,
			 p.match_stale ? MXG_REASON_GATEWAY_MATCH_STALE : MXG_REASON_GATEWAY_MATCH, p.match, NULL);
		return PROGRESS_ON;
	}
	enum progress progress = ask_stale_again(c, d);
	if (progress != PROGRESS_ON)
		return progress;
	fail_on_stale(c, d, &p);
	bool needs_header = p.needs_header;
	if (in_grace(c, d, &needs_header))
		return PROGRESS_ON;
	if (needs_header) {
		settle_on_header(d);
		return PROGRESS_ON;
	}
	if (!p.addresses_seen && p.failed == NULL && p.other_family_wanted && !p.mx_is_self) {
		progress = look_at_other_family(c, d, &p);
		if (progress != PROGRESS_ON)
			return progress;
	}
	conclude_without_match(c, d, &p);
	return PROGRESS_ON;
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
	/* each turn asks for something again that was not asked for before */
	while (again_is_in(c, d) && evaluate_present(c, d, fixed) == PROGRESS_AGAIN)
		;
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
