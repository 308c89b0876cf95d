/* SPDX-License-Identifier: MIT */
/* Opening a snapshot: whose it is, what it was written for, whether it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "policy/policy.h"
#include "snapshot/internal.h"
#include "system/error_text.h"

static int complain(char *message, size_t size, int error, const char *path, const char *what)
{
	if (size > 0)
		snprintf(message, size, "%s: %s", path, what);
	return error;
}

static int complain_errno(char *message, size_t size, const char *path)
{
	int saved = errno;
	char what[256];
	if (saved == ENOENT)
		snprintf(what, sizeof(what), "there is no snapshot (mxguard refresh writes one)");
	else if (saved == ELOOP)
		snprintf(what, sizeof(what), "is a symbolic link: not trusted");
	else
		snprintf(what, sizeof(what), "%s", mxg_error_text(saved));
	complain(message, size, MXGUARD_ERROR_IO, path, what);
	errno = saved;
	return saved == ELOOP ? MXGUARD_ERROR_UNTRUSTED : MXGUARD_ERROR_IO;
}

/* Root's, or of whoever owns the configuration; nobody else may write. */
static bool trusted(const struct stat *st, const struct mxguard_policy *policy)
{
	struct stat config;
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return false;
	if (st->st_uid == 0)
		return true;
	return policy->path != NULL && stat(policy->path, &config) == 0 && config.st_uid == st->st_uid;
}

static int open_file(struct mxguard_snapshot *s, const struct mxguard_policy *policy, const char *file,
		     const char *path, char *message, size_t size)
{
	struct stat st;
	int folder = open(policy->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return complain_errno(message, size, policy->state_dir);
	bool folder_trusted = fstat(folder, &st) == 0 && trusted(&st, policy);
	s->fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = errno;
	close(folder);
	errno = error;
	if (s->fd < 0)
		return complain_errno(message, size, path);
	if (!folder_trusted)
		return complain(message, size, MXGUARD_ERROR_UNTRUSTED, policy->state_dir,
				"not trusted: it must belong to root or to the owner of the configuration, and "
				"group and others must not be able to write (chmod go-w)");
	if (fstat(s->fd, &st) != 0)
		return complain_errno(message, size, path);
	if (!S_ISREG(st.st_mode))
		return complain(message, size, MXGUARD_ERROR_UNTRUSTED, path, "is not a regular file");
	if (!trusted(&st, policy))
		return complain(message, size, MXGUARD_ERROR_UNTRUSTED, path,
				"not trusted: it must belong to root or to the owner of the configuration, and "
				"group and others must not be able to write (chmod go-w)");
	s->device = st.st_dev;
	s->inode = st.st_ino;
	s->size = (uint64_t)st.st_size;
	return MXGUARD_ERROR_NONE;
}

static const char damaged[] = "is damaged; run mxguard refresh to write it anew";

static int check_header(struct mxguard_snapshot *s, const struct mxguard_policy *policy, bool any_configuration,
			const char *path, char *message, size_t size)
{
	const uint8_t *h = s->header;
	if (memcmp(h, MXG_SNAPSHOT_MAGIC, 8) != 0)
		return complain(message, size, MXGUARD_ERROR_CONFIG, path, damaged);
	if (mxg_get32(h + MXG_SNAPSHOT_AT_VERSION) != MXG_SNAPSHOT_VERSION)
		return complain(message, size, MXGUARD_ERROR_CONFIG, path,
				"was written by another version of mxguard; run mxguard refresh");
	if (mxg_get32(h + MXG_SNAPSHOT_AT_CRC) != mxg_crc32(0, h, MXG_SNAPSHOT_AT_CRC) ||
	    mxg_get64(h + MXG_SNAPSHOT_AT_LENGTH) != s->size ||
	    mxg_get32(h + MXG_SNAPSHOT_AT_TABLE_CRC) != mxg_crc32(0, s->table, sizeof(s->table)))
		return complain(message, size, MXGUARD_ERROR_CONFIG, path, damaged);
	if (!any_configuration && memcmp(h + MXG_SNAPSHOT_AT_HASH, policy->hash, sizeof(policy->hash)) != 0)
		return complain(message, size, MXGUARD_ERROR_CONFIG, path,
				"was written for another configuration; run mxguard refresh");
	s->written = (int64_t)mxg_get64(h + MXG_SNAPSHOT_AT_WRITTEN);
	s->generation = mxg_get32(h + MXG_SNAPSHOT_AT_GENERATION);
	if (s->generation == 0) /* refresh did not number them yet */
		s->generation = (uint32_t)s->written | (s->written == 0);
	return MXGUARD_ERROR_NONE;
}

static int read_header(struct mxguard_snapshot *s, const struct mxguard_policy *policy, bool any_configuration,
		       const char *path, char *message, size_t size)
{
	static const uint8_t key[1] = { 'H' };
	struct mxg_snapshot_value v = { .heap = NULL };
	int result = MXGUARD_ERROR_CONFIG;
	if (!mxg_snapshot_read_at(s, s->table, sizeof(s->table), 0))
		return complain(message, size, result, path, damaged);
	enum mxg_snapshot_result found = mxg_snapshot_find(s, key, sizeof(key), &v);
	if (found == MXG_SNAPSHOT_NOMEM)
		result = complain(message, size, MXGUARD_ERROR_NOMEM, path, "out of memory");
	else if (found != MXG_SNAPSHOT_FOUND || v.len != MXG_SNAPSHOT_HEADER_SIZE)
		result = complain(message, size, result, path, damaged);
	else {
		memcpy(s->header, v.bytes, MXG_SNAPSHOT_HEADER_SIZE);
		result = check_header(s, policy, any_configuration, path, message, size);
	}
	free(v.heap);
	return result;
}

static bool snapshot_path(char path[PATH_MAX], const struct mxguard_policy *policy, const char *file)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", policy->state_dir, file);
	return n > 0 && n < PATH_MAX;
}

/* Only the message looks at the clock: what an old answer is worth is decided where `now`
 * is known. */
static void warn_if_old(const struct mxguard_snapshot *s, const struct mxguard_policy *policy, char *message,
			size_t size)
{
	int64_t age = (int64_t)time(NULL) - mxg_snapshot_written(s);
	char span[MXG_SPAN_MAX];
	if (size == 0)
		return;
	message[0] = '\0';
	if (age > 86400 && age > (int64_t)policy->keep_stale)
		snprintf(message, size,
			 "%s/%s: was written %s ago and is too old to be of use; is "
			 "mxguard-refresh.timer running?",
			 policy->state_dir, MXG_SNAPSHOT_FILE, mxg_span_format(age, span));
}

static int open_part(struct mxguard_snapshot **out, const struct mxguard_policy *policy, const char *file,
		     bool any_configuration, char *message, size_t size)
{
	char path[PATH_MAX];
	if (!snapshot_path(path, policy, file))
		return complain(message, size, MXGUARD_ERROR_CONFIG, policy->state_dir, "the path is too long");
	struct mxguard_snapshot *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return complain(message, size, MXGUARD_ERROR_NOMEM, path, "out of memory");
	atomic_init(&s->refs, 1);
	s->rules = policy->reply_rules;
	s->fd = -1;
	int result = open_file(s, policy, file, path, message, size);
	if (result == MXGUARD_ERROR_NONE)
		result = read_header(s, policy, any_configuration, path, message, size);
	if (result == MXGUARD_ERROR_NONE) {
		*out = s;
		return result;
	}
	int error = errno;
	mxguard_snapshot_unref(s);
	errno = error;
	return result;
}

/* ---- the newer part ------------------------------------------------------------------------------ */

static bool is_there(const struct mxguard_policy *policy, const char *file, struct stat *st)
{
	char path[PATH_MAX];
	return snapshot_path(path, policy, file) && lstat(path, st) == 0;
}

static bool still_stands(const struct mxguard_snapshot *s, const struct mxguard_policy *policy)
{
	struct stat st;
	return is_there(policy, MXG_SNAPSHOT_FILE, &st) && st.st_dev == s->device && st.st_ino == s->inode;
}

/* It adds to this one, or to the one before, whose place this one has just taken. */
static bool adds_to(const struct mxguard_snapshot *since, const struct mxguard_snapshot *s)
{
	return mxg_get32(since->header + MXG_SNAPSHOT_AT_ADDS_TO) == s->generation &&
	       memcmp(since->header + MXG_SNAPSHOT_AT_HASH, s->header + MXG_SNAPSHOT_AT_HASH, 32) == 0;
}

/* The part beside it was written after a whole one that is newer than this one. */
static int complain_put_back(const struct mxguard_policy *policy, char *message, size_t size)
{
	char path[PATH_MAX];
	return complain(message, size, MXGUARD_ERROR_CONFIG,
			snapshot_path(path, policy, MXG_SNAPSHOT_FILE) ? path : policy->state_dir,
			"is older than what " MXG_SNAPSHOT_SINCE_FILE
			" beside it adds to; run mxguard refresh to write it anew");
}

/* One that is there and cannot be believed is no reason to believe what it was to replace. */
static int open_since(struct mxguard_snapshot *s, const struct mxguard_policy *policy, char *message, size_t size)
{
	struct mxguard_snapshot *since = NULL;
	struct stat st;
	if (!is_there(policy, MXG_SNAPSHOT_SINCE_FILE, &st))
		return MXGUARD_ERROR_NONE;
	errno = 0;
	int result = open_part(&since, policy, MXG_SNAPSHOT_SINCE_FILE, true, message, size);
	if (result == MXGUARD_ERROR_IO && errno == ENOENT)
		return MXGUARD_ERROR_NONE;
	if (result != MXGUARD_ERROR_NONE)
		return result;
	s->since_device = since->device;
	s->since_inode = since->inode;
	if (adds_to(since, s)) {
		s->since = since;
		since->filters = calloc(1, sizeof(*since->filters));
		return MXGUARD_ERROR_NONE;
	}
	bool put_back = since->generation > s->generation;
	mxguard_snapshot_unref(since);
	return put_back ? complain_put_back(policy, message, size) : MXGUARD_ERROR_NONE;
}

#define TRIES 5 /* each after somebody has put another one into place in between */

static int open_snapshot(struct mxguard_snapshot **out, const struct mxguard_policy *policy, bool any_configuration,
			 char *message, size_t size)
{
	struct mxguard_snapshot *s = NULL;
	int result = MXGUARD_ERROR_NONE;
	for (int i = 0; i < TRIES; i++) {
		result = open_part(&s, policy, MXG_SNAPSHOT_FILE, any_configuration, message, size);
		if (result != MXGUARD_ERROR_NONE)
			return result;
		result = open_since(s, policy, message, size);
		if (s->since != NULL || still_stands(s, policy))
			break;
		if (i + 1 < TRIES) {
			mxguard_snapshot_unref(s);
			s = NULL;
		}
	}
	if (result != MXGUARD_ERROR_NONE) {
		int error = errno;
		mxguard_snapshot_unref(s);
		errno = error;
		return result;
	}
	s->cache = mxg_cache_new();
	warn_if_old(s, policy, message, size);
	*out = s;
	return MXGUARD_ERROR_NONE;
}

int mxguard_snapshot_open(struct mxguard_snapshot **out, const struct mxguard_policy *policy, unsigned flags,
			  char *message, size_t size)
{
	if (out == NULL)
		return MXGUARD_ERROR_INVALID;
	*out = NULL;
	if (policy == NULL || flags != 0 || (message == NULL && size > 0))
		return MXGUARD_ERROR_INVALID;
	return open_snapshot(out, policy, false, message, size);
}

int mxg_snapshot_open_any(struct mxguard_snapshot **out, const struct mxguard_policy *policy, char *message,
			  size_t size)
{
	*out = NULL;
	return open_snapshot(out, policy, true, message, size);
}

struct mxguard_snapshot *mxguard_snapshot_ref(struct mxguard_snapshot *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void mxguard_snapshot_unref(struct mxguard_snapshot *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	mxguard_snapshot_unref(s->since);
	if (s->fd >= 0)
		close(s->fd);
	mxg_bucket_filters_free(s->filters);
	mxg_cache_free(s->cache);
	free(s);
}

int mxguard_snapshot_changed(const struct mxguard_snapshot *s, const struct mxguard_policy *policy)
{
	struct stat st;
	if (!is_there(policy, MXG_SNAPSHOT_FILE, &st))
		return s != NULL;
	if (s == NULL || st.st_dev != s->device || st.st_ino != s->inode)
		return 1;
	if (!is_there(policy, MXG_SNAPSHOT_SINCE_FILE, &st))
		return s->since_inode != 0;
	return st.st_dev != s->since_device || st.st_ino != s->since_inode;
}
