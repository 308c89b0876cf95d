/* SPDX-License-Identifier: MIT */
/*
 * Questions of checks, each out once however many checks wait for it.
 *
 * After SERVFAIL and REFUSED the channel could go on by itself, but then does not say what the
 * servers said: so those replies are taken, and where there are several servers the question
 * goes out once more through a second channel that skips such servers.
 */
#include "resolver_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define TRIES 3

/* One question that is out; several checks may wait for it. */
struct mxg_query {
	struct mxg_call call; /* first: the one is the other */
	struct mxg_query *next; /* in the bucket */
	struct mxguard_resolver *resolver;
	struct waiter *waiters;
	uint8_t *refusal; /* the first server's SERVFAIL or REFUSED, while others are asked */
	size_t refusal_len;
	size_t len;
	uint8_t bytes[MXG_QUERY_MAX];
};

struct waiter {
	struct waiter *next;
	struct mxg_job *job;
	unsigned number;
};

/* So that a second and a third server, or try, still fit into the whole. */
static int try_timeout(int whole)
{
	int each = whole / 4;
	return each < 200 ? 200 : each > 2000 ? 2000 : each;
}

static bool open_channel(struct mxguard_resolver *r, unsigned which)
{
	struct mxg_channel_options options = { .servers = r->policy->dns_servers,
					       .try_ms = try_timeout(r->policy->timeout_ms),
					       .tries = TRIES,
					       .refusals = which == MXG_FIRST_CHANNEL };
	if (r->channels[which] == NULL)
		r->channels[which] = mxg_channel_new(&options);
	return r->channels[which] != NULL;
}

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
	free(query->refusal);
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
		settle(query, query->refusal, query->refusal_len, why);
}

/* RFC 1035 §4.1.1: SERVFAIL 2, NOTIMP 4, REFUSED 5: what another server may do better. */
static bool is_refusal(const uint8_t *reply, size_t len)
{
	unsigned rcode = len < 12 ? 0 : reply[3] & 15u;
	return rcode == 2 || rcode == 4 || rcode == 5;
}

static bool ask_others(struct mxg_query *query, const uint8_t *reply, size_t len)
{
	struct mxguard_resolver *r = query->resolver;
	if (r->closing || mxg_channel_servers(r->channels[MXG_FIRST_CHANNEL]) < 2 || !open_channel(r, MXG_SECOND_CHANNEL))
		return false;
	query->refusal = malloc(len);
	if (query->refusal == NULL)
		return false;
	memcpy(query->refusal, reply, len);
	query->refusal_len = len;
	query->call.done = on_second_reply;
	mxg_channel_send(r->channels[MXG_SECOND_CHANNEL], query->bytes, query->len, &query->call);
	return true;
}

static void on_reply(struct mxg_call *call, const uint8_t *reply, size_t len, enum mxg_dns_failure why)
{
	struct mxg_query *query = (struct mxg_query *)call;
	if (reply == NULL || !is_refusal(reply, len) || !ask_others(query, reply, len))
		settle(query, reply, len, why);
}

static bool join(struct mxg_query *query, struct mxg_job *job, unsigned number)
{
	struct waiter *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	*w = (struct waiter){ .next = query->waiters, .job = job, .number = number };
	query->waiters = w;
	return true;
}

static struct mxg_query *find_query(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	struct mxg_query *q = *bucket_of(r, bytes, len);
	while (q != NULL && (q->len != len || memcmp(q->bytes + 2, bytes + 2, len - 2) != 0))
		q = q->next;
	return q;
}

static struct mxg_query *new_query(struct mxguard_resolver *r, const uint8_t *bytes, size_t len)
{
	struct mxg_query **bucket = bucket_of(r, bytes, len), *q = calloc(1, sizeof(*q));
	if (q == NULL || getrandom(q->bytes, 2, 0) != 2) {
		free(q);
		return NULL;
	}
	memcpy(q->bytes + 2, bytes + 2, len - 2);
	q->call.done = on_reply;
	q->len = len;
	q->resolver = r;
	q->next = *bucket;
	*bucket = q;
	return q;
}

bool mxg_resolver_ask(struct mxguard_resolver *r, struct mxg_job *job, unsigned number, const uint8_t *bytes,
		      size_t len)
{
	struct mxg_query *query = find_query(r, bytes, len);
	if (query != NULL)
		return join(query, job, number);
	if (!open_channel(r, MXG_FIRST_CHANNEL) || (query = new_query(r, bytes, len)) == NULL)
		return false;
	if (!join(query, job, number)) {
		forget_query(query);
		return false;
	}
	/* may answer at once, with an error; it then only marks the job */
	mxg_channel_send(r->channels[MXG_FIRST_CHANNEL], query->bytes, len, &query->call);
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
