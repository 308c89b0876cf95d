/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dns/name.h"

static struct mxg_name from(const char *text)
{
	struct mxg_name name;
	assert_true(mxg_name_from_text(&name, text, strlen(text)));
	return name;
}

static bool refused(const char *text, size_t len)
{
	struct mxg_name name = { .len = 9 };
	return !mxg_name_from_text(&name, text, len) && name.len == 0;
}

static void test_text(void **unused)
{
	(void)unused;
	char buf[MXG_NAME_TEXT_MAX];
	struct mxg_name a = from("WWW.Example.TEST"), b = from("www.example.test.");
	assert_true(mxg_name_equal(&a, &b));
	assert_int_equal(mxg_name_hash(&a), mxg_name_hash(&b));
	assert_int_equal(mxg_name_labels(&a), 3);
	assert_string_equal(mxg_name_format(&a, buf), "www.example.test");
	assert_true(mxg_name_from_text(&a, "a\0b\\\"c d\xff.x", 11));
	assert_string_equal(mxg_name_format(&a, buf), "a\\000b\\092\"c\\032d\\255.x");
	assert_true(refused("", 0));
	assert_true(refused(".", 1));
	assert_true(refused("..", 2));
	assert_true(refused("a..b", 4));
	assert_true(refused(".a", 2));
	assert_true(refused("a..", 3));
}

static void test_lengths(void **unused)
{
	(void)unused;
	char text[300], buf[MXG_NAME_TEXT_MAX];
	memset(text, 'a', sizeof(text));
	assert_true(refused(text, 64));
	text[63] = text[127] = text[191] = '.';
	struct mxg_name name;
	assert_true(mxg_name_from_text(&name, text, 253));
	assert_int_equal(name.len, 255);
	assert_true(refused(text, 254));
	memset(text, 0x80, sizeof(text)); /* the longest text there is */
	text[63] = text[127] = text[191] = '.';
	assert_true(mxg_name_from_text(&name, text, 253));
	assert_true(strlen(mxg_name_format(&name, buf)) < sizeof(buf));
}

static void test_within(void **unused)
{
	(void)unused;
	struct mxg_name parent = from("x.test"), root = { .len = 1 }, none = { 0 };
	struct mxg_name same = from("X.test"), below = from("a.b.x.test"), beside = from("ax.test"),
			above = from("test");
	assert_true(mxg_name_within(&same, &parent));
	assert_true(mxg_name_within(&below, &parent));
	assert_false(mxg_name_within(&beside, &parent));
	assert_false(mxg_name_within(&above, &parent));
	assert_true(mxg_name_within(&below, &root));
	assert_false(mxg_name_within(&below, &none));
	assert_false(mxg_name_within(&none, &parent));
	struct mxg_name trick = from("a\x01x\x04test"); /* the parent's bytes inside a label */
	assert_false(mxg_name_within(&trick, &parent));
}

static void test_wire(void **unused)
{
	(void)unused;
	struct mxg_name a = from("a.b.test"), b;
	assert_true(mxg_name_from_wire(&b, (const uint8_t *)"\1A\1b\4TEST", 10));
	assert_true(mxg_name_equal(&a, &b));
	assert_true(mxg_name_from_wire(&b, (const uint8_t *)"", 1));
	assert_int_equal(b.len, 1);
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = { { "", 0 },       { "\1a", 2 },   { "\2a", 3 }, { "\1a\0x", 4 },
		    { "\300\0", 2 }, { "\100a", 3 }, { "\0\0", 2 } };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(mxg_name_from_wire(&b, (const uint8_t *)bad[i].bytes, bad[i].len));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_text), cmocka_unit_test(test_lengths),
					    cmocka_unit_test(test_within), cmocka_unit_test(test_wire) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
