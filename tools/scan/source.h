/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_SOURCE_H
#define MXG_SCAN_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MXG_PATH_MAX 4096

/* File names from the walk over folders to the workers: however many messages there are, only so many names
 * are held. Those of a folder go together, so that neither its name is copied nor a lock is taken for each of
 * them; what may take long to read goes alone: one worker must not go off with all the mbox files. */
#define MXG_QUEUE_ROOM 64
#define MXG_BATCH_MOST 32

struct mxg_batch {
	struct mxg_batch *next;
	size_t count, used, folder_len;
	char text[2 * MXG_PATH_MAX]; /* the folder with its slash, then the names, each with its NUL */
};

struct mxg_queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	struct mxg_batch *first, **last, *spare;
	struct mxg_batch *open; /* the walk's, not yet in the queue */
	size_t spares;
	unsigned waiting; /* workers */
	bool closed, blocked; /* blocked: the walk waits for a spare one */
	struct mxg_batch *room;
};

bool mxg_queue_init(struct mxg_queue *queue);
void mxg_queue_free(struct mxg_queue *queue);
/* name_at: where the name begins that follows the folder; alone: with no other. */
void mxg_queue_put(struct mxg_queue *queue, const char *path, size_t name_at, bool alone);
void mxg_queue_close(struct mxg_queue *queue);
/* NULL when it is closed and empty. What was taken before comes back with the next one; NULL: nothing was. */
struct mxg_batch *mxg_queue_take(struct mxg_queue *queue, struct mxg_batch *before);

struct mxg_walk_rules {
	int64_t since; /* files last changed before it are left out; 0: none */
	atomic_bool *stop;
	/* name_at: where the name begins that follows the folder; alone: it may hold many messages */
	void (*found)(void *context, const char *path, size_t name_at, bool alone);
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
