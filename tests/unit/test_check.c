/* SPDX-License-Identifier: MIT */
/* The public check API, as a front end uses and misuses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "check/questions.h"
#include "checks.h"
#include "mxguard.h"
#include "scripted_dns.h"

/* ---- misuse -------------------------------------------------------------------- */

static void test_new_refuses_unknown_flags(void **state)
{
	struct mxguard_policy *policy = policy_of(static_conf);
	struct mxguard_check *check = (struct mxguard_check *)policy; /* anything but NULL */
	struct mxguard_resolver *resolver = (struct mxguard_resolver *)policy;
	for (unsigned bit = 2; bit < 32; bit++) {
		assert_int_equal(mxguard_check_new(&check, policy, NULL, 1u << bit), MXGUARD_ERROR_INVALID);
		assert_null(check);
	}
	assert_int_equal(mxguard_check_new(&check, NULL, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_resolver_new(&resolver, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_resolver_new(&resolver, policy, 1), MXGUARD_ERROR_INVALID);
	assert_null(resolver);
	mxguard_check_free(NULL);
	mxguard_resolver_free(NULL);
	mxguard_policy_unref(NULL);
	mxguard_snapshot_unref(NULL);
	mxguard_policy_unref(policy);
}

static void test_policy_flags_and_messages(void **state)
{
	struct mxguard_policy *policy = (struct mxguard_policy *)state;
	char message[8];
	assert_int_equal(mxguard_policy_parse(&policy, "", 0, "x", 1, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_null(policy);
	assert_int_equal(mxguard_policy_load(&policy, "/nonexistent/x", 2, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_policy_parse(&policy, "mode = 7;", 9, "x", 0, NULL, 0), MXGUARD_ERROR_CONFIG);
	assert_int_equal(mxguard_policy_parse(&policy, "mode = 7;", 9, "x", 0, message, sizeof(message)),
			 MXGUARD_ERROR_CONFIG);
	assert_int_equal(strlen(message), sizeof(message) - 1);
}

static void test_setters_after_a_run(void **state)
{
	struct mxguard_check *c = decided(static_conf, SPAMMER);
	const struct sockaddr_in peer = { .sin_family = AF_INET };
	assert_int_equal(mxguard_check_set_peer(c, NULL), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_peer_text(c, GATEWAY), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_peer_bytes(c, (const uint8_t *)"\300\000\002\012", 4), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_helo(c, "x"), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_login(c, "alice"), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_sender(c, "x"), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_place(c, MXGUARD_PLACE_QUEUED), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_add_recipient_name(c, 0, "bob@example.com"), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_set_ids(c, "id", "msgid"), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_set_real_peer(c, (const struct sockaddr *)&peer), MXGUARD_ERROR_NONE);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_PEER), SPAMMER);
	assert_reason(c, 0, MXGUARD_VERDICT_DIRECT, "peer-not-a-gateway");
	mxguard_check_free(c);
}

static void test_refused_override_is_remembered(void **state)
{
	struct mxguard_check *c = check_from(static_conf, SPAMMER, "alice@example.com");
	assert_int_equal(mxguard_check_override(c, 0, "mode", "on", NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_override(c, MXGUARD_ALL, "mode", "on", NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_override(c, MXGUARD_ALL, "mode", "off", NULL, 0), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_ERROR_INVALID);
	mxguard_check_reset(c);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	mxguard_check_free(c);
}

static void test_bad_arguments(void **state)
{
	struct mxguard_check *c = check_of(static_conf);
	char message[200];
	assert_int_equal(mxguard_check_set_place(c, (enum mxguard_place)7), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_add_recipient(c, NULL, NULL), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_add_recipient_name(c, 0, "a@b"), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_override(c, 0, "mode", "off", NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_override(c, MXGUARD_ALL - 1, "mode", "off", NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_add_recipient(c, "a@example.com", NULL), 0);
	assert_int_equal(mxguard_check_add_recipient_name(c, 0, NULL), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_add_recipient_name(c, MXGUARD_ALL, "a@b"), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_add_recipient_name(c, 1, "a@b"), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_override(c, 0, NULL, "off", NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_override(c, 0, "mode", NULL, message, sizeof(message)), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_header(c, NULL, 1), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_set_ids(c, NULL, NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_set_helo(c, NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_set_login(c, NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_set_sender(c, NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_no_reply(c, 0, MXGUARD_DNS_FAILURE_TIMEOUT, NOW), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_reply(c, 0, "", 0, NOW), MXGUARD_ERROR_INVALID);
	assert_string_equal(mxg_check_question_text(c, 0), "");
	mxguard_check_free(c);
}

/* An address that cannot be read must never pass for "no peer", which is trusted more. */
static void test_unreadable_peers(void **state)
{
	static const char *const texts[] = { "x",           "192.0.2",      "192.0.2.010",
					     "0xc0000201",  "192.0.2.1:25", "fe80::1%eth0",
					     " 192.0.2.10", "192.0.2.10 ",  "[192.0.2.10",
					     "unknown" };
	const struct sockaddr other = { .sa_family = AF_PACKET };
	for (size_t i = 0; i < COUNT(texts) + 2; i++) {
		struct mxguard_check *c = check_of(static_conf);
		mxguard_check_add_recipient(c, "a@example.com", NULL);
		int result = i < COUNT(texts)    ? mxguard_check_set_peer_text(c, texts[i])
			     : i == COUNT(texts) ? mxguard_check_set_peer(c, &other)
						 : mxguard_check_set_peer_bytes(c, (const uint8_t *)"12345", 5);
		assert_int_equal(result, MXGUARD_ERROR_INVALID);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
		assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "peer-unreadable");
		assert_int_equal(mxguard_check_action(c, 0), MXGUARD_ACTION_DEFER);
		mxguard_check_free(c);
	}
}

static void test_bad_indexes(void **state)
{
	static const size_t indexes[] = { MXGUARD_ALL, 1, 99, (size_t)1 << 31, SIZE_MAX / 2 };
	struct mxguard_check *c = decided(static_conf, GATEWAY);
	char buffer[4096];
	for (size_t i = 0; i < COUNT(indexes); i++) {
		size_t index = indexes[i];
		assert_reason(c, index, MXGUARD_VERDICT_UNDECIDED, "undecided");
		assert_int_equal(mxguard_check_action(c, index), MXGUARD_ACTION_DEFER);
		assert_int_equal(mxguard_check_would(c, index), MXGUARD_ACTION_DEFER);
		assert_int_equal(mxguard_check_reply_code(c, index), 451);
		assert_true(mxguard_check_log_line(c, index, buffer, sizeof(buffer)) > 0);
		assert_null(mxguard_check_step(c, index, 1000000));
		for (int what = -1; what < 20; what++)
			assert_non_null(mxguard_check_text(c, index, (enum mxguard_text)what));
	}
	assert_int_equal(mxguard_check_tag(c, 1, buffer, sizeof(buffer)), 0);
	assert_int_equal(mxguard_check_log_line(c, 0, buffer, 0), 0);
	assert_int_equal(mxguard_check_tag(c, 0, buffer, 0), 0);
	mxguard_check_free(c);
}

/* ---- the course of a transaction --------------------------------------------------- */

static void test_recipients_after_a_run(void **state)
{
	struct mxguard_check *c = decided(static_conf, SPAMMER);
	assert_int_equal(mxguard_check_override(c, MXGUARD_ALL, "exempt", "bob@example.com, carol@", NULL, 0),
			 MXGUARD_ERROR_NONE);
	for (size_t i = 1; i < 200; i++) {
		char recipient[60];
		size_t index;
		snprintf(recipient, sizeof(recipient), i == 100 ? "bob@example.com" : "u%zu@d%zu.example", i, i);
		assert_int_equal(mxguard_check_add_recipient(c, recipient, &index), MXGUARD_ERROR_NONE);
		assert_int_equal(index, i);
		assert_int_equal(mxguard_check_verdict(c, i), MXGUARD_VERDICT_UNDECIDED);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	}
	assert_reason(c, 0, MXGUARD_VERDICT_DIRECT, "peer-not-a-gateway");
	assert_reason(c, 100, MXGUARD_VERDICT_EXEMPT, "recipient-exempt");
	assert_reason(c, 200, MXGUARD_VERDICT_UNDECIDED, "undecided");
	assert_reason(c, 199, MXGUARD_VERDICT_DIRECT, "peer-not-a-gateway");
	mxguard_check_free(c);
}

static void test_a_login_names_somebody(void **state)
{
	static const char *const none[] = { "",     " ",         "\t \t",         "alice\n",
					    "\x01", "al\x7fice", "[UNAVAILABLE]", "[TempUnavail]" };
	/* no-break space as Latin-1 and as UTF-8, em and ideographic space, zero width, next line, a tag */
	static const char *const unseen[] = {
		"\xa0",     "\xc2\xa0",        "\xe2\x80\x83 \xe3\x80\x80", "\xe2\x80\x8b\xef\xbb\xbf",
		"\xc2\x85", "\xf3\xa0\x80\xa0"
	};
	static const char *const somebody[] = {
		"alice",     "[alice]",      "Alice Example", "\xc3\xa9",         "alice@example.com",
		"\xc2\xa0x", "\xe2\x80\x94", "\xe9",          "\xf0\x9f\x98\x80", "\xe2\x80"
	};
	for (size_t i = 0; i < COUNT(none) + COUNT(unseen); i++) {
		const char *login = i < COUNT(none) ? none[i] : unseen[i - COUNT(none)];
		struct mxguard_check *c = check_from(static_conf, SPAMMER, "alice@example.com");
		assert_int_equal(mxguard_check_set_login(c, login), MXGUARD_ERROR_NONE);
		mxguard_check_run(c, NOW);
		assert_reason(c, 0, MXGUARD_VERDICT_DIRECT, "peer-not-a-gateway");
		mxguard_check_free(c);
	}
	for (size_t i = 0; i < COUNT(somebody); i++) {
		struct mxguard_check *c = check_from(static_conf, SPAMMER, "alice@example.com");
		assert_int_equal(mxguard_check_set_login(c, somebody[i]), MXGUARD_ERROR_NONE);
		mxguard_check_run(c, NOW);
		assert_reason(c, 0, MXGUARD_VERDICT_AUTHENTICATED, "login");
		mxguard_check_free(c);
	}
}

static void test_reset_and_reuse(void **state)
{
	struct mxguard_check *c = check_from(dns_conf, GATEWAY, "alice@example.com");
	mxguard_check_set_login(c, "alice");
	mxguard_check_override(c, MXGUARD_ALL, "mode", "off", NULL, 0);
	mxguard_check_set_place(c, MXGUARD_PLACE_QUEUED);
	mxguard_check_header(c, "Subject: x\n\n", 12);
	mxguard_check_header_end(c);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_EXEMPT, "mode-off");
	for (int i = 0; i < 3; i++) {
		static const struct scripted_record script[] = {
			RECORD("spf.example.net TXT", "\032v=spf1 ip4:192.0.2.10 -all"),
		};
		char line[4096];
		mxguard_check_reset(c);
		assert_reason(c, 0, MXGUARD_VERDICT_UNDECIDED, "undecided");
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
		assert_int_equal(mxguard_check_set_peer_text(c, i == 1 ? SPAMMER : GATEWAY), MXGUARD_ERROR_NONE);
		assert_int_equal(mxguard_check_add_recipient(c, "bob@example.org", NULL), 0);
		assert_int_equal(scripted_run(c, script, COUNT(script), NOW), MXGUARD_PROGRESS_DONE);
		assert_int_equal(mxguard_check_verdict(c, 0),
				 i == 1 ? MXGUARD_VERDICT_DIRECT : MXGUARD_VERDICT_AUTHORIZED);
		mxguard_check_log_line(c, 0, line, sizeof(line));
		assert_non_null(strstr(line, " place=door "));
		assert_null(strstr(line, "alice"));
	}
	mxguard_check_free(c);
}

static void test_give_up_without_header(void **state)
{
	struct mxguard_check *c = check_from(static_conf, "", "alice@example.com");
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
	assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "no-header");
	assert_int_equal(mxguard_check_add_recipient(c, "bob@example.org", NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 1, MXGUARD_VERDICT_UNKNOWN, "no-header");
	mxguard_check_free(c);
}

/* Setters may be chained: what failed first is said by the run, and nothing is decided on half of
 * what the front end told. */
static void test_chained_setters(void **state)
{
	struct mxguard_check *c = check_of(static_conf);
	mxguard_check_set_peer_text(c, GATEWAY);
	mxguard_check_set_place(c, (enum mxguard_place)7);
	mxguard_check_set_helo(c, "gw.example");
	mxguard_check_add_recipient(c, "alice@example.com", NULL);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_ERROR_INVALID);
	assert_reason(c, 0, MXGUARD_VERDICT_UNDECIDED, "undecided");
	mxguard_check_reset(c);
	mxguard_check_set_peer_text(c, "");
	mxguard_check_add_recipient(c, "alice@example.com", NULL);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
	assert_int_equal(mxguard_check_set_login(c, "alice"), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_ERROR_STATE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNDECIDED, "undecided");
	mxguard_check_free(c);
}

/* A secret that nobody could look for is not a missing one. */
static void test_give_up_without_token(void **state)
{
	struct mxguard_check *c = check_from(token_conf, GATEWAY, "alice@example.com");
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
	assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "no-header");
	assert_int_equal(mxguard_check_add_recipient(c, "bob@example.org", NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 1, MXGUARD_VERDICT_UNKNOWN, "no-header");
	mxguard_check_free(c);
	c = check_from(token_conf, GATEWAY, "alice@example.com");
	assert_int_equal(mxguard_check_header(c, "Subject: x\n\n", 12), 0);
	assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_DIRECT, "token-missing");
	mxguard_check_free(c);
}

/* What may end in a strict domain is not judged by the kinder one that stands behind the last @. */
static void test_give_up_on_routed(void **state)
{
	static const char conf[] =
		"mode = \"monitor\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
		"gateways = ( { name = \"filters\"; allow = \"ip4:192.0.2.0/24\"; } );"
		"policies = ( { domains = [ \"strict.example\" ]; mode = \"enforce\";"
		"  gateways = ( { name = \"shared\"; allow = \"ip4:192.0.2.0/24\";"
		"    header = { name = \"X-Token\"; value = \"s3cret\"; }; } ); } );";
	static const char *const recipients[] = { "alice@strict.example", "alice%strict.example@kind.example" };
	for (size_t i = 0; i < COUNT(recipients); i++) {
		struct mxguard_check *c = check_from(conf, GATEWAY, recipients[i]);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
		assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
		assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "no-header");
		assert_int_equal(mxguard_check_mode(c, 0), MXGUARD_MODE_ENFORCE);
		assert_int_equal(mxguard_check_action(c, 0), MXGUARD_ACTION_DEFER);
		mxguard_check_free(c);
	}
}

/* A mailbox of this host is not left to the policy of the one domain that is named. */
static void test_mailbox_of_unnamed_domains(void **state)
{
	static const char conf[] =
		"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
		"gateways = ( { name = \"current-mx\"; allow = \"mx\"; } );"
		"policies = ( { domains = [ \"kind.example\" ]; mode = \"off\"; } );";
	static const char *const recipients[] = { "alice@mx.example.com", "alice", "alice@[192.0.2.25]",
						  "alice%localhost@kind.example" };
	for (size_t i = 0; i < COUNT(recipients); i++) {
		struct mxguard_check *c = check_from(conf, SPAMMER, recipients[i]);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_DNS);
		assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
		assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "dns-cancelled");
		assert_int_equal(mxguard_check_action(c, 0), MXGUARD_ACTION_DEFER);
		mxguard_check_free(c);
	}
}

/* Nor to a domain that the client wrote in front of this host's name. */
static void test_mailbox_behind_foreign_domain(void **state)
{
	static const char conf[] =
		"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\";"
		"gateways = ( { name = \"current-mx\"; allow = \"mx\"; } );";
	struct mxguard_check *c = check_from(conf, SPAMMER, "alice%evil.example@mx.example.com");
	unsigned own = 0, foreign = 0;
	uint8_t query[512];
	size_t number, len;
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_DNS);
	while (mxguard_check_next_question(c, &number, query, sizeof(query), &len) == 1) {
		own += strcmp(mxg_check_question_text(c, number), "mx.example.com MX") == 0;
		foreign += strcmp(mxg_check_question_text(c, number), "evil.example MX") == 0;
	}
	assert_int_equal(foreign, 1);
	assert_int_equal(own, 1);
	mxguard_check_free(c);
}

static void test_give_up_without_dns(void **state)
{
	struct mxguard_check *c = check_from(dns_conf, GATEWAY, "alice@example.com");
	uint8_t query[512];
	size_t number;
	size_t len;
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_DNS);
	assert_int_equal(mxguard_check_next_question(c, &number, query, 11, &len), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_next_question(c, &number, query, sizeof(query), &len), 1);
	assert_string_equal(mxg_check_question_text(c, number), "spf.example.net TXT");
	assert_int_equal(mxguard_check_next_question(c, &number, query, sizeof(query), &len), 0);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_DNS);
	assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "dns-cancelled");
	assert_int_equal(mxguard_check_action(c, 0), MXGUARD_ACTION_DEFER);
	mxguard_check_free(c);
}

static void test_late_replies(void **state)
{
	static const struct scripted_record script[] = {
		RECORD("spf.example.net TXT", "\032v=spf1 ip4:192.0.2.10 -all"),
	};
	struct mxguard_check *c = check_from(dns_conf, GATEWAY, "alice@example.com");
	uint8_t query[512], reply[2048];
	size_t number;
	size_t len;
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_DNS);
	assert_int_equal(mxguard_check_next_question(c, &number, query, sizeof(query), &len), 1);
	assert_int_equal(mxguard_check_no_reply(c, number, MXGUARD_DNS_FAILURE_REFUSED, NOW), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "dns-refused");
	len = scripted_reply(reply, query, "spf.example.net TXT", script, COUNT(script));
	assert_int_equal(mxguard_check_reply(c, number, reply, len, NOW), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_no_reply(c, number, MXGUARD_DNS_FAILURE_TIMEOUT, NOW), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_no_reply(c, number, (enum mxguard_dns_failure)5, NOW), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "dns-refused");
	mxguard_check_free(c);
}

static void test_header_states(void **state)
{
	struct mxguard_check *c = check_from(static_conf, "", "alice@example.com");
	assert_int_equal(mxguard_check_header(c, "Subj", 4), 1);
	assert_int_equal(mxguard_check_header(c, "", 0), 1);
	assert_int_equal(mxguard_check_header(c, NULL, 0), 1);
	assert_int_equal(mxguard_check_header_end(c), 0);
	assert_int_equal(mxguard_check_header_end(c), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_header(c, "x", 1), MXGUARD_ERROR_STATE);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_reason(c, 0, MXGUARD_VERDICT_UNKNOWN, "untraced");
	mxguard_check_free(c);
}

/* Where the MTA has not written its field, the peer is what it would name. */
static void test_no_own_field(void **state)
{
	static const struct {
		const char *peer, *header, *reason;
		enum mxguard_verdict verdict;
	} rows[] = {
		{ "127.0.0.1", "Subject: x\n", "origin", MXGUARD_VERDICT_INTERNAL },
		{ "", "Subject: x\n", "local-origin", MXGUARD_VERDICT_INTERNAL },
		{ "",
		  "Received: from x (x [203.0.113.66]) by mx.stranger.example (Postfix) with ESMTP id 4X1;\n"
		  "\tMon, 23 Nov 2026 10:00:00 +0000\n",
		  "resubmitted", MXGUARD_VERDICT_UNKNOWN },
		{ "10.0.0.1", "Subject: x\n", "no-field-below-internal", MXGUARD_VERDICT_UNKNOWN },
		{ "127.0.0.1",
		  "Received: from x (x [203.0.113.66]) by mx.example.com (Postfix) with ESMTP id 4X1;\n"
		  "\tMon, 23 Nov 2026 10:00:00 +0000\n",
		  "peer-not-a-gateway", MXGUARD_VERDICT_DIRECT },
	};
	struct mxguard_policy *policy =
		policy_of("mode = \"enforce\"; internal = [ \"10.0.0.0/8\" ]; trace = { mta = [ \"postfix\" ]; };"
			  "gateways = ( { name = \"g\"; allow = \"ip4:192.0.2.10\"; } );");
	struct mxguard_check *c;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(mxguard_check_new(&c, policy, NULL, MXGUARD_CHECK_FLAG_NO_OWN_FIELD), 0);
		assert_int_equal(mxguard_check_set_peer_text(c, rows[i].peer), 0);
		assert_int_equal(mxguard_check_add_recipient(c, "alice@example.com", NULL), 0);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
		assert_true(mxguard_check_header(c, rows[i].header, strlen(rows[i].header)) >= 0);
		assert_int_equal(mxguard_check_header_end(c), 0);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
		assert_reason(c, 0, rows[i].verdict, rows[i].reason);
		mxguard_check_free(c);
	}
	mxguard_policy_unref(policy);
}

/* ---- peers ---------------------------------------------------------------------------- */

static void test_mapped_peers(void **state)
{
	static const char *const texts[] = { "::ffff:192.0.2.10", "[IPv6:::ffff:192.0.2.10]", "::FFFF:c000:020a" };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	assert_int_equal(inet_pton(AF_INET6, texts[0], &six.sin6_addr), 1);
	for (size_t i = 0; i < COUNT(texts) + 2; i++) {
		struct mxguard_check *c = check_of(static_conf);
		mxguard_check_add_recipient(c, "alice@example.com", NULL);
		int result = i < COUNT(texts)    ? mxguard_check_set_peer_text(c, texts[i])
			     : i == COUNT(texts) ? mxguard_check_set_peer(c, (const struct sockaddr *)&six)
						 : mxguard_check_set_peer_bytes(c, six.sin6_addr.s6_addr, 16);
		assert_int_equal(result, MXGUARD_ERROR_NONE);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
		assert_reason(c, 0, MXGUARD_VERDICT_AUTHORIZED, "gateway-match");
		assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_PEER), GATEWAY);
		mxguard_check_free(c);
	}
}

static void test_no_peer(void **state)
{
	const struct sockaddr_un local = { .sun_family = AF_UNIX };
	for (int i = 0; i < 5; i++) {
		struct mxguard_check *c = check_of(static_conf);
		mxguard_check_add_recipient(c, "alice@example.com", NULL);
		int result = i == 0   ? mxguard_check_set_peer(c, (const struct sockaddr *)&local)
			     : i == 1 ? mxguard_check_set_peer(c, NULL)
			     : i == 2 ? mxguard_check_set_peer_text(c, "")
			     : i == 3 ? mxguard_check_set_peer_text(c, NULL)
				      : MXGUARD_ERROR_NONE;
		assert_int_equal(result, MXGUARD_ERROR_NONE);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
		mxguard_check_free(c);
	}
}

static void test_real_peer_in_the_log(void **state)
{
	const struct sockaddr_in proxy = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a010203) } };
	struct mxguard_check *c = check_from(static_conf, GATEWAY, "alice@example.com");
	char line[4096];
	assert_int_equal(mxguard_check_set_real_peer(c, (const struct sockaddr *)&proxy), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	mxguard_check_log_line(c, 0, line, sizeof(line));
	assert_non_null(strstr(line, " peer=192.0.2.10 "));
	assert_non_null(strstr(line, " real=10.1.2.3"));
	mxguard_check_free(c);
}

/* Names of every length, each byte from both ends of A-Z and from beside them. */
static void test_recipient_domains_in_lower_case(void **state)
{
	static const char alphabet[] = "A@Z[a`z{09-_M";
	(void)state;
	struct mxguard_check *c = check_of(static_conf);
	for (size_t len = 1; len <= 40; len++) {
		char recipient[64] = "Al@", expected[64] = "Al@";
		for (size_t i = 0; i < len; i++) {
			char byte = alphabet[(len * 7 + i) % (sizeof(alphabet) - 1)];
			recipient[3 + i] = byte == '@' ? 'Q' : byte; /* the last @ divides */
			expected[3 + i] = byte == '@'   ? 'q'
					  : byte == 'A' ? 'a'
					  : byte == 'Z' ? 'z'
					  : byte == 'M' ? 'm'
							: byte;
		}
		size_t index;
		assert_int_equal(mxguard_check_add_recipient(c, recipient, &index), MXGUARD_ERROR_NONE);
		assert_int_equal(index, len - 1);
		assert_string_equal(mxguard_check_text(c, index, MXGUARD_TEXT_RECIPIENT), expected);
	}
	mxguard_check_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_refuses_unknown_flags),
		cmocka_unit_test(test_policy_flags_and_messages),
		cmocka_unit_test(test_setters_after_a_run),
		cmocka_unit_test(test_refused_override_is_remembered),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_unreadable_peers),
		cmocka_unit_test(test_bad_indexes),
		cmocka_unit_test(test_recipients_after_a_run),
		cmocka_unit_test(test_a_login_names_somebody),
		cmocka_unit_test(test_reset_and_reuse),
		cmocka_unit_test(test_give_up_without_header),
		cmocka_unit_test(test_chained_setters),
		cmocka_unit_test(test_give_up_without_token),
		cmocka_unit_test(test_give_up_on_routed),
		cmocka_unit_test(test_mailbox_of_unnamed_domains),
		cmocka_unit_test(test_mailbox_behind_foreign_domain),
		cmocka_unit_test(test_give_up_without_dns),
		cmocka_unit_test(test_late_replies),
		cmocka_unit_test(test_header_states),
		cmocka_unit_test(test_no_own_field),
		cmocka_unit_test(test_mapped_peers),
		cmocka_unit_test(test_no_peer),
		cmocka_unit_test(test_real_peer_in_the_log),
		cmocka_unit_test(test_recipient_domains_in_lower_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
