/* SPDX-License-Identifier: MIT */
#ifndef TEST_CHECKS_H
#define TEST_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mxguard.h"

/* Checks of the public API, made in one line each. */

#define NOW 1000000000
#define GATEWAY "192.0.2.10"
#define SPAMMER "203.0.113.66"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

__attribute__((unused)) static const char static_conf[] =
	"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
	"gateways = ( { name = \"filters\"; allow = \"ip4:192.0.2.0/24 ip6:2001:db8::/32\"; } );";
__attribute__((unused)) static const char dns_conf[] =
	"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
	"gateways = ( { name = \"cloud\"; allow = \"include:spf.example.net\"; } );";
__attribute__((unused)) static const char token_conf[] =
	"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
	"gateways = ( { name = \"shared\"; allow = \"ip4:192.0.2.0/24\";"
	"  header = { name = \"X-Token\"; value = \"s3cret\"; }; } );";

static inline struct mxguard_policy *policy_of(const char *text)
{
	struct mxguard_policy *policy;
	char message[500];
	if (mxguard_policy_parse(&policy, text, strlen(text), "test.conf", 0, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	return policy;
}

/* The check holds the only reference to its policy. */
static inline struct mxguard_check *check_of(const char *conf)
{
	struct mxguard_policy *policy = policy_of(conf);
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, policy, NULL, MXGUARD_CHECK_FLAG_STEPS);
	assert_non_null(check);
	mxguard_policy_unref(policy);
	return check;
}

static inline struct mxguard_check *check_from(const char *conf, const char *peer, const char *recipient)
{
	struct mxguard_check *check = check_of(conf);
	assert_int_equal(mxguard_check_set_peer_text(check, peer), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_add_recipient(check, recipient, NULL), 0);
	return check;
}

static inline struct mxguard_check *decided(const char *conf, const char *peer)
{
	struct mxguard_check *check = check_from(conf, peer, "alice@example.com");
	assert_int_equal(mxguard_check_run(check, NOW), MXGUARD_PROGRESS_DONE);
	return check;
}

static inline void assert_reason(const struct mxguard_check *check, size_t index, enum mxguard_verdict verdict,
				 const char *reason)
{
	assert_string_equal(mxguard_check_text(check, index, MXGUARD_TEXT_REASON), reason);
	assert_int_equal(mxguard_check_verdict(check, index), verdict);
}

#endif
