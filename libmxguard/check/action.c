/* SPDX-License-Identifier: MIT */
/* From the fact to the policy's answer (docs/design.md, "Action"). */
#include "check/internal.h"

static enum mxguard_action direct_action(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_override *o;
	if (c->place == MXGUARD_PLACE_QUEUED) {
		o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_DIRECT_QUEUED);
		return o != NULL ? o->rules.on_direct_queued : r->ruleset->on_direct_queued;
	}
	o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_DIRECT);
	return o != NULL ? o->rules.on_direct : r->ruleset->on_direct;
}

/* Waiting has an end: what it would have mended days ago would come back to a forged sender. */
static bool has_waited(const struct mxguard_check *c)
{
	if (c->place != MXGUARD_PLACE_QUEUED)
		return false;
	return c->policy->patience == 0 ||
	       (c->queued_since > 0 && c->now - c->queued_since > (int64_t)c->policy->patience);
}

static enum mxguard_action unknown_action(const struct mxguard_check *c, const struct mxg_recipient *r, bool lasting)
{
	const struct mxg_override *o;
	if (!lasting) {
		o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_UNKNOWN);
		return o != NULL ? o->rules.on_unknown : r->ruleset->on_unknown;
	}
	o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_UNREADABLE);
	if (o != NULL)
		return o->rules.on_unreadable_door;
	return c->place == MXGUARD_PLACE_QUEUED ? r->ruleset->on_unreadable_queued : r->ruleset->on_unreadable_door;
}

static enum mxguard_action would_be(const struct mxguard_check *c, const struct mxg_recipient *r,
				    const struct mxg_outcome *outcome, bool settling)
{
	enum mxguard_action action;
	switch (outcome->verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
	case MXGUARD_VERDICT_INTERNAL:
	case MXGUARD_VERDICT_AUTHENTICATED:
	case MXGUARD_VERDICT_EXEMPT:
		return MXGUARD_ACTION_ACCEPT;
	case MXGUARD_VERDICT_DIRECT:
		action = direct_action(c, r);
		if (settling && c->place == MXGUARD_PLACE_DOOR && action == MXGUARD_ACTION_REJECT)
			return MXGUARD_ACTION_DEFER;
		return action;
	case MXGUARD_VERDICT_UNKNOWN:
		return unknown_action(c, r, mxg_reason_kind(outcome->reason) == MXG_KIND_LASTING || has_waited(c));
	case MXGUARD_VERDICT_UNDECIDED:
		break;
	}
	return MXGUARD_ACTION_DEFER;
}

/* Only the topmost field can tell whether waiting has had its time. */
static bool waits_for_age(const struct mxguard_check *c, const struct mxg_recipient *r,
			  const struct mxg_outcome *outcome)
{
	return outcome->verdict == MXGUARD_VERDICT_UNKNOWN && c->place == MXGUARD_PLACE_QUEUED && !c->age_read &&
	       !c->gave_up && !c->header_ended && c->policy->patience > 0 &&
	       mxg_reason_kind(outcome->reason) != MXG_KIND_LASTING &&
	       unknown_action(c, r, false) != unknown_action(c, r, true);
}

void mxg_conclude_recipient(struct mxguard_check *c, struct mxg_recipient *r, const struct mxg_outcome *outcome,
			    bool settling)
{
	if (waits_for_age(c, r, outcome))
		return;
	r->outcome = *outcome;
	r->would = would_be(c, r, outcome, settling);
	r->action = r->mode == MXGUARD_MODE_ENFORCE ? r->would : MXGUARD_ACTION_ACCEPT;
	r->decided = true;
}
