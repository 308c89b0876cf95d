/* SPDX-License-Identifier: MIT */
/* What a page makes of hostile text: nothing that a browser takes for more than text. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "page/page.h"

static char *written(void (*write)(FILE *, const void *), const void *what)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	assert_non_null(to);
	write(to, what);
	fclose(to);
	assert_int_equal(strlen(text), len);
	return text;
}

static void write_html(FILE *to, const void *text)
{
	mxg_page_put_html(to, text);
}

static void write_json(FILE *to, const void *value)
{
	mxg_page_put_json(to, value);
}

static const struct {
	const char *text, *html, *json;
} cases[] = {
	{ "plain text, 100 % ~", "plain text, 100 % ~", "\"plain text, 100 % ~\"" },
	{ "</script><!--", "&#60;/script&#62;&#60;!--", "\"\\u003c/script\\u003e\\u003c!--\"" },
	{ "\"'&`", "&#34;&#39;&#38;&#96;", "\"\\u0022\\u0027\\u0026`\"" },
	{ "a\\u003c", "a\\u003c", "\"a\\u005cu003c\"" },
	{ "\x01\t\n\x7f", "\\u0001\\u0009\\u000a\\u007f", "\"\\\\u0001\\\\u0009\\\\u000a\\\\u007f\"" },
	{ "\u00e4\u20ac", "&#228;&#8364;", "\"\\u00e4\\u20ac\"" },
	{ "\U0001f600", "&#128512;", "\"\\ud83d\\ude00\"" },
	{ "\u202egpj\u2028\u2029\u200b\ufeff\u00ad", "\\u202egpj\\u2028\\u2029\\u200b\\ufeff\\u00ad",
	  "\"\\\\u202egpj\\\\u2028\\\\u2029\\\\u200b\\\\ufeff\\\\u00ad\"" },
	{ "\U000e0041", "\\u{e0041}", "\"\\\\u{e0041}\"" },
	{ "\xff\xc3", "\\xff\\xc3", "\"\\\\xff\\\\xc3\"" }, /* no UTF-8, or its beginning */
	{ "\xc0\xbc\xe0\x80\xbc", "\\xc0\\xbc\\xe0\\x80\\xbc",
	  "\"\\\\xc0\\\\xbc\\\\xe0\\\\x80\\\\xbc\"" }, /* a long < */
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\\\xed\\\\xa0\\\\x80\"" }, /* half of a pair */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\"\\\\xf4\\\\x90\\\\x80\\\\x80\"" }, /* behind the last one */
};

static void test_html(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = written(write_html, cases[i].text);
		assert_string_equal(text, cases[i].html);
		free(text);
	}
}

static void test_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *value = json_string_nocheck(cases[i].text);
		char *text = written(write_json, value);
		assert_string_equal(text, cases[i].json);
		free(text);
		json_decref(value);
	}
}

/* As another reader of JSON understands it, keys too. */
static void test_json_is_json(void **state)
{
	(void)state;
	json_t *value = json_pack("{s:[i, f, b, n, {}], s:I, s:s}", "</script>", 7, 0.25, 1, "n",
				  (json_int_t)9007199254740991, "text", "a<b");
	char *text = written(write_json, value);
	json_t *again = json_loads(text, 0, NULL);
	assert_null(strchr(text, '<'));
	assert_true(json_equal(value, again));
	free(text);
	json_decref(again);
	json_decref(value);
}

static void write_page(FILE *to, const void *hostile)
{
	struct mxg_page page;
	mxg_page_begin(&page, to, hostile, hostile, 0);
	mxg_page_say(&page, "bad", "%s", (const char *)hostile);
	mxg_page_fact(&page, hostile, "%s", (const char *)hostile);
	mxg_page_begin_rows(&page, json_pack("{s:s}", "title", hostile));
	mxg_page_row(&page, json_pack("[s]", hostile));
	mxg_page_row(&page, json_pack("[s]", hostile));
	mxg_page_end_rows(&page);
	mxg_page_part(&page, json_pack("{s:s}", "part", hostile));
	mxg_page_end(&page);
}

/* The elements of the page are those of an empty one, whatever it holds. */
static void test_page(void **state)
{
	(void)state;
	char *plain = written(write_page, "x"), *hostile = written(write_page, "</script></style></title><script>'\"");
	size_t in_plain = 0, in_hostile = 0;
	for (const char *at = plain; (at = strchr(at, '<')) != NULL; at++)
		in_plain++;
	for (const char *at = hostile; (at = strchr(at, '<')) != NULL; at++)
		in_hostile++;
	assert_int_equal(in_plain, in_hostile);
	assert_non_null(
		strstr(plain, "{\"title\":\"x\",\"rows\":[\n[\"x\"],\n[\"x\"]]},\n{\"part\":\"x\"}\n]</script>"));
	free(plain);
	free(hostile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_is_json),
		cmocka_unit_test(test_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
