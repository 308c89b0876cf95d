/* SPDX-License-Identifier: MIT */
#ifndef MXG_SELF_H
#define MXG_SELF_H

#include "policy/policy.h"

/* Which addresses are this host's: the setting `self`, and those of its interfaces. */
struct mxg_self {
	struct mxg_address *interfaces;
	size_t count;
	const struct mxg_prefix_list *configured;
	bool v4, v6; /* whether there are any */
};

bool mxg_self_read(struct mxg_self *out, const struct mxguard_policy *policy); /* false, with errno */
void mxg_self_clear(struct mxg_self *self);
bool mxg_self_has(const struct mxg_self *self, const struct mxg_address *address);
/* An interface has it: what listens at another address does not answer there. */
bool mxg_self_is_interface(const struct mxg_self *self, const struct mxg_address *address);
/* Each address once, ranges of `self` as their first; returns how many there are. */
size_t mxg_self_each(const struct mxg_self *self, size_t index, struct mxg_address *out);

#endif
