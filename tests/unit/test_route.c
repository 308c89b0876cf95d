/* SPDX-License-Identifier: MIT */
/* Where an address may end: each row is a spelling, what stands in it, and whether there is doubt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/route.h"

struct row {
	const char *path, *domains, *user; /* domains: outermost first, between blanks; "-" for the empty one */
	bool unreadable;
};

static void read_route(const char *path, char text[512], char user[128], bool *unreadable)
{
	struct mxg_route route;
	size_t len = strlen(path), n = 0;
	char *buffer = malloc(len + 1);
	assert_non_null(buffer);
	mxg_route_read(&route, buffer, path, len);
	text[0] = '\0';
	for (size_t i = 0; i < route.count; i++)
		n += (size_t)snprintf(text + n, 512 - n, "%s%.*s", i > 0 ? " " : "",
				      route.domains[i].len == 0 ? 1 : (int)route.domains[i].len,
				      route.domains[i].len == 0 ? "-" : route.domains[i].at);
	snprintf(user, 128, "%.*s", (int)route.user.len, route.user.at == NULL ? "" : route.user.at);
	*unreadable = route.unreadable;
	free(buffer);
}

static void test_spellings(void **state)
{
	static const struct row rows[] = {
		{ "u", "", "u", false },
		{ "u@d.test", "d.test", "u", false },
		{ "u%d.test@o.test", "o.test d.test", "u", false },
		{ "d.test!u@o.test", "o.test d.test", "u", false },
		{ "d.test!e.test!u", "- e.test d.test", "u", false },
		{ "d.test!u%e.test@o.test", "o.test e.test d.test", "u", false },
		{ "u@d.test@o.test", "o.test d.test", "u", false },
		{ "\"u@d.test\"@o.test", "o.test d.test", "", false },
		{ "\"u@d\\.te\\st\"@o.test", "o.test d.test", "", false },
		{ "u@d.test@", "- d.test", "u", false },
		{ "u@d.test@@", "- - d.test", "u", false },
		{ "u%", "- -", "u", false },
		{ "!u@o.test", "o.test -", "u", false },
		{ "u%d.test..@o.test.", "o.test d.test", "u", false },
		{ "@a.test,@b.test:u@d.test", "d.test b.test a.test", "u", false },
		{ "@a.test:@b.test:d.test!u", "- d.test b.test a.test", "u", false },
		{ "@a.test:u", "- a.test", "u", false },
		{ "@a.test,@b.test:u", "- b.test a.test", "u", false },
		{ "u%d.test", "- d.test", "u", false },
		{ "@a.test:u%d.test", "- d.test a.test", "u", false },
		{ "u\\@d.test", "- d.test", "", false },
		{ "\"u@d.test\"", "- d.test", "", false },
		{ "\"u\\\"@d.test\"", "- d.test", "", false },
		{ "\"u\\\\\"@d.test", "d.test", "", false },
		{ "(u@d.test)u%e.test", "- e.test", "", false },
		{ "u@[192.0.2.1]", "[192.0.2.1]", "u", false },
		{ "u%d.test@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1] d.test", "u", false },
		{ "u@(a@b)d.test", "d.test", "", false },
		{ "u@d.test(a(b\\))@c)", "d.test", "", false },
		{ "\"<u@d.test>\"@o.test", "o.test d.test", "", false },
		{ "U <u@d.test>", "d.test", "", true },
		{ "<u@d.test>v@o.test", "o.test d.test", "", true },
		{ "u@d.test<v@o.test>", "o.test d.test", "", true },
		{ " u @ d . test ", "d.test", "", false },
		{ "u@d.test(", "", "", true },
		{ "u@d.test)", "", "", true },
		{ "u@[192.0.2.1", "", "", true },
		{ "u@[192.0.2.1]x", "[192.0.2.1]", "", true },
		{ "x:u@d.test", "d.test", "", true },
		{ "a.test:u@d.test", "d.test a.test", "", true },
		{ "u@d/e.test", "", "", true },
		{ "@d.test", "- d.test", "", true },
		{ "", "", "", true },
		{ "u%1%2%3%4%5%6%7%8@o", "o 8 7 6 5 4 3 2 1", "u", false },
		{ "u%1%2%3%4%5%6%7%8%9@o", "9 8 7 6 5 4 3 2 1", "", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char domains[512], user[128];
		bool unreadable;
		read_route(rows[i].path, domains, user, &unreadable);
		if (unreadable != rows[i].unreadable || strcmp(user, rows[i].user) != 0 ||
		    (rows[i].domains[0] != '\0' && strcmp(domains, rows[i].domains) != 0))
			fail_msg("%s: \"%s\", user \"%s\", unreadable %d", rows[i].path, domains, user, unreadable);
	}
}

static bool needed(const char *path)
{
	const char *at = strrchr(path, '@');
	return mxg_route_is_needed(path, at == NULL ? strlen(path) : (size_t)(at - path), strlen(path));
}

/* What is needed must never be overlooked; what is not costs a plain address time. */
static void test_needed(void **state)
{
	static const char *const plain[] = { "u@d.test", "u", "\"u v\"@d.test", "u+x=d.test@d-e_f.test.",
					     "o'u#$&*@d.test" };
	static const char *const odd[] = { "u@e@d.test",  "u%e@d.test",   "e!u@d.test",   "u%e",
					   "e!u",         "u@",           "u@d",          "u@d.",
					   "u@(x)d.test", "u@\"d.test\"", "u@\\d.test",   "u\\@d.test",
					   "u@d.test)",   "u@[1.2]",      "u@d.test%e.f", "u@\xc3\x9f.test",
					   "u@ d.test",   "u@d.test:x",   "u@d,e.test",   "u@d.test\x7f" };
	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (needed(plain[i]))
			fail_msg("%s", plain[i]);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		if (!needed(odd[i]))
			fail_msg("%s", odd[i]);
}

static void assert_fold(const char *from, const char *to)
{
	char out[256];
	bool folded = mxg_route_fold(out, from, strlen(from));
	assert_int_equal(folded, to != NULL);
	if (to != NULL)
		assert_string_equal(out, to);
}

static void test_fold(void **state)
{
	char longest[400];
	(void)state;
	assert_fold("stra\xc3\x9f"
		    "e.test",
		    "strasse.test");
	assert_fold("STRA\xe1\xba\x9e"
		    "E.test",
		    "STRAssE.test");
	assert_fold("\xc5\xbf\xe2\x84\xaa\xef\xac\x83.test", "skffi.test");
	assert_fold("plain.test", NULL);
	assert_fold("b\xc3\xbc"
		    "cher.test",
		    NULL);
	assert_fold("stra\xc3\x9f"
		    "e.b\xc3\xbc"
		    "cher",
		    NULL);
	assert_fold("\xc3", NULL);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "\xc3\x9f", 2);
	longest[399] = '\0';
	assert_fold(longest, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_spellings), cmocka_unit_test(test_needed),
					    cmocka_unit_test(test_fold) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
