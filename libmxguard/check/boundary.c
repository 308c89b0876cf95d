/* SPDX-License-Identifier: MIT */
/* Which host handed the message to *us* (docs/design.md, "Boundary peer"): the peer, or what the trace shows
 * behind our own relays. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "base/neuter.h"
#include "received/trace.h"

struct mxg_trace_reading {
	bool begun;
	struct mxg_trace trace;
};

static void conclude(struct mxguard_check *c, enum mxguard_verdict verdict, enum mxg_reason reason, const char *detail)
{
	c->boundary_outcome = (struct mxg_outcome){ .verdict = verdict, .reason = reason, .detail = detail };
	c->boundary_state = MXG_BOUNDARY_VERDICT;
}

static void conclude_peer(struct mxguard_check *c, const struct mxg_address *peer, const char *helo, int hop)
{
	c->boundary = *peer;
	c->boundary_helo = helo;
	c->hop = hop;
	c->boundary_state = MXG_BOUNDARY_PEER;
}

static void step(struct mxguard_check *c, const char *what)
{
	if ((c->flags & MXGUARD_CHECK_FLAG_STEPS) != 0)
		mxg_text_list_add(&c->steps, "%s", what);
}

bool mxg_peer_is_internal(const struct mxguard_policy *policy, const struct mxg_address *peer)
{
	return peer->family == 0 || mxg_list_covers(&policy->internal, peer);
}

void mxg_boundary_decide(struct mxguard_check *c)
{
	if (c->login[0] != '\0') {
		c->boundary = c->peer;
		conclude(c, MXGUARD_VERDICT_AUTHENTICATED, MXG_REASON_LOGIN, NULL);
	} else if (c->peer_unreadable) {
		conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_PEER_UNREADABLE, NULL);
	} else if (mxg_peer_is_internal(c->policy, &c->peer)) {
		step(c, c->peer.family == 0 ? "there is no peer: the trace tells"
					    : "the peer is internal: the trace tells");
		c->boundary_state = MXG_BOUNDARY_NEEDS_HEADER;
	} else if (mxg_list_covers(&c->policy->origins, &c->peer)) {
		c->boundary = c->peer;
		conclude(c, MXGUARD_VERDICT_INTERNAL, MXG_REASON_ORIGIN, NULL);
	} else {
		conclude_peer(c, &c->peer, c->helo, 0);
	}
}

/* ---- the trace ----------------------------------------------------------------------- */

static const char *hop_remark(const struct mxg_trace_hop *hop)
{
	if (hop->received->kind == MXG_RECEIVED_UNREADABLE)
		return "unreadable";
	if (!hop->ours)
		return "not ours";
	if (hop->received->authenticated)
		return "logged in";
	if (hop->received->kind == MXG_RECEIVED_LOCAL)
		return "submitted there";
	if (hop->received->kind == MXG_RECEIVED_RETRIEVED)
		return "fetched from another mailbox";
	return hop->internal ? "internal" : "the boundary";
}

static void tell_hop(void *context, const struct mxg_trace_hop *hop)
{
	struct mxguard_check *c = context;
	char address[MXG_ADDRESS_TEXT_MAX], by[256];
	if (!hop->believed)
		return;
	mxg_address_format(&hop->received->address, address);
	mxg_neuter(by, sizeof(by), hop->received->by.len == 0 ? "" : hop->received->by.at, hop->received->by.len, "");
	mxg_text_list_add(&c->steps, "hop %u: from %s by %s: %s", hop->number, address[0] == '\0' ? "-" : address,
			  by[0] == '\0' ? "-" : by, hop_remark(hop));
}

static void begin(struct mxguard_check *c, struct mxg_trace_reading *r)
{
	const struct mxguard_policy *p = c->policy;
	bool peer_known = c->boundary_state == MXG_BOUNDARY_PEER;
	const struct mxg_trace_rules rules = {
		.internal = p->internal.items,
		.internal_count = p->internal.count,
		.origins = p->origins.items,
		.origins_count = p->origins.count,
		/* where the peer is known, nothing says that the topmost field is ours, but its name */
		.belief = p->by_configured || peer_known ? MXG_TRACE_NAMED : MXG_TRACE_FIRST_OR_NAMED,
		.by = p->by.items,
		.by_count = p->by.count,
		.mta_mask = p->trace_mta,
		.captured_only = true,
		.submitted = (c->flags & MXGUARD_CHECK_FLAG_NO_OWN_FIELD) != 0 && c->peer.family == 0,
		.want_first_date = c->place == MXGUARD_PLACE_QUEUED || peer_known,
		.every_field = peer_known,
		.on_hop = (c->flags & MXGUARD_CHECK_FLAG_STEPS) != 0 && !peer_known ? tell_hop : NULL,
		.on_field = p->any_origin ? mxg_origin_keep : NULL,
		.context = c,
	};
	mxg_trace_init(&r->trace, &rules);
	r->begun = true;
}

static struct mxg_trace_reading *reading(struct mxguard_check *c)
{
	if (c->reading == NULL) {
		c->reading = malloc(sizeof(*c->reading)); /* not zeroed: begin() knows what has to be */
		if (c->reading != NULL)
			c->reading->begun = false;
	}
	if (c->reading == NULL)
		c->out_of_memory = true;
	else if (!c->reading->begun)
		begin(c, c->reading);
	return c->reading;
}

/* RFC 5321 §4.4: the `for` that our own MTA wrote names the recipient before aliases. */
static void take_for(struct mxguard_check *c, const struct mxg_trace *t)
{
	if (t->for_address[0] == '\0')
		return;
	c->for_address = mxg_check_keep(c, t->for_address, strlen(t->for_address));
	for (size_t i = 0; c->for_address != NULL && i < c->recipient_count; i++)
		mxguard_check_add_recipient_name(c, i, c->for_address);
}

static void conclude_unreadable(struct mxguard_check *c, const struct mxg_trace *t)
{
	const char *why = t->reason == MXG_TRACE_FIELD_UNREADABLE ? mxg_received_reason_name(t->field_reason)
								  : mxg_trace_reason_name(t->reason);
	enum mxg_reason reason =
		t->reason == MXG_TRACE_NOT_OURS ? MXG_REASON_FIELD_NOT_OURS : MXG_REASON_FIELD_UNREADABLE;
	conclude(c, MXGUARD_VERDICT_UNKNOWN, reason, mxg_check_format(c, "hop %u, %s", t->hop, why));
}

/* A trace that ends below an internal client: that client made the message itself, if it may. */
static void conclude_ended(struct mxguard_check *c, unsigned hop, const struct mxg_address *client)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	if (mxg_list_covers(&c->policy->origins, client)) {
		conclude(c, MXGUARD_VERDICT_INTERNAL, MXG_REASON_ORIGIN, NULL);
		return;
	}
	mxg_address_format(client, address);
	conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_NO_FIELD_BELOW_INTERNAL,
		 mxg_check_format(c, "hop %u, client %s", hop, address[0] == '\0' ? "without an address" : address));
}

/* Our MTA's own field would name the peer, and is what a queued message would show. */
static void conclude_untraced(struct mxguard_check *c)
{
	if ((c->flags & MXGUARD_CHECK_FLAG_NO_OWN_FIELD) != 0)
		conclude_ended(c, 0, &c->peer);
	else
		conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_UNTRACED, NULL);
}

static void finish(struct mxguard_check *c, const struct mxg_trace *t)
{
	c->hop = (int)t->hop;
	switch (t->outcome) {
	case MXG_TRACE_EXTERNAL:
		conclude_peer(c, &t->address, mxg_check_keep(c, t->helo, strlen(t->helo)), (int)t->hop);
		take_for(c, t);
		break;
	case MXG_TRACE_ORIGIN:
		c->boundary = t->address;
		conclude(c, MXGUARD_VERDICT_INTERNAL, MXG_REASON_ORIGIN, NULL);
		break;
	case MXG_TRACE_AUTHENTICATED:
		c->boundary = t->address;
		conclude(c, MXGUARD_VERDICT_AUTHENTICATED, MXG_REASON_TRACE_LOGIN, NULL);
		break;
	case MXG_TRACE_LOCAL:
		conclude(c, MXGUARD_VERDICT_INTERNAL, MXG_REASON_LOCAL_ORIGIN, NULL);
		break;
	case MXG_TRACE_RESUBMITTED:
		conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_RESUBMITTED,
			 mxg_check_format(c, "hop %u; below it a field that no host of ours wrote", t->hop));
		break;
	case MXG_TRACE_RETRIEVED:
		conclude(c, MXGUARD_VERDICT_INTERNAL, MXG_REASON_RETRIEVED, NULL);
		break;
	case MXG_TRACE_ENDED:
		conclude_ended(c, t->hop, &t->address);
		break;
	case MXG_TRACE_NONE:
		conclude_untraced(c);
		break;
	case MXG_TRACE_TOO_LONG:
		conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_TRACE_TOO_LONG, NULL);
		break;
	case MXG_TRACE_UNREADABLE:
	case MXG_TRACE_PENDING:
		conclude_unreadable(c, t);
		break;
	}
}

/* How long the message has waited, our own MTA's field tells, and no other. Where the peer was told,
 * nothing says that our MTA has written one at all, but its name. */
static void read_age(struct mxguard_check *c, const struct mxg_trace *t, bool ended)
{
	if (c->age_read || (t->hops == 0 && !ended))
		return;
	c->age_read = true;
	if (c->boundary_state == MXG_BOUNDARY_NEEDS_HEADER ? t->first_ours : t->first_named)
		c->queued_since = t->first_date;
}

static bool wants_age(const struct mxguard_check *c)
{
	return c->place == MXGUARD_PLACE_QUEUED && c->boundary_state == MXG_BOUNDARY_PEER && !c->age_read;
}

static bool wants_lower(const struct mxguard_check *c)
{
	return c->policy->any_origin && c->boundary_state == MXG_BOUNDARY_PEER && !c->below.ended;
}

/* Where the front end told the boundary peer, our MTA may have written fields above the gateway's all
 * the same: they must then lead to that peer. */
static void begin_origin(struct mxguard_check *c, const struct mxg_trace *t)
{
	if (c->hop > 0)
		mxg_origin_begin(c, t->hop);
	else if (t->outcome == MXG_TRACE_EXTERNAL && mxg_address_equal(&t->address, &c->boundary))
		mxg_origin_begin(c, t->hop);
	else
		mxg_origin_begin(c, t->first_named ? UINT_MAX : 0);
}

int mxg_boundary_feed(struct mxguard_check *c, const char *bytes, size_t len)
{
	if (c->boundary_state == MXG_BOUNDARY_OPEN)
		mxg_boundary_decide(c);
	if (c->boundary_state != MXG_BOUNDARY_NEEDS_HEADER && !wants_age(c) && !wants_lower(c))
		return 0;
	struct mxg_trace_reading *r = reading(c);
	if (r == NULL)
		return MXGUARD_ERROR_NOMEM;
	enum mxg_trace_feed fed = mxg_trace_feed(&r->trace, bytes, len);
	read_age(c, &r->trace, fed == MXG_TRACE_DONE);
	if (fed == MXG_TRACE_DONE)
		return mxg_boundary_end(c);
	return c->boundary_state == MXG_BOUNDARY_PEER && c->age_read && !wants_lower(c) ? 0 : 1;
}

int mxg_boundary_end(struct mxguard_check *c)
{
	if (c->boundary_state == MXG_BOUNDARY_OPEN)
		mxg_boundary_decide(c);
	if (c->boundary_state != MXG_BOUNDARY_NEEDS_HEADER && !wants_age(c) && !wants_lower(c))
		return 0;
	struct mxg_trace_reading *r = reading(c);
	if (r == NULL)
		return MXGUARD_ERROR_NOMEM;
	mxg_trace_end(&r->trace);
	read_age(c, &r->trace, true);
	if (c->boundary_state == MXG_BOUNDARY_NEEDS_HEADER)
		finish(c, &r->trace);
	if (wants_lower(c))
		begin_origin(c, &r->trace);
	return 0;
}

struct mxg_trace *mxg_boundary_spare_trace(struct mxguard_check *c)
{
	return &c->reading->trace;
}

void mxg_boundary_reset(struct mxguard_check *c)
{
	if (c->reading != NULL)
		c->reading->begun = false;
}

void mxg_boundary_free(struct mxguard_check *c)
{
	free(c->reading);
	c->reading = NULL;
}
