/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_SOURCE_H
#define MXG_SCAN_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* File names from the walk over folders to the workers, through a ring of fixed size: however
 * many messages there are, only so many names are held. */
#define MXG_QUEUE_ROOM 512
#define MXG_QUEUE_PATH 4096

struct mxg_queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	size_t first, count;
	bool closed;
	char (*paths)[MXG_QUEUE_PATH];
};

bool mxg_queue_init(struct mxg_queue *queue);
void mxg_queue_free(struct mxg_queue *queue);
void mxg_queue_put(struct mxg_queue *queue, const char *path);
void mxg_queue_close(struct mxg_queue *queue);
/* False when it is closed and empty. */
bool mxg_queue_take(struct mxg_queue *queue, char path[MXG_QUEUE_PATH]);

struct mxg_walk_rules {
	int64_t since; /* files last changed before it are left out; 0: none */
	atomic_bool *stop;
	void (*found)(void *context, const char *path);
	void *context;
	uint64_t failed; /* folders or files that could not be read; told on stderr */
};

/* A message or an mbox file, or a tree of Maildirs: in trees files in folders `cur` and `new`
 * are messages, other files count where they begin like an mbox. Symbolic links in trees are
 * not followed; one folder a level is open, nothing is read ahead. */
void mxg_walk_path(struct mxg_walk_rules *rules, const char *path);
/* Names, one a line, from a file. */
void mxg_walk_list(struct mxg_walk_rules *rules, int fd);

#endif
