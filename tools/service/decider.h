/* SPDX-License-Identifier: MIT */
#ifndef MXG_DECIDER_H
#define MXG_DECIDER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "response.h"
#include "request.h"

/* Requests in, replies out, by a session of the library. */
struct mxg_decider;
struct mxg_pending; /* one request that waits for DNS */

/* NULL with a message on the log, and *status for exit(3). */
struct mxg_decider *mxg_decider_new(const char *config, int *status);
struct mxg_desk;
struct mxg_desk *mxg_decider_desk(const struct mxg_decider *decider);
void mxg_decider_free(struct mxg_decider *decider);
/* Reads the configuration again. Where it is wrong, the old one stays, and the log says so. */
void mxg_decider_reload(struct mxg_decider *decider);

/* Answers at once (NULL, and reply is filled), or later by mxg_decider_next(), which names the
 * owner. */
struct mxg_pending *mxg_decider_ask(struct mxg_decider *decider, const struct mxg_request *request, void *owner,
				    struct mxg_response *reply);
/* The next that is answered: its owner, or NULL. The pending request is gone then. */
void *mxg_decider_next(struct mxg_decider *decider, struct mxg_response *reply);
void mxg_decider_cancel(struct mxg_decider *decider, struct mxg_pending *pending);

/* What to poll besides, and for how long; as with mxg_resolver_pollfds(). */
size_t mxg_decider_pollfds(struct mxg_decider *decider, struct pollfd *fds, size_t count);
int mxg_decider_timeout(struct mxg_decider *decider);
void mxg_decider_process(struct mxg_decider *decider, const struct pollfd *fds, size_t count);
/* Milliseconds that a decision may take at the most. */
int mxg_decider_limit(const struct mxg_decider *decider);

#endif
