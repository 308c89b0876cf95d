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
	pthread_mutex_lock(&q->lock);
	while (q->count == MXG_QUEUE_ROOM)
		pthread_cond_wait(&q->not_full, &q->lock);
	if (len < MXG_QUEUE_PATH) {
		memcpy(q->paths[(q->first + q->count++) % MXG_QUEUE_ROOM], path, len + 1);
		pthread_cond_signal(&q->not_empty);
	}
	pthread_mutex_unlock(&q->lock);
}

void mxg_queue_close(struct mxg_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->not_empty);
	pthread_mutex_unlock(&q->lock);
}

bool mxg_queue_take(struct mxg_queue *q, char path[MXG_QUEUE_PATH])
{
	pthread_mutex_lock(&q->lock);
	while (q->count == 0 && !q->closed)
		pthread_cond_wait(&q->not_empty, &q->lock);
	bool got = q->count > 0;
	if (got) {
		strcpy(path, q->paths[q->first]);
		q->first = (q->first + 1) % MXG_QUEUE_ROOM;
		q->count--;
		pthread_cond_signal(&q->not_full);
	}
	pthread_mutex_unlock(&q->lock);
	return got;
}
