/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_FETCH_H
#define MXG_REFRESH_FETCH_H

#include "policy/policy.h"

struct mxg_fetch {
	const char *file;
	bool force; /* also what has shrunk */
	bool quiet, json;
};

/* A snapshot that another host has published becomes this host's, if it is whole, no older, not much smaller
 * and made for the same gateways (docs/design.md, "Fleets"). The caller holds the lock. An exit status, after
 * a message where it is not 0; the old snapshot stays then. */
int mxg_refresh_fetch(const struct mxguard_policy *policy, int folder, const struct mxg_fetch *fetch);

#endif
