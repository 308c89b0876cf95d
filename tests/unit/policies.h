/* SPDX-License-Identifier: MIT */
#ifndef TEST_POLICIES_H
#define TEST_POLICIES_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define GATEWAY(term) "gateways = ( { name = \"g\"; allow = \"" term "\"; } );"

/* libconfig drops the string that a syntax error stands behind. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char message[1000];

static inline struct mxguard_policy *parse(const char *text)
{
	struct mxguard_policy *policy = NULL;
	int result = mxguard_policy_parse(&policy, text, strlen(text), "t.conf", 0, message, sizeof(message));
	assert_string_equal(message, "");
	assert_int_equal(result, MXGUARD_ERROR_NONE);
	assert_non_null(policy);
	return policy;
}

#endif
