/* SPDX-License-Identifier: MIT */
#ifndef MXG_RESOLVER_H
#define MXG_RESOLVER_H

#include "mxguard.h"
#include "resolver/driver.h"

/* The resolver of mxguard.h, polled: many checks at once. A session does this for whoever is not
 * the library, over the resolvers of all its configurations. */

/* As mxg_driver_count(). */
void mxg_resolver_count(struct mxguard_resolver *resolver, struct mxg_dns_counts *counts);
/* Runs the check and returns what mxguard_check_run() returned. After NEED_DNS it is under way until
 * _next or _cancel gives it back. timeout_ms: for the whole check from now on, -1 the policy's. */
int mxg_resolver_start(struct mxguard_resolver *resolver, struct mxguard_check *check, int timeout_ms);
/* Fills up to `count` entries, returns how many there are. */
size_t mxg_resolver_pollfds(const struct mxguard_resolver *resolver, struct pollfd *fds, size_t count);
/* Milliseconds until _process must be called at the latest; -1: no limit. */
int mxg_resolver_timeout(const struct mxguard_resolver *resolver);
/* fds as poll(2) left them; count 0 for a mere timeout. */
int mxg_resolver_process(struct mxguard_resolver *resolver, const struct pollfd *fds, size_t count);
/* A check that came to DONE or NEED_HEADER, or NULL. */
struct mxguard_check *mxg_resolver_next(struct mxguard_resolver *resolver);
/* Detaches the check; nothing of it is touched afterwards. */
void mxg_resolver_cancel(struct mxguard_resolver *resolver, struct mxguard_check *check);

#endif
