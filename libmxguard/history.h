/* SPDX-License-Identifier: MIT */
#ifndef MXG_HISTORY_H
#define MXG_HISTORY_H

#include "pass.h"

/* What the snapshot's older versions say (DESIGN §2.4, §4): gateways that were taken out a
 * short time ago, and MX sets that changed. Nothing is asked for it. */

/* The term by which the peer was authorized just before some recent change among the entries
 * that the last pass touched; *moment is that change's. NULL: none. *needs_header: a token
 * would have to be seen. */
const struct mxg_gateway_term *mxg_history_match(struct mxguard_check *check, struct mxg_domain_check *domain,
						 int64_t *moment, bool *needs_header);

/* Whether the domain's MX set changed within `settle`: then senders may still hold the old
 * one in their caches, and are to try again, not to be refused. */
bool mxg_history_mx_changed(struct mxguard_check *check, const struct mxg_domain_check *domain);

#endif
