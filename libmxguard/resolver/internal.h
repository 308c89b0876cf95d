/* SPDX-License-Identifier: MIT */
#ifndef MXG_RESOLVER_INTERNAL_H
#define MXG_RESOLVER_INTERNAL_H

#include <stdbool.h>

#include "resolver/channel.h"
#include "policy/policy.h"

/* Shared by resolver.c (checks, polling), resolver_query.c (questions) and resolver_servers.c
 * (whom to ask) only. */

#define MXG_QUERY_MAX 512
#define MXG_QUERY_BUCKETS 256

struct mxg_query; /* a question that is out; several checks may wait for it */

/* Channels to the same servers, opened when they are needed. */
enum mxg_channel_use {
	MXG_CHANNEL_USUAL, /* takes every reply */
	MXG_CHANNEL_OTHERS, /* begins at the second server, passes over those that refuse */
	MXG_CHANNEL_PLAIN, /* for queries without EDNS */
	MXG_CHANNELS
};

/* The servers as they were found at one time, in the order in which they are asked. A
 * question stays with those that it began with. */
struct mxg_servers {
	struct mxg_servers *older; /* until their questions have ended */
	struct mxg_channel *channels[MXG_CHANNELS];
	int64_t opened; /* mxg_monotonic_ms() */
	unsigned first; /* the server that comes first */
	unsigned next_first; /* … the next time */
	size_t open; /* questions */
};

struct mxg_job {
	struct mxg_job *next;
	struct mxguard_check *check;
	int64_t deadline; /* mxg_monotonic_ms() */
	bool dirty; /* a reply came: run it */
	bool finished;
};

struct mxguard_resolver {
	struct mxguard_policy *policy;
	struct mxg_servers *servers; /* the newest */
	struct mxg_job *jobs;
	struct mxg_query *buckets[MXG_QUERY_BUCKETS];
	bool closing;
};

int64_t mxg_monotonic_ms(void);

/* ---- resolver_servers.c ---------------------------------------------------------------- */

/* For one server, so that another one, or another try, still fits into the whole. */
int mxg_servers_try_ms(const struct mxguard_resolver *resolver);
/* Those for new questions. Not from within a channel's callback. NULL: out of memory, or no
 * file or socket to be had. */
struct mxg_servers *mxg_servers_now(struct mxguard_resolver *resolver);
/* NULL as above. */
struct mxg_channel *mxg_servers_channel(struct mxguard_resolver *resolver, struct mxg_servers *servers,
					enum mxg_channel_use use);
/* So many servers did not answer before the one that did: new questions begin at that one. */
void mxg_servers_were_silent(struct mxg_servers *servers, unsigned silent);
size_t mxg_servers_pollfds(const struct mxguard_resolver *resolver, struct pollfd *fds, size_t count);
int mxg_servers_timeout(const struct mxguard_resolver *resolver); /* as mxg_channel_timeout() */
void mxg_servers_process(struct mxguard_resolver *resolver, const struct pollfd *fds, size_t count);
void mxg_servers_free(struct mxguard_resolver *resolver); /* ends every question */

/* ---- resolver_query.c ------------------------------------------------------------------ */

/* The reply, or what came instead of one, goes to the job's check, and makes the job dirty.
 * False: out of memory, or no socket to be had. */
bool mxg_resolver_ask(struct mxguard_resolver *resolver, struct mxg_job *job, size_t number, const uint8_t *bytes,
		      size_t len);
/* Takes the job off everything it waits for; `why` is told to the check unless it is 0. */
void mxg_resolver_detach(struct mxguard_resolver *resolver, const struct mxg_job *job, int why);

#endif
