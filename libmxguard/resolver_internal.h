/* SPDX-License-Identifier: MIT */
#ifndef MXG_RESOLVER_INTERNAL_H
#define MXG_RESOLVER_INTERNAL_H

#include <stdbool.h>

#include "channel.h"
#include "policy.h"

/* Shared by resolver.c (checks, polling) and resolver_query.c (questions) only. */

#define MXG_QUERY_MAX 512
#define MXG_QUERY_BUCKETS 256

enum { MXG_FIRST_CHANNEL, MXG_SECOND_CHANNEL, MXG_CHANNELS };

struct mxg_query; /* a question that is out; several checks may wait for it */

struct mxg_job {
	struct mxg_job *next;
	struct mxguard_check *check;
	int64_t deadline; /* monotonic, milliseconds */
	bool dirty; /* a reply came: run it */
	bool finished;
};

struct mxguard_resolver {
	struct mxguard_policy *policy;
	struct mxg_channel *channels[MXG_CHANNELS]; /* opened when they are needed */
	struct mxg_job *jobs;
	struct mxg_query *buckets[MXG_QUERY_BUCKETS];
	bool closing;
};

/* The reply, or what came instead of one, goes to the job's check, and makes the job dirty.
 * False: out of memory, or no socket to be had. */
bool mxg_resolver_ask(struct mxguard_resolver *resolver, struct mxg_job *job, unsigned number, const uint8_t *bytes,
		      size_t len);
/* Takes the job off everything it waits for; `why` is told to the check unless it is 0. */
void mxg_resolver_detach(struct mxguard_resolver *resolver, const struct mxg_job *job, int why);

#endif
