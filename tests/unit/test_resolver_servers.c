/* SPDX-License-Identifier: MIT */
/* The resolver among servers that fail in every way: what another one knows counts, nothing that
 * does not belong to the question does, and the time is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "dns_site.h"
#include "resolver/calls.h"
#include "resolver/resolver.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG 20 /* seconds: more than any of these may take, less than a policy's time here */

static enum mxguard_verdict decide_among(const char *timeout, const enum site_manner *manners, size_t count,
					 char reason[64])
{
	struct site site;
	site_open(&site, timeout, manners, count);
	enum mxguard_verdict verdict = site_decide(&site, "example.test", -1, reason);
	site_close(&site);
	return verdict;
}

static void test_another_server_knows(void **state)
{
	static const enum site_manner bad[] = { SITE_SERVFAIL, SITE_REFUSED, SITE_BROKEN, SITE_REFERRAL };
	char reason[64];
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		const enum site_manner two[] = { bad[i], SITE_ANSWERS };
		const enum site_manner three[] = { bad[i], SITE_REFUSED, SITE_ANSWERS };
		double start = site_seconds();
		assert_int_equal(decide_among("60s", two, 2, reason), MXGUARD_VERDICT_AUTHORIZED);
		assert_int_equal(decide_among("60s", three, 3, reason), MXGUARD_VERDICT_AUTHORIZED);
		assert_true(site_seconds() - start < LONG);
	}
}

static void test_nobody_knows(void **state)
{
	static const struct {
		enum site_manner manners[3];
		const char *reason;
	} rows[] = {
		{ { SITE_SERVFAIL, SITE_SERVFAIL, SITE_SERVFAIL }, "dns-servfail" },
		{ { SITE_REFUSED, SITE_REFUSED, SITE_REFUSED }, "dns-refused" },
		{ { SITE_BROKEN, SITE_BROKEN, SITE_BROKEN }, "dns-broken" },
		{ { SITE_SERVFAIL, SITE_REFUSED, SITE_REFUSED }, "dns-servfail" },
	};
	char reason[64];
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t count = 1; count <= 3; count++) {
			double start = site_seconds();
			assert_int_equal(decide_among("60s", rows[i].manners, count, reason), MXGUARD_VERDICT_UNKNOWN);
			assert_string_equal(reason, rows[i].reason);
			assert_true(site_seconds() - start < LONG);
		}
}

static void test_noise_is_not_believed(void **state)
{
	static const enum site_manner noisy[] = { SITE_NOISY };
	char reason[64];
	(void)state;
	assert_int_equal(decide_among("5s", noisy, 1, reason), MXGUARD_VERDICT_AUTHORIZED);
}

/* c-ares 1.34 would close the socket over a message that ends before its second question. */
static void test_only_one_question_is_answered(void **state)
{
	static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\4a!b$\4test\0\0\1\0"; /* and 1 */
	struct mxg_calls calls = { 0 };
	struct mxg_call call = { .query = query, .query_len = sizeof(query), .id = 0x1234 };
	uint8_t reply[sizeof(query)];
	(void)state;
	mxg_calls_add(&calls, &call);
	memcpy(reply, query, sizeof(query));
	reply[2] = 0x81;
	for (unsigned count = 0; count < 0x10000; count += count < 3 ? 1 : 0xff) {
		reply[4] = (uint8_t)(count >> 8);
		reply[5] = (uint8_t)count;
		assert_ptr_equal(mxg_calls_find(&calls, reply, sizeof(reply)), count == 1 ? &call : NULL);
	}
	mxg_calls_remove(&calls, &call);
}

/* The first server's silence is paid for once, not with every question. */
static void test_silent_server_is_left(void **state)
{
	static const enum site_manner manners[] = { SITE_SILENT, SITE_ANSWERS, SITE_SILENT };
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "2s", manners, 3);
	assert_int_equal(site_decide(&site, "one.test", 30000, reason), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(site_decide(&site, "two.test", 30000, reason), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(site_decide(&site, "three.test", 30000, reason), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(site.servers[0].seen, 1);
	assert_int_equal(site.servers[2].seen, 0);
	/* and it falls silent in its turn */
	site.servers[1].manner = SITE_SILENT;
	site.servers[0].manner = SITE_ANSWERS;
	assert_int_equal(site_decide(&site, "four.test", 30000, reason), MXGUARD_VERDICT_AUTHORIZED);
	site_close(&site);
}

static void test_last_of_eight_is_reached(void **state)
{
	static const enum site_manner manners[] = { SITE_SILENT, SITE_SILENT, SITE_SILENT, SITE_SILENT,
						    SITE_SILENT, SITE_SILENT, SITE_SILENT, SITE_ANSWERS };
	char reason[64];
	(void)state;
	assert_int_equal(decide_among("4s", manners, 8, reason), MXGUARD_VERDICT_AUTHORIZED);
}

static void test_eight_silent_servers_end_in_time(void **state)
{
	static const enum site_manner manners[SITE_SERVERS] = { SITE_SILENT, SITE_SILENT, SITE_SILENT, SITE_SILENT,
								SITE_SILENT, SITE_SILENT, SITE_SILENT, SITE_SILENT };
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "60s", manners, SITE_SERVERS);
	double start = site_seconds();
	assert_int_equal(site_decide(&site, "example.test", 400, reason), MXGUARD_VERDICT_UNKNOWN);
	assert_true(site_seconds() - start < LONG);
	assert_string_equal(reason, "dns-timeout");
	site_close(&site);
}

static void test_truncated_goes_over_tcp(void **state)
{
	static const enum site_manner manners[] = { SITE_TRUNCATES };
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "5s", manners, 1);
	assert_int_equal(site_decide(&site, "example.test", -1, reason), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(site.servers[0].seen_tcp, 2);
	site_close(&site);
}

static void test_tcp_that_leads_nowhere(void **state)
{
	static const enum site_manner bad[] = { SITE_TRUNCATES_SILENT, SITE_TRUNCATES_CLOSES };
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		const enum site_manner two[] = { bad[i], SITE_ANSWERS };
		struct site site;
		char reason[64];
		site_open(&site, "60s", two, 1);
		double start = site_seconds();
		assert_int_equal(site_decide(&site, "example.test", 400, reason), MXGUARD_VERDICT_UNKNOWN);
		assert_string_equal(reason, "dns-timeout");
		assert_true(site_seconds() - start < LONG);
		site_close(&site);
	}
}

/* Two at once: c-ares 1.18 itself copes with one. */
static void test_servers_without_edns(void **state)
{
	static const enum site_manner manners[] = { SITE_KNOWS_NO_EDNS };
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "60s", manners, 1);
	struct mxguard_check *a = site_check(&site, "192.0.2.10", "a@one.test");
	struct mxguard_check *b = site_check(&site, "192.0.2.10", "b@two.test");
	assert_int_equal(mxg_resolver_start(site.resolver, a, -1), MXGUARD_PROGRESS_NEED_DNS);
	assert_int_equal(mxg_resolver_start(site.resolver, b, -1), MXGUARD_PROGRESS_NEED_DNS);
	site_wait_for_check(&site);
	site_wait_for_check(&site);
	assert_int_equal(mxguard_check_verdict(a, 0), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(mxguard_check_verdict(b, 0), MXGUARD_VERDICT_AUTHORIZED);
	mxguard_check_free(a);
	mxguard_check_free(b);
	assert_int_equal(site_decide(&site, "three.test", -1, reason), MXGUARD_VERDICT_AUTHORIZED);
	site_close(&site);
}

/* ---- dead, and back ---------------------------------------------------------------------- */

static void test_dead_at_start(void **state)
{
	static const enum site_manner manners[] = { SITE_ANSWERS, SITE_ANSWERS };
	(void)state;
	for (size_t alive = 0; alive < 2; alive++) {
		struct site site;
		char reason[64];
		site_open(&site, "60s", manners, 2);
		site_server_stop(&site.servers[0]);
		if (alive == 0)
			site_server_stop(&site.servers[1]);
		double start = site_seconds();
		assert_int_equal(site_decide(&site, "example.test", -1, reason),
				 alive == 0 ? MXGUARD_VERDICT_UNKNOWN : MXGUARD_VERDICT_AUTHORIZED);
		assert_true(site_seconds() - start < LONG); /* ICMP says so at once */
		if (alive == 0)
			assert_string_equal(reason, "dns-timeout");
		site_close(&site);
	}
}

static void test_dies_and_comes_back(void **state)
{
	static const enum site_manner manners[] = { SITE_WAITS };
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "60s", manners, 1);
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	assert_int_equal(mxg_resolver_start(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_DNS);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	site_server_stop(&site.servers[0]); /* between the first question and the second */
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	mxguard_check_free(c);
	assert_int_equal(site_decide(&site, "example.test", -1, reason), MXGUARD_VERDICT_UNKNOWN);
	site.servers[0].manner = SITE_ANSWERS;
	site_server_start(&site.servers[0]);
	assert_int_equal(site_decide(&site, "example.test", -1, reason), MXGUARD_VERDICT_AUTHORIZED);
	site_close(&site);
}

/* A question that nobody waits for any more is not joined: its next try may be far away. */
static void test_silent_and_back(void **state)
{
	static const enum site_manner manners[] = { SITE_SILENT };
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "300s", manners, 1); /* two seconds a try */
	assert_int_equal(site_decide(&site, "example.test", 50, reason), MXGUARD_VERDICT_UNKNOWN);
	size_t seen = site.servers[0].seen;
	site.servers[0].manner = SITE_WAITS;
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "alice@example.test");
	double start = site_seconds();
	assert_int_equal(mxg_resolver_start(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_DNS);
	site_wait_for_queries(&site, 1);
	assert_int_equal(site.servers[0].seen, seen + 1);
	assert_true(site_seconds() - start < 1.5);
	site.servers[0].manner = SITE_ANSWERS;
	site_answer_all(&site.servers[0], 0);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
	mxguard_check_free(c);
	site_close(&site);
}

static void test_no_socket_is_our_own_trouble(void **state)
{
	static const enum site_manner manners[] = { SITE_ANSWERS, SITE_ANSWERS };
	struct rlimit old, none;
	struct site site;
	char reason[64];
	(void)state;
	site_open(&site, "60s", manners, 2);
	/* once with channels to be opened, once with open ones */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
		none = old;
		none.rlim_cur = 3;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		struct mxguard_check *c = site_check(&site, "192.0.2.10", "alice@example.test");
		int progress = mxguard_resolver_run(site.resolver, c, -1);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_int_equal(progress, MXGUARD_PROGRESS_DONE);
		assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
		assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "dns-local");
		mxguard_check_free(c);
		assert_int_equal(site_decide(&site, "example.test", -1, reason), MXGUARD_VERDICT_AUTHORIZED);
	}
	site_close(&site);
}

/* ---- cancelled --------------------------------------------------------------------------- */

static uint32_t random_state;

static uint32_t next_random(void)
{
	random_state = random_state * 1664525u + 1013904223u;
	return random_state >> 8;
}

/* Many checks over three servers of every manner; each is cancelled and freed at some turn, or
 * comes to its end; then the resolver goes, with whatever is still out. */
static void cancel_at_random(const enum site_manner *manners)
{
	enum { MANY = 12 };
	struct mxguard_check *checks[MANY], *done;
	struct site site;
	char recipient[40];
	site_open(&site, "1s", manners, 3);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(recipient, sizeof(recipient), "a@d%u.test", next_random() % 4);
		checks[i] = site_check(&site, i % 3 == 0 ? "203.0.113.66" : "192.0.2.10", recipient);
		assert_int_equal(mxg_resolver_start(site.resolver, checks[i], 400), MXGUARD_PROGRESS_NEED_DNS);
	}
	for (int turns = (int)(next_random() % 30); turns > 0; turns--) {
		site_turn(&site);
		unsigned i = next_random() % MANY;
		if (next_random() % 4 == 0 && checks[i] != NULL) {
			mxg_resolver_cancel(site.resolver, checks[i]);
			mxguard_check_free(checks[i]);
			checks[i] = NULL;
		}
		while ((done = mxg_resolver_next(site.resolver)) != NULL) {
			enum mxguard_verdict verdict = mxguard_check_verdict(done, 0);
			for (i = 0; checks[i] != done; i++)
				;
			assert_true(i % 3 != 0 || verdict != MXGUARD_VERDICT_AUTHORIZED);
			mxguard_check_free(done);
			checks[i] = NULL;
		}
	}
	site_close(&site);
	for (unsigned i = 0; i < MANY; i++)
		mxguard_check_free(checks[i]);
}

static void test_cancelled_anywhere(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 60; seed++) {
		enum site_manner manners[3];
		random_state = seed;
		for (int i = 0; i < 3; i++)
			manners[i] = (enum site_manner)(1 + next_random() % SITE_KNOWS_NO_EDNS);
		cancel_at_random(manners);
	}
}

/* ---- a check that comes again ------------------------------------------------------------ */

static void test_started_again_with_its_header(void **state)
{
	static const enum site_manner manners[] = { SITE_ANSWERS };
	static const char header[] = "Received: from gw.example.test (gw.example.test [192.0.2.10])\r\n"
				     "\tby mail.example.com (Postfix) with ESMTP id 4SfYwT0Kb3z9s4G\r\n"
				     "\tfor <a@example.test>; Mon, 23 Nov 2026 22:00:00 +0000 (UTC)\r\n\r\n";
	struct site site;
	(void)state;
	site_open(&site, "5s", manners, 1);
	struct mxguard_check *c = site_check(&site, "", "a@example.test");
	assert_int_equal(mxg_resolver_start(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_HEADER);
	assert_null(mxg_resolver_next(site.resolver));
	assert_true(mxguard_check_header(c, header, sizeof(header) - 1) >= 0);
	assert_int_equal(mxguard_check_header_end(c), MXGUARD_ERROR_NONE);
	assert_int_equal(mxg_resolver_start(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_DNS);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(mxguard_check_hop(c, 0), 1);
	mxguard_check_free(c);
	site_close(&site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_server_knows),
		cmocka_unit_test(test_nobody_knows),
		cmocka_unit_test(test_noise_is_not_believed),
		cmocka_unit_test(test_only_one_question_is_answered),
		cmocka_unit_test(test_silent_server_is_left),
		cmocka_unit_test(test_last_of_eight_is_reached),
		cmocka_unit_test(test_eight_silent_servers_end_in_time),
		cmocka_unit_test(test_truncated_goes_over_tcp),
		cmocka_unit_test(test_tcp_that_leads_nowhere),
		cmocka_unit_test(test_servers_without_edns),
		cmocka_unit_test(test_dead_at_start),
		cmocka_unit_test(test_dies_and_comes_back),
		cmocka_unit_test(test_silent_and_back),
		cmocka_unit_test(test_no_socket_is_our_own_trouble),
		cmocka_unit_test(test_cancelled_anywhere),
		cmocka_unit_test(test_started_again_with_its_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
