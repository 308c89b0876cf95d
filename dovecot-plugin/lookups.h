/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_LOOKUPS_H
#define MXG_PLUGIN_LOOKUPS_H

#include "mxguard.h"

/* A resolver whose sockets are in Dovecot's ioloop. */
struct lookups;

typedef void lookups_callback_t(void *context);

struct lookups *lookups_new(struct mxguard_policy *policy);
void lookups_free(struct lookups **lookups); /* cancels; *lookups may be NULL */

/* DONE or NEED_HEADER: it was over at once. NEED_DNS: the callback will be called from the
 * ioloop; it may start and cancel others, itself, and drop the last reference to anything. */
int lookups_start(struct lookups *lookups, struct mxguard_check *check, lookups_callback_t *callback, void *context);
/* The callback is not called any more. A check that was never started is ignored. */
void lookups_cancel(struct lookups *lookups, struct mxguard_check *check);

#endif
