/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answers.h"

static struct mxg_answers *t;
static int entry;

static int setup(void **unused)
{
	(void)unused;
	struct mxg_name name;
	t = mxg_answers_new();
	mxg_name_from_text(&name, "x.test", 6);
	entry = mxg_answers_entry(t, &name, MXG_DNS_A);
	return entry != 0;
}

static int teardown(void **unused)
{
	(void)unused;
	mxg_answers_free(t);
	return 0;
}

static void test_entries(void **unused)
{
	(void)unused;
	struct mxg_name name;
	char text[40];
	const struct mxg_question *first = mxg_answers_question(t, 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 1; i < MXG_ANSWERS_MAX; i++) {
			int n = snprintf(text, sizeof(text), "n%d.test", i / 2);
			assert_true(mxg_name_from_text(&name, text, (size_t)n));
			assert_int_equal(mxg_answers_entry(t, &name, i % 2 == 0 ? MXG_DNS_A : MXG_DNS_AAAA), i);
		}
		assert_int_equal(mxg_answers_count(t), MXG_ANSWERS_MAX);
	}
	assert_ptr_equal(mxg_answers_question(t, 0), first); /* nothing has moved */
	assert_true(mxg_name_from_text(&name, "one.more.test", 13));
	assert_true(mxg_answers_entry(t, &name, MXG_DNS_A) < 0);
	mxg_answers_clear(t);
	assert_int_equal(mxg_answers_count(t), 0);
	assert_int_equal(mxg_answers_entry(t, &name, MXG_DNS_A), 0);
	assert_int_equal(mxg_answers_flags(t, 0), 0);
}

static void test_flags(void **unused)
{
	(void)unused;
	mxg_answers_set_flags(t, entry, MXG_ENTRY_WANTED | MXG_ENTRY_ASKED, 0);
	mxg_answers_set_flags(t, entry, MXG_ENTRY_REPLIED, MXG_ENTRY_WANTED);
	assert_int_equal(mxg_answers_flags(t, entry), MXG_ENTRY_ASKED | MXG_ENTRY_REPLIED);
	mxg_answers_clear_flags(t, MXG_ENTRY_ASKED);
	assert_int_equal(mxg_answers_flags(t, entry), MXG_ENTRY_REPLIED);
}

static void put_version(enum mxg_answer_kind kind, int64_t from, int64_t superseded, int64_t confirmed, uint8_t last)
{
	const uint8_t data[] = { 0, 4, 192, 0, 2, last };
	bool records = kind == MXG_ANSWER_RECORDS;
	struct mxg_answer v = { .kind = kind,
				.from = from,
				.superseded = superseded,
				.confirmed = confirmed,
				.ttl = 100,
				.count = records,
				.size = records ? sizeof(data) : 0,
				.data = data };
	assert_true(mxg_answers_put_version(t, entry, &v));
}

static void put_live(enum mxg_answer_kind kind, uint8_t last)
{
	const uint8_t data[] = { 0, 4, 192, 0, 2, last };
	struct mxg_reply reply = { .kind = kind, .ttl = 7 };
	if (kind == MXG_ANSWER_FAILED)
		reply.failure = MXG_DNS_TIMEOUT;
	if (kind == MXG_ANSWER_RECORDS) {
		reply.records = (struct mxg_rrset){ .count = 1, .size = sizeof(data), .data = malloc(sizeof(data)) };
		memcpy(reply.records.data, data, sizeof(data));
	}
	mxg_answers_put_live(t, entry, &reply, 5000);
	assert_null(reply.records.data);
}

/* The last byte of the address that is seen, or minus the kind; stale ones plus 1000. */
static int look(int64_t now, int64_t as_of)
{
	struct mxg_view view = { .now = now, .as_of = as_of, .keep_stale = 50 };
	struct mxg_answer a;
	mxg_answers_lookup(t, entry, &view, &a);
	return (a.kind == MXG_ANSWER_RECORDS ? a.data[5] : -(int)a.kind) + (a.stale ? 1000 : 0);
}

static void test_present(void **unused)
{
	(void)unused;
	assert_int_equal(look(1000, 0), 0);
	put_version(MXG_ANSWER_RECORDS, 500, 0, 1000, 1);
	assert_int_equal(look(999, 0), 0); /* written under another clock */
	assert_int_equal(look(1000, 0), 1);
	assert_int_equal(look(1099, 0), 1);
	assert_int_equal(look(1100, 0), 1001);
	assert_int_equal(look(1149, 0), 1001);
	assert_int_equal(look(1150, 0), 0);
	put_live(MXG_ANSWER_FAILED, 0);
	assert_int_equal(look(1099, 0), 1);
	assert_int_equal(look(1149, 0), 1001);
	assert_int_equal(look(1150, 0), -MXG_ANSWER_FAILED);
	put_live(MXG_ANSWER_RECORDS, 2);
	assert_int_equal(look(1000, 0), 2);
	put_live(MXG_ANSWER_NXDOMAIN, 0);
	assert_int_equal(look(1000, 0), -MXG_ANSWER_NXDOMAIN);
}

static void test_negative(void **unused)
{
	(void)unused;
	put_version(MXG_ANSWER_NODATA, 500, 0, 1000, 0);
	assert_int_equal(look(1099, 0), -MXG_ANSWER_NODATA);
	assert_int_equal(look(1100, 0), 0); /* never stale */
}

static void test_superseded_is_not_present(void **unused)
{
	(void)unused;
	put_version(MXG_ANSWER_RECORDS, 500, 900, 900, 1);
	assert_int_equal(look(910, 0), 0);
}

static void test_past(void **unused)
{
	(void)unused;
	put_version(MXG_ANSWER_RECORDS, 100, 200, 200, 1); /* in any order */
	put_version(MXG_ANSWER_RECORDS, 300, 0, 400, 3);
	put_version(MXG_ANSWER_NODATA, 200, 300, 300, 0);
	put_live(MXG_ANSWER_RECORDS, 9);
	assert_int_equal(look(500, 100), 0);
	assert_int_equal(look(500, 101), 1);
	assert_int_equal(look(500, 200), 1);
	assert_int_equal(look(500, 201), -MXG_ANSWER_NODATA);
	assert_int_equal(look(500, 300), -MXG_ANSWER_NODATA);
	assert_int_equal(look(500, 301), 3);
	assert_int_equal(look(90000, 80000), 3);
	const struct mxg_answer *v;
	assert_int_equal(mxg_answers_versions(t, entry, &v), 3);
	assert_int_equal(v[0].from, 300);
	assert_int_equal(v[1].from, 200);
	assert_int_equal(v[2].from, 100);
}

static void test_no_answers_in_versions(void **unused)
{
	(void)unused;
	put_version(MXG_ANSWER_FAILED, 500, 0, 1000, 0); /* nobody writes that; a file may say it */
	assert_int_equal(look(1000, 0), 0);
	assert_int_equal(look(1000, 600), 0);
}

static void test_differs(void **unused)
{
	(void)unused;
	put_version(MXG_ANSWER_RECORDS, 500, 0, 1000, 1);
	assert_false(mxg_answers_live_differs(t, entry));
	put_live(MXG_ANSWER_RECORDS, 1);
	assert_false(mxg_answers_live_differs(t, entry));
	put_live(MXG_ANSWER_RECORDS, 2);
	assert_true(mxg_answers_live_differs(t, entry));
	put_live(MXG_ANSWER_NXDOMAIN, 0);
	assert_true(mxg_answers_live_differs(t, entry));
	put_live(MXG_ANSWER_FAILED, 0);
	assert_false(mxg_answers_live_differs(t, entry));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_entries),
					    TEST(test_flags),
					    TEST(test_present),
					    TEST(test_negative),
					    TEST(test_superseded_is_not_present),
					    TEST(test_past),
					    TEST(test_no_answers_in_versions),
					    TEST(test_differs) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
