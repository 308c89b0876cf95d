/* SPDX-License-Identifier: MIT */
/* One header, several readers: the trace, the tokens of shared gateways, and what is removed.
 * They must see the same fields and the same end, in whatever pieces the header comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/removed_field.h"
#include "check/token_reader.h"
#include "mxguard.h"
#include "received/trace.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AR "Authentication-Results: "
#define OURS AR "id.example.com; x-mxguard=pass"
#define THEIRS AR "other.example.com; spf=pass"
#define TOKEN "X-Token: s3cret"
#define HOP \
	"Received: from a (a [203.0.113.66]) by mx.example.com (Postfix) with ESMTP id 4X1; Mon, 23 Nov 2026 " \
	"10:00:00 +0000\n"

static const char conf[] = "mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
			   "gateways = ( { name = \"shared\"; allow = \"ip4:192.0.2.0/24\";"
			   "  header = { name = \"X-Token\"; value = \"s3cret\"; }; } );";

static struct mxguard_policy *policy;

/* ---- one field ------------------------------------------------------------------------------- */

static void test_removed_fields(void **state)
{
	static const struct {
		const char *field;
		int removed;
	} rows[] = {
		{ "Authentication-Results: id.example.com; spf=pass\r\n", 1 },
		{ "authentication-RESULTS:ID.Example.COM;none", 1 },
		{ "Authentication-Results: id.example.com", 1 },
		{ "Authentication-Results: id.example.com 1; none\n", 1 },
		{ "Authentication-Results \t: id.example.com; none\n", 1 },
		{ "Authentication-Results:\r\n id.example.com;\r\n none\r\n", 1 },
		{ "Authentication-Results: (a (nested \\) ) comment)\r\n\tid.example.com; none\r\n", 1 },
		{ "Authentication-Results: id.example.com(comment); none\n", 1 },
		{ "Authentication-Results: \"id.example.com\"; none\n", 1 },
		{ "Authentication-Results: \"id\\.example.com\"; none\n", 1 },
		{ "Authentication-Results: \"id.example.com; none\n", 1 }, /* does not end */
		{ "Authentication-Results: (id.example.com; none\n", 1 },
		{ "Authentication-Results: id.example.com\xa0; none\n", 1 },
		{ "Authentication-Results: \xc2\xa0id.example.com; none\n", 1 },
		{ "Authentication-Results: id.example\xff.com; none\n", 1 },
		{ "Authentication-Results: b\xc3\xbc.id.example.com; none\n", 0 },
		{ "Authentication-Results: other.example.com; x=id.example.com\n", 0 },
		{ "Authentication-Results: (id.example.com) other.example.com; none\n", 0 },
		{ "Authentication-Results: sub.id.example.com; none\n", 0 },
		{ "Authentication-Results: id.example.com.evil.example; none\n", 0 },
		{ "Authentication-Results: id.example.co; none\n", 0 },
		{ "Authentication-Results:\r\n", 0 },
		{ "Authentication-Results", 0 },
		{ "X-Authentication-Results: id.example.com; none\n", 0 },
		{ "Authentication-Results-Old: id.example.com; none\n", 0 },
		{ "ARC-Authentication-Results: i=1; id.example.com; none\n", 0 },
		{ "X-Token: anything\r\n", 1 },
		{ "x-TOKEN : s3cret\n", 1 },
		{ "X-Token-Not: s3cret\n", 0 },
		{ "X-Tok: s3cret\n", 0 },
		{ "X-Token\n", 0 },
		{ "Subject: id.example.com\n", 0 },
		{ ":", 0 },
		/* strange ways to write the name */
		{ "Authentication-Results (c): id.example.com; none\n", 1 },
		{ "Authentication-Results (a:b): id.example.com; none\n", 1 },
		{ "Authentication-Results\r\n : id.example.com; none\r\n", 1 },
		{ "Authentication-Results\v: id.example.com; none\n", 1 },
		{ "\fAuthentication-Results: id.example.com; none\n", 1 },
		{ "\rAuthentication-Results: id.example.com; none\n", 1 },
		{ " Authentication-Results: id.example.com; none\n", 1 },
		{ "Authentication\001-Results: id.example.com; none\n", 1 },
		{ "Authentication-Results x: id.example.com; none\n", 1 },
		{ "Authentication-Results (c): other.example.com; none\n", 0 },
		{ "Authentication-Results (: id.example.com (c)\n", 1 },
		{ "\n \n X-Token: s3cret\n", 1 },
		{ "X-Token (c): s3cret\n", 1 },
		{ "X-Token\v: s3cret\n", 1 },
		{ "X-\001Token: s3cret\n", 1 },
		{ "X-Token\r\n : s3cret\n", 1 },
		/* and the name of the server */
		{ AR "\vid.example.com; none\n", 1 },
		{ AR "\fid.example.com; none\n", 1 },
		{ AR "i\001d.example.com; none\n", 1 },
		{ AR "\rid.example.com; none\n", 1 },
		{ AR "other.example\vid.example.com; none\n", 1 },
		{ AR "id.example.com.; none\n", 1 },
		{ AR "id.example.com..; none\n", 1 },
		{ AR "id . example(c).\r\n com; none\n", 1 },
		{ AR "\"id\".example.com; none\n", 1 },
		{ AR "\"ID.\r\n Example.com\"; none\n", 1 },
		{ AR "<id.example.com>; none\n", 1 },
		{ AR "; id.example.com; none\n", 1 },
		{ AR "=?us-ascii?q?id=2Eexample.com?=; none\n", 1 },
		{ AR "\"=?us-ascii?b?aWQuZXhhbXBsZS5jb20=?=\"; none\n", 1 },
		{ AR "\357\275\211d.example.com; none\n", 1 }, /* a fullwidth i */
		{ AR "(a\\) id.example.com; none) other.example.com; none\n", 1 }, /* ends at \) for some */
		{ AR "(a (b) id.example.com; none) other.example.com; none\n", 1 }, /* does not nest for some */
		/* those of others */
		{ AR "(a \\(b\\) (c)) other.example.com; none\n", 0 },
		{ AR "spf=pass smtp.mailfrom=a@id.example.com; dkim=none\n", 0 }, /* there are such, without a name */
		{ AR "spf = pass smtp.mailfrom=id.example.com\n", 0 },
		{ AR "other.example.com 1; none\n", 0 },
		{ AR "other.example.com/1; x=id.example.com\n", 0 },
		{ AR "other.example.com;\v id.example.com\n", 0 },
		{ AR "b\303\274cher.example; x=id.example.com\n", 0 },
		{ AR "\"other.example.com\"; x=id.example.com\n", 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].field);
		char *exact = malloc(len); /* without a NUL: ASan sees a read behind it */
		assert_non_null(exact);
		memcpy(exact, rows[i].field, len);
		if (mxg_removed_field_is(&(struct mxg_removed){ policy, false }, exact, len, false) != rows[i].removed)
			fail_msg("expected %d: %s", rows[i].removed, rows[i].field);
		free(exact);
	}
	/* a NUL, as any other control */
	static const char nul[] = AR "id\0.example.com; none\n";
	assert_true(mxg_removed_field_is(&(struct mxg_removed){ policy, false }, nul, sizeof(nul) - 1, false));
}

/* ---- all readers over the same headers ----------------------------------------------------------- */

static const struct {
	const char *header; /* HOP and TOKEN stand in it where they count, OURS in different places */
	const char *kept;
	enum mxg_trace_outcome outcome;
	bool token;
} rows[] = {
	/* CR alone neither ends a header nor a line */
	{ "A: b\n\rC: d\n" TOKEN "\n" OURS "\n\n" OURS, "A: b\n\rC: d\n\n" OURS, MXG_TRACE_UNREADABLE, true },
	{ "\r\r\n" TOKEN "\n\n", "\r\r\n\n", MXG_TRACE_UNREADABLE, true },
	{ "A: b\r" TOKEN "\n\n", "A: b" TOKEN "\n\n", MXG_TRACE_NONE, false },
	{ "A: b\r\n" HOP "\r\n" TOKEN, "A: b\r\n" HOP "\r\n" TOKEN, MXG_TRACE_EXTERNAL, false },
	/* only what is removed is looked for also behind an end that not everybody believes */
	{ HOP "A: b\r\n\r\n" TOKEN, HOP "A: b\r\n\r\n", MXG_TRACE_EXTERNAL, false },
	/* a line of blanks belongs to the field above */
	{ "A: b\n \t\n" TOKEN "\n" OURS "\n\nx", "A: b\n \t\n\nx", MXG_TRACE_NONE, true },
	{ OURS "\n \r\n\tc\nA: b\n\n", "A: b\n\n", MXG_TRACE_NONE, false },
	{ " \n" TOKEN "\n\n", " \n\n", MXG_TRACE_UNREADABLE, true },
	/* mbox */
	{ "From a Mon Nov 23 22:15:00 2026\n" HOP TOKEN "\n\n", "From a Mon Nov 23 22:15:00 2026\n" HOP "\n",
	  MXG_TRACE_EXTERNAL, true },
	{ "From a\n>From b\n" HOP OURS "\n\n", "From a\n>From b\n" HOP "\n", MXG_TRACE_EXTERNAL, false },
	{ HOP ">From b\n" TOKEN "\n\n", HOP ">From b\n\n", MXG_TRACE_EXTERNAL, true },
	{ "From a\n " TOKEN "\n" HOP "\n", "From a\n" HOP "\n", MXG_TRACE_UNREADABLE, false },
	{ "A: b\nFrom a\n" TOKEN "\n\n", "A: b\nFrom a\n\n", MXG_TRACE_UNREADABLE, true },
	{ "From a", "From a", MXG_TRACE_NONE, false },
	/* lines that are no fields */
	{ "no field\n" TOKEN "\n" OURS "\n\n", "no field\n\n", MXG_TRACE_UNREADABLE, true },
	{ ": " TOKEN "\n" TOKEN "\n\n", ": " TOKEN "\n\n", MXG_TRACE_UNREADABLE, true },
	{ HOP "no field", HOP "no field", MXG_TRACE_EXTERNAL, false },
	/* the end */
	{ "", "", MXG_TRACE_NONE, false },
	{ "\n" TOKEN "\n", "\n" TOKEN "\n", MXG_TRACE_NONE, false },
	{ "\r\n" TOKEN "\n", "\r\n" TOKEN "\n", MXG_TRACE_NONE, false },
	{ TOKEN, "", MXG_TRACE_NONE, true },
	{ "A: b\n" OURS, "A: b\n", MXG_TRACE_NONE, false },
	{ "A: b\n\r", "A: b\n\r", MXG_TRACE_NONE, false },
	/* strange names give no right, and go all the same */
	{ "X-Token (c): s3cret\n" THEIRS "\n\n", THEIRS "\n\n", MXG_TRACE_UNREADABLE, false },
	{ "X-Token \t : s3cret\n" OURS "\n" THEIRS "\n" OURS "\n\n", THEIRS "\n\n", MXG_TRACE_NONE, true },
};

/* The trace, the token reader and the filter, each fed with bytes of its own memory. */
struct readers {
	struct mxg_trace trace;
	struct mxg_token_reader tokens;
	struct mxguard_filter *filter;
	uint64_t fed, final, cut_from, cut_to;
	char gone[65536]; /* a byte of the message each: it was cut */
};

static struct readers readers;

static void begin(void)
{
	static struct mxg_trace_rules rules = { .belief = MXG_TRACE_ANY };
	mxg_trace_init(&readers.trace, &rules);
	mxg_token_reader_init(&readers.tokens, policy);
	mxguard_filter_reset(readers.filter);
	readers.fed = readers.final = readers.cut_to = 0;
	memset(readers.gone, 0, sizeof(readers.gone));
}

static void note_cut(void)
{
	uint64_t from, to;
	mxguard_filter_cut(readers.filter, &from, &to);
	assert_true(from >= readers.cut_to && from >= readers.final && to > from && to <= readers.fed);
	memset(readers.gone + from, 1, to - from);
	readers.cut_to = to;
}

static void feed_filter(const char *bytes, size_t len)
{
	size_t used, at = 0;
	int result;
	readers.fed += len;
	do {
		result = mxguard_filter_feed(readers.filter, bytes + at, len - at, &used);
		at += used;
		if (result == MXGUARD_FILTER_RESULT_CUT)
			note_cut();
	} while (result == MXGUARD_FILTER_RESULT_CUT);
	uint64_t final = mxguard_filter_final(readers.filter);
	assert_true(final >= readers.final && (final == UINT64_MAX || final <= readers.fed));
	assert_true(readers.fed <= 16384 || final >= readers.fed - 16384);
	readers.final = final == UINT64_MAX ? readers.final : final;
}

static void feed(const char *bytes, size_t len)
{
	char *exact = malloc(len == 0 ? 1 : len);
	assert_non_null(exact);
	memcpy(exact, bytes, len);
	mxg_trace_feed(&readers.trace, exact, len);
	mxg_token_reader_feed(&readers.tokens, exact, len);
	feed_filter(exact, len);
	free(exact);
}

static void end(void)
{
	mxg_trace_end(&readers.trace);
	mxg_token_reader_end(&readers.tokens);
	while (mxguard_filter_end(readers.filter) == MXGUARD_FILTER_RESULT_CUT)
		note_cut();
}

static void check(const char *header, size_t len, const char *kept, enum mxg_trace_outcome outcome, bool token)
{
	static char rest[sizeof(readers.gone) + 1];
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		if (!readers.gone[i])
			rest[n++] = header[i];
	rest[n] = '\0';
	if (strcmp(rest, kept) != 0)
		fail_msg("kept <%s> of <%s>", rest, header);
	if (readers.trace.outcome != outcome)
		fail_msg("trace %s: <%s>", mxg_trace_outcome_name(readers.trace.outcome), header);
	if (mxg_token_reader_saw(&readers.tokens, &policy->rulesets[0].gateways[0].token) != token)
		fail_msg("token %d: <%s>", !token, header);
}

static void test_every_reader_in_every_split(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *header = rows[i].header;
		size_t len = strlen(header);
		for (size_t piece = 1; piece <= len + 1; piece++) {
			begin();
			for (size_t at = 0; at < len; at += piece)
				feed(header + at, len - at < piece ? len - at : piece);
			end();
			check(header, len, rows[i].kept, rows[i].outcome, rows[i].token);
		}
		for (size_t first = 0; first <= len; first++) {
			begin();
			feed(header, first);
			feed(header + first, len - first);
			end();
			check(header, len, rows[i].kept, rows[i].outcome, rows[i].token);
		}
	}
}

/* Folded by comments, or by blanks, past every limit: it goes if it could be ours. */
static void test_long_fields(void **state)
{
	static const struct {
		const char *begin, *fill, *end;
		bool goes;
	} long_rows[] = {
		{ AR, "(c)\n ", "id.example.com; none\n", true },
		{ AR, " \n ", "id.example.com; none\n", true },
		{ AR, "(c)\n ", "other.example.com; none\n", true }, /* nobody reads so far */
		{ AR "other.example.com; ", "x=y (id.example.com)\n ", "z\n", false },
		{ AR "id.example.com; ", "x=y;\n ", "z\n", true },
		{ "Authentication-Results", " ", ": id.example.com; none\n", true },
		{ "Authentication-Results", "(c:)", ": id.example.com; none\n", true },
		{ "", "\001", OURS "\n", true },
		{ "X-Token", "\t", ": s3cret\n", true },
		{ "X-Token: ", "s3cret", "\n", true },
		{ "X-Other: ", "s3cret\n ", "\n", false },
		{ "Subject: ", OURS "\n ", "\n", false },
	};
	static char header[60000], kept[60000];
	static const size_t pieces[] = { 1, 7, 127, 128, 129, 4096, 16384, 16385, 60000 };
	for (size_t i = 0; i < COUNT(long_rows); i++) {
		size_t len = (size_t)sprintf(header, "A: b\n%s", long_rows[i].begin), step = strlen(long_rows[i].fill);
		for (; len < 50000; len += step)
			memcpy(header + len, long_rows[i].fill, step);
		len += (size_t)sprintf(header + len, "%s" HOP "\n", long_rows[i].end);
		sprintf(kept, long_rows[i].goes ? "A: b\n" HOP "\n" : "%s", header);
		bool named =
			strcspn(header + 5, ":") < 127 && strcspn(header + 5, " \t\001") > strcspn(header + 5, ":");
		for (size_t p = 0; p < COUNT(pieces); p++) {
			begin();
			for (size_t at = 0; at < len; at += pieces[p])
				feed(header + at, len - at < pieces[p] ? len - at : pieces[p]);
			end();
			check(header, len, kept, named ? MXG_TRACE_EXTERNAL : MXG_TRACE_UNREADABLE, false);
		}
	}
}

/* ---- our own field, and Message-ID ------------------------------------------------------------- */

static void test_top_and_message_id(void **state)
{
	static const struct {
		const char *message, *id;
		uint64_t top;
		const char *field;
	} top_rows[] = {
		{ "", NULL, 0, "T: x\n\ty\n" },
		{ "A: b\r\nMessage-ID: <a@b>\r\n\r\n", "a@b", 0, "T: x\r\n\ty\r\n" },
		{ "A: b\nmessage-id :\n a@b \n\n", "a@b", 0, "T: x\n\ty\n" },
		{ "From x\r\nA: b\r\n\r\n", NULL, 8, "T: x\r\n\ty\r\n" },
		{ "From x\n>From y\n>From z\nA: b\n", NULL, 23, "T: x\n\ty\n" },
		{ "From x\n\nMessage-ID: <a@b>\n", NULL, 7, "T: x\n\ty\n" },
		{ "From x\n", NULL, 7, "T: x\n\ty\n" },
		{ "From x", NULL, 6, "\nT: x\n\ty\n" },
		{ "From: x\n", NULL, 0, "T: x\n\ty\n" },
		{ "A: b\n>From x\n", NULL, 0, "T: x\n\ty\n" },
		{ "A: b\nMessage-ID: <1>\nMessage-ID: <2>\n\n", "1", 0, "T: x\n\ty\n" },
	};
	for (size_t i = 0; i < COUNT(top_rows); i++) {
		const char *message = top_rows[i].message, *id;
		char buffer[64];
		uint64_t top;
		size_t len = strlen(message);
		for (size_t piece = 1; piece <= len + 1; piece++) {
			begin();
			for (size_t at = 0; at < len; at += piece) {
				feed(message + at, len - at < piece ? len - at : piece);
				/* what is final before the top is known stands above it */
				assert_true(mxguard_filter_top(readers.filter, &top) == 1 ||
					    mxguard_filter_final(readers.filter) <= top_rows[i].top);
			}
			end();
			assert_int_equal(mxguard_filter_top(readers.filter, &top), 1);
			assert_int_equal(top, top_rows[i].top);
			int n = mxguard_filter_on_top(readers.filter, "T: x\r\n\ty\r\n", buffer, sizeof(buffer));
			assert_string_equal(buffer, top_rows[i].field);
			assert_int_equal(n, strlen(buffer));
			id = mxguard_filter_message_id(readers.filter);
			assert_true((id == NULL) == (top_rows[i].id == NULL));
			if (id != NULL)
				assert_string_equal(id, top_rows[i].id);
		}
	}
}

static void test_wrong_use(void **state)
{
	struct mxguard_filter *filter;
	char buffer[8];
	size_t used;
	assert_int_equal(mxguard_filter_new(&filter, policy, 2), MXGUARD_ERROR_INVALID);
	assert_null(filter);
	assert_int_equal(mxguard_filter_new(&filter, NULL, 0), MXGUARD_ERROR_INVALID);
	begin();
	assert_int_equal(mxguard_filter_feed(readers.filter, NULL, 1, &used), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_filter_feed(readers.filter, "x", 1, NULL), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_filter_on_top(readers.filter, "123456", buffer, sizeof(buffer)),
			 MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_filter_on_top(readers.filter, "12345", buffer, sizeof(buffer)), 5);
	mxguard_filter_free(NULL);
}

/* Of a message with a result that claims to be ours and a secret, all that is cut. */
static uint64_t cut_by(unsigned flags, const char *message)
{
	struct mxguard_filter *filter;
	uint64_t all = 0, from, to;
	size_t at = 0, used;
	int result;
	assert_int_equal(mxguard_filter_new(&filter, policy, flags), MXGUARD_ERROR_NONE);
	do {
		result = mxguard_filter_feed(filter, message + at, strlen(message) - at, &used);
		at += used;
		if (result == MXGUARD_FILTER_RESULT_CUT) {
			mxguard_filter_cut(filter, &from, &to);
			all += to - from;
		}
	} while (result == MXGUARD_FILTER_RESULT_CUT);
	mxguard_filter_free(filter);
	return all;
}

static void test_secrets_may_stay(void **state)
{
	static const char results[] = "Authentication-Results: id.example.com; x=pass\r\n", secret[] = TOKEN "\r\n";
	char message[256];
	snprintf(message, sizeof(message), "Subject: x\r\n%s%s\r\n", secret, results);
	assert_int_equal(cut_by(0, message), strlen(results) + strlen(secret));
	assert_int_equal(cut_by(MXGUARD_FILTER_FLAG_KEEP_SECRETS, message), strlen(results));
}

static int setup(void **state)
{
	char message[500];
	if (mxguard_policy_parse(&policy, conf, sizeof(conf) - 1, "x", 0, message, sizeof(message)) != 0)
		return -1;
	return mxguard_filter_new(&readers.filter, policy, 0);
}

static int teardown(void **state)
{
	mxguard_filter_free(readers.filter);
	mxguard_policy_unref(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removed_fields), cmocka_unit_test(test_every_reader_in_every_split),
		cmocka_unit_test(test_long_fields),    cmocka_unit_test(test_top_and_message_id),
		cmocka_unit_test(test_wrong_use),      cmocka_unit_test(test_secrets_may_stay),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
