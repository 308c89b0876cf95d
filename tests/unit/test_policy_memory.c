/* SPDX-License-Identifier: MIT */
/* Reading a policy with the first allocation failing, then the second, … until none does:
 * each time "out of memory" is said, and nothing crashes or leaks. libconfig's own are left
 * alone: it does not look at what malloc(3) returns (or calls exit(2)), and nothing that a
 * caller does can change that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mxguard.h"

static bool counting;
static unsigned long countdown, fired;

static bool fails(void)
{
	if (!counting || --countdown != 0)
		return false;
	fired++;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return fails() ? NULL : __real_strndup(text, len);
}

static const char text[] =
	"mode = \"enforce\"; internal = [ \"10.1.2.3\", \"8.0.0.0/6\" ]; domains = [ \"a.example\", \"b.example\" ];\n"
	"gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.0/24 ip6:2001:db8::/32 mx all\"; },\n"
	" { name = \"b\"; allow = \"ip4:192.0.2.1\"; header = { name = \"X-Gw\"; value = \"s3cret\"; }; } );\n"
	"exempt = [ \"postmaster@\" ]; reply_text = \"no\"; quarantine_mailbox = \"Spam\"; hostname = \"mx.example\";\n"
	"trace = { mta = [ \"postfix\" ]; }; dns = { servers = [ \"127.0.0.1\" ]; };\n"
	"policies = ( { domains = [ \"c.example\", \".d.example\" ]; gateways = ( { name = \"c\"; allow = \"a\"; } ); "
	"} );\n";

/* Trimming what was made is the one failure that changes nothing. */
static void attempt(const char *config, int without)
{
	char message[400];
	struct mxguard_policy *policy;
	int result;
	unsigned long number = 0;
	do {
		counting = true;
		countdown = ++number;
		fired = 0;
		result = mxguard_policy_parse(&policy, config, strlen(config), "t.conf", 0, message, sizeof(message));
		counting = false;
		if (result == MXGUARD_ERROR_NOMEM) {
			assert_string_equal(message, "out of memory");
			assert_null(policy);
		} else {
			assert_int_equal(result, without);
		}
		mxguard_policy_unref(result == MXGUARD_ERROR_NONE ? policy : NULL);
		assert_true(number < 10000);
	} while (fired > 0);
	assert_true(number > 3);
}

static void test_policy(void **context)
{
	attempt(text, MXGUARD_ERROR_NONE);
}

static void test_mistake(void **context)
{
	attempt("gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.0/24 mx\"; } );\nmode = 1;", MXGUARD_ERROR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_mistake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
