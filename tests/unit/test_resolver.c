/* SPDX-License-Identifier: MIT */
/* The polled resolver against a DNS server that lives in the same thread and answers only when
 * it is told to: so every stage of a lookup can be stood still at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "dns_site.h"
#include "resolver/resolver.h"

static void open_site(struct site *site, const char *timeout)
{
	static const enum site_manner waits[] = { SITE_WAITS };
	site_open(site, timeout, waits, 1);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void test_answered(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	assert_int_equal(mxg_resolver_start(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_DNS);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
	assert_null(mxg_resolver_next(site.resolver));
	assert_int_equal(mxg_resolver_timeout(site.resolver), -1);
	mxguard_check_free(c);
	site_close(&site);
}

static void test_same_question_goes_out_once(void **state)
{
	struct site site;
	struct mxguard_check *checks[20];
	(void)state;
	open_site(&site, "5s");
	for (size_t i = 0; i < 20; i++) {
		checks[i] = site_check(&site, i % 2 == 0 ? "192.0.2.10" : "203.0.113.66", "a@example.test");
		assert_int_equal(mxg_resolver_start(site.resolver, checks[i], -1), MXGUARD_PROGRESS_NEED_DNS);
	}
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	for (size_t i = 0; i < 20; i++)
		site_wait_for_check(&site);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(mxguard_check_verdict(checks[i], 0),
				 i % 2 == 0 ? MXGUARD_VERDICT_AUTHORIZED : MXGUARD_VERDICT_DIRECT);
		mxguard_check_free(checks[i]);
	}
	assert_int_equal(site.servers[0].seen, 2);
	site_close(&site);
}

/* Cancelled, and freed, after `stage` replies; a reply that comes later meets nobody. */
static void test_cancelled_at_every_stage(void **state)
{
	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		struct site site;
		open_site(&site, "5s");
		struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
		struct mxguard_check *other = site_check(&site, "192.0.2.10", "a@example.test");
		mxg_resolver_start(site.resolver, c, -1);
		mxg_resolver_start(site.resolver, other, -1);
		site_wait_for_queries(&site, 1);
		for (int i = 0; i < stage; i++) {
			site_answer_all(&site.servers[0], 0);
			site_wait_for_queries(&site, 1);
		}
		mxg_resolver_cancel(site.resolver, c);
		mxguard_check_free(c);
		for (int i = stage; i < 2; i++) {
			site_answer_all(&site.servers[0], 0);
			if (i == 0)
				site_wait_for_queries(&site, 1);
		}
		assert_ptr_equal(site_wait_for_check(&site), other);
		assert_int_equal(mxguard_check_verdict(other, 0), MXGUARD_VERDICT_AUTHORIZED);
		mxguard_check_free(other);
		site_close(&site);
	}
}

static void test_freed_with_lookups_pending(void **state)
{
	(void)state;
	for (int turns = 0; turns < 3; turns++) {
		struct site site;
		open_site(&site, "5s");
		struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
		mxg_resolver_start(site.resolver, c, -1);
		for (int i = 0; i < turns; i++)
			site_turn(&site);
		site_close(&site);
		assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNDECIDED);
		mxguard_check_free(c);
	}
}

static void test_silence_ends_at_the_deadline(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "30s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	double start = site_seconds();
	assert_int_equal(mxg_resolver_start(site.resolver, c, 300), MXGUARD_PROGRESS_NEED_DNS);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_true(site_seconds() - start < 15); /* not the thirty of the policy */
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "dns-timeout");
	mxguard_check_free(c);
	site_close(&site);
}

/* The second question, too, must fit into the same time: no reply to it may add another. */
static void test_one_deadline_for_the_whole(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "30s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	mxg_resolver_start(site.resolver, c, 300);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "dns-timeout");
	mxguard_check_free(c);
	site_close(&site);
}

static void test_refusals_keep_their_names(void **state)
{
	static const struct {
		unsigned rcode;
		const char *reason;
	} rows[] = { { 2, "dns-servfail" }, { 5, "dns-refused" } };
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct site site;
		open_site(&site, "5s");
		struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
		mxg_resolver_start(site.resolver, c, -1);
		site_wait_for_queries(&site, 1);
		site_answer_all(&site.servers[0], rows[i].rcode);
		assert_ptr_equal(site_wait_for_check(&site), c);
		assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), rows[i].reason);
		assert_int_equal(mxguard_check_reply_code(c, 0), 451);
		mxguard_check_free(c);
		site_close(&site);
	}
}

static void test_wrong_id_is_not_believed(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "30s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	mxg_resolver_start(site.resolver, c, 400);
	site_wait_for_queries(&site, 1);
	site.servers[0].queries[0].bytes[0] ^= 0x55;
	site_answer_all(&site.servers[0], 0);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	mxguard_check_free(c);
	site_close(&site);
}

static void test_recipients_added_later(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	mxg_resolver_start(site.resolver, c, -1);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_add_recipient(c, "b@other.test", NULL), MXGUARD_ERROR_NONE);
	assert_int_equal(mxg_resolver_start(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_DNS);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	site_wait_for_queries(&site, 1);
	site_answer_all(&site.servers[0], 0);
	assert_ptr_equal(site_wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(mxguard_check_verdict(c, 1), MXGUARD_VERDICT_AUTHORIZED);
	mxguard_check_free(c);
	site_close(&site);
}

static void test_a_thousand_at_once(void **state)
{
	enum { MANY = 1000 };
	static struct mxguard_check *checks[MANY];
	struct site site;
	size_t done = 0;
	(void)state;
	open_site(&site, "300s");
	for (size_t i = 0; i < MANY; i++) {
		char recipient[64];
		snprintf(recipient, sizeof(recipient), "a@d%zu.test", i);
		checks[i] = site_check(&site, "192.0.2.10", recipient);
		assert_int_equal(mxg_resolver_start(site.resolver, checks[i], -1), MXGUARD_PROGRESS_NEED_DNS);
		if (i % 50 ==
		    49) { /* what a socket's buffer does not hold is lost, and asked for again too few times */
			site_turn(&site);
			site_answer_all(&site.servers[0], 0);
		}
	}
	for (int i = 0; i < 20000 && done < MANY; i++) {
		site_turn(&site);
		site_answer_all(&site.servers[0], 0);
		while (mxg_resolver_next(site.resolver) != NULL)
			done++;
	}
	assert_int_equal(done, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_string_equal(mxguard_check_text(checks[i], 0, MXGUARD_TEXT_REASON), "gateway-match");
		mxguard_check_free(checks[i]);
	}
	site_close(&site);
}

static void test_no_sockets_left(void **state)
{
	struct site site;
	struct rlimit old, none;
	(void)state;
	open_site(&site, "2s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3; /* all in use: no file, no socket */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int progress = mxguard_resolver_run(site.resolver, c, 1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(progress, MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	assert_int_equal(mxguard_check_reply_code(c, 0), 451);
	mxguard_check_free(c);
	site_close(&site);
}

static void test_blocking_needs_no_dns_for_static_terms(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = site_check(&site, "", "a@example.test");
	assert_int_equal(mxguard_resolver_run(site.resolver, c, -1), MXGUARD_PROGRESS_NEED_HEADER);
	assert_int_equal(site.servers[0].seen, 0);
	mxguard_check_free(c);
	site_close(&site);
}

static void test_misuse(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = site_check(&site, "192.0.2.10", "a@example.test");
	struct mxguard_resolver *none;
	assert_int_equal(mxguard_resolver_new(&none, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_null(none);
	assert_int_equal(mxg_resolver_start(site.resolver, c, -2), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxg_resolver_start(site.resolver, NULL, -1), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxg_resolver_process(site.resolver, NULL, 1), MXGUARD_ERROR_INVALID);
	mxg_resolver_cancel(site.resolver, c); /* never started: nothing happens */
	mxguard_resolver_free(NULL);
	mxguard_check_free(c);
	site_close(&site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_same_question_goes_out_once),
		cmocka_unit_test(test_cancelled_at_every_stage),
		cmocka_unit_test(test_freed_with_lookups_pending),
		cmocka_unit_test(test_silence_ends_at_the_deadline),
		cmocka_unit_test(test_one_deadline_for_the_whole),
		cmocka_unit_test(test_refusals_keep_their_names),
		cmocka_unit_test(test_wrong_id_is_not_believed),
		cmocka_unit_test(test_recipients_added_later),
		cmocka_unit_test(test_a_thousand_at_once),
		cmocka_unit_test(test_no_sockets_left),
		cmocka_unit_test(test_blocking_needs_no_dns_for_static_terms),
		cmocka_unit_test(test_misuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
