/* SPDX-License-Identifier: MIT */
#ifndef MXG_REMOVED_FIELD_H
#define MXG_REMOVED_FIELD_H

#include "policy/policy.h"

/*
 * Which incoming fields must not reach the mailbox: results that claim to be ours (RFC 8601
 * section 5), and the secrets of shared gateways. Lax, since whoever reads the message later may
 * be lax: what is written in a strange way goes if it could be ours. What is well-formed and
 * names another server stays.
 */

struct mxg_removed {
	const struct mxguard_policy *policy;
	bool keeps_secrets; /* whoever comes behind us wants to see them, and removes them */
};

/* Whether a field that begins like this may be one; if not, the rest of it need not be looked at. `whole`: there is no
 * more of its name. */
bool mxg_removed_field_may_be(const struct mxg_removed *what, const char *head, size_t len, bool whole);

/* `too_long`: there is more of it. */
bool mxg_removed_field_is(const struct mxg_removed *what, const char *field, size_t len, bool too_long);

#endif
