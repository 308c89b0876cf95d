/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHANNEL_H
#define MXG_CHANNEL_H

#include "dns/message.h"

/*
 * Raw DNS messages to servers and back, over UDP and TCP. channel.c alone knows c-ares. One
 * thread; not on both sides of a fork.
 */
struct mxg_channel;
struct pollfd;

/* A question that is out; part of whatever the caller keeps about it. Where there is no reply
 * (NULL), `why` says so; after mxg_channel_free() that is MXG_DNS_CANCELLED. */
struct mxg_call {
	void (*done)(struct mxg_call *call, const uint8_t *reply, size_t len, enum mxg_dns_failure why);
	struct mxg_channel *channel; /* the channel's, as are the next seven */
	struct mxg_call *next;
	const uint8_t *query;
	size_t query_len;
	bool masked; /* c-ares was told another name (calls.h) */
	int id; /* under which it goes out; -1: it has not yet */
	uint8_t *reply; /* as it came; NULL: none yet */
	size_t reply_len;
	unsigned silent; /* set before done(): servers that did not answer before the one that did,
			  * where c-ares forgets them from one question to the next (before 1.24) */
};

struct mxg_channel_options {
	const char *servers; /* as policy->dns_servers; NULL: the system's */
	int try_ms; /* for one server; a second try takes longer */
	int tries; /* at each server */
	bool refusals; /* SERVFAIL and REFUSED are replies; else the next server is asked, and what
			* they said is lost (c-ares 1.18) */
	unsigned first; /* the server that is asked first, from 0 on; the order goes on behind it */
	bool plain; /* queries have no EDNS */
};

/* NULL: out of memory, or the servers cannot be known. */
struct mxg_channel *mxg_channel_new(const struct mxg_channel_options *options);
void mxg_channel_free(struct mxg_channel *channel); /* ends every call; NULL is allowed */
size_t mxg_channel_servers(const struct mxg_channel *channel);
bool mxg_channel_is_local(const struct mxg_channel *channel); /* every server is on loopback */
/* So many questions have left by one port that the next ones should leave by another: he who sees
 * no packets, but knows the port, has only the id to guess. Never on loopback. */
bool mxg_channel_is_worn(const struct mxg_channel *channel);

/* May come to call->done before it returns. The query stays the caller's, and where it is, until
 * call->done. */
void mxg_channel_send(struct mxg_channel *channel, const uint8_t *query, size_t len, struct mxg_call *call);

/* Fills up to `count` entries, returns how many there are. */
size_t mxg_channel_pollfds(const struct mxg_channel *channel, struct pollfd *fds, size_t count);
int mxg_channel_timeout(const struct mxg_channel *channel); /* milliseconds; -1: nothing is out */
/* fds as poll(2) left them; those of others are passed over. */
void mxg_channel_process(struct mxg_channel *channel, const struct pollfd *fds, size_t count);
void mxg_channel_expire(struct mxg_channel *channel); /* what has timed out */

#endif
