/* SPDX-License-Identifier: MIT */
/* What front ends ask of the settings of the trap. */
#include "policy/policy.h"

const char *mxguard_policy_trap(const struct mxguard_policy *policy)
{
	return policy->trap.directory;
}

uint64_t mxguard_policy_trap_limit(const struct mxguard_policy *policy, enum mxguard_trap_limit what)
{
	switch (what) {
	case MXGUARD_TRAP_LIMIT_SHARE:
		return policy->trap.share;
	case MXGUARD_TRAP_LIMIT_KEEP:
		return policy->trap.keep;
	case MXGUARD_TRAP_LIMIT_MAX_TOTAL:
		return policy->trap.max_total;
	case MXGUARD_TRAP_LIMIT_PER_HOUR:
		return policy->trap.per_hour;
	}
	return 0;
}
