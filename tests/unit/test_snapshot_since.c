/* SPDX-License-Identifier: MIT */
/* A snapshot of two parts: the newer one takes the place of what the older one has, and where it is damaged nothing of
 * the older one comes back. */
#include <setjmp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "snapshot/snapshot.h"
#include "snapshot_write.h"

#define NOW 1700000000
#define QUESTIONS 6
#define REPLACED 2 /* of them, the first ones */
#define ADDED QUESTIONS /* only the newer part has it */

static char folder[40];
static struct mxguard_policy policy;
static uint8_t *bytes; /* of the newer part */
static size_t size;
static uint32_t whole_generation;

static struct mxg_question question(int i)
{
	struct mxg_question q = { .type = MXG_DNS_A };
	char name[64];
	snprintf(name, sizeof(name), "n%d.example", i);
	assert_true(mxg_name_from_text(&q.name, name, strlen(name)));
	return q;
}

static void put_answer(struct mxg_writer *w, int i, uint8_t last)
{
	const uint8_t data[6] = { 0, 4, 192, 0, 2, last };
	const struct mxg_answer v = { .kind = MXG_ANSWER_RECORDS,
				      .from = NOW,
				      .confirmed = NOW,
				      .ttl = 300,
				      .count = 1,
				      .size = sizeof(data),
				      .data = data };
	struct mxg_question q = question(i);
	mxg_writer_answer(w, &q, &v, 1);
}

static void path_of(char path[128], const char *file)
{
	snprintf(path, 128, "%s/%s", folder, file);
}

static void write_whole(int64_t now)
{
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0 && mxg_writer_open(&w, dir));
	mxg_writer_domain(&w, "gone.example");
	mxg_writer_domain(&w, "stays.example");
	for (int i = 0; i < QUESTIONS; i++)
		put_answer(&w, i, 1);
	assert_true(mxg_writer_commit(&w, policy.hash, now));
	close(dir);
	close(lock);
}

static void write_since(uint32_t adds_to)
{
	struct mxg_writer w;
	struct mxg_question failed = question(1);
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0 && mxg_writer_open(&w, dir));
	w.since = true;
	w.adds_to = adds_to;
	w.after = adds_to;
	mxg_writer_no_domain(&w, "gone.example");
	mxg_writer_domain(&w, "new.example");
	for (int i = 0; i < REPLACED; i++)
		put_answer(&w, i, 2);
	put_answer(&w, ADDED, 2);
	mxg_writer_failed(&w, &failed, NOW, 3);
	assert_true(mxg_writer_commit(&w, policy.hash, NOW + 100));
	close(dir);
	close(lock);
}

static struct mxguard_snapshot *open_it(void)
{
	struct mxguard_snapshot *s = NULL;
	char message[256] = "";
	int result = mxguard_snapshot_open(&s, &policy, 0, message, sizeof(message));
	assert_true((s == NULL) == (result != MXGUARD_ERROR_NONE));
	assert_true(s != NULL || message[0] != '\0');
	return s;
}

static void read_since(void)
{
	char path[128];
	struct stat st;
	path_of(path, MXG_SNAPSHOT_SINCE_FILE);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	size = (size_t)st.st_size;
	bytes = malloc(size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, size, file), size);
	fclose(file);
}

static void put_since(const uint8_t *content, size_t len)
{
	char path[128];
	path_of(path, MXG_SNAPSHOT_SINCE_FILE);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	strcpy(folder, "/tmp/mxg-unit-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	policy = (struct mxguard_policy){
		.path = folder, .state_dir = folder, .keep_stale = 7 * 86400, .reply_rules = { .max_ttl = 86400 }
	};
	memset(policy.hash, 0x5a, sizeof(policy.hash));
	write_whole(NOW);
	struct mxguard_snapshot *s = open_it();
	whole_generation = mxg_snapshot_generation(s);
	mxguard_snapshot_unref(s);
	write_since(whole_generation);
	read_since();
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { MXG_SNAPSHOT_FILE, MXG_SNAPSHOT_SINCE_FILE, "refresh.lock" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[128];
		path_of(path, files[i]);
		unlink(path);
	}
	rmdir(folder);
	free(bytes);
	return 0;
}

/* The last byte of the address that it has; 0: none. */
static unsigned address_of(const struct mxguard_snapshot *s, int i, enum mxg_snapshot_result *result)
{
	struct mxg_answers *t = mxg_answers_new();
	const struct mxg_answer *versions;
	struct mxg_question q = question(i);
	int entry = mxg_answers_entry(t, &q.name, q.type);
	unsigned last = 0;
	*result = mxg_snapshot_load(s, t, entry);
	if (*result == MXG_SNAPSHOT_FOUND && mxg_answers_versions(t, entry, &versions) > 0)
		last = versions[0].data[5];
	mxg_answers_free(t);
	return last;
}

static int has(const struct mxguard_snapshot *s, const char *domain)
{
	return mxg_snapshot_has_domain(s, domain, strlen(domain));
}

static void test_the_newer_part_counts(void **state)
{
	enum mxg_snapshot_result result;
	int64_t tried;
	unsigned failures;
	put_since(bytes, size);
	struct mxguard_snapshot *s = open_it();
	assert_non_null(s);
	assert_true(mxg_snapshot_generation(s) > whole_generation);
	for (int i = 0; i <= ADDED; i++)
		assert_int_equal(address_of(s, i, &result), i < REPLACED || i == ADDED ? 2 : 1);
	assert_int_equal(has(s, "gone.example"), 0);
	assert_int_equal(has(s, "new.example"), 1);
	assert_int_equal(has(s, "stays.example"), 1);
	assert_int_equal(has(s, "other.example"), 0);
	struct mxg_question q = question(1), other = question(3);
	assert_true(mxg_snapshot_failed(s, &q, &tried, &failures));
	assert_int_equal(tried, NOW);
	assert_int_equal(failures, 3);
	assert_false(mxg_snapshot_failed(s, &other, &tried, &failures));
	mxguard_snapshot_unref(s);
}

/* That there is no such domain any more is told again from memory: the file has been emptied under it. */
static void test_no_domain_any_more_twice(void **state)
{
	put_since(bytes, size);
	struct mxguard_snapshot *s = open_it();
	assert_non_null(s);
	assert_int_equal(has(s, "gone.example"), 0);
	put_since(bytes, 0);
	assert_int_equal(has(s, "new.example"), -1); /* not asked before: nothing can be read */
	assert_int_equal(has(s, "gone.example"), 0);
	assert_int_equal(has(s, "gone.example"), 0);
	mxguard_snapshot_unref(s);
}

static void test_listing(void **state)
{
	unsigned seen[ADDED + 1] = { 0 }, domains = 0;
	struct mxg_question q;
	char domain[256];
	uint64_t at = 0;
	put_since(bytes, size);
	struct mxguard_snapshot *s = open_it();
	while (mxg_snapshot_next(s, &at, &q))
		for (int i = 0; i <= ADDED; i++) {
			struct mxg_question each = question(i);
			seen[i] += mxg_name_equal(&each.name, &q.name);
		}
	for (int i = 0; i <= ADDED; i++)
		assert_int_equal(seen[i], 1);
	for (at = 0; mxg_snapshot_next_domain(s, &at, domain); domains++)
		assert_true(strcmp(domain, "new.example") == 0 || strcmp(domain, "stays.example") == 0);
	assert_int_equal(domains, 2);
	mxguard_snapshot_unref(s);
}

static void count_records(const struct mxguard_snapshot *s, bool since_only, unsigned counts[256])
{
	struct mxg_snapshot_scan *scan = mxg_snapshot_scan_new(s, since_only);
	struct mxg_snapshot_record r;
	memset(counts, 0, 256 * sizeof(*counts));
	while (mxg_snapshot_scan_next(scan, &r))
		counts[r.kind]++;
	assert_true(mxg_snapshot_scan_is_whole(scan));
	mxg_snapshot_scan_free(scan);
}

static void test_scanning(void **state)
{
	unsigned counts[256];
	put_since(bytes, size);
	struct mxguard_snapshot *s = open_it();
	count_records(s, false, counts);
	assert_int_equal(counts['Q'], QUESTIONS + 1);
	assert_int_equal(counts['D'], 3); /* one of them says that it is none any more */
	assert_int_equal(counts['F'], 1);
	count_records(s, true, counts);
	assert_int_equal(counts['Q'], REPLACED + 1);
	assert_int_equal(counts['D'], 2);
	mxguard_snapshot_unref(s);
}

/* Whatever happened to it, what it was to replace does not come back. */
static void look_at(const uint8_t *content, size_t len)
{
	enum mxg_snapshot_result result;
	put_since(content, len);
	struct mxguard_snapshot *s = open_it();
	for (int i = 0; s != NULL && i < 2 * REPLACED;
	     i++) { /* the second time from what the first has left in memory */
		unsigned last = address_of(s, i % REPLACED, &result);
		assert_true(last == 2 || (last == 0 && result == MXG_SNAPSHOT_DAMAGED));
	}
	assert_true(s == NULL || has(s, "gone.example") != 1);
	mxguard_snapshot_unref(s);
}

static void test_every_byte_flipped(void **state)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff };
	uint8_t *copy = malloc(size);
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	for (size_t i = 0; i < size; i++) {
		copy[i] ^= masks[i % 3];
		look_at(copy, size);
		copy[i] = bytes[i];
	}
	free(copy);
}

static void test_every_truncation(void **state)
{
	for (size_t len = 0; len < size; len += len < 4096 ? 1 : 7)
		look_at(bytes, len);
}

static void test_of_another_one(void **state)
{
	enum mxg_snapshot_result result;
	write_since(whole_generation + 1); /* the whole one was put back */
	assert_null(open_it());
	write_whole(NOW + 1000);
	put_since(bytes, size); /* … and a newer whole one is what the part was left beside */
	struct mxguard_snapshot *s = open_it();
	assert_non_null(s);
	assert_true(mxg_snapshot_generation(s) > whole_generation + 1);
	assert_int_equal(address_of(s, 0, &result), 1);
	assert_false(mxguard_snapshot_changed(s, &policy));
	mxguard_snapshot_unref(s);
	write_whole(NOW);
}

static void test_changes_are_noticed(void **state)
{
	char path[128];
	write_since(whole_generation);
	struct mxguard_snapshot *s = open_it();
	assert_false(mxguard_snapshot_changed(s, &policy));
	write_since(whole_generation);
	assert_true(mxguard_snapshot_changed(s, &policy));
	mxguard_snapshot_unref(s);
	s = open_it();
	path_of(path, MXG_SNAPSHOT_SINCE_FILE);
	unlink(path);
	assert_true(mxguard_snapshot_changed(s, &policy));
	mxguard_snapshot_unref(s);
}

static void test_a_whole_one_takes_it_away(void **state)
{
	char path[128];
	enum mxg_snapshot_result result;
	write_since(whole_generation);
	write_whole(NOW + 1000);
	path_of(path, MXG_SNAPSHOT_SINCE_FILE);
	assert_int_not_equal(access(path, F_OK), 0);
	struct mxguard_snapshot *s = open_it();
	assert_int_equal(address_of(s, 0, &result), 1);
	assert_int_equal(has(s, "gone.example"), 1);
	mxguard_snapshot_unref(s);
}

/* ---- many ------------------------------------------------------------------------------------------ */

#define MANY 20000
#define EVERY 7 /* of them, one is in the newer part */

static void write_many(bool since, uint32_t generation, int step, uint8_t base)
{
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0 && mxg_writer_open(&w, dir));
	w.since = since;
	w.adds_to = since ? generation : 0;
	w.after = generation;
	for (int i = 0; i < MANY; i += step)
		put_answer(&w, i, (uint8_t)(base + i % 100));
	assert_true(mxg_writer_commit(&w, policy.hash, NOW + 2000));
	close(dir);
	close(lock);
}

static bool is_right(const struct mxguard_snapshot *s, int i)
{
	enum mxg_snapshot_result result;
	unsigned last = address_of(s, i, &result);
	return i >= MANY ? result == MXG_SNAPSHOT_ABSENT : last == (i % EVERY == 0 ? 101u : 1u) + (unsigned)i % 100;
}

/* Far from one another, so that places in memory are taken again and again; and some that are not there. */
static void *ask_many(void *snapshot)
{
	size_t wrong = 0;
	for (int i = 0; i < 2 * MANY; i++)
		wrong += !is_right(snapshot, (int)((unsigned)i * 7919u % (MANY + 1000)));
	for (int i = 0; i < 2 * MANY; i++) /* in memory, and wanted by all at once */
		wrong += !is_right(snapshot, i % 100);
	return (void *)wrong;
}

static void test_many(void **state)
{
	pthread_t threads[3];
	void *wrong;
	write_many(false, whole_generation, 1, 1);
	struct mxguard_snapshot *s = open_it();
	uint32_t generation = mxg_snapshot_generation(s);
	mxguard_snapshot_unref(s);
	write_many(true, generation, EVERY, 101);
	s = open_it();
	assert_non_null(s);
	assert_int_equal(mxg_snapshot_generation(s) > generation, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_many, s), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	mxguard_snapshot_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_newer_part_counts),
		cmocka_unit_test(test_no_domain_any_more_twice),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_scanning),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_of_another_one),
		cmocka_unit_test(test_changes_are_noticed),
		cmocka_unit_test(test_a_whole_one_takes_it_away),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
