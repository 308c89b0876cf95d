/* SPDX-License-Identifier: MIT */
/* The rewriting of mxguard-lda: the same whatever the pieces, and nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rewrite.h"

#define TAG "Authentication-Results: id.example;\r\n\tx-mxguard=fail\r\n"
#define FORGED "Authentication-Results: id.example; x-mxguard=pass\n"
#define TAG_LF "Authentication-Results: id.example;\n\tx-mxguard=fail\n"

static struct mxguard_policy *policy;

struct sink {
	char *bytes;
	size_t len;
};

static int to_sink(void *to, const char *bytes, size_t len)
{
	struct sink *sink = to;
	sink->bytes = realloc(sink->bytes, sink->len + len + 1);
	assert_non_null(sink->bytes);
	memcpy(sink->bytes + sink->len, bytes, len);
	sink->len += len;
	sink->bytes[sink->len] = '\0';
	return 0;
}

static struct sink run(const char *text, size_t len, const char *tag, size_t piece)
{
	struct sink sink = { NULL, 0 };
	struct mxg_lda_rewrite rewrite = { .tag = tag, .write = to_sink, .to = &sink };
	assert_int_equal(mxg_lda_rewrite_begin(&rewrite, policy), 0);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		char *exact = malloc(n);
		assert_non_null(exact);
		memcpy(exact, text + at, n);
		assert_int_equal(mxg_lda_rewrite_feed(&rewrite, exact, n), 0);
		free(exact);
	}
	assert_int_equal(mxg_lda_rewrite_end(&rewrite), 0);
	mxg_lda_rewrite_free(&rewrite);
	return sink;
}

static void test_table(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", TAG_LF },
		{ "\n", TAG_LF "\n" },
		{ "A: b\n\nbody\n", TAG_LF "A: b\n\nbody\n" },
		{ "A: b\r\n\r\nbody", TAG "A: b\r\n\r\nbody" },
		{ "From x y\nA: b\n\n" FORGED, "From x y\n" TAG_LF "A: b\n\n" FORGED },
		{ "From: x\n\n", TAG_LF "From: x\n\n" },
		{ FORGED "A: b\n\n", TAG_LF "A: b\n\n" },
		{ "A: b\n" FORGED " more\n\tmore\nC: d\n\n", TAG_LF "A: b\nC: d\n\n" },
		{ "A: b\n" FORGED, TAG_LF "A: b\n" },
		{ "A: b", TAG_LF "A: b" },
		{ "From x", "From x\n" TAG_LF },
		{ "From x\n>From y\n" FORGED "A: b\n\n", "From x\n>From y\n" TAG_LF "A: b\n\n" },
		{ FORGED FORGED "A: b\n" FORGED FORGED "\n" FORGED, TAG_LF "A: b\n\n" FORGED },
		{ FORGED, TAG_LF },
		{ "no header\n" FORGED "\nbody", TAG_LF "no header\n\nbody" },
		{ "A: b\n \nC: d\n\nx", TAG_LF "A: b\n \nC: d\n\nx" },
		{ "A: b\rC: d\n\nx", TAG_LF "A: b\rC: d\n\nx" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t piece = 1; piece < 40; piece++) {
			struct sink sink = run(rows[i].in, strlen(rows[i].in), TAG, piece);
			assert_string_equal(sink.bytes, rows[i].out);
			free(sink.bytes);
		}
	}
}

/* Longer than what is looked at of a field, and than a piece. */
static void test_overlong(void **state)
{
	static const size_t pieces[] = { 1000, 65536, 70000, 1000000 };
	size_t len = 300000;
	char *text = malloc(len + 100);
	assert_non_null(text);
	for (int forged = 0; forged < 2; forged++) {
		const char *head = forged ? "Authentication-Results: id.example; " : "X: ";
		memset(text, 'y', len);
		memcpy(text, head, strlen(head));
		strcpy(text + len, "\n folded\nB: c\n\nbody");
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			struct sink sink = run(text, strlen(text), NULL, pieces[i]);
			assert_string_equal(sink.bytes, forged ? "B: c\n\nbody" : text);
			free(sink.bytes);
		}
	}
	free(text);
}

static int setup(void **state)
{
	static const char text[] = "authserv_id = \"id.example\"; state_dir = \"/nonexistent\";\n"
				   "gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.1\"; } );\n";
	char message[256];
	return mxguard_policy_parse(&policy, text, strlen(text), "test", 0, message, sizeof(message));
}

static int teardown(void **state)
{
	mxguard_policy_unref(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_overlong),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
