/* SPDX-License-Identifier: MIT */
/* The state machine of one transaction: who is asked what, and when it is decided. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "check/internal.h"

#define FLAGS (MXGUARD_CHECK_FLAG_STEPS | MXGUARD_CHECK_FLAG_NO_OWN_FIELD)
#define ROUNDS_MAX 256 /* passes over the recipients in one run; each one decides or asks something */

int mxguard_check_new(struct mxguard_check **check, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot,
		      unsigned flags)
{
	*check = NULL;
	if (policy == NULL || (flags & ~(unsigned)FLAGS) != 0)
		return MXGUARD_ERROR_INVALID;
	struct mxguard_check *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return MXGUARD_ERROR_NOMEM;
	c->policy = mxguard_policy_ref(policy);
	c->snapshot = snapshot == NULL ? NULL : mxguard_snapshot_ref(snapshot);
	c->flags = flags;
	mxguard_check_reset(c);
	*check = c;
	return MXGUARD_ERROR_NONE;
}

static void clear_domains(struct mxguard_check *c)
{
	for (size_t i = 0; i < c->domain_count; i++)
		mxg_text_list_clear(&c->domains[i].steps);
	c->domain_count = 0;
}

void mxguard_check_reset(struct mxguard_check *c)
{
	clear_domains(c);
	c->recipient_count = 0;
	c->peer = c->real_peer = c->boundary = (struct mxg_address){ 0 };
	c->peer_unreadable = false;
	c->place = MXGUARD_PLACE_DOOR;
	c->helo = c->login = c->sender = c->id = c->message_id = "";
	c->certificate = NULL;
	c->override.set = 0;
	c->boundary_state = MXG_BOUNDARY_OPEN;
	c->boundary_helo = NULL;
	c->hop = 0;
	c->boundary_outcome = (struct mxg_outcome){ 0 };
	c->for_address = NULL;
	c->past_cover = MXG_PAST_NOT_ASKED;
	c->header_ended = c->age_read = false;
	c->queued_since = 0;
	c->below.first = c->below.last = NULL;
	c->below.count = c->below.bytes = 0;
	c->below.ended = false;
	c->question_count = c->next_question = 0;
	c->gave_up = c->out_of_memory = false;
	c->setter_error = MXGUARD_ERROR_NONE;
	if (c->answers != NULL)
		mxg_answers_clear(c->answers);
	if (c->steps.room > 0)
		mxg_text_list_clear(&c->steps);
	mxg_token_reader_init(&c->tokens, c->policy);
	mxg_boundary_reset(c);
	mxg_arena_reset(&c->arena);
}

void mxguard_check_free(struct mxguard_check *c)
{
	if (c == NULL)
		return;
	clear_domains(c);
	mxg_boundary_free(c);
	mxg_answers_free(c->answers);
	mxg_text_list_clear(&c->steps);
	mxg_arena_free(&c->arena);
	free(c->questions);
	free(c->recipients);
	free(c->domains);
	mxguard_snapshot_unref(c->snapshot);
	mxguard_policy_unref(c->policy);
	free(c);
}

const char *mxg_check_keep(struct mxguard_check *c, const char *text, size_t len)
{
	const char *copy = mxg_arena_text(&c->arena, text, len);
	if (copy == NULL)
		c->out_of_memory = true;
	return copy;
}

const char *mxg_check_format(struct mxguard_check *c, const char *format, ...)
{
	char line[1400];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0)
		return NULL;
	return mxg_check_keep(c, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

bool mxg_check_ask(struct mxguard_check *c, int entry)
{
	if (!mxg_grow(&c->questions, &c->question_room, c->question_count, sizeof(int))) {
		c->out_of_memory = true;
		return false;
	}
	c->questions[c->question_count++] = entry;
	mxg_answers_set_flags(c->answers, entry, MXG_ENTRY_ASKED, 0);
	return true;
}

/* ---- domains ---------------------------------------------------------------- */

/* The number of the domain's check under the ruleset, made where it is new; -1: no memory. */
static int domain_check(struct mxguard_check *c, const char *domain, size_t len, const struct mxg_ruleset *ruleset)
{
	for (size_t i = c->domain_count; i-- > 0;) {
		const struct mxg_domain_check *d = &c->domains[i];
		if (d->ruleset == ruleset && d->domain_len == len && d->client == NULL &&
		    memcmp(d->domain, domain, len) == 0)
			return (int)i;
	}
	return mxg_check_new_domain(c, domain, len, ruleset);
}

int mxg_check_new_domain(struct mxguard_check *c, const char *domain, size_t len, const struct mxg_ruleset *ruleset)
{
	if (!mxg_grow(&c->domains, &c->domain_room, c->domain_count, sizeof(*c->domains))) {
		c->out_of_memory = true;
		return -1;
	}
	struct mxg_domain_check *d = &c->domains[c->domain_count];
	d->client = NULL;
	d->origin.state = MXG_ORIGIN_OPEN;
	d->ruleset = ruleset;
	d->domain = domain;
	d->domain_len = len;
	d->done = d->needs_header = d->settling = d->mx_known = false;
	d->standing = MXG_STANDING_OPEN;
	d->dirty = true;
	d->waiting_count = 0;
	d->asked_again = NULL;
	d->outcome = (struct mxg_outcome){ 0 };
	d->steps = (struct mxg_text_list){ 0 };
	return (int)c->domain_count++;
}

/* Nobody can say whether it is one of ours: it proves nothing, but without it nothing is final.
 * Under no ruleset, so that it is not taken for the domain of another recipient. */
static int doubtful_domain_check(struct mxguard_check *c, const char *domain, size_t len)
{
	int number = domain_check(c, domain, len, NULL);
	if (number < 0)
		return number;
	c->domains[number].outcome =
		(struct mxg_outcome){ .verdict = MXGUARD_VERDICT_UNKNOWN, .reason = MXG_REASON_DOMAINS_UNREADABLE };
	c->domains[number].done = true;
	return number;
}

/* A second domain counts only where it is ours and under the same policy (docs/design.md, "Second names"). */
static int second_domain_check(struct mxguard_check *c, const struct mxg_recipient *r, const char *domain, size_t len)
{
	if (len == 0 || mxg_policy_ruleset(c->policy, domain, len) != r->ruleset)
		return -1;
	int local = mxg_check_is_local(c, domain, len);
	if (local == 0)
		return -1;
	return local < 0 ? doubtful_domain_check(c, domain, len) : domain_check(c, domain, len, r->ruleset);
}

/* ---- recipients ------------------------------------------------------------- */

struct mxg_recipient *mxg_check_new_recipient(struct mxguard_check *c)
{
	if (!mxg_grow(&c->recipients, &c->recipient_room, c->recipient_count, sizeof(*c->recipients))) {
		c->out_of_memory = true;
		return NULL;
	}
	return &c->recipients[c->recipient_count];
}

static enum mxguard_mode mode_of(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_override *o = mxg_check_override_for(c, r, MXG_OVERRIDE_MODE);
	return o != NULL ? o->rules.mode : r->ruleset->mode;
}

static bool address_exempt(const struct mxguard_check *c, const struct mxg_recipient *r, const char *address,
			   size_t len)
{
	const struct mxg_override *o = mxg_check_override_for(c, r, MXG_OVERRIDE_EXEMPT);
	return mxg_exempts(&r->ruleset->exempt, address, len) ||
	       (o != NULL && mxg_exempts(&o->rules.exempt, address, len));
}

static void conclude_plain(struct mxguard_check *c, struct mxg_recipient *r, enum mxguard_verdict verdict,
			   enum mxg_reason reason)
{
	const struct mxg_outcome outcome = { .verdict = verdict, .reason = reason };
	mxg_conclude_recipient(c, r, &outcome, false);
}

/* What the trace could not tell, the recipient's own policy judges. */
static struct mxg_outcome judge_boundary(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	struct mxg_outcome out = c->boundary_outcome;
	const struct mxg_override *o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_UNTRACED);
	enum mxguard_verdict untraced = o != NULL ? o->rules.on_untraced : r->ruleset->on_untraced;
	if (out.reason == MXG_REASON_UNTRACED && untraced == MXGUARD_VERDICT_INTERNAL) {
		out.verdict = untraced;
		out.reason = MXG_REASON_UNTRACED_ACCEPTED;
	} else if (out.reason == MXG_REASON_UNTRACED && untraced == MXGUARD_VERDICT_DIRECT) {
		out.verdict = untraced;
		out.reason = MXG_REASON_UNTRACED_DIRECT;
	} else if (out.reason == MXG_REASON_RETRIEVED && r->ruleset->retrieved == MXGUARD_VERDICT_UNKNOWN) {
		out.verdict = MXGUARD_VERDICT_UNKNOWN;
		out.reason = MXG_REASON_RETRIEVED_UNKNOWN;
	} else if (out.reason == MXG_REASON_RESUBMITTED && r->ruleset->resubmitted == MXGUARD_VERDICT_INTERNAL) {
		out.verdict = MXGUARD_VERDICT_INTERNAL;
		out.reason = MXG_REASON_RESUBMITTED_ACCEPTED;
	}
	return out;
}

/* How much a domain's outcome weighs against another name's: a match wins, then doubt; `direct`
 * only where every name says so. That there are no filters to skip, only the mailbox's own domain
 * can say: another name may be one that the client chose. */
static int weight(const struct mxg_domain_check *d, bool own)
{
	switch (d->outcome.verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
		return 4;
	case MXGUARD_VERDICT_EXEMPT:
		return own ? 3 : 0;
	case MXGUARD_VERDICT_UNKNOWN:
		return 2;
	case MXGUARD_VERDICT_DIRECT:
		return 1;
	default:
		return 0;
	}
}

struct best {
	const struct mxg_domain_check *domain;
	int weight;
};

/* Takes one domain of the recipient into account; false while it is not decided. */
static bool weigh_domain(struct mxguard_check *c, int number, bool own, struct best *best)
{
	struct mxg_domain_check *d = &c->domains[number];
	if (!d->done && d->dirty)
		mxg_decide_domain(c, d);
	if (!d->done)
		return false;
	if (weight(d, own) > best->weight)
		*best = (struct best){ d, weight(d, own) };
	return true;
}

/* All domains of the recipient, before any of them is looked at: the array may move. */
static bool make_domain_checks(struct mxguard_check *c, struct mxg_recipient *r)
{
	if (r->domain_check < 0)
		r->domain_check = domain_check(c, r->domain, r->domain_len, r->ruleset);
	for (struct mxg_recipient_name *n = r->names; n != NULL; n = n->next)
		if (n->domain_check == MXG_NAME_UNTRIED)
			n->domain_check = second_domain_check(c, r, n->domain, n->domain_len);
	return !c->out_of_memory; /* a name that is lost would turn `authorized` into `direct` */
}

static void judge_peer(struct mxguard_check *c, struct mxg_recipient *r)
{
	struct best best = { NULL, 0 };
	if (!make_domain_checks(c, r))
		return;
	bool all = weigh_domain(c, r->domain_check, true, &best);
	for (struct mxg_recipient_name *n = r->names; n != NULL; n = n->next)
		if (n->domain_check >= 0)
			all &= weigh_domain(c, n->domain_check, false, &best);
	if (best.domain != NULL && (all || best.domain->outcome.verdict == MXGUARD_VERDICT_AUTHORIZED))
		mxg_conclude_recipient(c, r, &best.domain->outcome, c->domains[r->domain_check].settling);
}

static void decide_address(struct mxguard_check *c, struct mxg_recipient *r)
{
	r->mode = mode_of(c, r);
	if (r->mode == MXGUARD_MODE_OFF) {
		conclude_plain(c, r, MXGUARD_VERDICT_EXEMPT, MXG_REASON_MODE_OFF);
		return;
	}
	if (r->doubt == MXG_REASON_UNDECIDED && address_exempt(c, r, r->address, r->len)) {
		conclude_plain(c, r, MXGUARD_VERDICT_EXEMPT, MXG_REASON_RECIPIENT_EXEMPT);
		return;
	}
	if (c->boundary_state == MXG_BOUNDARY_OPEN)
		mxg_boundary_decide(c);
	if (c->boundary_state == MXG_BOUNDARY_VERDICT) {
		struct mxg_outcome outcome = judge_boundary(c, r);
		mxg_conclude_recipient(c, r, &outcome, false);
	} else if (c->boundary_state == MXG_BOUNDARY_PEER && r->doubt != MXG_REASON_UNDECIDED) {
		conclude_plain(c, r, MXGUARD_VERDICT_UNKNOWN, r->doubt);
	} else if (c->boundary_state == MXG_BOUNDARY_PEER) {
		judge_peer(c, r);
	}
}

static void decide_recipient(struct mxguard_check *c, struct mxg_recipient *r)
{
	bool all = true;
	if (r->routes == NULL) {
		decide_address(c, r);
		return;
	}
	if (!mxg_routes_share(c, r))
		return;
	for (struct mxg_recipient *route = r->routes; route != NULL; route = route->next) {
		if (!route->decided)
			decide_address(c, route);
		all &= route->decided;
	}
	if (all)
		mxg_routes_conclude(r);
}

/* ---- running ---------------------------------------------------------------- */

static bool any_dirty(const struct mxguard_check *c)
{
	for (size_t i = 0; i < c->domain_count; i++)
		if (!c->domains[i].done && c->domains[i].dirty && c->domains[i].client == NULL)
			return true;
	return false;
}

static bool all_decided(const struct mxguard_check *c)
{
	for (size_t i = 0; i < c->recipient_count; i++)
		if (!c->recipients[i].decided)
			return false;
	return true;
}

static bool waits_for_dns(const struct mxguard_check *c)
{
	for (size_t i = 0; i < c->domain_count; i++)
		if (!c->domains[i].done && c->domains[i].waiting_count > 0 && c->domains[i].client == NULL)
			return true;
	return false;
}

int mxguard_check_run(struct mxguard_check *c, int64_t now)
{
	c->now = c->past != NULL ? c->past_time : now;
	if (c->setter_error != MXGUARD_ERROR_NONE)
		return c->setter_error;
	for (int round = 0; round < ROUNDS_MAX && !c->out_of_memory; round++) {
		for (size_t i = 0; i < c->recipient_count; i++)
			if (!c->recipients[i].decided)
				decide_recipient(c, &c->recipients[i]);
		if (!any_dirty(c))
			break;
	}
	if (c->out_of_memory)
		return MXGUARD_ERROR_NOMEM;
	if (all_decided(c))
		return mxg_origin_run(c) ? MXGUARD_PROGRESS_DONE : MXGUARD_PROGRESS_NEED_DNS;
	return waits_for_dns(c) ? MXGUARD_PROGRESS_NEED_DNS : MXGUARD_PROGRESS_NEED_HEADER;
}

static void set_all_dirty(struct mxguard_check *c)
{
	for (size_t i = 0; i < c->domain_count; i++)
		c->domains[i].dirty = !c->domains[i].done;
}

/* Each way to read the address has a policy of its own, and the strictest action holds here as well. */
static void conclude_without_header(struct mxguard_check *c, struct mxg_recipient *r)
{
	if (r->routes == NULL) {
		conclude_plain(c, r, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_NO_HEADER);
		return;
	}
	for (struct mxg_recipient *route = r->routes; route != NULL; route = route->next)
		if (!route->decided)
			conclude_plain(c, route, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_NO_HEADER);
	mxg_routes_conclude(r);
}

int mxguard_check_give_up(struct mxguard_check *c, int64_t now)
{
	c->gave_up = true;
	if (c->boundary_state == MXG_BOUNDARY_NEEDS_HEADER) {
		c->boundary_outcome =
			(struct mxg_outcome){ .verdict = MXGUARD_VERDICT_UNKNOWN, .reason = MXG_REASON_NO_HEADER };
		c->boundary_state = MXG_BOUNDARY_VERDICT;
	}
	set_all_dirty(c);
	int progress = mxguard_check_run(c, now);
	for (size_t i = 0; progress > 0 && i < c->recipient_count; i++)
		if (!c->recipients[i].decided)
			conclude_without_header(c, &c->recipients[i]);
	return progress < 0 ? progress : MXGUARD_PROGRESS_DONE;
}

/* ---- header ----------------------------------------------------------------- */

int mxguard_check_header(struct mxguard_check *c, const void *bytes, size_t length)
{
	if (bytes == NULL && length > 0)
		return MXGUARD_ERROR_INVALID;
	if (c->header_ended)
		return MXGUARD_ERROR_STATE;
	mxg_token_reader_feed(&c->tokens, bytes, length);
	int more = mxg_boundary_feed(c, bytes, length);
	if (more < 0)
		return more;
	if (more == 1 || (c->tokens.any && !c->tokens.ended))
		return 1;
	set_all_dirty(c);
	return 0;
}

int mxguard_check_header_end(struct mxguard_check *c)
{
	if (c->header_ended)
		return MXGUARD_ERROR_STATE;
	c->header_ended = true;
	mxg_token_reader_end(&c->tokens);
	set_all_dirty(c);
	return mxg_boundary_end(c);
}
