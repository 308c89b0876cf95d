/* SPDX-License-Identifier: MIT */
/* domains_file: one line, the reader, the search, the map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/domain_map.h"
#include "base/domain_text.h"
#include "policy/domains_file.h"
#include "base/duration.h"
#include "mxguard.h"
#include "policy/policy.h"

static char folder[] = "/tmp/mxguard-domains-XXXXXX", path[64];

static int make_folder(void **context)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/domains", folder);
	return 0;
}

static int remove_folder(void **context)
{
	unlink(path);
	return rmdir(folder);
}

static void write_file(const char *text, size_t len)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, 0644), 0);
}

/* ---- one name ---------------------------------------------------------------------------------- */

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_names(void **context)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
	} cases[] = {
		{ "example.com", "example.com" },
		{ "EXAMPLE.Com.", "example.com" },
		{ "localhost", "localhost" },
		{ "_dmarc.example-1.com", "_dmarc.example-1.com" },
		{ "b\xc3\xbc"
		  "cher.example",
		  "xn--bcher-kva.example" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ LABEL63 ".example", LABEL63 ".example" },
		{ LABEL63 "a.example", NULL },
		{ LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, NULL },
		{ "", NULL },
		{ ".", NULL },
		{ ".example", NULL },
		{ "a..example", NULL },
		{ "example..", NULL },
		{ "-a.example", NULL },
		{ "a-.example", NULL },
		{ "a b.example", NULL },
		{ "*.example", NULL },
		{ "user@example", NULL },
		{ "192.0.2.1", NULL },
		{ "[192.0.2.1]", NULL },
		{ "\xff.example", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[256];
		const char *expected = mxg_domain_text(out, cases[i].text, strlen(cases[i].text));
		assert_int_equal(expected == NULL, cases[i].name != NULL);
		assert_string_equal(out, cases[i].name == NULL ? "" : cases[i].name);
	}
}

static void test_lines(void **context)
{
	static const struct {
		const char *line, *name;
		bool wrong;
	} cases[] = {
		{ "example.com\n", "example.com", false },
		{ "  Example.com \t\r\n", "example.com", false },
		{ "example.com # ours", "example.com", false },
		{ "", "", false },
		{ " \t\r\n", "", false },
		{ "# example.com", "", false },
		{ "example.com example.org", "", true },
		{ ".example.com", "", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[256];
		const char *error;
		assert_int_equal(mxg_domains_line(out, cases[i].line, strlen(cases[i].line), &error),
				 cases[i].name[0] != '\0');
		assert_string_equal(out, cases[i].name);
		assert_int_equal(error != NULL, cases[i].wrong);
	}
	char out[256];
	const char *error;
	assert_false(mxg_domains_line(out, "a\0b.example", 11, &error));
	assert_non_null(error);
}

/* ---- the reader ----------------------------------------------------------------------------------- */

static void test_reader(void **context)
{
	static const char text[] = "# ours\nexample.com\n\nwrong name\nEXAMPLE.org.\nlast.example";
	struct mxg_domains_reader *reader;
	const char *domain;
	char message[300] = "", line[300];
	write_file(text, sizeof(text) - 1);
	assert_int_equal(mxg_domains_open(&reader, path, message, sizeof(message)), MXGUARD_ERROR_NONE);
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), 1);
	assert_string_equal(domain, "example.com");
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), MXGUARD_ERROR_CONFIG);
	snprintf(line, sizeof(line), "%s:4: found \"wrong name\"; expected a domain name", path);
	assert_string_equal(message, line);
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), 1);
	assert_string_equal(domain, "example.org");
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), 1);
	assert_string_equal(domain, "last.example");
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), 0);
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), 0);
	mxg_domains_close(reader);
	mxg_domains_close(NULL);
}

/* Lines that cross the edge of a read, one that is longer than the buffer, and all behind. */
static void test_long_lines(void **context)
{
	size_t size = 400000, at = 0;
	char *text = malloc(size);
	struct mxg_domains_reader *reader;
	const char *domain;
	char message[300];
	unsigned good = 0, wrong = 0;
	int got;
	for (unsigned i = 0; i < 5000; i++)
		at += (size_t)sprintf(text + at, "d%u.example\n", i);
	memset(text + at, 'x', 200000);
	at += 200000;
	at += (size_t)sprintf(text + at, "\nbehind.example\n");
	write_file(text, at);
	free(text);
	assert_int_equal(mxg_domains_open(&reader, path, message, sizeof(message)), MXGUARD_ERROR_NONE);
	while ((got = mxg_domains_next(reader, &domain, message, sizeof(message))) != 0) {
		assert_int_not_equal(got, MXGUARD_ERROR_IO);
		good += got == 1;
		wrong += got == MXGUARD_ERROR_CONFIG;
	}
	mxg_domains_close(reader);
	assert_int_equal(good, 5001);
	assert_int_equal(wrong, 1);
	assert_int_equal(mxg_domains_find(path, "behind.example", 14), 1);
	assert_int_equal(mxg_domains_find(path, "d4999.example", 13), 1);
	assert_int_equal(mxg_domains_find(path, "d5000.example", 13), 0);
}

/* It may grow as fast as it is read; here it has more than its open file was allowed to have. */
static void test_file_that_grows(void **context)
{
	struct mxg_domains_reader *reader;
	const char *domain;
	char message[512];
	FILE *file = tmpfile();
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), 512 << 20), 0); /* one line of zeroes that take no place */
	assert_true(mxg_domains_open_fd(&reader, dup(fileno(file)), "growing"));
	assert_int_equal(mxg_domains_next(reader, &domain, message, sizeof(message)), MXGUARD_ERROR_IO);
	assert_true(lseek(fileno(file), 0, SEEK_CUR) <= (257 << 20));
	mxg_domains_close(reader);
	fclose(file);
}

static void test_find(void **context)
{
	static const char text[] = "Example.com\nb\xc3\xbc"
				   "cher.example\nwrong name\nlast.example\n";
	write_file(text, sizeof(text) - 1);
	assert_int_equal(mxg_domains_find(path, "example.com", 11), 1);
	assert_int_equal(mxg_domains_find(path, "xn--bcher-kva.example", 21), 1);
	assert_int_equal(mxg_domains_find(path, "last.example", 12), 1);
	assert_int_equal(mxg_domains_find(path, "www.example.com", 15), 0);
	assert_int_equal(mxg_domains_find(path, "example", 7), 0);
	assert_int_equal(mxg_domains_find(path, "", 0), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(mxg_domains_find(path, "example.com", 11), -1);
	unlink(path);
	assert_int_equal(mxg_domains_find(path, "example.com", 11), -1);
}

/* Whether example.org, which none of them lists, is nobody's is not to be had from what is no list. */
static void test_what_is_no_list(void **context)
{
	static const struct {
		const char *text;
		int found;
	} cases[] = {
		{ "", -1 },
		{ "# nobody yet\n\n", -1 },
		{ "<html>\n<body>\nexample.com\n</body>\n", -1 },
		{ "example.com\nno..domain\n", 0 },
		{ "example.com\nno..domain\nno domain\n", -1 },
		{ "<html>\n<body>\nexample.org\n</body>\n", 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(cases[i].text, strlen(cases[i].text));
		assert_int_equal(mxg_domains_find(path, "example.org", 11), cases[i].found);
	}
}

static void test_untrusted(void **context)
{
	struct mxg_domains_reader *reader;
	char message[300], line[300];
	write_file("a.example\n", 10);
	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(mxg_domains_open(&reader, path, message, sizeof(message)), MXGUARD_ERROR_UNTRUSTED);
	snprintf(line, sizeof(line), "%s: found mode 0620; expected no write permission for group and others", path);
	assert_string_equal(message, line);
	assert_null(reader);
}

static void test_hundred_thousand(void **context)
{
	size_t at = 0;
	char *text = malloc(3000000);
	for (unsigned i = 0; i < 100000; i++)
		at += (size_t)sprintf(text + at, "customer-%u.example\n", i);
	write_file(text, at);
	free(text);
	assert_int_equal(mxg_domains_find(path, "customer-99999.example", 22), 1);
	assert_int_equal(mxg_domains_find(path, "customer-100000.example", 23), 0);
}

/* ---- the map ------------------------------------------------------------------------------------------ */

static void test_map(void **context)
{
	struct mxg_arena arena = { 0 };
	struct mxg_domain_map *map = mxg_domain_map_new(&arena, 2000);
	char names[2000][32];
	uint32_t value = 99;
	unsigned line = 1;
	assert_false(mxg_domain_map_find(map, "a.example", 9, &value));
	assert_false(mxg_domain_map_find(NULL, "a.example", 9, &value));
	for (uint32_t i = 0; i < 2000; i++) {
		snprintf(names[i], sizeof(names[i]), i % 2 == 0 ? "d%u.example" : ".d%u.example", i / 2);
		line = i + 1;
		assert_true(mxg_domain_map_add(map, names[i], i, &line));
	}
	assert_false(mxg_domain_map_add(map, "d7.example", 5, &line));
	assert_int_equal(line, 15);
	for (uint32_t i = 0; i < 1000; i++) {
		char name[64];
		int len = snprintf(name, sizeof(name), "d%u.example", i);
		assert_true(mxg_domain_map_find(map, name, (size_t)len, &value));
		assert_int_equal(value, i * 2);
		len = snprintf(name, sizeof(name), "x.y.d%u.example", i);
		assert_true(mxg_domain_map_find(map, name, (size_t)len, &value));
		assert_int_equal(value, i * 2 + 1);
		len = snprintf(name, sizeof(name), "xd%u.example", i);
		assert_false(mxg_domain_map_find(map, name, (size_t)len, &value));
	}
	assert_true(mxg_domain_map_has(map, "d1.example", 10));
	assert_false(mxg_domain_map_has(map, "x.d1.example", 12));
	assert_string_equal(mxg_domain_map_name(map, 1, &value), ".d0.example");
	assert_null(mxg_domain_map_name(map, 2000, &value));
	mxg_arena_free(&arena);
}

static void test_durations(void **context)
{
	static const struct {
		const char *text;
		int64_t milliseconds; /* -1: refused */
	} cases[] = {
		{ "0s", 0 },         { "1ms", 1 },          { "5s", 5000 },         { "10m", 600000 },
		{ "12h", 43200000 }, { "2d", 172800000 },   { "1w", 604800000 },    { "366d", 31622400000 },
		{ "367d", -1 },      { "9999999999w", -1 }, { "99999999999s", -1 }, { "", -1 },
		{ "s", -1 },         { "5", -1 },           { "5 s", -1 },          { "-5s", -1 },
		{ "+5s", -1 },       { "5S", -1 },          { "5sec", -1 },         { "1.5h", -1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t milliseconds = 0;
		assert_int_equal(mxg_duration_parse(cases[i].text, &milliseconds), cases[i].milliseconds >= 0);
		if (cases[i].milliseconds >= 0)
			assert_int_equal(milliseconds, cases[i].milliseconds);
	}
}

static void test_spans(void **context)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0 s" },          { 119, "119 s" },          { 120, "2 min" },
		{ 7200, "2 h 0 min" }, { 172799, "47 h 59 min" }, { 172800 + 3600, "2 d 1 h" },
		{ -90, "-90 s" },
	};
	char span[MXG_SPAN_MAX];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(mxg_span_format(cases[i].seconds, span), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_file_that_grows),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_untrusted),
		cmocka_unit_test(test_hundred_thousand),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_spans),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
