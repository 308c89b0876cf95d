/* SPDX-License-Identifier: MIT */
/*
 * Reading a snapshot. With pread(2) only: a mapped file that shrinks kills the host with
 * SIGBUS. The file is hostile: every offset is checked against the size it had when it was
 * opened, every value against its CRC.
 */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy.h"
#include "snapshot_format.h"

#define SLOTS_AT_ONCE 16 /* of 8 bytes: at a load of one half, hardly ever a second read */
#define FIRST_READ 1024 /* a record's head, key, and nearly always all of its value */

struct mxguard_snapshot {
	atomic_uint refs;
	int fd;
	dev_t device;
	ino_t inode;
	uint64_t size;
	int64_t written;
	uint8_t table[MXG_CDB_TABLE_SIZE];
	uint8_t header[MXG_SNAPSHOT_HEADER_SIZE];
};

/* One value as it was read; heap is NULL where it fitted into `first`. */
struct value {
	const uint8_t *bytes;
	size_t len;
	uint8_t first[FIRST_READ];
	uint8_t *heap;
};

/* All of it or nothing; false where the file has become shorter or cannot be read. */
static bool read_at(const struct mxguard_snapshot *s, void *buffer, size_t len, uint64_t at)
{
	uint8_t *p = buffer;
	if (at > s->size || len > s->size - at)
		return false;
	while (len > 0) {
		ssize_t n = pread(s->fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* ---- cdb ---------------------------------------------------------------------------- */

struct bucket {
	uint64_t at;
	uint32_t slots;
};

/* False: not within the file. */
static bool find_bucket(const struct mxguard_snapshot *s, uint32_t hash, struct bucket *out)
{
	const uint8_t *p = s->table + (hash & 0xff) * 8;
	out->at = mxg_get32le(p);
	out->slots = mxg_get32le(p + 4);
	if (out->slots == 0)
		return true;
	return out->at >= MXG_CDB_TABLE_SIZE && out->at <= s->size && out->slots <= (s->size - out->at) / 8;
}

/* Reads the record at `at` if it has this key: FOUND, ABSENT where the key is another's. */
static enum mxg_snapshot_result read_record(const struct mxguard_snapshot *s, uint64_t at, const uint8_t *key,
					    size_t key_len, struct value *v)
{
	uint64_t left = at < s->size ? s->size - at : 0;
	size_t got = left < FIRST_READ ? (size_t)left : FIRST_READ;
	if (at < MXG_CDB_TABLE_SIZE || got < 8 || !read_at(s, v->first, got, at))
		return MXG_SNAPSHOT_DAMAGED;
	uint32_t stored_key = mxg_get32le(v->first), len = mxg_get32le(v->first + 4);
	if (stored_key > MXG_SNAPSHOT_KEY_MAX || got < 8 + stored_key)
		return MXG_SNAPSHOT_DAMAGED;
	if (stored_key != key_len || memcmp(v->first + 8, key, key_len) != 0) {
		/* another key with the same hash; or this one, damaged: then "absent" would be a lie */
		bool other = mxg_cdb_hash(v->first + 8, stored_key) == mxg_cdb_hash(key, key_len);
		return other ? MXG_SNAPSHOT_ABSENT : MXG_SNAPSHOT_DAMAGED;
	}
	if (len > MXG_SNAPSHOT_VALUE_MAX || len > left - 8 - key_len)
		return MXG_SNAPSHOT_DAMAGED;
	v->len = len;
	v->bytes = v->first + 8 + key_len;
	if (8 + key_len + len <= got)
		return MXG_SNAPSHOT_FOUND;
	v->bytes = v->heap = malloc(len);
	if (v->heap == NULL)
		return MXG_SNAPSHOT_NOMEM;
	return read_at(s, v->heap, len, at + 8 + key_len) ? MXG_SNAPSHOT_FOUND : MXG_SNAPSHOT_DAMAGED;
}

/* The value of the key; v->heap is the caller's to free, whatever is returned. */
static enum mxg_snapshot_result find_value(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len,
					   struct value *v)
{
	uint8_t slots[SLOTS_AT_ONCE * 8];
	uint32_t hash = mxg_cdb_hash(key, key_len);
	struct bucket b;
	v->heap = NULL;
	if (!find_bucket(s, hash, &b))
		return MXG_SNAPSHOT_DAMAGED;
	uint32_t slot = b.slots == 0 ? 0 : (hash >> 8) % b.slots;
	for (uint32_t seen = 0; seen < b.slots;) {
		uint32_t n = b.slots - slot < SLOTS_AT_ONCE ? b.slots - slot : SLOTS_AT_ONCE;
		if (!read_at(s, slots, (size_t)n * 8, b.at + (uint64_t)slot * 8))
			return MXG_SNAPSHOT_DAMAGED;
		for (uint32_t i = 0; i < n && seen < b.slots; i++, seen++) {
			uint32_t at = mxg_get32le(slots + (size_t)i * 8 + 4);
			if (at == 0)
				return MXG_SNAPSHOT_ABSENT;
			if (mxg_get32le(slots + (size_t)i * 8) != hash)
				continue;
			enum mxg_snapshot_result r = read_record(s, at, key, key_len, v);
			if (r != MXG_SNAPSHOT_ABSENT)
				return r;
		}
		slot = slot + n == b.slots ? 0 : slot + n;
	}
	return MXG_SNAPSHOT_ABSENT;
}

/* The CRC in a value's first four bytes, over the key and the rest. */
static bool crc_holds(const uint8_t *key, size_t key_len, const struct value *v)
{
	if (v->len < 4)
		return false;
	uint32_t crc = mxg_crc32(mxg_crc32(0, key, key_len), v->bytes + 4, v->len - 4);
	return crc == mxg_get32(v->bytes);
}

/* ---- answers ------------------------------------------------------------------------- */

/* The items of an answer fill its data exactly, and are as many as it says. */
static bool items_hold(const uint8_t *data, size_t size, unsigned count)
{
	const uint8_t *item;
	size_t at = 0, len;
	unsigned n = 0;
	while (mxg_rrset_next(data, size, &at, &item, &len))
		n++;
	return n == count && at == size;
}

static bool kind_holds(const struct mxg_answer *a)
{
	switch (a->kind) {
	case MXG_ANSWER_RECORDS:
		return true;
	case MXG_ANSWER_NODATA:
	case MXG_ANSWER_NXDOMAIN:
		return a->count == 0 && a->size == 0;
	default:
		return false;
	}
}

/* One version at *at; moves *at behind it. */
static bool read_version(const struct value *v, size_t *at, struct mxg_answer *out)
{
	if (v->len - *at < MXG_VERSION_HEAD_SIZE)
		return false;
	const uint8_t *p = v->bytes + *at;
	*out = (struct mxg_answer){
		.from = (int64_t)mxg_get64(p + MXG_VERSION_AT_FROM),
		.superseded = (int64_t)mxg_get64(p + MXG_VERSION_AT_SUPERSEDED),
		.confirmed = (int64_t)mxg_get64(p + MXG_VERSION_AT_CONFIRMED),
		.ttl = mxg_get32(p + MXG_VERSION_AT_TTL),
		.kind = (enum mxg_answer_kind)p[MXG_VERSION_AT_KIND],
		.ad = (p[MXG_VERSION_AT_FLAGS] & MXG_VERSION_FLAG_AD) != 0,
		.count = mxg_get16(p + MXG_VERSION_AT_COUNT),
		.size = mxg_get32(p + MXG_VERSION_AT_SIZE),
		.data = p + MXG_VERSION_HEAD_SIZE,
	};
	*at += MXG_VERSION_HEAD_SIZE;
	if (out->size > MXG_RRSET_MAX || out->size > v->len - *at)
		return false;
	*at += out->size;
	return kind_holds(out) && items_hold(out->data, out->size, out->count);
}

/* Times that no refresh can have written: they would overflow sums or never expire. */
static bool times_hold(const struct mxg_answer *a)
{
	const int64_t most = INT64_MAX / 4;
	return a->from > 0 && a->from < most && a->confirmed >= a->from && a->confirmed < most &&
	       a->ttl <= 0x7fffffffu && (a->superseded == 0 || (a->superseded >= a->from && a->superseded < most));
}

/* Everything is looked at before the first version goes into the table: half a history
 * would be another history. */
static bool read_versions(const struct value *v, struct mxg_answer versions[MXG_VERSIONS_MAX], size_t *count)
{
	size_t at = 5;
	if (v->len < 5)
		return false;
	*count = v->bytes[4];
	if (*count == 0 || *count > MXG_VERSIONS_MAX)
		return false;
	for (size_t i = 0; i < *count; i++) {
		if (!read_version(v, &at, &versions[i]) || !times_hold(&versions[i]))
			return false;
		if (i > 0 && (versions[i].superseded == 0 || versions[i].superseded > versions[i - 1].from))
			return false;
	}
	return at == v->len;
}

static enum mxg_snapshot_result put_versions(struct mxg_answers *answers, int entry, const struct value *v)
{
	struct mxg_answer versions[MXG_VERSIONS_MAX];
	size_t count;
	if (!read_versions(v, versions, &count))
		return MXG_SNAPSHOT_DAMAGED;
	for (size_t i = 0; i < count; i++)
		if (!mxg_answers_put_version(answers, entry, &versions[i]))
			return MXG_SNAPSHOT_NOMEM;
	return MXG_SNAPSHOT_FOUND;
}

enum mxg_snapshot_result mxg_snapshot_load(const struct mxguard_snapshot *s, struct mxg_answers *answers, int entry)
{
	const struct mxg_question *q = mxg_answers_question(answers, entry);
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'Q' };
	size_t key_len = 3u + q->name.len;
	struct value v;
	mxg_put16(key + 1, q->type);
	memcpy(key + 3, q->name.wire, q->name.len);
	enum mxg_snapshot_result r = find_value(s, key, key_len, &v);
	if (r == MXG_SNAPSHOT_FOUND)
		r = crc_holds(key, key_len, &v) ? put_versions(answers, entry, &v) : MXG_SNAPSHOT_DAMAGED;
	free(v.heap);
	return r;
}

/* A "no" is only as good as the hash table that it came out of. */
static bool bucket_holds(const struct mxguard_snapshot *s, uint32_t hash)
{
	uint8_t piece[4096];
	struct bucket b;
	uint32_t crc = 0;
	if (!find_bucket(s, hash, &b))
		return false;
	for (uint64_t left = (uint64_t)b.slots * 8, at = b.at; left > 0;) {
		size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		if (!read_at(s, piece, n, at))
			return false;
		crc = mxg_crc32(crc, piece, n);
		at += n;
		left -= n;
	}
	return crc == mxg_get32(s->header + MXG_SNAPSHOT_AT_BUCKET_CRC + (hash & 0xff) * 4);
}

int mxg_snapshot_has_domain(const struct mxguard_snapshot *s, const char *domain, size_t len)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'D' };
	struct value v;
	if (len > 255)
		return 0;
	memcpy(key + 1, domain, len);
	enum mxg_snapshot_result r = find_value(s, key, len + 1, &v);
	if (r == MXG_SNAPSHOT_FOUND && !crc_holds(key, len + 1, &v))
		r = MXG_SNAPSHOT_DAMAGED;
	free(v.heap);
	if (r == MXG_SNAPSHOT_FOUND)
		return 1;
	return r == MXG_SNAPSHOT_ABSENT && bucket_holds(s, mxg_cdb_hash(key, len + 1)) ? 0 : -1;
}

/* ---- listing ------------------------------------------------------------------------- */

/* The records end where the first hash table begins. */
static uint64_t records_end(const struct mxguard_snapshot *s)
{
	uint64_t end = s->size;
	for (size_t i = 0; i < 256; i++) {
		uint64_t at = mxg_get32le(s->table + i * 8);
		if (at < end)
			end = at;
	}
	return end;
}

static bool question_of(const uint8_t *key, size_t len, struct mxg_question *out)
{
	if (len < 4 || len > MXG_SNAPSHOT_KEY_MAX || key[0] != 'Q')
		return false;
	*out = (struct mxg_question){ .type = mxg_get16(key + 1), .name.len = (uint8_t)(len - 3) };
	memcpy(out->name.wire, key + 3, len - 3);
	return true;
}

bool mxg_snapshot_next(const struct mxguard_snapshot *s, uint64_t *at, struct mxg_question *out)
{
	uint8_t head[8 + MXG_SNAPSHOT_KEY_MAX];
	uint64_t end = records_end(s);
	if (*at < MXG_CDB_TABLE_SIZE)
		*at = MXG_CDB_TABLE_SIZE;
	while (*at + 8 <= end) {
		size_t got = end - *at < sizeof(head) ? (size_t)(end - *at) : sizeof(head);
		if (!read_at(s, head, got, *at))
			return false;
		uint64_t key_len = mxg_get32le(head), all = 8 + key_len + mxg_get32le(head + 4);
		if (all > end - *at)
			return false;
		*at += all;
		if (key_len <= got - 8 && question_of(head + 8, (size_t)key_len, out))
			return true;
	}
	return false;
}

int64_t mxg_snapshot_written(const struct mxguard_snapshot *s)
{
	return s->written;
}

/* ---- opening -------------------------------------------------------------------------- */

static int complain(char *message, size_t size, int error, const char *path, const char *what)
{
	if (size > 0)
		snprintf(message, size, "%s: %s", path, what);
	return error;
}

static int complain_errno(char *message, size_t size, const char *path)
{
	int saved = errno;
	char text[128], what[256];
	const char *why = strerror_r(saved, text, sizeof(text));
	if (saved == ENOENT)
		snprintf(what, sizeof(what), "there is no snapshot (mxguard refresh writes one)");
	else if (saved == ELOOP)
		snprintf(what, sizeof(what), "is a symbolic link: not trusted");
	else
		snprintf(what, sizeof(what), "%s", why);
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

static int open_file(struct mxguard_snapshot *s, const struct mxguard_policy *policy, const char *path,
		     char *message, size_t size)
{
	struct stat st;
	int folder = open(policy->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return complain_errno(message, size, policy->state_dir);
	bool folder_trusted = fstat(folder, &st) == 0 && trusted(&st, policy);
	s->fd = openat(folder, MXG_SNAPSHOT_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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
	return MXGUARD_OK;
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
	return MXGUARD_OK;
}

static int read_header(struct mxguard_snapshot *s, const struct mxguard_policy *policy, bool any_configuration,
		       const char *path, char *message, size_t size)
{
	static const uint8_t key[1] = { 'H' };
	struct value v = { .heap = NULL };
	int result = MXGUARD_ERROR_CONFIG;
	if (!read_at(s, s->table, sizeof(s->table), 0))
		return complain(message, size, result, path, damaged);
	enum mxg_snapshot_result found = find_value(s, key, sizeof(key), &v);
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

static bool snapshot_path(char path[PATH_MAX], const struct mxguard_policy *policy)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", policy->state_dir, MXG_SNAPSHOT_FILE);
	return n > 0 && n < PATH_MAX;
}

/* Only the message looks at the clock: what an old answer is worth is decided where `now`
 * is known. */
static void warn_if_old(const struct mxguard_snapshot *s, const struct mxguard_policy *policy, const char *path,
			char *message, size_t size)
{
	int64_t age = (int64_t)time(NULL) - s->written;
	if (size == 0)
		return;
	message[0] = '\0';
	if (age > 86400 && age > (int64_t)policy->keep_stale)
		snprintf(message, size, "%s: was written %lld days ago and is too old to be of use; is "
			 "mxguard-refresh.timer running?", path, (long long)(age / 86400));
}

static int open_snapshot(struct mxguard_snapshot **out, const struct mxguard_policy *policy,
			 bool any_configuration, char *message, size_t size)
{
	char path[PATH_MAX];
	if (!snapshot_path(path, policy))
		return complain(message, size, MXGUARD_ERROR_CONFIG, policy->state_dir, "the path is too long");
	struct mxguard_snapshot *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return complain(message, size, MXGUARD_ERROR_NOMEM, path, "out of memory");
	atomic_init(&s->refs, 1);
	s->fd = -1;
	int result = open_file(s, policy, path, message, size);
	if (result == MXGUARD_OK)
		result = read_header(s, policy, any_configuration, path, message, size);
	if (result != MXGUARD_OK) {
		int error = errno;
		mxguard_snapshot_unref(s);
		errno = error;
		return result;
	}
	warn_if_old(s, policy, path, message, size);
	*out = s;
	return MXGUARD_OK;
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
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

int mxguard_snapshot_changed(const struct mxguard_snapshot *s, const struct mxguard_policy *policy)
{
	char path[PATH_MAX];
	struct stat st;
	if (!snapshot_path(path, policy) || lstat(path, &st) != 0)
		return s != NULL;
	return s == NULL || st.st_dev != s->device || st.st_ino != s->inode;
}
