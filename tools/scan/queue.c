/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "scan/source.h"

static void spare(struct mxg_queue *q, struct mxg_batch *batch)
{
	batch->next = q->spare;
	q->spare = batch;
	q->spares++;
}

bool mxg_queue_init(struct mxg_queue *q)
{
	*q = (struct mxg_queue){ .room = malloc(MXG_QUEUE_ROOM * sizeof(*q->room)) };
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->not_empty, NULL);
	pthread_cond_init(&q->not_full, NULL);
	q->last = &q->first;
	for (size_t i = 0; q->room != NULL && i < MXG_QUEUE_ROOM; i++)
		spare(q, &q->room[i]);
	return q->room != NULL;
}

void mxg_queue_free(struct mxg_queue *q)
{
	free(q->room);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->not_empty);
	pthread_cond_destroy(&q->not_full);
}

/* ---- the walk's side --------------------------------------------------------------------- */

static void send(struct mxg_queue *q)
{
	if (q->open == NULL)
		return;
	pthread_mutex_lock(&q->lock);
	q->open->next = NULL;
	*q->last = q->open;
	q->last = &q->open->next;
	q->open = NULL;
	bool wake = q->waiting > 0;
	pthread_mutex_unlock(&q->lock);
	if (wake)
		pthread_cond_signal(&q->not_empty);
}

static struct mxg_batch *open_batch(struct mxg_queue *q, const char *folder, size_t len)
{
	pthread_mutex_lock(&q->lock);
	while (q->spare == NULL) {
		q->blocked = true;
		pthread_cond_wait(&q->not_full, &q->lock);
	}
	q->blocked = false;
	struct mxg_batch *batch = q->spare;
	q->spare = batch->next;
	q->spares--;
	pthread_mutex_unlock(&q->lock);
	batch->count = 0;
	batch->used = batch->folder_len = len;
	memcpy(batch->text, folder, len);
	return batch;
}

static bool fits(const struct mxg_batch *batch, const char *folder, size_t len, size_t name_len)
{
	return batch->count < MXG_BATCH_MOST && batch->used + name_len < sizeof(batch->text) &&
	       batch->folder_len == len && memcmp(batch->text, folder, len) == 0;
}

void mxg_queue_put(struct mxg_queue *q, const char *path, size_t name_at, bool alone)
{
	size_t len = strlen(path + name_at);
	if (name_at + len >= MXG_PATH_MAX)
		return;
	if (q->open != NULL && (alone || !fits(q->open, path, name_at, len)))
		send(q);
	if (q->open == NULL)
		q->open = open_batch(q, path, name_at);
	memcpy(q->open->text + q->open->used, path + name_at, len + 1);
	q->open->used += len + 1;
	q->open->count++;
	if (alone)
		send(q);
}

void mxg_queue_close(struct mxg_queue *q)
{
	send(q);
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->not_empty);
	pthread_mutex_unlock(&q->lock);
}

/* ---- the workers' side ------------------------------------------------------------------- */

/* Under the lock. The walk is not woken for each of them. */
static void give_back(struct mxg_queue *q, struct mxg_batch *batch)
{
	spare(q, batch);
	if (q->blocked && (q->spares >= MXG_QUEUE_ROOM / 2 || q->first == NULL))
		pthread_cond_signal(&q->not_full);
}

struct mxg_batch *mxg_queue_take(struct mxg_queue *q, struct mxg_batch *before)
{
	pthread_mutex_lock(&q->lock);
	if (before != NULL)
		give_back(q, before);
	q->waiting++;
	while (q->first == NULL && !q->closed)
		pthread_cond_wait(&q->not_empty, &q->lock);
	q->waiting--;
	struct mxg_batch *batch = q->first;
	if (batch != NULL)
		q->first = batch->next;
	if (q->first == NULL)
		q->last = &q->first;
	pthread_mutex_unlock(&q->lock);
	return batch;
}
