/* SPDX-License-Identifier: MIT */
#include "check_internal.h"
static bool in_list(const struct mxg_prefix_list *l, const struct mxg_address *a)
{ for (size_t i = 0; i < l->count; i++) if (mxg_prefix_contains(&l->items[i], a)) return true; return false; }
static void conclude(struct mxguard_check *c, enum mxguard_verdict v, enum mxg_reason r)
{ c->boundary_outcome = (struct mxg_outcome){ .verdict = v, .reason = r }; c->boundary_state = MXG_BOUNDARY_VERDICT; }
void mxg_boundary_decide(struct mxguard_check *c)
{
	bool internal = c->peer.family == 0 || in_list(&c->policy->internal, &c->peer);
	if (c->login[0] != '\0') conclude(c, MXGUARD_VERDICT_AUTHENTICATED, MXG_REASON_LOGIN);
	else if (c->peer_unreadable) conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_PEER_UNREADABLE);
	else if (internal) c->boundary_state = MXG_BOUNDARY_NEEDS_HEADER;
	else if (in_list(&c->policy->origins, &c->peer)) { c->boundary = c->peer; conclude(c, MXGUARD_VERDICT_INTERNAL, MXG_REASON_ORIGIN); }
	else { c->boundary = c->peer; c->boundary_helo = c->helo; c->boundary_state = MXG_BOUNDARY_PEER; }
}
int mxg_boundary_feed(struct mxguard_check *c, const char *b, size_t n) { (void)b; (void)n; return c->boundary_state == MXG_BOUNDARY_NEEDS_HEADER; }
int mxg_boundary_end(struct mxguard_check *c) { if (c->boundary_state == MXG_BOUNDARY_NEEDS_HEADER) conclude(c, MXGUARD_VERDICT_UNKNOWN, MXG_REASON_UNTRACED); return 0; }
void mxg_boundary_reset(struct mxguard_check *c) { (void)c; }
void mxg_boundary_free(struct mxguard_check *c) { (void)c; }
