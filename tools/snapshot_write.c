/* SPDX-License-Identifier: MIT */
#include "snapshot_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot_file.h"

#define LOCK_FILE "refresh.lock"
#define TEMPORARY ".snapshot.cdb."

int mxg_state_lock(const char *state_dir, int *folder)
{
	if (mkdir(state_dir, 0755) != 0 && errno != EEXIST)
		return -1;
	*folder = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*folder < 0)
		return -1;
	int fd = openat(*folder, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	close(*folder);
	errno = error;
	return -1;
}

static void remove_leftovers(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (strncmp(e->d_name, TEMPORARY, strlen(TEMPORARY)) == 0)
			unlinkat(folder, e->d_name, 0);
	closedir(dir);
}

static void note(struct mxg_writer *w)
{
	if (w->error == 0)
		w->error = errno != 0 ? errno : EIO;
}

static void add(struct mxg_writer *w, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	if (w->error != 0)
		return;
	mxg_cdb_put(&w->cdb, key, key_len, value, len);
	w->error = w->cdb.error;
}

int mxg_state_temporary(int folder, char name[MXG_STATE_NAME_MAX])
{
	uint64_t number;
	remove_leftovers(folder);
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (uint64_t)getpid();
	snprintf(name, MXG_STATE_NAME_MAX, TEMPORARY "%016llx", (unsigned long long)number);
	return openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

bool mxg_writer_open(struct mxg_writer *w, int folder)
{
	static const uint8_t header[MXG_SNAPSHOT_HEADER_SIZE], whole[MXG_SNAPSHOT_WHOLE_SIZE];
	*w = (struct mxg_writer){ .folder = folder };
	w->fd = mxg_state_temporary(folder, w->name);
	if (w->fd < 0) {
		note(w);
		return false;
	}
	if (!mxg_cdb_begin(&w->cdb, w->fd))
		w->error = w->cdb.error;
	add(w, (const uint8_t *)"H", 1, header, sizeof(header)); /* first, so that its place is known */
	add(w, (const uint8_t *)"C", 1, whole, sizeof(whole)); /* … and so is that of this */
	return w->error == 0;
}

static void put_domain(struct mxg_writer *w, const char *domain, bool ours)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'D' }, value[MXG_SNAPSHOT_DOMAIN_SIZE] = { [4] = ours };
	size_t len = strlen(domain);
	if (len > 255)
		return;
	memcpy(key + 1, domain, len);
	mxg_put32(value, mxg_crc32(mxg_crc32(0, key, len + 1), value + 4, 1));
	add(w, key, len + 1, value, sizeof(value));
}

void mxg_writer_domain(struct mxg_writer *w, const char *domain)
{
	put_domain(w, domain, true);
	w->domains += !w->since;
}

void mxg_writer_no_domain(struct mxg_writer *w, const char *domain)
{
	put_domain(w, domain, false);
}

static size_t question_key(uint8_t key[MXG_SNAPSHOT_KEY_MAX], uint8_t kind, const struct mxg_question *q)
{
	key[0] = kind;
	mxg_put16(key + 1, q->type);
	memcpy(key + 3, q->name.wire, q->name.len);
	return 3u + q->name.len;
}

void mxg_writer_failed(struct mxg_writer *w, const struct mxg_question *q, int64_t tried, unsigned failures)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX], value[MXG_SNAPSHOT_FAILED_SIZE];
	size_t key_len = question_key(key, 'F', q);
	mxg_put64(value + 4, (uint64_t)tried);
	value[12] = failures > 255 ? 255 : (uint8_t)failures;
	mxg_put32(value, mxg_crc32(mxg_crc32(0, key, key_len), value + 4, sizeof(value) - 4));
	add(w, key, key_len, value, sizeof(value));
}

void mxg_writer_copy(struct mxg_writer *w, const struct mxg_snapshot_record *r)
{
	add(w, r->key, r->key_len, r->value, r->len);
	w->questions += r->kind == 'Q' && !w->since;
}

bool mxg_writer_has(struct mxg_writer *w, const uint8_t *key, size_t key_len)
{
	return w->error == 0 && mxg_cdb_has(&w->cdb, key, key_len);
}

uint8_t *mxg_writer_answer_of(struct mxg_writer *w, const struct mxg_question *q, size_t *len)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX];
	size_t key_len = question_key(key, 'Q', q);
	return w->error == 0 ? mxg_cdb_get(&w->cdb, key, key_len, len) : NULL;
}

bool mxg_writer_has_failed(struct mxg_writer *w, const struct mxg_question *q)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX];
	return mxg_writer_has(w, key, question_key(key, 'F', q));
}

static size_t put_version(uint8_t *p, const struct mxg_answer *v)
{
	mxg_put64(p + MXG_VERSION_AT_FROM, (uint64_t)v->from);
	mxg_put64(p + MXG_VERSION_AT_SUPERSEDED, (uint64_t)v->superseded);
	mxg_put64(p + MXG_VERSION_AT_CONFIRMED, (uint64_t)v->confirmed);
	mxg_put32(p + MXG_VERSION_AT_TTL, v->ttl);
	p[MXG_VERSION_AT_KIND] = (uint8_t)v->kind;
	p[MXG_VERSION_AT_FLAGS] =
		(uint8_t)((v->ad ? MXG_VERSION_FLAG_AD : 0) | (v->refused ? MXG_VERSION_FLAG_REFUSED : 0) |
			  (v->accepted ? MXG_VERSION_FLAG_ACCEPTED : 0));
	mxg_put16(p + MXG_VERSION_AT_COUNT, v->count);
	mxg_put32(p + MXG_VERSION_AT_SIZE, v->size);
	mxg_put32(p + MXG_VERSION_AT_ALARMS, (uint32_t)v->alarms << 24);
	if (v->size > 0)
		memcpy(p + MXG_VERSION_HEAD_SIZE, v->data, v->size);
	return MXG_VERSION_HEAD_SIZE + v->size;
}

void mxg_writer_answer(struct mxg_writer *w, const struct mxg_question *q, const struct mxg_answer *versions,
		       size_t count)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX], *value = malloc(MXG_SNAPSHOT_VALUE_MAX);
	size_t key_len = question_key(key, 'Q', q), len = 5;
	if (value == NULL) {
		note(w);
		return;
	}
	value[4] = (uint8_t)count;
	for (size_t i = 0; i < count; i++)
		len += put_version(value + len, &versions[i]);
	mxg_put32(value, mxg_crc32(mxg_crc32(0, key, key_len), value + 4, len - 4));
	add(w, key, key_len, value, len);
	w->questions += !w->since;
	free(value);
}

/* ---- to the disk --------------------------------------------------------------------- */

/* By the clock, so that it also rises where the old one was lost; and where the clock was set back. */
static uint32_t generation_of(const struct mxg_writer *w, int64_t now)
{
	uint32_t by_clock = now > 0 && now < UINT32_MAX ? (uint32_t)now : 1;
	return by_clock > w->after || w->after == UINT32_MAX ? by_clock : w->after + 1;
}

/* What can only be known now that the tables are written. */
static bool fill_header(struct mxg_writer *w, const uint8_t hash[32], int64_t now)
{
	uint8_t h[MXG_SNAPSHOT_HEADER_SIZE] = { 0 }, table[MXG_CDB_TABLE_SIZE];
	struct stat st;
	if (fstat(w->fd, &st) != 0 || pread(w->fd, table, sizeof(table), 0) != (ssize_t)sizeof(table))
		return false;
	memcpy(h, MXG_SNAPSHOT_MAGIC, 8);
	mxg_put32(h + MXG_SNAPSHOT_AT_VERSION, MXG_SNAPSHOT_VERSION);
	mxg_put32(h + MXG_SNAPSHOT_AT_GENERATION, generation_of(w, now));
	mxg_put64(h + MXG_SNAPSHOT_AT_LENGTH, (uint64_t)st.st_size);
	mxg_put64(h + MXG_SNAPSHOT_AT_WRITTEN, (uint64_t)now);
	memcpy(h + MXG_SNAPSHOT_AT_HASH, hash, 32);
	mxg_put32(h + MXG_SNAPSHOT_AT_DOMAINS, w->domains);
	mxg_put32(h + MXG_SNAPSHOT_AT_QUESTIONS, w->questions);
	mxg_put32(h + MXG_SNAPSHOT_AT_TABLE_CRC, mxg_crc32(0, table, sizeof(table)));
	mxg_put32(h + MXG_SNAPSHOT_AT_ADDS_TO, w->adds_to);
	mxg_put64(h + MXG_SNAPSHOT_AT_LIST_KEPT, (uint64_t)w->list_kept);
	mxg_put64(h + MXG_SNAPSHOT_AT_INTERRUPTED, (uint64_t)w->interrupted);
	for (size_t i = 0; i < 256; i++)
		mxg_put32(h + MXG_SNAPSHOT_AT_BUCKET_CRC + i * 4, w->cdb.table_crc[i]);
	mxg_put32(h + MXG_SNAPSHOT_AT_CRC, mxg_crc32(0, h, MXG_SNAPSHOT_AT_CRC));
	return pwrite(w->fd, h, sizeof(h), MXG_SNAPSHOT_HEADER_AT) == (ssize_t)sizeof(h);
}

/* Last of all, since it is over everything. */
static bool fill_checksum(struct mxg_writer *w)
{
	struct stat st;
	uint8_t sum[MXG_CHECKSUM_BYTES];
	return pwrite(w->fd, w->gateways, sizeof(w->gateways), MXG_SNAPSHOT_WHOLE_AT + MXG_SNAPSHOT_WHOLE_GATEWAYS) ==
		       (ssize_t)sizeof(w->gateways) &&
	       fstat(w->fd, &st) == 0 && mxg_snapshot_file_sum(w->fd, (uint64_t)st.st_size, sum) &&
	       pwrite(w->fd, sum, sizeof(sum), MXG_SNAPSHOT_WHOLE_AT) == (ssize_t)sizeof(sum);
}

/* A file system that cannot do it has told nothing of the content. */
bool mxg_state_sync(int folder)
{
	return fsync(folder) == 0 || errno == EINVAL || errno == EROFS;
}

/* Behind the rename: what adds to the one before is passed over by whoever reads in between. */
static void drop_since(int folder)
{
	unlinkat(folder, MXG_SNAPSHOT_SINCE_FILE, 0);
}

bool mxg_state_put(int folder, int fd, const char *name, bool since)
{
	const char *file = since ? MXG_SNAPSHOT_SINCE_FILE : MXG_SNAPSHOT_FILE;
	errno = 0;
	if (fchmod(fd, 0644) != 0 || fsync(fd) != 0 || renameat(folder, name, folder, file) != 0)
		return false;
	if (!since && mxg_state_sync(folder)) /* one that is left has a lower generation, and is passed over */
		drop_since(folder);
	return true;
}

bool mxg_writer_commit(struct mxg_writer *w, const uint8_t hash[32], int64_t now)
{
	errno = 0;
	if (w->error == 0 && !mxg_cdb_finish(&w->cdb))
		w->error = w->cdb.error;
	if (w->error == 0 && (!fill_header(w, hash, now) || !fill_checksum(w)))
		note(w);
	if (w->error == 0 && !mxg_state_put(w->folder, w->fd, w->name, w->since))
		note(w);
	if (w->error == 0)
		w->name[0] = '\0'; /* it is the snapshot now */
	if (w->error == 0 && !mxg_state_sync(w->folder))
		note(w);
	if (w->name[0] != '\0')
		unlinkat(w->folder, w->name, 0);
	close(w->fd);
	w->fd = -1;
	mxg_cdb_free(&w->cdb);
	return w->error == 0;
}

void mxg_writer_abort(struct mxg_writer *w)
{
	if (w->fd < 0)
		return;
	mxg_cdb_free(&w->cdb);
	unlinkat(w->folder, w->name, 0);
	close(w->fd);
	w->fd = -1;
}
