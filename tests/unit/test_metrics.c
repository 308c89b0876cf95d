/* SPDX-License-Identifier: MIT */
/* Whoever scrapes: what he may send, and how figures are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/exposition.h"
#include "metrics/http.h"

static struct mxg_http_request read_request(const char *text)
{
	struct mxg_http_request request;
	size_t len = strlen(text);
	char *copy = malloc(len == 0 ? 1 : len); /* so that a sanitizer sees a byte read beyond */
	assert_non_null(copy);
	memcpy(copy, text, len);
	mxg_http_read(&request, copy, len);
	free(copy);
	return request;
}

static void test_requests(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "GET /metrics HTTP/1.1\r\n\r\n", 200 },
		{ "GET /metrics HTTP/1.0\n\n", 200 },
		{ "GET /metrics?collect[]=x HTTP/1.1\r\n\r\n", 200 },
		{ "HEAD /metrics HTTP/1.1\r\n\r\n", 200 },
		{ "GET /metrics/ HTTP/1.1\r\n\r\n", 404 },
		{ "GET /metric HTTP/1.1\r\n\r\n", 404 },
		{ "GET / HTTP/1.1\r\n\r\n", 404 },
		{ "GET  HTTP/1.1\r\n\r\n", 404 },
		{ "GET /metrics HTTP/2\r\n\r\n", 400 },
		{ "GET /metrics\r\n\r\n", 400 },
		{ "GET\r\n\r\n", 400 },
		{ "\r\n\r\n", 400 },
		{ "", 400 },
		{ "POST /metrics HTTP/1.1\r\n\r\n", 405 },
		{ "get /metrics HTTP/1.1\r\n\r\n", 405 },
		{ "GET /metrics", 400 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (read_request(rows[i].text).status != rows[i].status)
			fail_msg("%s: %d", rows[i].text, read_request(rows[i].text).status);
	assert_true(read_request("HEAD /metrics HTTP/1.1\r\n\r\n").head);
	assert_false(read_request("GET /metrics HTTP/1.1\r\n\r\n").head);
}

static void test_accept(void **state)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\n";
	static const struct {
		const char *fields;
		bool openmetrics;
	} rows[] = {
		{ "\r\n", false },
		{ "Accept: text/plain\r\n\r\n", false },
		{ "Host: x\r\naccept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n", true },
		{ "ACCEPT:APPLICATION/OPENMETRICS-TEXT\n\n", true },
		{ "X-Accept: application/openmetrics-text\r\n\r\n", false },
		{ "Accept: application/openmetrics-tex", false },
		{ "Accept:", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[300];
		snprintf(text, sizeof(text), "%s%s", get, rows[i].fields);
		assert_int_equal(read_request(text).openmetrics, rows[i].openmetrics);
	}
}

static void test_whole(void **state)
{
	assert_true(mxg_http_is_whole("GET / HTTP/1.1\r\n\r\n", 18));
	assert_false(mxg_http_is_whole("GET / HTTP/1.1\r\n\r\n", 17));
	assert_true(mxg_http_is_whole("\n\n", 2));
	assert_false(mxg_http_is_whole("\n", 1));
	assert_false(mxg_http_is_whole("", 0));
}

static void assert_written(bool openmetrics, const char *expected)
{
	char *text = NULL;
	size_t len = 0;
	struct mxg_exposition out = { .file = open_memstream(&text, &len), .openmetrics = openmetrics };
	assert_non_null(out.file);
	mxg_exposition_family(&out, "a", MXG_METRIC_COUNTER, "Help.");
	mxg_exposition_value(&out, "a_total", "x=\"y\"", 3);
	mxg_exposition_gauge(&out, "b", "Help.", 0.25);
	mxg_exposition_value(&out, "c", "", 18446744073709551615.0);
	mxg_exposition_end(&out);
	fclose(out.file);
	assert_string_equal(text, expected);
	free(text);
}

static void test_both_forms(void **state)
{
	assert_written(false, "# HELP a_total Help.\n# TYPE a_total counter\na_total{x=\"y\"} 3\n"
			      "# HELP b Help.\n# TYPE b gauge\nb 0.250000\nc 18446744073709551616.000000\n");
	assert_written(true, "# HELP a Help.\n# TYPE a counter\na_total{x=\"y\"} 3\n"
			     "# HELP b Help.\n# TYPE b gauge\nb 0.250000\nc 18446744073709551616.000000\n# EOF\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_both_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
