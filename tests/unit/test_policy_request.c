/* SPDX-License-Identifier: MIT */
/* Requests and replies of `mxguard policy`: whole, cut, hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/request.h"
#include "service/response.h"
#include "service/tagged.h"

#define HEAD "request=smtpd_access_policy\n"

/* An exact copy, so that a sanitizer sees a byte read beyond. */
static const char *parse(struct mxg_request *r, char **copy, const char *text)
{
	size_t len = strlen(text);
	*copy = malloc(len == 0 ? 1 : len);
	assert_non_null(*copy);
	memcpy(*copy, text, len);
	return mxg_request_parse(r, *copy, len);
}

static void test_postfix(void **state)
{
	struct mxg_request r;
	char *copy;
	assert_null(parse(&r, &copy,
			  HEAD "protocol_state=RCPT\nprotocol_name=ESMTP\nhelo_name=some.domain.tld\n"
			       "queue_id=8045F2AB23\nsender=foo@bar.tld\nrecipient=bar@foo.tld\n"
			       "client_address=1.2.3.4\nsasl_username=\ninstance=123.456.7\nccert_subject=a=b=c\n\n"));
	assert_int_equal(r.form, MXG_REQUEST_POSTFIX);
	assert_string_equal(r.protocol_state, "RCPT");
	assert_string_equal(r.helo_name, "some.domain.tld");
	assert_string_equal(r.queue_id, "8045F2AB23");
	assert_string_equal(r.sender, "foo@bar.tld");
	assert_string_equal(r.recipient, "bar@foo.tld");
	assert_string_equal(r.client_address, "1.2.3.4");
	assert_string_equal(r.sasl_username, "");
	assert_string_equal(r.instance, "123.456.7");
	free(copy);
}

static void test_line(void **state)
{
	struct mxg_request r;
	char *copy;
	assert_null(parse(&r, &copy, "check client_address=2001:db8::1 recipient=a@b sender=\"\"  helo_name=x\r\n"));
	assert_int_equal(r.form, MXG_REQUEST_LINE);
	assert_string_equal(r.client_address, "2001:db8::1");
	assert_string_equal(r.recipient, "a@b");
	assert_string_equal(r.helo_name, "x");
	assert_string_equal(r.sender, "");
	assert_null(r.sasl_username);
	free(copy);
}

static void test_line_quotes(void **state)
{
	struct mxg_request r;
	char *copy;
	assert_null(parse(&r, &copy, "check recipient=\"\\\"a b\\\\c\\\"\\r\\n@x\" client_address=\"\"\n"));
	assert_string_equal(r.recipient, "\"a b\\c\"\r\n@x");
	assert_string_equal(r.client_address, "");
	free(copy);
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = {
		"",
		"\n",
		"\n\n",
		HEAD "\n", /* no address */
		"client_address=1.2.3.4\nrecipient=a@b\n\n", /* no request */
		"request=junk\nclient_address=1.2.3.4\nrecipient=a@b\n\n",
		HEAD "client_address=1.2.3.4\nclient_address=192.0.2.10\nrecipient=a@b\n\n",
		HEAD "client_address=1.2.3.4\nrecipient=a@b\nrecipient=a@b\n\n",
		HEAD "client_address=1.2.3.4\nrecipient\n\n",
		HEAD "client_address=1.2.3.4\n=x\n\n",
		"check \n",
		"check\n",
		"check client_address=1.2.3.4\n",
		"check recipient=a@b\n",
		"check client_address=1.2.3.4 recipient=\n",
		"check client_address=1.2.3.4 recipient=\"\"\n",
		"check client_address=1.2.3.4 recipient=\"a@b\n",
		"check client_address=1.2.3.4 recipient=\"a@b\\\n",
		"check client_address=1.2.3.4 recipient=\"a@b\"c\n",
		"check client_address=1.2.3.4 recipient=a\"b\n",
		"check client_address=1.2.3.4 recipient=a@b recipient=a@b\n",
		"check client_address=1.2.3.4 recipient=a@b sasl_username=\"\" helo_name=x sasl_username=y\n",
		"check client_address=1.2.3.4 recipient=a@b helo_name=x client_address=1.2.3.5\n",
		"check client_address=1.2.3.4 recipient=a@b reciever=x\n",
		"check client_address=1.2.3.4 recipient=a@b x\n",
		"check client_address=1.2.3.4 =a@b\n",
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct mxg_request r;
		char *copy;
		if (parse(&r, &copy, wrong[i]) == NULL)
			fail_msg("taken: %s", wrong[i]);
		free(copy);
	}
}

static void test_nul(void **state)
{
	struct mxg_request r;
	char text[] = HEAD "client_address=192.0.2.10\0x\nrecipient=a@b\n\n";
	assert_non_null(mxg_request_parse(&r, text, sizeof(text) - 1));
}

/* However the bytes come, the end is found at the same place, and only once it is there. */
static void test_length_in_pieces(void **state)
{
	static const char *const whole[] = { HEAD "client_address=x\n\n", "check a=b\n", "\n" };
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		char text[200];
		size_t len = strlen(whole[i]), scanned = 0;
		snprintf(text, sizeof(text), "%s%s", whole[i], "request=next\n\n");
		for (size_t n = 0; n < len; n++)
			assert_int_equal(mxg_request_length(text, n, &scanned), 0);
		assert_int_equal(mxg_request_length(text, len, &scanned), len);
		scanned = 0;
		assert_int_equal(mxg_request_length(text, strlen(text), &scanned), len);
	}
}

static void test_check_is_a_word(void **state)
{
	size_t scanned = 0;
	assert_int_equal(mxg_request_length("checksum=1\nx=y\n", 15, &scanned), 0);
}

/* ---- replies ----------------------------------------------------------------------- */

static void test_responses(void **state)
{
	char buffer[MXG_RESPONSE_MAX];
	struct mxg_response r = { .kind = MXG_RESPONSE_PASS };
	size_t n = mxg_response_write(buffer, &r, MXG_REQUEST_POSTFIX);
	assert_int_equal(n, strlen("action=DUNNO\n\n"));
	assert_memory_equal(buffer, "action=DUNNO\n\n", n);
	n = mxg_response_write(buffer, &r, MXG_REQUEST_LINE);
	assert_memory_equal(buffer, "accept\n", n);
	mxg_response_refuse(&r, 550, "5.7.1", "Refused");
	n = mxg_response_write(buffer, &r, MXG_REQUEST_POSTFIX);
	assert_memory_equal(buffer, "action=550 5.7.1 Refused\n\n", n);
	n = mxg_response_write(buffer, &r, MXG_REQUEST_LINE);
	assert_memory_equal(buffer, "550 5.7.1 Refused\n", n);
	r.kind = MXG_RESPONSE_NOTHING;
	assert_int_equal(mxg_response_write(buffer, &r, MXG_REQUEST_POSTFIX), 0);
}

static void test_field_is_unfolded(void **state)
{
	static const char want[] = "action=PREPEND Authentication-Results: id; x-mxguard=fail reason=\"r\"\n\n";
	char buffer[MXG_RESPONSE_MAX];
	struct mxg_response r;
	mxg_response_add(&r, "Authentication-Results: id;\r\n\tx-mxguard=fail\r\n\treason=\"r\"\r\n");
	size_t n = mxg_response_write(buffer, &r, MXG_REQUEST_POSTFIX);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(buffer, want, n);
}

static void test_no_injection(void **state)
{
	char buffer[MXG_RESPONSE_MAX], text[MXG_RESPONSE_TEXT_MAX * 2];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int c = 1; c < 256; c++) {
		struct mxg_response r;
		text[7] = (char)c;
		for (int kind = 0; kind < 2; kind++) {
			if (kind == 0)
				mxg_response_refuse(&r, 550, "5.7.1", text);
			else
				mxg_response_add(&r, text);
			size_t n = mxg_response_write(buffer, &r, MXG_REQUEST_POSTFIX);
			assert_true(n > 2);
			assert_memory_equal(buffer + n - 2, "\n\n", 2);
			for (size_t i = 0; i < n - 2; i++)
				assert_true(buffer[i] >= ' ' && buffer[i] <= '~');
		}
	}
}

static void test_once_a_message(void **state)
{
	struct mxg_tagged *t = malloc(sizeof(*t));
	assert_non_null(t);
	mxg_tagged_init(t);
	assert_true(mxg_tagged_first(t, "1.2.3", "field"));
	assert_false(mxg_tagged_first(t, "1.2.3", "field"));
	assert_true(mxg_tagged_first(t, "1.2.3", "other field"));
	assert_true(mxg_tagged_first(t, "1.2.4", "field"));
	assert_true(mxg_tagged_first(t, "", "field"));
	assert_true(mxg_tagged_first(t, "", "field"));
	assert_true(mxg_tagged_first(t, NULL, "field"));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postfix),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_quotes),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_length_in_pieces),
		cmocka_unit_test(test_check_is_a_word),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_field_is_unfolded),
		cmocka_unit_test(test_no_injection),
		cmocka_unit_test(test_once_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
