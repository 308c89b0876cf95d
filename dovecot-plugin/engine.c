/* SPDX-License-Identifier: MIT */
#include "engine.h"
#include "lookups.h"

#include "ioloop.h"

#include <stdio.h>
#include <sys/stat.h>

#define MESSAGE_MAX 1024
#define RETRY_SECS 10 /* a file that could not be read is tried again, changed or not */

struct file_mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct engine {
	struct engine *next;
	int refcount;
	char *path;
	struct file_mark mark;
	time_t loaded;
	struct mxguard_policy *policy;
	char *error; /* why there is none */
	struct mxguard_snapshot *snapshot;
	time_t snapshot_tried;
	char *snapshot_error; /* the last one that was logged */
	struct lookups *lookups; /* made at the first question */
	/* the peer that was asked about last */
	struct ip_addr peer;
	bool peer_is_internal;
};

static struct engine *engines; /* the current one of each path */

static void mark_file(const char *path, struct file_mark *mark)
{
	struct stat st;

	i_zero(mark);
	if (stat(path, &st) < 0)
		return;
	mark->dev = st.st_dev;
	mark->ino = st.st_ino;
	mark->size = st.st_size;
	mark->mtime = st.st_mtim;
	mark->ctime = st.st_ctim;
}

static bool marks_equal(const struct file_mark *a, const struct file_mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* One error for each state of the file, not one a message. Warnings go where people look for
 * them, to `mxguard doctor`: a 2.4 process serves one connection, and would repeat them. */
static void load(struct engine *engine, const struct engine *before, struct event *event)
{
	char message[MESSAGE_MAX];
	const char *warning;

	engine->loaded = ioloop_time;
	if (mxguard_policy_load(&engine->policy, engine->path, 0, message, sizeof(message)) < 0) {
		engine->policy = NULL;
		engine->error = i_strdup(message);
		if (before == NULL || null_strcmp(before->error, message) != 0)
			e_error(event, "mxguard: all recipients are deferred with 451 4.3.5: %s", message);
		return;
	}
	for (size_t i = 0; (warning = mxguard_policy_warning(engine->policy, i)) != NULL; i++)
		e_debug(event, "mxguard: %s", warning);
}

static struct engine *engine_new(const char *path, const struct file_mark *mark, const struct engine *before,
				 struct event *event)
{
	struct engine *engine = i_new(struct engine, 1);

	engine->refcount = 1;
	engine->path = i_strdup(path);
	engine->mark = *mark;
	load(engine, before, event);
	return engine;
}

static void engine_free(struct engine *engine)
{
	lookups_free(&engine->lookups);
	mxguard_snapshot_unref(engine->snapshot);
	mxguard_policy_unref(engine->policy);
	i_free(engine->snapshot_error);
	i_free(engine->error);
	i_free(engine->path);
	i_free(engine);
}

void engine_ref(struct engine *engine)
{
	engine->refcount++;
}

void engine_unref(struct engine **_engine)
{
	struct engine *engine = *_engine;

	*_engine = NULL;
	if (engine != NULL && --engine->refcount == 0)
		engine_free(engine);
}

static bool is_current(const struct engine *engine, const struct file_mark *mark)
{
	if (!marks_equal(&engine->mark, mark))
		return FALSE;
	return engine->policy != NULL || ioloop_time < engine->loaded + RETRY_SECS;
}

/* A missing snapshot is nothing special: DNS is asked for everything. */
static void complain_of_snapshot(struct engine *engine, const char *message, bool missing, struct event *event)
{
	if (engine->snapshot_error != NULL && strcmp(engine->snapshot_error, message) == 0)
		return;
	i_free(engine->snapshot_error);
	engine->snapshot_error = i_strdup(message);
	if (missing)
		e_debug(event, "mxguard: %s", message);
	else
		e_warning(event, "mxguard: asking DNS instead: %s", message);
}

static void refresh_snapshot(struct engine *engine, struct event *event)
{
	char message[MESSAGE_MAX] = "";
	struct mxguard_snapshot *snapshot = NULL;

	if (engine->policy == NULL || mxguard_snapshot_changed(engine->snapshot, engine->policy) == 0)
		return;
	if (engine->snapshot == NULL && engine->snapshot_tried == ioloop_time)
		return;
	engine->snapshot_tried = ioloop_time;
	errno = 0;
	if (mxguard_snapshot_open(&snapshot, engine->policy, 0, message, sizeof(message)) < 0) {
		complain_of_snapshot(engine, message, errno == ENOENT, event);
		snapshot = NULL;
	}
	mxguard_snapshot_unref(engine->snapshot);
	engine->snapshot = snapshot;
}

struct engine *engine_get(const char *path, struct event *event)
{
	struct engine **slot, *engine;
	struct file_mark mark;

	mark_file(path, &mark);
	for (slot = &engines; *slot != NULL; slot = &(*slot)->next)
		if (strcmp((*slot)->path, path) == 0)
			break;
	if (*slot == NULL || !is_current(*slot, &mark)) {
		engine = engine_new(path, &mark, *slot, event);
		if (*slot != NULL) {
			struct engine *old = *slot;

			engine->next = old->next;
			engine_unref(&old);
		}
		*slot = engine;
	}
	engine = *slot;
	engine_ref(engine);
	refresh_snapshot(engine, event);
	return engine;
}

void engines_deinit(void)
{
	while (engines != NULL) {
		struct engine *engine = engines;

		engines = engine->next;
		engine_unref(&engine);
	}
}

struct mxguard_policy *engine_policy(struct engine *engine)
{
	return engine->policy;
}

struct mxguard_snapshot *engine_snapshot(struct engine *engine)
{
	return engine->snapshot;
}

int engine_run(struct engine *engine, struct mxguard_check *check, engine_callback_t *callback, void *context)
{
	int progress = mxguard_check_run(check, ioloop_time);

	if (progress != MXGUARD_PROGRESS_NEED_DNS)
		return progress;
	if (engine->lookups == NULL)
		engine->lookups = lookups_new(engine->policy);
	if (engine->lookups == NULL)
		return MXGUARD_ERROR_NOMEM;
	return lookups_start(engine->lookups, check, callback, context);
}

void engine_cancel(struct engine *engine, struct mxguard_check *check)
{
	if (engine->lookups != NULL)
		lookups_cancel(engine->lookups, check);
}

int check_set_peer_ip(struct mxguard_check *check, const struct ip_addr *ip)
{
	switch (ip->family) {
	case AF_INET:
		return mxguard_check_set_peer_bytes(check, (const uint8_t *)&ip->u.ip4, 4);
	case AF_INET6:
		return mxguard_check_set_peer_bytes(check, (const uint8_t *)&ip->u.ip6, 16);
	default:
		return mxguard_check_set_peer(check, NULL);
	}
}

/* The library is asked with a recipient that no exemption names: a header is wanted, and no
 * boundary is known, only where the peer itself is looked through. */
static bool ask_whether_internal(struct engine *engine, const struct ip_addr *peer)
{
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, engine->policy, NULL, 0);
	bool internal = FALSE;

	if (check == NULL)
		return FALSE;
	if (check_set_peer_ip(check, peer) == MXGUARD_ERROR_NONE &&
	    mxguard_check_override(check, MXGUARD_ALL, "mode", "enforce", NULL, 0) == MXGUARD_ERROR_NONE &&
	    mxguard_check_add_recipient(check, "mxguard-probe@invalid", NULL) >= 0)
		internal = mxguard_check_run(check, ioloop_time) == MXGUARD_PROGRESS_NEED_HEADER &&
			   *mxguard_check_text(check, 0, MXGUARD_TEXT_BOUNDARY_PEER) == '\0';
	mxguard_check_free(check);
	return internal;
}

bool engine_peer_is_internal(struct engine *engine, const struct ip_addr *peer)
{
	if (engine->peer.family == 0 || !net_ip_compare(&engine->peer, peer)) {
		engine->peer_is_internal = ask_whether_internal(engine, peer);
		engine->peer = *peer;
	}
	return engine->peer_is_internal;
}
