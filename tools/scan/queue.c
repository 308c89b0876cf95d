/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "scan/source.h"

bool mxg_queue_init(struct mxg_queue *q)
{
	*q = (struct mxg_queue){ .paths = malloc(MXG_QUEUE_ROOM * sizeof(*q->paths)) };
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->not_empty, NULL);
	pthread_cond_init(&q->not_full, NULL);
	return q->paths != NULL;
}

void mxg_queue_free(struct mxg_queue *q)
{
	free(q->paths);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->not_empty);
	pthread_cond_destroy(&q->not_full);
}

void mxg_queue_put(struct mxg_queue *q, const char *path)
{
	size_t len = strlen(path);
	if (len >= MXG_QUEUE_PATH)
		return;
	pthread_mutex_lock(&q->lock);
	while (q->count == MXG_QUEUE_ROOM) {
		q->blocked = true;
		pthread_cond_wait(&q->not_full, &q->lock);
	}
	q->blocked = false;
	memcpy(q->paths[(q->first + q->count++) % MXG_QUEUE_ROOM], path, len + 1);
	bool wake = q->waiting > 0;
	pthread_mutex_unlock(&q->lock);
	if (wake)
		pthread_cond_signal(&q->not_empty);
}

void mxg_queue_close(struct mxg_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->not_empty);
	pthread_mutex_unlock(&q->lock);
}

/* Under the lock. */
static void take_some(struct mxg_queue *q, struct mxg_batch *batch)
{
	size_t n = (q->count + 3) / 4;
	batch->count = n < MXG_QUEUE_BATCH ? n : MXG_QUEUE_BATCH;
	for (size_t i = 0; i < batch->count; i++)
		strcpy(batch->paths[i], q->paths[(q->first + i) % MXG_QUEUE_ROOM]);
	q->first = (q->first + batch->count) % MXG_QUEUE_ROOM;
	q->count -= batch->count;
}

bool mxg_queue_take(struct mxg_queue *q, struct mxg_batch *batch)
{
	pthread_mutex_lock(&q->lock);
	q->waiting++;
	while (q->count == 0 && !q->closed)
		pthread_cond_wait(&q->not_empty, &q->lock);
	q->waiting--;
	take_some(q, batch);
	bool wake = q->blocked && q->count <= MXG_QUEUE_ROOM / 2;
	pthread_mutex_unlock(&q->lock);
	if (wake)
		pthread_cond_signal(&q->not_full);
	return batch->count > 0;
}
