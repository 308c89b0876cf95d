/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a snapshot: opened for deliveries and for a refresh, listed, and asked for every
 * question that it lists and for some that it may not. What comes out has passed its CRC, which
 * is computed here once more, from the file's bytes. As they are, hardly any bytes get past the
 * header's CRC, so each input is tried a second time with the header put right, and a third
 * time with all CRCs of values put right, too.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"
#include "snapshot/snapshot.h"
#include "snapshot/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536u
#define LISTED_MAX 300

static char folder[64], path[128];
static struct mxguard_policy policy;

static void require(int condition)
{
	if (!condition)
		abort();
}

static void clean_up(void)
{
	unlink(path);
	rmdir(folder);
}

static void set_up(void)
{
	const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(folder, sizeof(folder), "%s/mxg-fuzz-XXXXXX", where);
	require(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/%s", folder, MXG_SNAPSHOT_FILE);
	policy = (struct mxguard_policy){ .path = folder, .state_dir = folder, .keep_stale = 7 * 86400 };
	atexit(clean_up);
}

static void put_file(const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* ---- what is right, from the bytes ------------------------------------------------------ */

/* Whether some record at all in the file has this key and a value whose CRC holds. */
static int vouched_for(const uint8_t *data, size_t size, const uint8_t *key, size_t key_len)
{
	for (size_t at = MXG_CDB_TABLE_SIZE; at + 8 + key_len + 4 <= size; at++) {
		size_t len = mxg_get32le(data + at + 4);
		const uint8_t *value = data + at + 8 + key_len;
		if (mxg_get32le(data + at) != key_len || len < 4 || len > size - at - 8 - key_len ||
		    memcmp(data + at + 8, key, key_len) != 0)
			continue;
		if (mxg_get32(value) == mxg_crc32(mxg_crc32(0, key, key_len), value + 4, len - 4))
			return 1;
	}
	return 0;
}

static void check_version(const struct mxg_answer *v)
{
	const uint8_t *item;
	size_t at = 0, len, count = 0;
	require(v->kind >= MXG_ANSWER_RECORDS && v->kind <= MXG_ANSWER_NXDOMAIN);
	require(v->size <= MXG_RRSET_MAX && !v->live);
	while (mxg_rrset_next(v->data, v->size, &at, &item, &len))
		count++;
	require(count <= v->size);
}

static void load(const struct mxguard_snapshot *s, const struct mxg_question *q, const uint8_t *data, size_t size)
{
	const struct mxg_answer *versions;
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'Q', (uint8_t)(q->type >> 8), (uint8_t)q->type };
	struct mxg_answers *t = mxg_answers_new();
	int entry = mxg_answers_entry(t, &q->name, q->type);
	enum mxg_snapshot_result result = mxg_snapshot_load(s, t, entry);
	size_t count = mxg_answers_versions(t, entry, &versions);
	require((result == MXG_SNAPSHOT_FOUND) == (count > 0));
	for (size_t i = 0; i < count; i++)
		check_version(&versions[i]);
	const struct mxg_answer *refused = mxg_answers_refused(t, entry);
	require(refused == NULL || (count > 0 && versions[0].superseded == 0));
	if (refused != NULL)
		check_version(refused);
	memcpy(key + 3, q->name.wire, q->name.len);
	require(count == 0 || vouched_for(data, size, key, 3u + q->name.len));
	mxg_answers_free(t);
}

static void has_domain(const struct mxguard_snapshot *s, const char *name, const uint8_t *data, size_t size)
{
	uint8_t key[64] = { 'D' };
	size_t len = strlen(name);
	memcpy(key + 1, name, len);
	int has = mxg_snapshot_has_domain(s, name, len);
	require(has >= -1 && has <= 1);
	require(has != 1 || vouched_for(data, size, key, len + 1));
}

static void use(const struct mxguard_snapshot *s, const uint8_t *data, size_t size)
{
	static const char *const names[] = { "example.org", "n0.example", "gw.test", "a" };
	struct mxg_question q = { .type = MXG_DNS_A };
	uint64_t at = 0, before = 0;
	for (int i = 0; i < LISTED_MAX && mxg_snapshot_next(s, &at, &q); i++) {
		require(at > before && at <= size);
		before = at;
		load(s, &q, data, size);
	}
	for (size_t i = 0; i < 4; i++) {
		require(mxg_name_from_text(&q.name, names[i], strlen(names[i])));
		for (q.type = 1; q.type < 29; q.type = (uint16_t)(q.type * 2 + 1))
			load(s, &q, data, size);
		has_domain(s, names[i], data, size);
	}
	mxg_snapshot_written(s);
}

static void look(const uint8_t *data, size_t size)
{
	struct mxguard_snapshot *s;
	char message[300] = "";
	put_file(data, size);
	int result = mxguard_snapshot_open(&s, &policy, 0, message, sizeof(message));
	require((result == MXGUARD_ERROR_NONE) == (s != NULL));
	require(result == MXGUARD_ERROR_NONE || message[0] != '\0');
	mxguard_snapshot_unref(s);
	if (mxg_snapshot_open_any(&s, &policy, message, sizeof(message)) == MXGUARD_ERROR_NONE)
		use(s, data, size);
	mxguard_snapshot_unref(s);
}

/* ---- what a thoughtful enemy would do ----------------------------------------------------- */

/* The header's place is that of our writer's: right behind the table. */
static void right_header(uint8_t *data, size_t size)
{
	uint8_t *h = data + MXG_CDB_TABLE_SIZE + 9;
	memcpy(h, MXG_SNAPSHOT_MAGIC, 8);
	mxg_put32(h + MXG_SNAPSHOT_AT_VERSION, MXG_SNAPSHOT_VERSION);
	mxg_put64(h + MXG_SNAPSHOT_AT_LENGTH, size);
	memset(h + MXG_SNAPSHOT_AT_HASH, 0, 32);
	mxg_put32(h + MXG_SNAPSHOT_AT_TABLE_CRC, mxg_crc32(0, data, MXG_CDB_TABLE_SIZE));
	for (size_t i = 0; i < 256; i++) {
		size_t at = mxg_get32le(data + i * 8), len = (size_t)mxg_get32le(data + i * 8 + 4) * 8;
		if (at <= size && len <= size - at)
			mxg_put32(h + MXG_SNAPSHOT_AT_BUCKET_CRC + i * 4, mxg_crc32(0, data + at, len));
	}
	mxg_put32(h + MXG_SNAPSHOT_AT_CRC, mxg_crc32(0, h, MXG_SNAPSHOT_AT_CRC));
}

static void right_values(uint8_t *data, size_t size)
{
	for (size_t at = MXG_CDB_TABLE_SIZE; at + 12 <= size;) {
		size_t key = mxg_get32le(data + at), len = mxg_get32le(data + at + 4);
		if (key > MXG_SNAPSHOT_KEY_MAX || len > size || at + 8 + key + len > size)
			return;
		uint8_t *value = data + at + 8 + key;
		if (len >= 4 && at > MXG_CDB_TABLE_SIZE)
			mxg_put32(value, mxg_crc32(mxg_crc32(0, data + at + 8, key), value + 4, len - 4));
		at += 8 + key + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (folder[0] == '\0')
		set_up();
	if (size > MOST)
		return 0;
	look(data, size);
	if (size < MXG_CDB_TABLE_SIZE + 9 + MXG_SNAPSHOT_HEADER_SIZE)
		return 0;
	uint8_t *copy = malloc(size);
	require(copy != NULL);
	memcpy(copy, data, size);
	right_header(copy, size);
	look(copy, size);
	right_values(copy, size);
	right_header(copy, size);
	look(copy, size);
	free(copy);
	return 0;
}
