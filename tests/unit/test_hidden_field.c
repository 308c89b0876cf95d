/* SPDX-License-Identifier: MIT */
/* Fields of ours that only readers see who end lines elsewhere than at LF: what is left shows none to them either, and
 * what need not be touched is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mxguard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME "Authentication-Results"
#define OURS NAME ": id.example.com; x-mxguard=pass"
#define THEIRS NAME ": other.example.com; spf=pass"
#define SAME NULL

static const char conf[] = "authserv_id = \"id.example.com\"; gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.1\";"
			   " header = { name = \"X-Token\"; value = \"s3cret\"; }; },"
			   " { name = \"b\"; allow = \"ip4:192.0.2.2\";"
			   " header = { name = \"X-X-Token\"; value = \"s3cret\"; }; } );";

static struct mxguard_filter *filter;
static char left[1 << 20];
static size_t left_len;
static uint64_t until;

static void keep(const char *message, uint64_t from, uint64_t to)
{
	memcpy(left + left_len, message + from, to - from);
	left_len += to - from;
}

static void leave_out(const char *message)
{
	uint64_t from, to;
	mxguard_filter_cut(filter, &from, &to);
	assert_true(from >= until && to > from);
	keep(message, until, from);
	until = to;
}

/* In pieces of that size, each in memory of its own. */
static void feed(const char *message, size_t at, size_t len)
{
	char *exact = malloc(len);
	size_t taken = 0, used;
	int result = MXGUARD_FILTER_RESULT_CUT;
	uint64_t final = mxguard_filter_final(filter);
	memcpy(exact, message + at, len);
	while (result == MXGUARD_FILTER_RESULT_CUT) {
		result = mxguard_filter_feed(filter, exact + taken, len - taken, &used);
		taken += used;
		if (result == MXGUARD_FILTER_RESULT_CUT) {
			leave_out(message);
			assert_true(until > final && until <= at + taken);
		}
	}
	free(exact);
}

static void run(const char *message, size_t len, size_t piece)
{
	mxguard_filter_reset(filter);
	left_len = until = 0;
	for (size_t at = 0; at < len; at += piece)
		feed(message, at, len - at < piece ? len - at : piece);
	while (mxguard_filter_end(filter) == MXGUARD_FILTER_RESULT_CUT)
		leave_out(message);
	keep(message, until, len);
}

static void expect(const char *message, size_t len, const char *kept, size_t kept_len)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 127, 128, 129, 4096, 4097, 16384, 1 << 20 };
	for (size_t i = 0; i < COUNT(pieces); i++) {
		run(message, len, pieces[i]);
		if (left_len != kept_len || memcmp(left, kept, kept_len) != 0)
			fail_msg("pieces of %zu: <%.*s> of <%s>", pieces[i], (int)left_len, left, message);
	}
}

static const struct {
	const char *message, *kept;
} rows[] = {
	/* every break, alone and several, with controls among them */
	{ "S: x\r" OURS "\r\nT: y\r\n\r\n", "S: x" OURS "\r\nT: y\r\n\r\n" },
	{ "S: x\r" OURS "\nT: y\n\n", "S: x" OURS "\nT: y\n\n" },
	{ "S: x\v" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\f" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\x1c" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\x1d" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\x1e" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\xc2\x85" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\xe2\x80\xa8" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\xe2\x80\xa9" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\r\r\v\x01\xe2\x80\xa8\x7f" OURS "\n\n", "S: x" OURS "\n\n" },
	{ "S: x\r\xe2\x80" OURS "\n\n", SAME }, /* no name begins with that */
	/* the name in any case and in strange forms; whose it is does not count, the words stay */
	{ "S: x\rauthentication-RESULTS\t(c) : id.example.com; a=b\n\n",
	  "S: xauthentication-RESULTS\t(c) : id.example.com; a=b\n\n" },
	{ "S: x\rAuthentication-\x01Results: id.example.com; a=b\n\n",
	  "S: xAuthentication-\x01Results: id.example.com; a=b\n\n" },
	{ "S: x\r" NAME "\r\n : id.example.com; a=b\n\n", "S: x" NAME "\r\n : id.example.com; a=b\n\n" },
	{ "S: x\r" THEIRS "\n\n", "S: x" THEIRS "\n\n" },
	{ "S: x\rx-token: guess\n\n", "S: xx-token: guess\n\n" },
	/* several, and where they are */
	{ "S: x\rA: b\r" OURS "\rX-Token: c\r" OURS "\n\n", "S: x\rA: b" OURS "X-Token: c" OURS "\n\n" },
	{ "S: x\r" NAME " \r" OURS "\n\n", "S: x" NAME " " OURS "\n\n" },
	{ "S: x\r" NAME "\r" OURS "\n\n", "S: x" NAME OURS "\n\n" },
	{ "S\r" OURS "\n\n", "S" OURS "\n\n" },
	{ "S\r\xe2\x80\r" OURS "\n\n", "S\r\xe2\x80" OURS "\n\n" },
	{ "S: x\n\ty\r" OURS "\n\n", "S: x\n\ty" OURS "\n\n" },
	{ "S: x\n\ty\rX-X-\rX-Token: a\n\n", "S: x\n\ty\rX-X-X-Token: a\n\n" },
	{ "no field\r" OURS "\n\n", "no field" OURS "\n\n" },
	{ "From a\r" OURS "\nA: b\n\n", "From a" OURS "\nA: b\n\n" },
	{ "From a\n>From a\r" OURS "\nA: b\n\n", "From a\n>From a" OURS "\nA: b\n\n" },
	{ "Message-ID: <a>\r" OURS "\n\n", "Message-ID: <a>" OURS "\n\n" },
	{ "S: x\r" OURS, "S: x" OURS },
	/* inside one that may have to go itself */
	{ "A: b\n" THEIRS "\r" OURS "\nC: d\n\n", "A: b\nC: d\n\n" },
	{ "A: b\nX-Tok\rX-Token: d\nC: d\n\n", "A: b\nX-TokX-Token: d\nC: d\n\n" },
	{ "A: b\nX-\rX-Token: d\r" OURS "\nC: d\n\n", "A: b\nC: d\n\n" },
	{ "A: b\n\r" OURS "\nC: d\n\n", "A: b\nC: d\n\n" },
	{ "A: b\n\r" THEIRS "\nC: d\n\n", SAME },
	{ "A: b\n\xe2\x80\xa8" OURS "\nC: d\n\n", "A: b\nC: d\n\n" },
	{ "A: b\n\x1e\xe2\x80\xa8X-Token \t: guess\nC: d\n\n", "A: b\nC: d\n\n" },
	{ "A: b\n\xe2\x80\xa8" THEIRS "\nC: d\n\n", SAME },
	{ " \r" OURS "\nC: d\n\n", "C: d\n\n" },
	{ THEIRS "\r\n\tb\n\n", SAME },
	/* what is none */
	{ "S: x\r " OURS "\n\n", SAME },
	{ "S: x\r\t" OURS "\n\n", SAME },
	{ "S: x\rX-" OURS "\n\n", SAME },
	{ "S: x\rAuthentication-Result: id.example.com\n\n", SAME },
	{ "S: x\rAuth\nentication-Results: id.example.com\n\n", SAME },
	{ "S: x\rAuthentication\n\n", SAME },
	{ "S: " OURS "\n\n", SAME },
	{ "S: x\ry\rz\r\n\r\n", SAME },
	{ "S: \xe2\x80\x9cx\xe2\x80\x9d \xc2\xa7\n\n", SAME },
	{ "S: x\r\r\nT: y\r\r\n\r\n\r" OURS, SAME },
	{ "S: x\n\nT: y\r" OURS "\n", SAME }, /* the body */
	/* an end of the header that SpamAssassin does not believe; and one that everybody does */
	{ "S: x\n\r\n" OURS "\nT: y\n\n" OURS "\n", "S: x\n\r\nT: y\n\n" OURS "\n" },
	{ "S: x\n\r\nT: y\r" OURS "\n\r\n" OURS, "S: x\n\r\nT: y" OURS "\n\r\n" },
	{ "From a\n\r\n" OURS "\nbody", "From a\n\r\nbody" },
	{ "S: x\r\n\r\n" OURS "\r\n", SAME },
	{ "S: x\r\nT: y\n\r\n" OURS "\r\n", SAME },
	{ "S: x\r\n\n" OURS "\r\n", SAME },
	{ "\r\n" OURS "\n", SAME },
};

static void test_rows(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *message = rows[i].message, *kept = rows[i].kept == SAME ? message : rows[i].kept;
		expect(message, strlen(message), kept, strlen(kept));
	}
}

static void test_nul(void **state)
{
	static const char message[] = "S: x\r\0" OURS "\n\n", kept[] = "S: x" OURS "\n\n";
	expect(message, sizeof(message) - 1, kept, sizeof(kept) - 1);
}

/* Behind more than is kept of a field, and behind more breaks than a name is long. */
static void test_long(void **state)
{
	static const struct {
		const char *begin, *fill, *end, *kept;
	} long_rows[] = {
		{ "S: x", "yz ", "\r" OURS "\n\n", "yz " },
		{ "S: x", "yz\n ", "\r" OURS "\n\n", "yz\n " },
		{ "Message-ID: x", "yz ", "\r" OURS "\n\n", "yz " },
		{ THEIRS, "; a=b", "\r" OURS "\n\n", "; a=b" },
		{ "S: x", "\r", OURS "\n\n", "" },
		{ "S: x", "\r\x01", OURS "\n\n", "" },
		{ "From a", " b", "\r" OURS "\n\n", " b" },
	};
	static char message[70000], kept[70000];
	for (size_t i = 0; i < COUNT(long_rows); i++) {
		size_t n = (size_t)sprintf(message, "%s", long_rows[i].begin), m = (size_t)sprintf(kept, "%s", message);
		while (n < 60000) {
			n += (size_t)sprintf(message + n, "%s", long_rows[i].fill);
			m += (size_t)sprintf(kept + m, "%s", long_rows[i].kept);
		}
		n += (size_t)sprintf(message + n, "%s", long_rows[i].end);
		m += (size_t)sprintf(kept + m, "%s", long_rows[i].end + (*long_rows[i].end == '\r'));
		expect(message, n, kept, m);
	}
}

static int setup(void **state)
{
	struct mxguard_policy *policy;
	char message[500];
	if (mxguard_policy_parse(&policy, conf, sizeof(conf) - 1, "x", 0, message, sizeof(message)) != 0)
		return -1;
	int result = mxguard_filter_new(&filter, policy, 0);
	mxguard_policy_unref(policy);
	return result;
}

static int teardown(void **state)
{
	mxguard_filter_free(filter);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_nul),
					    cmocka_unit_test(test_long) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
