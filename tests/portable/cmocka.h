/* SPDX-License-Identifier: MIT */
/* As much of cmocka as the tests of pure code use, for a C library that cmocka is not built for. The first
 * failure ends the program. */
#ifndef MXG_PORTABLE_CMOCKA_H
#define MXG_PORTABLE_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
};

#define fail_msg(...) \
	(fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define assert_true(C) ((C) ? (void)0 : (void)fail_msg("not true: %s", #C))
#define assert_false(C) ((C) ? (void)fail_msg("true: %s", #C) : (void)0)
#define assert_int_equal(A, B) ((long long)(A) == (long long)(B) ? (void)0 : (void)fail_msg("%s is not %s", #A, #B))
#define assert_int_not_equal(A, B) ((long long)(A) != (long long)(B) ? (void)0 : (void)fail_msg("%s is %s", #A, #B))
#define assert_ptr_equal(A, B) assert_true((const void *)(A) == (const void *)(B))
#define assert_null(P) assert_true((P) == NULL)
#define assert_non_null(P) assert_true((P) != NULL)
#define assert_memory_equal(A, B, N) assert_true(memcmp((A), (B), (N)) == 0)

static inline void mxg_string_equal(const char *a, const char *b, const char *file, int line)
{
	if (strcmp(a, b) == 0)
		return;
	fprintf(stderr, "%s:%d: '%s' is not '%s'\n", file, line, a, b);
	exit(1);
}
#define assert_string_equal(A, B) mxg_string_equal((A), (B), __FILE__, __LINE__)

#define test_malloc malloc
#define test_free free
#define cmocka_unit_test(F) \
	{ \
#F, (F), NULL, NULL \
	}
#define cmocka_unit_test_setup_teardown(F, S, T) \
	{ \
#F, (F), (S), (T) \
	}
#define cmocka_run_group_tests(TESTS, S, T) mxg_run((TESTS), sizeof(TESTS) / sizeof((TESTS)[0]))

static inline int mxg_run(const struct CMUnitTest *tests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		void *state = NULL;
		if (tests[i].setup != NULL && tests[i].setup(&state) != 0)
			return 1;
		tests[i].run(&state);
		if (tests[i].teardown != NULL && tests[i].teardown(&state) != 0)
			return 1;
	}
	printf("%zu passed\n", count);
	return 0;
}

#endif
