/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../door/trapped.h"
#include "../service/log.h"

#define WHO "smtpd-filter"
#define ALL_MOST ((size_t)64 << 20) /* of all copies; what comes while the disk is behind is not kept */
#define END_S 5

struct mxg_filter_copy {
	struct mxg_filter_copy *next;
	struct mxguard_policy *policy;
	char *field, *bytes;
	size_t length, room;
	bool lost; /* it is too large, or there is no room */
};

/* Of both threads, under its lock. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct mxg_filter_copy *first, **last;
	size_t all; /* bytes of room */
	bool begun, busy, stop;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last = &disk.first };

/* ---- taken in memory ----------------------------------------------------------------------------- */

static bool may_grow(size_t more)
{
	pthread_mutex_lock(&disk.lock);
	bool good = disk.all + more <= ALL_MOST;
	if (good)
		disk.all += more;
	pthread_mutex_unlock(&disk.lock);
	return good;
}

static void give_back(size_t room)
{
	pthread_mutex_lock(&disk.lock);
	disk.all -= room;
	pthread_mutex_unlock(&disk.lock);
}

static void drop_bytes(struct mxg_filter_copy *c)
{
	free(c->bytes);
	c->bytes = NULL;
	give_back(c->room);
	c->length = c->room = 0;
}

struct mxg_filter_copy *mxg_filter_copy_begin(struct mxguard_policy *policy, const char *field)
{
	struct mxg_filter_copy *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->policy = mxguard_policy_ref(policy);
	c->field = strdup(field);
	c->lost = c->field == NULL;
	return c;
}

static bool make_room(struct mxg_filter_copy *c, size_t length)
{
	size_t room = c->room == 0 ? 16384 : c->room;
	if (length > MXG_TRAP_COPY_MOST || c->length + length > MXG_TRAP_COPY_MOST)
		return false;
	while (room - c->length < length)
		room *= 2;
	if (room == c->room)
		return true;
	if (!may_grow(room - c->room))
		return false;
	char *bytes = realloc(c->bytes, room);
	if (bytes == NULL) {
		give_back(room - c->room);
		return false;
	}
	c->bytes = bytes;
	c->room = room;
	return true;
}

void mxg_filter_copy_line(struct mxg_filter_copy *c, const char *line, size_t length)
{
	if (c == NULL || c->lost)
		return;
	if (!make_room(c, length + 2)) {
		c->lost = true;
		drop_bytes(c);
		return;
	}
	memcpy(c->bytes + c->length, line, length);
	memcpy(c->bytes + c->length + length, "\r\n", 2);
	c->length += length + 2;
}

void mxg_filter_copy_discard(struct mxg_filter_copy *c)
{
	if (c == NULL)
		return;
	drop_bytes(c);
	mxguard_policy_unref(c->policy);
	free(c->field);
	free(c);
}

/* ---- put on disk --------------------------------------------------------------------------------- */

static void put(const struct mxg_filter_copy *c)
{
	struct mxg_trapped trapped = { 0 };
	mxg_trapped_begin(&trapped, c->policy, c->field, WHO);
	mxg_trapped_bytes(&trapped, c->bytes, c->length);
	mxg_trapped_finish(&trapped, WHO);
}

static void *write_copies(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&disk.lock);
	while (!disk.stop || disk.first != NULL) {
		struct mxg_filter_copy *c = disk.first;
		if (c == NULL) {
			pthread_cond_wait(&disk.changed, &disk.lock);
			continue;
		}
		disk.first = c->next;
		if (disk.first == NULL)
			disk.last = &disk.first;
		disk.busy = true;
		pthread_mutex_unlock(&disk.lock);
		put(c);
		mxg_filter_copy_discard(c);
		pthread_mutex_lock(&disk.lock);
		disk.busy = false;
		pthread_cond_broadcast(&disk.changed);
	}
	pthread_mutex_unlock(&disk.lock);
	return NULL;
}

/* The main thread's signals are blocked, and so they are in this one. */
static bool begin_writing(void)
{
	pthread_t thread;
	if (!disk.begun && pthread_create(&thread, NULL, write_copies, NULL) == 0) {
		pthread_detach(thread);
		disk.begun = true;
	}
	return disk.begun;
}

void mxg_filter_copy_finish(struct mxg_filter_copy *c)
{
	if (c == NULL)
		return;
	pthread_mutex_lock(&disk.lock);
	bool good = !c->lost && begin_writing();
	if (good) {
		*disk.last = c;
		disk.last = &c->next;
		pthread_cond_broadcast(&disk.changed);
	}
	pthread_mutex_unlock(&disk.lock);
	if (good)
		return;
	mxg_log_info("mxguard: " WHO
		     ": trap: no copy is kept: the message is too large, or too many wait for the disk");
	mxg_filter_copy_discard(c);
}

void mxg_filter_copies_end(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_S;
	pthread_mutex_lock(&disk.lock);
	disk.stop = true;
	pthread_cond_broadcast(&disk.changed);
	while (disk.begun && (disk.busy || disk.first != NULL))
		if (pthread_cond_timedwait(&disk.changed, &disk.lock, &until) != 0)
			break;
	pthread_mutex_unlock(&disk.lock);
}
