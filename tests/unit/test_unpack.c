/* SPDX-License-Identifier: MIT */
/* Names in DNS messages, unpacked by our own code for systems without ns_name_unpack(3): what it says of
 * anything at all is what that says. And the texts of errors, in their own way on such systems. */
#include <arpa/nameser.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/unpack.h"
#include "system/error_text.h"

static void unpacks(const char *message, size_t len, size_t at, const char *name, size_t name_len, int used)
{
	uint8_t out[NS_MAXCDNAME];
	const uint8_t *m = (const uint8_t *)message;
	assert_int_equal(mxg_name_unpack(m, m + len, m + at, out, sizeof(out)), used);
	assert_memory_equal(out, name, name_len);
}

static void test_names(void **state)
{
	unpacks("\3www\0", 5, 0, "\3www\0", 5, 5);
	unpacks("\1a\3www\xc0\0", 8, 2, "\3www\1a\3www", 10, -1); /* round and round */
	unpacks("\1a\0\3www\xc0\0", 9, 3, "\3www\1a\0", 7, 6);
	unpacks("\0", 1, 0, "\0", 1, 1);
	unpacks("\xc0\3\0\1a\0", 6, 0, "\1a\0", 3, 2);
}

static void test_what_is_none(void **state)
{
	static const struct {
		const char *message;
		size_t len, at;
	} cases[] = { { "\3ww", 3, 0 }, { "\3www", 4, 0 }, { "\xc0", 1, 0 },   { "\xc0\0", 2, 0 },
		      { "\x40", 2, 0 }, { "\x80", 2, 0 },  { "\xc0\5", 2, 0 }, { "\0", 1, 1 } };
	uint8_t out[NS_MAXCDNAME];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *m = (const uint8_t *)cases[i].message;
		assert_int_equal(mxg_name_unpack(m, m + cases[i].len, m + cases[i].at, out, sizeof(out)), -1);
	}
}

#ifdef __GLIBC__
#define ROUNDS 300000

static uint32_t state_of_random = 12345;

static unsigned pick(unsigned below)
{
	state_of_random = state_of_random * 1664525u + 1013904223u;
	return (state_of_random >> 8) % below;
}

/* Mostly labels and pointers, so that much of it is a name. */
static void fill(uint8_t *message, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned kind = pick(10);
		message[i] = (uint8_t)(kind < 5 ? pick(4) : kind < 7 ? 0xc0 : kind < 9 ? pick(64) : pick(256));
	}
}

static void test_as_the_systems_own(void **state)
{
	uint8_t message[600], ours[NS_MAXCDNAME], theirs[NS_MAXCDNAME];
	unsigned names = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t len = 1 + pick(round % 8 == 0 ? sizeof(message) : 40),
		       room = round % 4 == 0 ? 1 + pick(NS_MAXCDNAME) : NS_MAXCDNAME;
		fill(message, len);
		const uint8_t *at = message + pick((unsigned)len);
		int expected = ns_name_unpack(message, message + len, at, theirs, room);
		assert_int_equal(mxg_name_unpack(message, message + len, at, ours, room), expected);
		if (expected < 0)
			continue;
		names++;
		for (size_t i = 0;; i += 1u + theirs[i]) {
			assert_memory_equal(ours + i, theirs + i, 1u + theirs[i]);
			if (theirs[i] == 0)
				break;
		}
	}
	assert_true(names > ROUNDS / 20);
}
#endif

static void test_error_texts(void **state)
{
	assert_string_equal(mxg_error_text(ENOENT), "No such file or directory");
	assert_string_equal(mxg_error_text(EACCES), "Permission denied");
	assert_non_null(mxg_error_text(123456));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_none),
#ifdef __GLIBC__
		cmocka_unit_test(test_as_the_systems_own),
#endif
		cmocka_unit_test(test_error_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
