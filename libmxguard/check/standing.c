/* SPDX-License-Identifier: MIT */
/* Whose domain is it (docs/design.md, "Our domains")? */
#include "check/internal.h"
#include "policy/domains_file.h"
#include "snapshot/snapshot.h"

int mxg_check_is_local(const struct mxguard_check *c, const char *domain, size_t len)
{
	if (mxg_policy_has_domain(c->policy, domain, len))
		return 1;
	if (!mxg_policy_lists_elsewhere(c->policy))
		return 0;
	int known = c->snapshot == NULL ? -1 : mxg_snapshot_has_domain(c->snapshot, domain, len);
	if (known >= 0 || c->policy->domains_file == NULL)
		return known; /* domains_command is not run for a delivery: without a snapshot nobody can tell */
	return mxg_domains_find(c->policy->domains_file, domain, len);
}

/* The client cannot choose a domain that a policies block governs by name or suffix: it is the
 * administrator who wrote it. */
enum mxg_standing mxg_check_standing(const struct mxguard_check *c, const char *domain, size_t len)
{
	int local = mxg_check_is_local(c, domain, len);
	if (local > 0)
		return MXG_STANDING_LISTED;
	if (mxg_policy_lists_domain(c->policy, domain, len))
		return MXG_STANDING_OURS;
	if (mxg_policy_may_be_own_name(c->policy, domain, len) && mxg_policy_is_own_name(c->policy, domain, len))
		return MXG_STANDING_HOST;
	if (!mxg_policy_has_domains(c->policy) || mxg_policy_ruleset(c->policy, domain, len) != c->policy->rulesets)
		return MXG_STANDING_OURS;
	return local < 0 ? MXG_STANDING_DOUBT : MXG_STANDING_FOREIGN;
}
