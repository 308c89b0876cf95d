/* SPDX-License-Identifier: MIT */
/* The secret of a shared gateway, looked for in headers of all shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/token_reader.h"

static const char conf[] =
	"gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.1\"; header = { name = \"X-Token\"; value = \"s3cret\"; }; "
	"},"
	"  { name = \"b\"; allow = \"ip4:192.0.2.2\"; header = { name = \"X-Other\"; value = \"two words\"; }; } );"
	"policies = ( { domains = [ \"strict.example\" ];"
	"  gateways = ( { name = \"c\"; allow = \"ip4:192.0.2.3\"; header = { name = \"x-token\"; value = \"s3cret\"; "
	"}; } ); } );";

static const struct {
	const char *header;
	bool token, other;
} rows[] = {
	{ "X-Token: s3cret\r\n\r\n", true, false },
	{ "x-TOKEN:s3cret\n\n", true, false },
	{ "X-Token : \t s3cret \t\r\n\r\n", true, false },
	{ "X-Token:\r\n s3cret\r\n\r\n", true, false },
	{ "Subject: a\r\n b\r\nX-Other: two words\r\nX-Token: s3cret\r\n\r\n", true, true },
	{ "X-Token: s3cret", true, false }, /* a header that ends without an empty line */
	{ "X-Token: wrong\nX-Token: s3cret\n\n", true, false },
	{ "X-Token: S3CRET\n\n", false, false },
	{ "X-Token: s3cret2\n\n", false, false },
	{ "X-Token: s3cre\n\n", false, false },
	{ "X-Token: s3cret s3cret\n\n", false, false },
	{ "X-Token: \"s3cret\"\n\n", false, false },
	{ "X-Token: s3cret (comment)\n\n", false, false },
	{ "X-Token:\n\n", false, false },
	{ "X-Token\n\n", false, false },
	{ "X-Token-2: s3cret\n\n", false, false },
	{ " X-Token: s3cret\n\n", false, false },
	{ "Subject: x\n X-Token: s3cret\n\n", false, false },
	{ "Subject: x\rX-Token: s3cret\n\n", false, false },
	{ "\nX-Token: s3cret\n\n", false, false }, /* in the body */
	{ "\r\nX-Token: s3cret\n\n", false, false },
	{ "Subject: x\n\nX-Other: two words\n", false, false },
	{ "X-Other: two  words\n\n", false, false },
	{ "X-Other: two\r\n words\n\n", false, false },
	{ "X-Other: s3cret\nX-Token: two words\n\n", false, false },
	{ "", false, false },
};

static void read_in_pieces(struct mxg_token_reader *r, const struct mxguard_policy *policy, const char *header,
			   size_t piece)
{
	size_t len = strlen(header);
	mxg_token_reader_init(r, policy);
	for (size_t at = 0; at < len; at += piece)
		mxg_token_reader_feed(r, header + at, len - at < piece ? len - at : piece);
	mxg_token_reader_end(r);
}

static void assert_seen(const struct mxg_token_reader *r, const char *header, bool token, bool other)
{
	const struct mxg_ruleset *all = &r->policy->rulesets[0], *strict = &r->policy->rulesets[1];
	if (mxg_token_reader_saw(r, &all->gateways[0].token) != token ||
	    mxg_token_reader_saw(r, &strict->gateways[0].token) != token ||
	    mxg_token_reader_saw(r, &all->gateways[1].token) != other)
		fail_msg("expected %d, %d: %s", token, other, header);
}

static int load(void **state)
{
	char message[500];
	return mxguard_policy_parse((struct mxguard_policy **)state, conf, sizeof(conf) - 1, "x", 0, message,
				    sizeof(message));
}

static int unload(void **state)
{
	mxguard_policy_unref(*state);
	return 0;
}

static void test_headers(void **state)
{
	struct mxg_token_reader r = { .policy = NULL };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 60; piece++) {
			read_in_pieces(&r, *state, rows[i].header, piece);
			assert_seen(&r, rows[i].header, rows[i].token, rows[i].other);
		}
}

/* A field that does not fit is no token of ours, not even its beginning; the next one is read. */
static void test_long_fields(void **state)
{
	struct mxg_token_reader r = { .policy = NULL };
	for (int len = MXG_TOKEN_FIELD_MAX - 30; len < MXG_TOKEN_FIELD_MAX + 30; len++) {
		char header[2 * MXG_TOKEN_FIELD_MAX];
		bool fits = strlen("X-Token:s3cret") + (size_t)len + 1 <= MXG_TOKEN_FIELD_MAX;
		snprintf(header, sizeof(header), "X-Token:%*ss3cret\nX-Other: two words\n\n", len, "");
		read_in_pieces(&r, *state, header, 7);
		assert_seen(&r, header, fits, true);
		snprintf(header, sizeof(header), "X-Token: s3cret%*sx\n\n", len, "");
		read_in_pieces(&r, *state, header, 7);
		assert_seen(&r, header, false, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_long_fields),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
