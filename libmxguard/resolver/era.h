/* SPDX-License-Identifier: MIT */
#ifndef MXG_ERA_H
#define MXG_ERA_H

#include <stdbool.h>

#include "mxguard.h"
#include "resolver/driver.h"

/*
 * What belongs to one reading of the configuration, and the checks that were made under it. It
 * lives on for those that are out when the next one begins.
 */
struct mxg_era {
	struct mxg_era *older;
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot; /* NULL: none */
	struct mxguard_resolver *resolver; /* made at the first question */
	struct mxguard_check *out; /* given out */
	struct mxguard_check *spare; /* for the next transaction */
	size_t spare_count;
	size_t remarks; /* told */
	struct mxg_dns_counts *counts; /* the session's */
};

/* Takes over the references; the snapshot may be NULL. NULL: no memory, and they are given back. */
struct mxg_era *mxg_era_of(struct mxguard_policy *policy, struct mxguard_snapshot *snapshot);
/* As mxguard_policy_load(). */
int mxg_era_new(struct mxg_era **era, const char *config, char *message, size_t size);
void mxg_era_free(struct mxg_era *era); /* with all its checks; NULL is allowed */

/* Takes over the reference. */
void mxg_era_set_snapshot(struct mxg_era *era, struct mxguard_snapshot *snapshot);
void mxg_era_drop_spares(struct mxg_era *era);

/* As mxguard_check_new(). */
int mxg_era_check(struct mxg_era *era, struct mxguard_check **check, unsigned flags);
/* The check comes back; kept where another may want it. */
void mxg_era_take_back(struct mxguard_check *check, bool keep);

struct mxguard_resolver *mxg_era_resolver(struct mxg_era *era); /* NULL: no memory */

/* The next thing to be said about the configuration, or NULL. */
const char *mxg_era_remark(struct mxg_era *era, char *room, size_t size);

#endif
