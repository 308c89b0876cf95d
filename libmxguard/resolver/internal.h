/* SPDX-License-Identifier: MIT */
#ifndef MXG_RESOLVER_INTERNAL_H
#define MXG_RESOLVER_INTERNAL_H

#include "resolver/channel.h"
#include "base/clock.h"
#include "resolver/driver.h"

/* Shared by driver.c (questions) and servers.c (whom to ask) only. */

#define MXG_QUERY_BUCKETS 256

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
	int64_t opened; /* or the first ones in this order; mxg_monotonic_ms() */
	unsigned first; /* the server that comes first */
	unsigned next_first; /* … the next time */
	size_t open; /* questions */
};

struct mxg_driver {
	const struct mxguard_policy *policy;
	enum mxg_driver_manner manner;
	struct mxg_servers *servers; /* the newest */
	struct mxg_query *buckets[MXG_QUERY_BUCKETS];
	uint64_t sent;
	struct mxg_dns_counts *counts; /* NULL: nobody counts */
	bool closing;
};

/* ---- servers.c ------------------------------------------------------------------------- */

/* For one server, so that another one, or another try, still fits into the whole. */
int mxg_servers_try_ms(const struct mxg_driver *driver);
/* Those for new questions. NULL: out of memory, or no file or socket to be had. */
struct mxg_servers *mxg_servers_now(struct mxg_driver *driver);
/* NULL as above. */
struct mxg_channel *mxg_servers_channel(struct mxg_driver *driver, struct mxg_servers *servers,
					enum mxg_channel_use use);
/* So many servers did not answer before the one that did: new questions begin at that one. */
void mxg_servers_were_silent(struct mxg_driver *driver, const struct mxg_servers *servers, unsigned silent);
size_t mxg_servers_pollfds(const struct mxg_driver *driver, struct pollfd *fds, size_t count);
int mxg_servers_timeout(const struct mxg_driver *driver); /* as mxg_channel_timeout() */
void mxg_servers_process(struct mxg_driver *driver, const struct pollfd *fds, size_t count);
void mxg_servers_free(struct mxg_driver *driver); /* ends every question */

#endif
