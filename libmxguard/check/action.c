/* SPDX-License-Identifier: MIT */
/* From the fact to the policy's answer (docs/design.md, "Action"). */
#include "check/internal.h"

static enum mxguard_action direct_action(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_override *o;
	if (c->place == MXGUARD_PLACE_QUEUED) {
		o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_DIRECT_QUEUED);
		return o != NULL ? o->on_direct_queued : r->ruleset->on_direct_queued;
	}
	o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_DIRECT);
	return o != NULL ? o->on_direct : r->ruleset->on_direct;
}

static enum mxguard_action unknown_action(const struct mxguard_check *c, const struct mxg_recipient *r,
					  enum mxg_reason reason)
{
	const struct mxg_override *o;
	if (mxg_reason_kind(reason) != MXG_KIND_LASTING) {
		o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_UNKNOWN);
		return o != NULL ? o->on_unknown : r->ruleset->on_unknown;
	}
	o = mxg_check_override_for(c, r, MXG_OVERRIDE_ON_UNREADABLE);
	if (o != NULL)
		return o->on_unreadable;
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
		return unknown_action(c, r, outcome->reason);
	case MXGUARD_VERDICT_UNDECIDED:
		break;
	}
	return MXGUARD_ACTION_DEFER;
}

void mxg_settle_recipient(struct mxguard_check *c, struct mxg_recipient *r, const struct mxg_outcome *outcome,
			  bool settling)
{
	r->outcome = *outcome;
	r->would = would_be(c, r, outcome, settling);
	r->action = r->mode == MXGUARD_MODE_ENFORCE ? r->would : MXGUARD_ACTION_ACCEPT;
	r->decided = true;
}
