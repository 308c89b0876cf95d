/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_SOURCE_H
#define MXG_SCAN_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* File names from the walk over folders to the workers, through a ring of fixed size: however
 * many messages there are, only so many names are held. Workers take several at a time, fewer the
 * fewer there are: one of them must not go off with all the mbox files. Nobody is woken for
 * one name. */
#define MXG_QUEUE_ROOM 512
#define MXG_QUEUE_BATCH 16
#define MXG_QUEUE_PATH 4096
#define MXG_QUEUE_SLOT (MXG_QUEUE_PATH + 64) /* else the names' beginnings share one set of the cache */

struct mxg_queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	size_t first, count;
	unsigned waiting; /* workers */
	bool closed, blocked; /* blocked: the walk waits for room */
	char (*paths)[MXG_QUEUE_SLOT];
};

struct mxg_batch {
	size_t count;
	char paths[MXG_QUEUE_BATCH][MXG_QUEUE_SLOT];
};

bool mxg_queue_init(struct mxg_queue *queue);
void mxg_queue_free(struct mxg_queue *queue);
void mxg_queue_put(struct mxg_queue *queue, const char *path);
void mxg_queue_close(struct mxg_queue *queue);
/* False when it is closed and empty. */
bool mxg_queue_take(struct mxg_queue *queue, struct mxg_batch *batch);

struct mxg_walk_rules {
	int64_t since; /* files last changed before it are left out; 0: none */
	atomic_bool *stop;
	void (*found)(void *context, const char *path);
	void *context;
	bool quiet;
	uint64_t failed; /* folders or files that could not be read; told on stderr, unless quiet */
	uint64_t left; /* files that are no messages, symbolic links; a mail store's own files do not count */
	char left_sample[256]; /* the first of them */
	bool all_folders; /* also those of one's own mail (own_folders.h) */
	uint64_t own; /* such folders that were left out */
	char own_sample[256];
};

/* A message or an mbox file, or a tree of Maildirs: in trees files in folders `cur` and `new`
 * are messages, other files count where they begin like an mbox or a message, or are called .eml.
 * Symbolic links in trees are not followed; one folder a level is open, nothing is read ahead. */
void mxg_walk_path(struct mxg_walk_rules *rules, const char *path);
/* Names, one a line, from a file. */
void mxg_walk_list(struct mxg_walk_rules *rules, int fd);

#endif
