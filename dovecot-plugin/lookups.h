/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_LOOKUPS_H
#define MXG_PLUGIN_LOOKUPS_H

#include "mxguard.h"

/*
 * A session of the library, one a configuration file, in Dovecot's ioloop. Kept for the life of
 * the process. Sockets come and go in many of the session's functions: those that stand here are
 * called by these names only.
 */
struct lookups;

typedef void lookups_callback_t(void *user);

/* NULL: no memory. The callback is called for every check that comes to its end in the ioloop. */
struct lookups *lookups_get(const char *config, lookups_callback_t *callback);
/* Ends them all, with their checks. */
void lookups_deinit(void);

struct mxguard_session *lookups_session(struct lookups *lookups);
/* As mxguard_session_check() and mxguard_session_release(). */
int lookups_check(struct lookups *lookups, struct mxguard_check **check_r);
void lookups_release(struct lookups *lookups, struct mxguard_check *check);

/* DONE or NEED_HEADER: it was over at once. NEED_DNS: the callback will be called from the
 * ioloop; it may start and cancel others, itself, and drop the last reference to anything. */
int lookups_start(struct lookups *lookups, struct mxguard_check *check, void *user);
/* The callback is not called any more. A check that was never started is ignored. */
void lookups_cancel(struct lookups *lookups, struct mxguard_check *check);

#endif
