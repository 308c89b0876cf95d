/* SPDX-License-Identifier: MIT */
#ifndef MXG_LOAD_H
#define MXG_LOAD_H

#include <stdint.h>

#include "mxguard.h"

#define MXG_DEFAULT_CONFIG "/etc/mxguard/mxguard.conf"

/* 0, or the exit status after a message on stderr (EX_CONFIG, EX_TEMPFAIL for no memory).
 * The policy's warnings are printed there as well. */
int mxg_load_policy(struct mxguard_policy **policy, const char *path);

/* The snapshot, or NULL after a note on stderr: DNS is then asked for everything. */
struct mxguard_snapshot *mxg_load_snapshot(const struct mxguard_policy *policy);

int64_t mxg_wall_clock(void); /* seconds since the epoch */

#endif
