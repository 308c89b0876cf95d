/* SPDX-License-Identifier: MIT */
#ifndef MXG_ASKER_H
#define MXG_ASKER_H

#include "dns/message.h"
#include "policy/policy.h"

/*
 * Raw questions out, replies in, many at a time; no check, no evaluation. `mxguard refresh`
 * asks with it. One thread.
 */
struct mxg_asker;

struct mxg_asked {
	void *cookie;
	struct mxg_reply reply; /* records.data is the taker's */
};

/* To the policy's dns.servers or the system's. NULL: out of memory, or no socket to be had. */
struct mxg_asker *mxg_asker_new(const struct mxguard_policy *policy);
void mxg_asker_free(struct mxg_asker *asker); /* cancels; NULL is allowed */

/* False: out of memory. The reply (or the failure) comes by mxg_asker_next(), always. */
bool mxg_asker_ask(struct mxg_asker *asker, const struct mxg_question *question, void *cookie);
size_t mxg_asker_open(const struct mxg_asker *asker); /* questions without a reply yet */
/* Waits until something has come in, at most timeout_ms. */
void mxg_asker_wait(struct mxg_asker *asker, int timeout_ms);
bool mxg_asker_next(struct mxg_asker *asker, struct mxg_asked *out); /* false: nothing there */
uint64_t mxg_asker_sent(const struct mxg_asker *asker); /* questions sent, repeated ones included */

#endif
