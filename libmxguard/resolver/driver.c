/* SPDX-License-Identifier: MIT */
/*
 * Questions, each out once however many wait for it.
 *
 * What one server says does not count where it is of no use and another one can be asked: after
 * SERVFAIL and REFUSED a channel could go on by itself, but then does not say what the servers
 * said (c-ares 1.18), and of replies that are not to be believed it knows nothing. So all replies
 * are taken, and such questions go out once more through a channel that begins at the next
 * server. What the first one said is kept, and counts where nobody knows better.
 */
#include "resolver/driver.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "resolver/internal.h"

#define QUERY_MAX 300 /* header, name, type and class, OPT */
#define OPT_LEN 11 /* RFC 6891 §6.1.2: mxg_dns_query() ends with it */
#define FORMERR 1 /* RFC 1035 §4.1.1 */
#define SOCKETS_MAX 256

struct mxg_query {
	struct mxg_call call; /* first: the one is the other */
	struct mxg_query *next; /* in the bucket */
	struct mxg_driver *driver;
	struct mxg_servers *servers;
	struct mxg_waiter *waiters;
	int64_t asked; /* mxg_monotonic_ms() */
	unsigned tried; /* bits: enum mxg_channel_use */
	enum mxg_dns_failure failed; /* what the first server said, while others are asked */
	struct mxg_question question;
	uint8_t bytes[QUERY_MAX];
	size_t len;
};

/* ---- those who wait ---------------------------------------------------------------------- */

static void join(struct mxg_query *q, struct mxg_waiter *w)
{
	w->query = q;
	w->next = q->waiters;
	w->at = &q->waiters;
	if (w->next != NULL)
		w->next->at = &w->next;
	q->waiters = w;
}

void mxg_driver_forget(struct mxg_waiter *w)
{
	if (w->query == NULL)
		return;
	*w->at = w->next;
	if (w->next != NULL)
		w->next->at = w->at;
	w->query = NULL;
}

static void tell_failure(struct mxg_waiter *w, enum mxg_dns_failure why)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = why };
	w->done(w, &none);
}

/* The last one gets the reply itself, the others get copies. */
static void tell(struct mxg_query *q, struct mxg_waiter *w, struct mxg_reply *reply)
{
	struct mxg_reply own = *reply;
	mxg_driver_forget(w);
	if (q->waiters == NULL) {
		reply->records.data = NULL;
	} else if (own.records.size > 0) {
		own.records.data = malloc(own.records.size);
		if (own.records.data == NULL) {
			tell_failure(w, MXG_DNS_LOCAL);
			return;
		}
		memcpy(own.records.data, reply->records.data, own.records.size);
	}
	w->done(w, &own);
	free(own.records.data);
}

/* ---- questions ------------------------------------------------------------------------- */

static struct mxg_query **bucket_of(struct mxg_driver *d, const struct mxg_question *question)
{
	return &d->buckets[(mxg_name_hash(&question->name) ^ question->type) % MXG_QUERY_BUCKETS];
}

static void take_out(struct mxg_query *query)
{
	struct mxg_query **at = bucket_of(query->driver, &query->question);
	while (*at != query)
		at = &(*at)->next;
	*at = query->next;
	query->servers->open--;
}

/* Ends the question. What is asked by those who are told begins anew. */
static void conclude(struct mxg_query *query, struct mxg_reply *reply)
{
	struct mxg_dns_counts *counts = query->driver->counts;
	take_out(query);
	if (counts != NULL && reply->kind == MXG_ANSWER_FAILED)
		counts->failed[reply->failure]++;
	while (query->waiters != NULL)
		tell(query, query->waiters, reply);
	free(reply->records.data);
	free(query);
}

static void conclude_failed(struct mxg_query *query, enum mxg_dns_failure why)
{
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = query->tried == 1u ? why : query->failed };
	conclude(query, &none);
}

static bool send_through(struct mxg_query *query, enum mxg_channel_use use)
{
	struct mxg_channel *channel = mxg_servers_channel(query->driver, query->servers, use);
	if (channel == NULL)
		return false;
	if (use == MXG_CHANNEL_PLAIN) {
		query->bytes[11] = 0; /* ARCOUNT */
		query->len -= OPT_LEN;
	}
	query->tried |= 1u << use;
	query->driver->sent++;
	if (query->driver->counts != NULL)
		query->driver->counts->sent++;
	mxg_channel_send(channel, query->bytes, query->len, &query->call);
	return true;
}

static bool may_try(const struct mxg_query *query, enum mxg_channel_use use)
{
	return (query->tried & (1u << use)) == 0;
}

/* Asks once more where there is something to gain by it. FORMERR is from servers that do not know
 * EDNS (RFC 6891 §7); c-ares 1.18 deals with the first such reply of a channel only. */
static bool ask_again(struct mxg_query *query, const struct mxg_reply *reply)
{
	if (query->driver->closing || query->waiters == NULL || reply->kind != MXG_ANSWER_FAILED)
		return false;
	if (query->tried == 1u)
		query->failed = reply->failure;
	if (reply->rcode == FORMERR && may_try(query, MXG_CHANNEL_PLAIN))
		return send_through(query, MXG_CHANNEL_PLAIN);
	return may_try(query, MXG_CHANNEL_OTHERS) &&
	       mxg_channel_servers(query->servers->channels[MXG_CHANNEL_USUAL]) > 1 &&
	       send_through(query, MXG_CHANNEL_OTHERS);
}

static void on_reply(struct mxg_call *call, const uint8_t *bytes, size_t len, enum mxg_dns_failure why)
{
	struct mxg_query *query = (struct mxg_query *)call;
	struct mxg_reply reply;
	if (bytes == NULL) {
		conclude_failed(query, why);
		return;
	}
	if (call->silent > 0 && may_try(query, MXG_CHANNEL_OTHERS)) /* that one begins elsewhere */
		mxg_servers_were_silent(query->driver, query->servers, call->silent);
	if (!mxg_dns_reply_parse(&reply, &query->question, bytes, len)) {
		conclude_failed(query, MXG_DNS_LOCAL);
		return;
	}
	if (ask_again(query, &reply))
		return;
	mxg_reply_restrict(&reply, &query->driver->policy->reply_rules);
	conclude(query, &reply);
}

void mxg_driver_count(struct mxg_driver *d, struct mxg_dns_counts *counts)
{
	d->counts = counts;
}

/* To join one that has been out for longer than a server may take would be to wait with it for
 * its next try, and to end with its last, though the server be back by now. */
static bool is_young(const struct mxg_query *q, int64_t now)
{
	return q->waiters != NULL && now - q->asked < mxg_servers_try_ms(q->driver);
}

static struct mxg_query *find_query(struct mxg_driver *d, const struct mxg_question *question)
{
	int64_t now = mxg_monotonic_ms();
	struct mxg_query *q = *bucket_of(d, question);
	while (q != NULL && (q->question.type != question->type ||
			     !mxg_name_equal(&q->question.name, &question->name) || !is_young(q, now)))
		q = q->next;
	return q;
}

static struct mxg_query *new_query(struct mxg_driver *d, struct mxg_servers *servers,
				   const struct mxg_question *question)
{
	struct mxg_query **bucket = bucket_of(d, question), *q = calloc(1, sizeof(*q));
	uint16_t id;
	if (q == NULL || getrandom(&id, sizeof(id), 0) != sizeof(id)) {
		free(q);
		return NULL;
	}
	q->len = mxg_dns_query(q->bytes, sizeof(q->bytes), question, id);
	q->call.done = on_reply;
	q->asked = mxg_monotonic_ms();
	q->question = *question;
	q->driver = d;
	q->servers = servers;
	q->servers->open++;
	q->next = *bucket;
	*bucket = q;
	return q;
}

void mxg_driver_ask(struct mxg_driver *d, const struct mxg_question *question, struct mxg_waiter *w)
{
	struct mxg_query *query = d->closing ? NULL : find_query(d, question);
	w->query = NULL;
	if (query != NULL) {
		join(query, w);
		return;
	}
	struct mxg_servers *servers = d->closing ? NULL : mxg_servers_now(d);
	if (servers == NULL || (query = new_query(d, servers, question)) == NULL) {
		tell_failure(w, d->closing ? MXG_DNS_CANCELLED : MXG_DNS_LOCAL);
		return;
	}
	join(query, w);
	send_through(query, MXG_CHANNEL_USUAL); /* mxg_servers_now() has opened that one */
}

bool mxg_driver_asks_outside(struct mxg_driver *d)
{
	const struct mxg_servers *servers = mxg_servers_now(d);
	return servers != NULL && !mxg_channel_is_local(servers->channels[MXG_CHANNEL_USUAL]);
}

uint64_t mxg_driver_sent(const struct mxg_driver *d)
{
	return d->sent;
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxg_driver_pollfds(const struct mxg_driver *d, struct pollfd *fds, size_t count)
{
	return mxg_servers_pollfds(d, fds, count);
}

int mxg_driver_timeout(const struct mxg_driver *d)
{
	return mxg_servers_timeout(d);
}

void mxg_driver_process(struct mxg_driver *d, const struct pollfd *fds, size_t count)
{
	mxg_servers_process(d, fds, count);
}

void mxg_driver_wait(struct mxg_driver *d, int timeout_ms)
{
	struct pollfd fds[SOCKETS_MAX];
	size_t count = mxg_driver_pollfds(d, fds, SOCKETS_MAX);
	int limit = mxg_driver_timeout(d);
	if (count > SOCKETS_MAX)
		count = SOCKETS_MAX; /* time limits end what is asked on the rest */
	if (limit < 0 || (timeout_ms >= 0 && limit > timeout_ms))
		limit = timeout_ms;
	if (poll(fds, (nfds_t)count, limit) <= 0)
		count = 0;
	mxg_driver_process(d, fds, count);
}

/* ---- its life ---------------------------------------------------------------------------- */

struct mxg_driver *mxg_driver_new(const struct mxguard_policy *policy, enum mxg_driver_manner manner)
{
	struct mxg_driver *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->policy = policy;
	d->manner = manner;
	return d;
}

void mxg_driver_free(struct mxg_driver *d)
{
	if (d == NULL)
		return;
	d->closing = true;
	mxg_servers_free(d);
	free(d);
}
