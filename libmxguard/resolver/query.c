/* SPDX-License-Identifier: MIT */
/*
 * Questions of checks, each out once however many checks wait for it.
 *
 * What one server says does not count where it is of no use and another one can be asked: after
 * SERVFAIL and REFUSED a channel could go on by itself, but then does not say what the servers
 * said (c-ares 1.18), and of replies that are not to be believed it knows nothing. So all replies
 * are taken, and such questions go out once more through a channel that begins at the next
 * server. What the first one said is kept, and counts where nobody knows better.
 */
#include "resolver/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define OPT_LEN 11 /* RFC 6891 §6.1.2: mxg_dns_query() ends with it */

/* One question that is out; several checks may wait for it. */
struct mxg_query {
	struct mxg_call call; /* first: the one is the other */
	struct mxg_query *next; /* in the bucket */
	struct mxguard_resolver *resolver;
	struct mxg_servers *servers;
	struct waiter *waiters;
	int64_t asked; /* mxg_monotonic_ms() */
	uint8_t *first; /* the first server's reply, while others are asked */
	size_t first_len;
	size_t len;
	uint8_t bytes[MXG_QUERY_MAX];
};

struct waiter {
	struct waiter *next;
	struct mxg_job *job;
	size_t number;
};

/* ---- questions ------------------------------------------------------------------------- */

static struct mxg_query **bucket_of(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 2; i < len; i++) /* behind the id */
		hash = (hash ^ bytes[i]) * 16777619u;
	return &r->buckets[hash % MXG_QUERY_BUCKETS];
}

static void forget_query(struct mxg_query *query)
{
	struct mxg_query **at = bucket_of(query->resolver, query->bytes, query->len);
	while (*at != NULL && *at != query)
		at = &(*at)->next;
	if (*at == query)
		*at = query->next;
	for (struct waiter *w = query->waiters, *next; w != NULL; w = next) {
		next = w->next;
		free(w);
	}
	query->servers->open--;
	free(query->first);
	free(query);
}

/* Ends the question: the reply, or what came instead of one, goes to all who wait. */
static void settle(struct mxg_query *query, const uint8_t *reply, size_t len, enum mxg_dns_failure why)
{
	int64_t now = (int64_t)time(NULL);
	for (struct waiter *w = query->waiters; w != NULL; w = w->next) {
		if (reply != NULL)
			mxguard_check_reply(w->job->check, w->number, reply, len, now);
		else
			mxguard_check_no_reply(w->job->check, w->number, (enum mxguard_dns_failure)why, now);
		w->job->dirty = true;
	}
	forget_query(query);
}

static void on_second_reply(struct mxg_call *call, const uint8_t *reply, size_t len, enum mxg_dns_failure why)
{
	struct mxg_query *query = (struct mxg_query *)call;
	if (reply != NULL)
		settle(query, reply, len, why);
	else
		settle(query, query->first, query->first_len, why);
}

static bool keep_first(struct mxg_query *query, const uint8_t *reply, size_t len)
{
	query->first = malloc(len);
	if (query->first == NULL)
		return false;
	memcpy(query->first, reply, len);
	query->first_len = len;
	query->call.done = on_second_reply;
	return true;
}

/* RFC 6891 §7: FORMERR from servers that do not know EDNS. c-ares 1.18 deals with the first such
 * reply of a channel only. */
static bool ask_plainly(struct mxg_query *query, const uint8_t *reply, size_t len)
{
	struct mxg_channel *channel = mxg_servers_channel(query->resolver, query->servers, MXG_CHANNEL_PLAIN);
	uint8_t plain[MXG_QUERY_MAX];
	if (channel == NULL || !keep_first(query, reply, len))
		return false;
	memcpy(plain, query->bytes, query->len - OPT_LEN);
	plain[11] = 0; /* ARCOUNT */
	mxg_channel_send(channel, plain, query->len - OPT_LEN, &query->call);
	return true;
}

static bool ask_others(struct mxg_query *query, const uint8_t *reply, size_t len)
{
	struct mxg_channel *channel = mxg_servers_channel(query->resolver, query->servers, MXG_CHANNEL_OTHERS);
	if (channel == NULL || !keep_first(query, reply, len))
		return false;
	mxg_channel_send(channel, query->bytes, query->len, &query->call);
	return true;
}

/* Whether the check will take it for an answer. */
static bool is_answer(const struct mxg_query *query, const uint8_t *bytes, size_t len)
{
	struct mxg_question question = { .name.len = (uint8_t)(query->len - 12 - 4 - OPT_LEN) };
	struct mxg_reply reply;
	memcpy(question.name.wire, query->bytes + 12, question.name.len);
	question.type =
		(uint16_t)(query->bytes[query->len - OPT_LEN - 4] << 8 | query->bytes[query->len - OPT_LEN - 3]);
	if (!mxg_dns_reply_parse(&reply, &question, bytes, len))
		return true; /* out of memory: the check shall say so */
	free(reply.records.data);
	return reply.kind != MXG_ANSWER_FAILED;
}

/* Asks once more where there is something to gain by it. */
static bool ask_again(struct mxg_query *query, const uint8_t *reply, size_t len)
{
	static const unsigned formerr = 1; /* RFC 1035 §4.1.1 */
	if (query->resolver->closing || query->waiters == NULL || len < 12)
		return false;
	if ((reply[3] & 15u) == formerr)
		return ask_plainly(query, reply, len);
	return mxg_channel_servers(query->servers->channels[MXG_CHANNEL_USUAL]) > 1 && !is_answer(query, reply, len) &&
	       ask_others(query, reply, len);
}

static void on_reply(struct mxg_call *call, const uint8_t *reply, size_t len, enum mxg_dns_failure why)
{
	struct mxg_query *query = (struct mxg_query *)call;
	if (reply != NULL && call->silent > 0)
		mxg_servers_were_silent(query->servers, call->silent);
	if (reply == NULL || !ask_again(query, reply, len))
		settle(query, reply, len, why);
}

static bool join(struct mxg_query *query, struct mxg_job *job, size_t number)
{
	struct waiter *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	*w = (struct waiter){ .next = query->waiters, .job = job, .number = number };
	query->waiters = w;
	return true;
}

/* To join one that has been out for longer than a server may take would be to wait with it for
 * its next try, and to end with its last, though the server be back by now. */
static bool is_young(const struct mxg_query *q, int64_t now)
{
	return q->waiters != NULL && now - q->asked < mxg_servers_try_ms(q->resolver);
}

static struct mxg_query *find_query(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	int64_t now = mxg_monotonic_ms();
	struct mxg_query *q = *bucket_of(r, bytes, len);
	while (q != NULL && (q->len != len || memcmp(q->bytes + 2, bytes + 2, len - 2) != 0 || !is_young(q, now)))
		q = q->next;
	return q;
}

static struct mxg_query *new_query(struct mxguard_resolver *r, struct mxg_servers *servers, const uint8_t *bytes,
				   size_t len)
{
	struct mxg_query **bucket = bucket_of(r, bytes, len), *q = calloc(1, sizeof(*q));
	if (q == NULL || getrandom(q->bytes, 2, 0) != 2) {
		free(q);
		return NULL;
	}
	memcpy(q->bytes + 2, bytes + 2, len - 2);
	q->call.done = on_reply;
	q->asked = mxg_monotonic_ms();
	q->len = len;
	q->resolver = r;
	q->servers = servers;
	q->servers->open++;
	q->next = *bucket;
	*bucket = q;
	return q;
}

bool mxg_resolver_ask(struct mxguard_resolver *r, struct mxg_job *job, size_t number, const uint8_t *bytes, size_t len)
{
	struct mxg_query *query = find_query(r, bytes, len);
	if (query != NULL)
		return join(query, job, number);
	struct mxg_servers *servers = mxg_servers_now(r);
	if (servers == NULL || (query = new_query(r, servers, bytes, len)) == NULL)
		return false;
	if (!join(query, job, number)) {
		forget_query(query);
		return false;
	}
	/* may answer at once, with an error; it then only marks the job */
	mxg_channel_send(servers->channels[MXG_CHANNEL_USUAL], query->bytes, len, &query->call);
	return true;
}

void mxg_resolver_detach(struct mxguard_resolver *r, const struct mxg_job *job, int why)
{
	for (size_t b = 0; b < MXG_QUERY_BUCKETS; b++) {
		for (struct mxg_query *q = r->buckets[b]; q != NULL; q = q->next) {
			for (struct waiter **at = &q->waiters, *w; (w = *at) != NULL;) {
				if (w->job != job) {
					at = &w->next;
					continue;
				}
				if (why != 0)
					mxguard_check_no_reply(job->check, w->number, (enum mxguard_dns_failure)why,
							       (int64_t)time(NULL));
				*at = w->next;
				free(w);
			}
		}
	}
}
