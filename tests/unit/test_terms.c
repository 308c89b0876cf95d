/* SPDX-License-Identifier: MIT */
/* Terms of the configuration: what RFC 7208 allows, less what an entry may not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "spf/terms.h"

/* The text stands at the end of its memory: a read behind it shows. */
static bool parse(const char *text, bool insecure, struct mxg_term *term, struct mxg_term_error *error)
{
	size_t len = strlen(text);
	char *exact = malloc(len == 0 ? 1 : len);
	memcpy(exact, text, len);
	*error = (struct mxg_term_error){ 0 };
	bool good = mxg_term_parse_configured(term, exact, len, insecure, error);
	if (!good) {
		assert_non_null(error->what);
		assert_true(strlen(error->what) > 10);
		assert_true(error->at >= exact && error->at + error->at_len <= exact + len);
	}
	free(exact);
	return good;
}

static void test_good(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		enum mxg_mechanism mechanism;
	} cases[] = {
		{ "ip4:192.0.2.0/24", MXG_MECHANISM_IP4 },
		{ "+ip4:192.0.2.1", MXG_MECHANISM_IP4 },
		{ "ip6:2001:db8::/32", MXG_MECHANISM_IP6 },
		{ "a", MXG_MECHANISM_A },
		{ "mx", MXG_MECHANISM_MX },
		{ "MX/24//64", MXG_MECHANISM_MX },
		{ "a:gw.example.test", MXG_MECHANISM_A },
		{ "include:_spf.example.test", MXG_MECHANISM_INCLUDE },
		{ "include:%{d}", MXG_MECHANISM_INCLUDE },
		{ "include:_gw.%{d}", MXG_MECHANISM_INCLUDE },
		{ "exists:%{ir}.gw.example.test", MXG_MECHANISM_EXISTS },
		{ "exists:%{i}.%{d}", MXG_MECHANISM_EXISTS },
		{ "ptr:example.test", MXG_MECHANISM_PTR },
		{ "exists:%{l}.gw.example.test", MXG_MECHANISM_EXISTS },
		{ "all", MXG_MECHANISM_ALL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mxg_term term;
		struct mxg_term_error error;
		if (!parse(cases[i].text, false, &term, &error))
			fail_msg("%s: %s", cases[i].text, error.what);
		assert_int_equal(term.mechanism, cases[i].mechanism);
		assert_int_equal(term.qualifier, '+');
	}
}

static void test_bad(void **unused)
{
	(void)unused;
	static const char *const cases[] = {
		"",
		"-all",
		"~mx",
		"?a",
		"redirect=x.example.test",
		"exp=x.example.test",
		"moo=cow",
		"ip4:192.0.2.1/24",
		"ip6:2001:db8::1/32",
		"ip4:192.0.2.256",
		"ip4:",
		"ip4",
		"ip6:192.0.2.1",
		"a:gw",
		"include",
		"include:",
		"exists:%{i}",
		"exists:%{ir}.com",
		"exists:%{l}",
		"include:%{o}",
		"include:%{h}",
		"a:%{p}",
		"exists:%{s}.test",
		"include:x.%{o}",
		"exists:%{d1r}.com",
		"mx/33",
		"a//129",
		"a:x.test/24/64",
		"ip4:192.0.2.0/24 ",
		" mx",
		"mx mx",
		"mxx",
		"all:x.test",
		"192.0.2.1",
		"gw.example.test",
		"a:%{x}.example.test",
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mxg_term term;
		struct mxg_term_error error;
		if (parse(cases[i], false, &term, &error))
			fail_msg("'%s' should be refused", cases[i]);
	}
}

static void test_insecure(void **unused)
{
	(void)unused;
	static const char *const cases[] = { "exists:%{i}", "include:%{o}", "a:%{p}", "exists:%{s}.test", "ptr:%{h}" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mxg_term term;
		struct mxg_term_error error;
		assert_false(parse(cases[i], false, &term, &error));
		assert_true(parse(cases[i], true, &term, &error));
	}
}

static void test_values(void **unused)
{
	(void)unused;
	struct mxg_term term;
	struct mxg_term_error error;
	char buf[MXG_PREFIX_TEXT_MAX];
	assert_true(parse("a:gw.example.test/8//48", false, &term, &error));
	assert_int_equal(term.cidr4, 8);
	assert_int_equal(term.cidr6, 48);
	assert_int_equal(term.target_len, 15);
	assert_true(parse("mx", false, &term, &error));
	assert_int_equal(term.cidr4, 32);
	assert_int_equal(term.cidr6, 128);
	assert_null(term.target);
	assert_true(parse("ip6:::ffff:192.0.2.0/120", false, &term, &error)); /* folded where it is configured */
	assert_string_equal(mxg_prefix_format(&term.prefix, buf), "192.0.2.0/24");
}

static void test_per_message(void **unused)
{
	(void)unused;
	static const char *const per_message[] = { "%{s}.x.test",  "%{L}.x.test", "%{o}",       "%{h}",
						   "%{ir}.x.test", "%{p}",        "%{v}.x.test" };
	static const char *const fixed[] = { "x.test", "%{d}", "%{d2}.x.test", "a%%{i}.test", "a%_.test" };
	for (size_t i = 0; i < sizeof(per_message) / sizeof(per_message[0]); i++)
		assert_true(mxg_target_per_message(per_message[i], strlen(per_message[i])));
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		assert_false(mxg_target_per_message(fixed[i], strlen(fixed[i])));
}

/* In a Turkish locale "I" is not the capital of "i". */
static void test_locale(void **unused)
{
	(void)unused;
	struct mxg_term term;
	struct mxg_term_error error;
	const char *old = setlocale(LC_ALL, NULL);
	char *saved = strdup(old);
	setlocale(LC_ALL, "tr_TR.ISO-8859-9"); /* where it is installed */
	assert_true(parse("INCLUDE:X.EXAMPLE.TEST", false, &term, &error));
	assert_true(parse("IP4:192.0.2.1", false, &term, &error));
	assert_true(parse("EXISTS:%{I}.X.EXAMPLE.TEST", false, &term, &error));
	setlocale(LC_ALL, saved);
	free(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),         cmocka_unit_test(test_insecure),
		cmocka_unit_test(test_values), cmocka_unit_test(test_per_message), cmocka_unit_test(test_locale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
