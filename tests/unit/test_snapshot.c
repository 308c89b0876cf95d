/* SPDX-License-Identifier: MIT */
/* The reader against everything that a disk and an enemy can do to a small snapshot. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/duration.h"
#include "policy/policy.h"
#include "snapshot/snapshot.h"
#include "snapshot_write.h"

#define NOW 1000000000
#define QUESTIONS 12

static char folder[64];
static struct mxguard_policy policy;
static uint8_t *bytes; /* the whole snapshot as it was written */
static size_t size;

static struct mxg_question question(int i)
{
	static const uint16_t types[] = { MXG_DNS_A, MXG_DNS_MX, MXG_DNS_TXT, MXG_DNS_AAAA };
	struct mxg_question q = { .type = types[i % 4] };
	char name[64];
	snprintf(name, sizeof(name), "n%d.example", i);
	assert_true(mxg_name_from_text(&q.name, name, strlen(name)));
	return q;
}

/* Two versions each, the current one with i + 1 records of four bytes. */
static size_t versions_of(int i, struct mxg_answer v[2], uint8_t data[2][128])
{
	for (int n = 0; n < 2; n++) {
		v[n] = (struct mxg_answer){ .kind = MXG_ANSWER_RECORDS,
					    .from = NOW - 100 * n,
					    .confirmed = NOW,
					    .superseded = n == 0 ? 0 : NOW,
					    .ttl = 300,
					    .data = data[n],
					    .count = (uint16_t)(i + 1),
					    .size = (uint32_t)(6 * (i + 1)) };
		for (int r = 0; r <= i; r++) {
			const uint8_t item[6] = { 0, 4, 192, (uint8_t)n, (uint8_t)i, (uint8_t)r };
			memcpy(data[n] + 6 * r, item, 6);
		}
	}
	return 2;
}

static void write_snapshot(void)
{
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0);
	assert_true(mxg_writer_open(&w, dir));
	mxg_writer_domain(&w, "example.org");
	mxg_writer_domain(&w, "example.net");
	for (int i = 0; i < QUESTIONS; i++) {
		struct mxg_answer v[2];
		uint8_t data[2][128];
		struct mxg_question q = question(i);
		mxg_writer_answer(&w, &q, v, versions_of(i, v, data));
	}
	assert_true(mxg_writer_commit(&w, policy.hash, NOW));
	close(dir);
	close(lock);
}

static void path_of(char path[128])
{
	snprintf(path, 128, "%s/%s", folder, MXG_SNAPSHOT_FILE);
}

static void put_file(const uint8_t *content, size_t len)
{
	char path[128];
	path_of(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	close(fd);
}

static int set_up(void **state)
{
	char path[128];
	struct stat st;
	strcpy(folder, "/tmp/mxg-unit-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	policy = (struct mxguard_policy){ .path = folder,
					  .state_dir = folder,
					  .keep_stale = 7 * 86400,
					  .grace = 86400,
					  .reply_rules = { .max_ttl = 86400 } };
	memset(policy.hash, 0x5a, sizeof(policy.hash));
	write_snapshot();
	path_of(path);
	int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0)
		return -1;
	size = (size_t)st.st_size;
	bytes = malloc(size);
	if (bytes == NULL || read(fd, bytes, size) != (ssize_t)size)
		return -1;
	return close(fd);
}

static int tear_down(void **state)
{
	char path[128];
	path_of(path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/refresh.lock", folder);
	unlink(path);
	rmdir(folder);
	free(bytes);
	return 0;
}

static struct mxguard_snapshot *open_it(int expected)
{
	struct mxguard_snapshot *s;
	char message[256] = "";
	int result = mxguard_snapshot_open(&s, &policy, 0, message, sizeof(message));
	assert_int_equal(result, expected);
	assert_true((s == NULL) == (result != MXGUARD_ERROR_NONE));
	return s;
}

/* What comes out for question i is what went in, or nothing. The number of versions. */
static size_t check_question(const struct mxguard_snapshot *s, struct mxg_answers *t, int i)
{
	struct mxg_question q = question(i);
	struct mxg_answer expected[2];
	const struct mxg_answer *got;
	uint8_t data[2][128];
	mxg_answers_clear(t);
	int entry = mxg_answers_entry(t, &q.name, q.type);
	enum mxg_snapshot_result r = mxg_snapshot_load(s, t, entry);
	size_t n = mxg_answers_versions(t, entry, &got);
	assert_true(r != MXG_SNAPSHOT_NOMEM);
	assert_int_equal(n, r == MXG_SNAPSHOT_FOUND ? versions_of(i, expected, data) : 0);
	for (size_t v = 0; v < n; v++) {
		assert_int_equal(got[v].from, expected[v].from);
		assert_int_equal(got[v].superseded, expected[v].superseded);
		assert_int_equal(got[v].confirmed, expected[v].confirmed);
		assert_int_equal(got[v].ttl, expected[v].ttl);
		assert_int_equal(got[v].kind, expected[v].kind);
		assert_int_equal(got[v].size, expected[v].size);
		assert_memory_equal(got[v].data, expected[v].data, got[v].size);
	}
	return n;
}

static void check_all(const struct mxguard_snapshot *s, struct mxg_answers *t)
{
	struct mxg_question q;
	uint64_t at = 0;
	for (int i = 0; i < QUESTIONS; i++)
		check_question(s, t, i);
	assert_int_not_equal(mxg_snapshot_has_domain(s, "example.org", 11), 0);
	assert_int_not_equal(mxg_snapshot_has_domain(s, "example.net", 11), 0);
	assert_int_not_equal(mxg_snapshot_has_domain(s, "example.com", 11), 1);
	for (int i = 0; i < 1000 && mxg_snapshot_next(s, &at, &q); i++)
		;
}

static void test_whole(void **state)
{
	struct mxg_answers *t = mxg_answers_new();
	put_file(bytes, size);
	struct mxguard_snapshot *s = open_it(MXGUARD_ERROR_NONE);
	struct mxg_question q = question(0);
	uint64_t at = 0;
	int listed = 0;
	for (int i = 0; i < QUESTIONS; i++)
		assert_int_equal(check_question(s, t, i), 2);
	while (mxg_snapshot_next(s, &at, &q))
		listed++;
	assert_int_equal(listed, QUESTIONS);
	assert_int_equal(mxg_snapshot_has_domain(s, "example.org", 11), 1);
	assert_int_equal(mxg_snapshot_has_domain(s, "example.com", 11), 0);
	assert_int_equal(mxg_snapshot_written(s), NOW);
	q.type = MXG_DNS_PTR;
	mxg_answers_clear(t);
	assert_int_equal(mxg_snapshot_load(s, t, mxg_answers_entry(t, &q.name, q.type)), MXG_SNAPSHOT_ABSENT);
	mxguard_snapshot_unref(s);
	mxg_answers_free(t);
}

/* It opens, and the message warns; to the hour, as it is told everywhere. */
static void test_too_old_to_be_of_use(void **state)
{
	struct mxguard_snapshot *s;
	char message[512], before[MXG_SPAN_MAX], after[MXG_SPAN_MAX], text[2][200];
	put_file(bytes, size);
	mxg_span_format((int64_t)time(NULL) - NOW, before);
	assert_int_equal(mxguard_snapshot_open(&s, &policy, 0, message, sizeof(message)), MXGUARD_ERROR_NONE);
	mxg_span_format((int64_t)time(NULL) - NOW, after);
	snprintf(text[0], sizeof(text[0]), ": was written %s ago and is too old to be of use", before);
	snprintf(text[1], sizeof(text[1]), ": was written %s ago and is too old to be of use", after);
	assert_true(strstr(message, text[0]) != NULL || strstr(message, text[1]) != NULL);
	mxguard_snapshot_unref(s);
}

/* Whether it opens or not: no answer that was never given. */
static void look_at(const uint8_t *content, size_t len, struct mxg_answers *t)
{
	struct mxguard_snapshot *s;
	char message[256];
	put_file(content, len);
	if (mxguard_snapshot_open(&s, &policy, 0, message, sizeof(message)) == MXGUARD_ERROR_NONE)
		check_all(s, t);
	else
		assert_true(message[0] != '\0');
	mxguard_snapshot_unref(s);
}

static void test_every_byte_flipped(void **state)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };
	struct mxg_answers *t = mxg_answers_new();
	uint8_t *copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	for (size_t i = 0; i < size; i++) {
		copy[i] ^= masks[i % 3];
		look_at(copy, size, t);
		copy[i] = bytes[i];
	}
	free(copy);
	mxg_answers_free(t);
}

static void test_every_truncation(void **state)
{
	for (size_t len = 0; len < size; len += len < 4096 ? 1 : 7) {
		put_file(bytes, len);
		open_it(MXGUARD_ERROR_CONFIG);
	}
}

static void test_truncated_while_open(void **state)
{
	struct mxg_answers *t = mxg_answers_new();
	char path[128];
	path_of(path);
	put_file(bytes, size);
	struct mxguard_snapshot *s = open_it(MXGUARD_ERROR_NONE);
	for (size_t len = size; len-- > 0; len -= len > 16 ? 16 : 0) {
		assert_int_equal(truncate(path, (off_t)len), 0);
		check_all(s, t);
	}
	mxguard_snapshot_unref(s);
	mxg_answers_free(t);
}

/* The tables name places outside of the file, at its end, in themselves, and go in circles;
 * their CRCs are right. */
static void test_hostile_offsets(void **state)
{
	static const uint32_t places[] = { 0, 1, 2047, 2048, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff };
	struct mxg_answers *t = mxg_answers_new();
	uint8_t *copy = malloc(size), *header;
	assert_non_null(copy);
	for (size_t n = 0; n < 8 * 8; n++) {
		uint32_t place = n % 8 == 7 ? (uint32_t)size - 1 : places[n % 8],
			 slots = n / 8 == 7 ? 3 : places[n / 8];
		memcpy(copy, bytes, size);
		for (size_t i = 0; i < 256; i++) {
			uint8_t *p = copy + i * 8;
			if (i == (mxg_cdb_hash((const uint8_t *)"H", 1) & 0xff))
				continue;
			for (int b = 0; b < 4; b++) {
				p[b] = (uint8_t)(place >> 8 * b);
				p[4 + b] = (uint8_t)(slots >> 8 * b);
			}
		}
		header = copy + MXG_CDB_TABLE_SIZE + 9;
		mxg_put32(header + MXG_SNAPSHOT_AT_TABLE_CRC, mxg_crc32(0, copy, MXG_CDB_TABLE_SIZE));
		mxg_put32(header + MXG_SNAPSHOT_AT_CRC, mxg_crc32(0, header, MXG_SNAPSHOT_AT_CRC));
		put_file(copy, size);
		struct mxguard_snapshot *s = open_it(MXGUARD_ERROR_NONE);
		for (int i = 0; i < QUESTIONS; i++)
			assert_int_equal(check_question(s, t, i), 0);
		mxg_snapshot_has_domain(s, "example.org", 11);
		mxguard_snapshot_unref(s);
	}
	free(copy);
	mxg_answers_free(t);
}

static void test_other_configuration(void **state)
{
	struct mxguard_snapshot *s;
	put_file(bytes, size);
	policy.hash[31] ^= 1;
	open_it(MXGUARD_ERROR_CONFIG);
	assert_int_equal(mxg_snapshot_open_any(&s, &policy, NULL, 0), MXGUARD_ERROR_NONE);
	mxguard_snapshot_unref(s);
	policy.hash[31] ^= 1;
}

static uint32_t generation_after(uint32_t after, int64_t now)
{
	struct mxg_writer w;
	struct mxguard_snapshot *s;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0);
	assert_true(mxg_writer_open(&w, dir));
	w.after = after;
	assert_true(mxg_writer_commit(&w, policy.hash, now));
	close(dir);
	close(lock);
	assert_int_equal(mxguard_snapshot_open(&s, &policy, 0, NULL, 0), MXGUARD_ERROR_NONE);
	uint32_t generation = mxg_snapshot_generation(s);
	mxguard_snapshot_unref(s);
	return generation;
}

/* It rises whatever the clock does, and with a state directory that is new. */
static void test_generations(void **state)
{
	assert_int_equal(generation_after(0, NOW), NOW);
	assert_int_equal(generation_after(NOW - 1, NOW), NOW);
	assert_int_equal(generation_after(NOW, NOW), NOW + 1);
	assert_int_equal(generation_after(NOW + 500, NOW), NOW + 501);
	assert_int_equal(generation_after(5, -7), 6);
	assert_int_equal(generation_after(0, 0), 1);
}

static void test_not_trusted(void **state)
{
	char path[128], link[128];
	path_of(path);
	put_file(bytes, size);
	for (unsigned bits = 1; bits < 4; bits++) {
		mode_t mode = (mode_t)(0644 | (bits & 1) << 4 | (bits & 2));
		assert_int_equal(chmod(path, mode), 0);
		open_it(MXGUARD_ERROR_UNTRUSTED);
	}
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(folder, 0775), 0);
	open_it(MXGUARD_ERROR_UNTRUSTED);
	assert_int_equal(chmod(folder, 0700), 0);
	snprintf(link, sizeof(link), "%s/elsewhere", folder);
	assert_int_equal(rename(path, link), 0);
	assert_int_equal(symlink(link, path), 0);
	open_it(MXGUARD_ERROR_UNTRUSTED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	open_it(MXGUARD_ERROR_UNTRUSTED);
	assert_int_equal(unlink(path), 0);
	open_it(MXGUARD_ERROR_IO);
	assert_int_equal(rename(link, path), 0);
}

static void test_changed(void **state)
{
	char path[128];
	path_of(path);
	put_file(bytes, size);
	struct mxguard_snapshot *s = open_it(MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_snapshot_changed(s, &policy), 0);
	assert_int_equal(mxguard_snapshot_changed(NULL, &policy), 1);
	write_snapshot();
	assert_int_equal(mxguard_snapshot_changed(s, &policy), 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mxguard_snapshot_changed(s, &policy), 1);
	assert_int_equal(mxguard_snapshot_changed(NULL, &policy), 0);
	mxguard_snapshot_unref(s);
}

/* Refused is what stands before a version that stands, and nothing else: each letter is a version,
 * newest first. */
static void check_refused(const char *order, enum mxg_snapshot_result expected, bool refused)
{
	static const uint8_t data[6] = { 0, 4, 192, 0, 2, 1 };
	struct mxg_answer v[4];
	size_t count = strlen(order);
	struct mxg_question q = question(0);
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0 && mxg_writer_open(&w, dir));
	for (size_t i = 0; i < count; i++)
		v[i] = (struct mxg_answer){ .kind = MXG_ANSWER_RECORDS,
					    .from = NOW - 100 * (int64_t)i,
					    .confirmed = NOW,
					    .superseded = order[i] == 'o' ? NOW - 100 * ((int64_t)i - 1) : 0,
					    .refused = order[i] == 'r',
					    .alarms = order[i] == 'r' ? MXG_ALARM_DOUBLED : 0,
					    .data = data,
					    .count = 1,
					    .size = 6 };
	mxg_writer_answer(&w, &q, v, count);
	assert_true(mxg_writer_commit(&w, policy.hash, NOW));
	close(dir);
	close(lock);
	struct mxguard_snapshot *s = open_it(MXGUARD_ERROR_NONE);
	struct mxg_answers *t = mxg_answers_new();
	int entry = mxg_answers_entry(t, &q.name, q.type);
	bool held;
	assert_int_equal(mxg_snapshot_load(s, t, entry), expected);
	assert_int_equal(mxg_snapshot_alarms(t, entry, &held), refused ? MXG_ALARM_DOUBLED : 0);
	assert_int_equal(held, refused);
	mxg_answers_free(t);
	mxguard_snapshot_unref(s);
}

static void test_refused(void **state)
{
	check_refused("c", MXG_SNAPSHOT_FOUND, false);
	check_refused("rc", MXG_SNAPSHOT_FOUND, true);
	check_refused("rco", MXG_SNAPSHOT_FOUND, true);
	check_refused("r", MXG_SNAPSHOT_DAMAGED, false);
	check_refused("ro", MXG_SNAPSHOT_DAMAGED, false);
	check_refused("cr", MXG_SNAPSHOT_DAMAGED, false);
	check_refused("rrc", MXG_SNAPSHOT_DAMAGED, false);
	check_refused("rcc", MXG_SNAPSHOT_DAMAGED, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_too_old_to_be_of_use),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_truncated_while_open),
		cmocka_unit_test(test_hostile_offsets),
		cmocka_unit_test(test_other_configuration),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_not_trusted),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
