/* SPDX-License-Identifier: MIT */
#ifndef MXG_GATEWAYS_PAST_H
#define MXG_GATEWAYS_PAST_H

#include "flatten.h"

/* What `mxguard gateways` does with the history. Exit statuses, messages are out. named: the domain stands above its
 * table. */
int mxg_gateways_history(const struct mxguard_policy *policy, struct mxg_history **history);
int mxg_gateways_import(const struct mxguard_policy *policy, const char *path, bool json);
int mxg_gateways_generations(struct mxg_flattener *f, const struct mxg_ruleset *ruleset, const struct mxg_name *name,
			     const char *domain, bool json, bool named);

#endif
