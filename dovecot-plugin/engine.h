/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_ENGINE_H
#define MXG_PLUGIN_ENGINE_H

#include "dovecot-compat.h"
#include "mxguard.h"

/*
 * One configuration file, as it was read: policy, snapshot, and the resolver in Dovecot's
 * ioloop. Kept for the life of the process; when the file changes, the next transaction gets
 * a new engine, and lookups that are under way end on the old one.
 */
struct engine;

typedef void engine_callback_t(void *context);

/* The engine for the file as it is now, with one reference for the caller; never NULL. */
struct engine *engine_get(const char *path, struct event *event);
void engine_ref(struct engine *engine);
void engine_unref(struct engine **engine);
/* Ends all engines that nobody holds any more. */
void engines_deinit(void);

/* NULL where the configuration cannot be used: then every recipient gets 451 4.3.5. */
struct mxguard_policy *engine_policy(struct engine *engine);
/* May be NULL. */
struct mxguard_snapshot *engine_snapshot(struct engine *engine);

/*
 * Goes on with a check. DONE and NEED_HEADER at once, or NEED_DNS: then the callback is
 * called later, from the ioloop, unless engine_cancel() comes first. Negative: no memory.
 */
int engine_run(struct engine *engine, struct mxguard_check *check, engine_callback_t *callback, void *context);
void engine_cancel(struct engine *engine, struct mxguard_check *check);

/* Whether the peer is one of ours that shows a trace: nothing but a Received field can then
 * tell who handed the message over, and an MTA of ours has already taken it. */
bool engine_peer_is_internal(struct engine *engine, const struct ip_addr *peer);

int check_set_peer_ip(struct mxguard_check *check, const struct ip_addr *ip);

#endif
