/* SPDX-License-Identifier: MIT */
/*
 * Is the boundary peer a gateway of this domain? DESIGN §2.3 and §4: static ranges first,
 * then the DNS terms over the table of answers, as things stand now; then, where that does
 * not authorize, as they stood just before each recent change.
 */
#include <stdlib.h>
#include <string.h>

#include "check_internal.h"
#include "snapshot.h"

/* The driver's own marks in the table, beside enum mxg_entry_flag. */
#define ENTRY_TOUCHED (1u << 8) /* this domain's evaluation rested on it */
#define ENTRY_STALE_USED (1u << 9) /* … and it was stale */

#define STATES_MAX 8 /* past states that are looked at */

/* All DNS terms of a ruleset, evaluated in one view. */
struct pass {
	const struct mxg_gateway_term *match;
	bool match_stale;
	bool pending, needs_header;
	bool token_missing; /* an address matched, its token did not */
	const struct mxg_gateway_term *token_term; /* the term that waits for it or lacks it */
	bool addresses_seen, other_family_wanted, mx_is_self;
	const struct mxg_gateway_term *failed; /* the first one that failed */
	struct mxg_term_outcome failure;
	enum mxg_reason failure_reason;
};

enum progress {
	PROGRESS_ON,
	PROGRESS_WAIT, /* for replies */
	PROGRESS_AGAIN /* more is to be looked at: from the start */
};

/* Everything but `failure`, which is large, and read only where `failed` is set: static
 * decisions are counted in nanoseconds. */
static void init_pass(struct pass *p)
{
	p->match = p->token_term = p->failed = NULL;
	p->match_stale = p->pending = p->needs_header = p->token_missing = false;
	p->addresses_seen = p->other_family_wanted = p->mx_is_self = false;
	p->failure_reason = MXG_REASON_UNDECIDED;
}

enum token_state { TOKEN_HOLDS, TOKEN_MISSING, TOKEN_UNREADABLE, TOKEN_NEEDS_HEADER };

static enum token_state token_state(const struct mxguard_check *c, const struct mxg_gateway *gateway)
{
	if (gateway->token.field == NULL)
		return TOKEN_HOLDS;
	if (gateway->token.value == NULL)
		return TOKEN_UNREADABLE;
	if (mxg_token_reader_saw(&c->tokens, &gateway->token))
		return TOKEN_HOLDS;
	/* given up without a header, a secret is not missing: nobody could look */
	return c->tokens.ended ? TOKEN_MISSING : TOKEN_NEEDS_HEADER;
}

static const struct mxg_gateway *gateway_of(const struct mxg_domain_check *d,
					    const struct mxg_gateway_term *term)
{
	return &d->ruleset->gateways[term->gateway];
}

static struct mxg_text_list *steps_of(const struct mxguard_check *c, struct mxg_domain_check *d)
{
	return (c->flags & MXGUARD_CHECK_STEPS) != 0 ? &d->steps : NULL;
}

static void conclude(struct mxg_domain_check *d, enum mxguard_verdict verdict, enum mxg_reason reason,
		     const struct mxg_gateway_term *term, const char *detail)
{
	d->outcome = (struct mxg_outcome){ .verdict = verdict, .reason = reason, .detail = detail };
	if (term != NULL) {
		d->outcome.gateway = gateway_of(d, term);
		d->outcome.term = &term->term;
	}
	d->done = true;
	d->needs_header = false;
}

static void fail_pass(struct pass *p, const struct mxg_gateway_term *term, enum mxg_reason reason)
{
	if (p->failed != NULL)
		return;
	p->failed = term;
	p->failure_reason = reason;
	p->failure = (struct mxg_term_outcome){ 0 };
}

/* True where the covering term's other condition holds as well, or there is none. */
static bool accept_match(const struct mxguard_check *c, const struct mxg_domain_check *d,
			 const struct mxg_gateway_term *term, struct pass *p)
{
	switch (token_state(c, gateway_of(d, term))) {
	case TOKEN_HOLDS:
		return true;
	case TOKEN_NEEDS_HEADER:
		p->needs_header = true;
		break;
	case TOKEN_MISSING:
		p->token_missing = true;
		break;
	case TOKEN_UNREADABLE:
		fail_pass(p, term, MXG_REASON_TOKEN_UNREADABLE);
		break;
	}
	if (p->token_term == NULL)
		p->token_term = term;
	return false;
}

static void match_prefixes(struct mxguard_check *c, struct mxg_domain_check *d, struct pass *p)
{
	const struct mxg_ruleset *r = d->ruleset;
	size_t count;
	const uint32_t *numbers = mxg_prefix_set_lookup(r->prefixes, &c->boundary, &count);
	p->addresses_seen = r->dns_count < r->term_count;
	for (size_t i = 0; i < count; i++) {
		const struct mxg_gateway_term *term = &r->terms[numbers[i]];
		if (!accept_match(c, d, term, p))
			continue;
		p->match = term;
		return;
	}
}

/* Moves what the last term touched into our own marks; true where it was stale. */
static bool collect_touched(struct mxg_answers *answers)
{
	bool stale = false;
	for (int e = 0; e < (int)mxg_answers_count(answers); e++) {
		unsigned flags = mxg_answers_flags(answers, e);
		if ((flags & MXG_ENTRY_CONSULTED) == 0)
			continue;
		unsigned own = ENTRY_TOUCHED;
		if ((flags & MXG_ENTRY_STALE) != 0) {
			own |= ENTRY_STALE_USED;
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

/* One term's outcome into the pass. True: what follows cannot matter any more. */
static bool add_outcome(const struct mxguard_check *c, const struct mxg_domain_check *d, struct pass *p,
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
		if (!accept_match(c, d, term, p))
			return false;
		p->match = term;
		p->match_stale = stale;
		return true;
	default:
		if (p->failed == NULL) {
			p->failed = term;
			p->failure = *o;
			p->failure_reason = failure_reason(o);
		}
		return false;
	}
}

/* What the snapshot holds about an entry, before the evaluation looks at it. */
static void load_entry(void *context, int entry)
{
	struct mxguard_check *c = context;
	mxg_answers_set_flags(c->answers, entry, MXG_ENTRY_LOADED, 0);
	if (c->snapshot != NULL && mxg_snapshot_load(c->snapshot, c->answers, entry) == MXG_SNAPSHOT_NOMEM)
		c->out_of_memory = true;
}

static void fill_input(struct mxguard_check *c, const struct mxg_domain_check *d,
		       struct mxg_eval_input *in, int64_t as_of)
{
	*in = (struct mxg_eval_input){
		.peer = c->boundary,
		.sender = c->sender,
		.helo = c->boundary_helo != NULL ? c->boundary_helo : "",
		.receiver = c->policy->hostname,
		.view = { .now = c->now, .as_of = as_of, .keep_stale = c->policy->keep_stale },
		.insecure_macros = c->policy->insecure_client_macros,
		.self = c->policy->self.items,
		.self_count = c->policy->self.count,
		.load = load_entry,
		.load_context = c,
	};
	mxg_name_from_text(&in->domain, d->domain, d->domain_len);
}

static bool was_asked_again(const struct mxg_domain_check *d, int entry)
{
	return d->asked_again != NULL && (d->asked_again[entry / 8] >> entry % 8 & 1) != 0;
}

/* A live answer counts in the place of a stale one for whoever asked for it, once all that he
 * asked for are in: else which of them comes first, or another recipient's question, could change
 * the verdict. */
static void hold_replies(const struct mxguard_check *c, const struct mxg_domain_check *d)
{
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++)
		mxg_answers_set_flags(c->answers, e, was_asked_again(d, e) ? 0 : MXG_ENTRY_HELD,
				      was_asked_again(d, e) ? MXG_ENTRY_HELD : 0);
}

static void run_terms(struct mxguard_check *c, struct mxg_domain_check *d, int64_t as_of, bool both_families,
		      struct pass *p)
{
	const struct mxg_ruleset *r = d->ruleset;
	struct mxg_eval_input in;
	fill_input(c, d, &in, as_of);
	hold_replies(c, d);
	mxg_answers_clear_flags(c->answers, MXG_ENTRY_WANTED | MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE |
						    ENTRY_TOUCHED | ENTRY_STALE_USED);
	for (size_t i = 0; i < r->dns_count; i++) {
		const struct mxg_gateway_term *term = &r->terms[r->dns_terms[i]];
		struct mxg_term_outcome o;
		mxg_evaluate_term(c->answers, &in, &term->term, both_families, steps_of(c, d), &o);
		if (add_outcome(c, d, p, term, &o, collect_touched(c->answers)))
			break;
	}
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

static int newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* The end of a version's grace: it may authorize while now is before it. */
static int64_t grace_end(const struct mxguard_check *c, const struct mxg_answer *version)
{
	uint32_t span = version->ttl > c->policy->grace ? version->ttl : c->policy->grace;
	return version->superseded + span;
}

/* The moments of change among the names touched, newest first, at most STATES_MAX. */
static size_t recent_changes(const struct mxguard_check *c, int64_t moments[STATES_MAX])
{
	int64_t all[256];
	size_t count = 0;
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++) {
		const struct mxg_answer *versions;
		if ((mxg_answers_flags(c->answers, e) & ENTRY_TOUCHED) == 0)
			continue;
		size_t n = mxg_answers_versions(c->answers, e, &versions);
		for (size_t v = 0; v < n && count < 256; v++)
			if (versions[v].superseded > 0 && versions[v].superseded <= c->now &&
			    c->now < grace_end(c, &versions[v]))
				all[count++] = versions[v].superseded;
	}
	qsort(all, count, sizeof(all[0]), newest_first);
	size_t kept = 0;
	for (size_t i = 0; i < count && kept < STATES_MAX; i++)
		if (kept == 0 || moments[kept - 1] != all[i])
			moments[kept++] = all[i];
	return kept;
}

/* One past state, from the snapshot alone: nothing is asked for it. What was not known then, or is
 * forgotten, proves nothing, and takes nothing from what another term proves. */
static bool state_matches(struct mxguard_check *c, struct mxg_domain_check *d, int64_t moment, struct pass *p)
{
	init_pass(p);
	if (steps_of(c, d) != NULL)
		mxg_text_list_add(&d->steps, "as things stood %lld s ago, before a change:",
				  (long long)(c->now - moment));
	run_terms(c, d, moment, false, p);
	return p->match != NULL;
}

static bool in_grace(struct mxguard_check *c, struct mxg_domain_check *d, bool *needs_header)
{
	int64_t moments[STATES_MAX];
	size_t count = recent_changes(c, moments);
	for (size_t i = 0; i < count; i++) {
		struct pass p;
		if (state_matches(c, d, moments[i], &p)) {
			conclude(d, MXGUARD_VERDICT_AUTHORIZED, MXG_REASON_GATEWAY_MATCH_GRACE, p.match,
				 mxg_check_format(c, "until %lld s ago", (long long)(c->now - moments[i])));
			return true;
		}
		*needs_header |= p.needs_header;
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
static void conclude_without_match(struct mxguard_check *c, struct mxg_domain_check *d, const struct pass *p)
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
		if ((mxg_answers_flags(c->answers, e) & ENTRY_STALE_USED) == 0 || was_asked_again(d, e))
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
	return ask_marked(c, d, ENTRY_STALE_USED) || c->out_of_memory ? PROGRESS_WAIT : PROGRESS_AGAIN;
}

/* Whether the replies to all of them are in, or will not come any more. */
static bool again_is_in(struct mxguard_check *c, struct mxg_domain_check *d)
{
	for (int e = 0; d->asked_again != NULL && e < (int)mxg_answers_count(c->answers); e++) {
		if (!was_asked_again(d, e) || (mxg_answers_flags(c->answers, e) & MXG_ENTRY_REPLIED) != 0)
			continue;
		if (!c->gave_up)
			return false;
		cancel(c, e);
	}
	return true;
}

/* … and where that failed, the answer is unknown. */
static void fail_on_stale(const struct mxguard_check *c, const struct mxg_domain_check *d, struct pass *p)
{
	int stale = first_marked(c, ENTRY_STALE_USED);
	if (p->failed != NULL || stale < 0)
		return;
	fail_pass(p, &d->ruleset->terms[d->ruleset->dns_terms[0]], MXG_REASON_STALE_UNCONFIRMED);
	p->failure.question = *mxg_answers_question(c->answers, stale);
}

/* Nothing more can be asked, yet something is missing: never an answer. */
static void fail_on_pending(const struct mxg_domain_check *d, struct pass *p)
{
	fail_pass(p, &d->ruleset->terms[d->ruleset->dns_terms[0]], MXG_REASON_RECORD_LIMITS);
}

/* The set may be empty for the peer's family only: then it is not empty. */
static enum progress look_at_other_family(struct mxguard_check *c, struct mxg_domain_check *d, struct pass *p)
{
	struct mxg_text_mark mark = mxg_text_list_mark(&d->steps);
	struct pass both;
	init_pass(&both);
	run_terms(c, d, 0, true, &both);
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
static enum progress evaluate_present(struct mxguard_check *c, struct mxg_domain_check *d, const struct pass *fixed)
{
	struct mxg_text_mark mark = { 0, 0 };
	mxg_text_list_cut(&d->steps, mark);
	struct pass p;
	init_pass(&p);
	d->waiting_count = 0;
	p.needs_header = fixed->needs_header;
	p.token_missing = fixed->token_missing;
	p.token_term = fixed->token_term;
	p.addresses_seen = fixed->addresses_seen;
	if (fixed->failed != NULL)
		fail_pass(&p, fixed->failed, fixed->failure_reason);
	run_terms(c, d, 0, false, &p);
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

/* Whether the domain's MX set changed within `settle`: then senders may still hold the old
 * one in their caches, and are to try again, not to be refused (DESIGN §2.4). */
static bool mx_changed_lately(struct mxguard_check *c, const struct mxg_domain_check *d)
{
	struct mxg_name name;
	if (c->policy->settle == 0 || !mxg_name_from_text(&name, d->domain, d->domain_len))
		return false;
	int entry = mxg_answers_entry(c->answers, &name, MXG_DNS_MX);
	if (entry < 0)
		return false;
	if ((mxg_answers_flags(c->answers, entry) & MXG_ENTRY_LOADED) == 0)
		load_entry(c, entry);
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

static void decide_by_dns(struct mxguard_check *c, struct mxg_domain_check *d, const struct pass *fixed)
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
	struct pass p;
	init_pass(&p);
	match_prefixes(c, d, &p);
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
		d->settling = mx_changed_lately(c, d);
}
