/* SPDX-License-Identifier: MIT */
#include "audit/asker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rate.h"

#define DEAD_AFTER 64 /* questions in a row without any reply, where there never was one; */
#define DIED_AFTER 256 /* … and where there were some */

struct item {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct mxg_asker *asker;
	struct item *next; /* in its bucket */
	struct item *queued; /* behind it in the queue */
	struct mxg_asking *asking;
	struct mxg_reply reply;
	enum mxg_asker_keep keep;
	bool replied;
	uint16_t type;
	uint8_t name_len;
	uint8_t name[];
};

struct mxg_asker {
	struct mxg_driver *driver;
	struct mxg_rate rate;
	unsigned concurrency;
	struct item **buckets;
	size_t bucket_count, count;
	struct item *queue, **queue_end;
	size_t waiting, open;
	size_t answered, failed_in_a_row;
	bool heard, failed; /* anything that is no silence; and silence */
	bool dead; /* DNS does not answer at all: the rest is not asked */
};

/* ---- the questions --------------------------------------------------------------------------- */

static struct item **place_of(const struct mxg_asker *a, const struct mxg_question *q)
{
	struct item **at = &a->buckets[(mxg_name_hash(&q->name) ^ q->type) & (a->bucket_count - 1)];
	while (*at != NULL && ((*at)->type != q->type || (*at)->name_len != q->name.len ||
			       memcmp((*at)->name, q->name.wire, q->name.len) != 0))
		at = &(*at)->next;
	return at;
}

static void question_of(const struct item *item, struct mxg_question *out)
{
	*out = (struct mxg_question){ .type = item->type, .name.len = item->name_len };
	memcpy(out->name.wire, item->name, item->name_len);
}

static bool grow(struct mxg_asker *a)
{
	size_t old_count = a->bucket_count;
	struct item **old = a->buckets, **buckets = calloc(old_count * 2, sizeof(*buckets));
	struct mxg_question q;
	if (buckets == NULL)
		return false;
	a->buckets = buckets;
	a->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		for (struct item *item = old[i], *next; item != NULL; item = next) {
			next = item->next;
			item->next = NULL;
			question_of(item, &q);
			*place_of(a, &q) = item;
		}
	}
	free(old);
	return true;
}

static struct item *new_item(struct mxg_asker *a, const struct mxg_question *q)
{
	if (a->count >= a->bucket_count && !grow(a))
		return NULL;
	struct item *item = calloc(1, sizeof(*item) + q->name.len);
	if (item == NULL)
		return NULL;
	item->asker = a;
	item->type = q->type;
	item->name_len = q->name.len;
	memcpy(item->name, q->name.wire, q->name.len);
	*place_of(a, q) = item;
	a->count++;
	*a->queue_end = item;
	a->queue_end = &item->queued;
	a->waiting++;
	return item;
}

static void drop(struct mxg_asker *a, struct item *item)
{
	struct mxg_question q;
	question_of(item, &q);
	struct item **at = place_of(a, &q);
	*at = item->next;
	a->count--;
	free(item->reply.records.data);
	free(item);
}

void mxg_asker_ask(struct mxg_asker *a, const struct mxg_question *q, enum mxg_asker_keep keep,
		   struct mxg_asking *asking)
{
	static const struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_LOCAL };
	struct item *item = *place_of(a, q);
	if (item == NULL)
		item = new_item(a, q);
	if (item == NULL) {
		asking->done(asking, q, &none);
		return;
	}
	if (keep > item->keep)
		item->keep = keep;
	if (item->replied) {
		asking->done(asking, q, &item->reply);
		return;
	}
	asking->next = item->asking;
	item->asking = asking;
}

/* ---- replies ---------------------------------------------------------------------------------------- */

bool mxg_asker_is_silence(enum mxg_dns_failure failure)
{
	return failure == MXG_DNS_TIMEOUT || failure == MXG_DNS_REFUSED || failure == MXG_DNS_CANCELLED ||
	       failure == MXG_DNS_LOCAL;
}

static void count_result(struct mxg_asker *a, const struct mxg_reply *r)
{
	bool silence = r->kind == MXG_ANSWER_FAILED && mxg_asker_is_silence(r->failure);
	a->failed |= silence;
	a->heard |= !silence;
	if (r->kind != MXG_ANSWER_FAILED) {
		a->answered++;
		a->failed_in_a_row = 0;
		return;
	}
	a->failed_in_a_row += r->failure == MXG_DNS_TIMEOUT || r->failure == MXG_DNS_LOCAL;
	a->dead |= a->failed_in_a_row >= (a->answered == 0 ? DEAD_AFTER : DIED_AFTER);
}

/* Those who are told may ask on, also the same question. */
static void take_reply(struct mxg_asker *a, struct item *item)
{
	struct mxg_asking *asking = item->asking, *next;
	struct mxg_question q;
	question_of(item, &q);
	item->asking = NULL;
	item->replied = true;
	for (; asking != NULL; asking = next) {
		next = asking->next;
		asking->done(asking, &q, &item->reply);
	}
	if (item->keep == MXG_ASKER_DROP ||
	    (item->keep == MXG_ASKER_KEEP_RECORDS && item->reply.kind != MXG_ANSWER_RECORDS))
		drop(a, item);
}

static void on_reply(struct mxg_waiter *waiter, struct mxg_reply *reply)
{
	struct item *item = (struct item *)waiter;
	struct mxg_asker *a = item->asker;
	a->open--;
	count_result(a, reply);
	item->reply = *reply;
	reply->records.data = NULL;
	take_reply(a, item);
}

/* ---- sending ----------------------------------------------------------------------------------------- */

static struct item *dequeue(struct mxg_asker *a)
{
	struct item *item = a->queue;
	a->queue = item->queued;
	a->waiting--;
	if (a->queue == NULL)
		a->queue_end = &a->queue;
	return item;
}

static void send_one(struct mxg_asker *a)
{
	struct item *item = dequeue(a);
	struct mxg_question q;
	if (a->dead) {
		item->reply = (struct mxg_reply){ .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_CANCELLED };
		take_reply(a, item);
		return;
	}
	question_of(item, &q);
	item->waiter.done = on_reply;
	a->open++;
	mxg_driver_ask(a->driver, &q, &item->waiter);
}

bool mxg_asker_step(struct mxg_asker *a, int timeout_ms)
{
	while (a->queue != NULL &&
	       (a->dead || (a->open < a->concurrency && mxg_rate_take(&a->rate, mxg_monotonic_us()))))
		send_one(a);
	if (a->queue == NULL && a->open == 0)
		return false;
	if (a->queue != NULL && a->open < a->concurrency)
		timeout_ms = mxg_rate_wait_ms(&a->rate, mxg_monotonic_us(), timeout_ms);
	mxg_driver_wait(a->driver, timeout_ms);
	return true;
}

size_t mxg_asker_waiting(const struct mxg_asker *a)
{
	return a->waiting;
}

bool mxg_asker_is_deaf(const struct mxg_asker *a)
{
	return a->dead || (a->failed && !a->heard);
}

uint64_t mxg_asker_sent(const struct mxg_asker *a)
{
	return mxg_driver_sent(a->driver);
}

/* ---- its life ------------------------------------------------------------------------------------------ */

struct mxg_asker *mxg_asker_new(const struct mxguard_policy *policy, unsigned rate, unsigned concurrency)
{
	struct mxg_asker *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	*a = (struct mxg_asker){ .rate.per_second = rate, .concurrency = concurrency, .bucket_count = 1024 };
	a->queue_end = &a->queue;
	a->driver = mxg_driver_new(policy, MXG_DRIVER_PATIENT);
	a->buckets = calloc(a->bucket_count, sizeof(*a->buckets));
	if (a->driver == NULL || a->buckets == NULL) {
		mxg_asker_free(a);
		return NULL;
	}
	return a;
}

static void forget(struct mxg_asker *a)
{
	for (size_t i = 0; i < a->bucket_count; i++) {
		for (struct item *item = a->buckets[i], *next; item != NULL; item = next) {
			next = item->next;
			mxg_driver_forget(&item->waiter);
			free(item->reply.records.data);
			free(item);
		}
	}
}

void mxg_asker_free(struct mxg_asker *a)
{
	if (a == NULL)
		return;
	if (a->buckets != NULL)
		forget(a);
	mxg_driver_free(a->driver);
	free(a->buckets);
	free(a);
}
