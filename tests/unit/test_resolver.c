/* SPDX-License-Identifier: MIT */
/* The polled resolver against a DNS server that lives in the same thread and answers only when
 * it is told to: so every stage of a lookup can be stood still at. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "mxguard.h"

#define QUERIES 64

struct query {
	struct sockaddr_in from;
	size_t len;
	uint8_t bytes[600];
};

struct server {
	int fd;
	unsigned port;
	size_t count; /* queries received and not yet answered or dropped */
	size_t seen;
	struct query queries[QUERIES];
};

struct site {
	struct server server;
	struct mxguard_policy *policy;
	struct mxguard_resolver *resolver;
};

static void start_server(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
}

static void take_queries(struct server *s)
{
	while (s->count < QUERIES) {
		struct query *q = &s->queries[s->count];
		socklen_t len = sizeof(q->from);
		ssize_t n = recvfrom(s->fd, q->bytes, sizeof(q->bytes), 0, (struct sockaddr *)&q->from, &len);
		if (n < 12)
			return;
		q->len = (size_t)n;
		s->count++;
		s->seen++;
	}
}

/* MX: 10 gw.<the question's name>; A: 192.0.2.10. */
static void answer(struct server *s, const struct query *q, unsigned rcode)
{
	uint8_t r[600];
	size_t question = 12 + strlen((const char *)q->bytes + 12) + 1 + 4, n = question;
	bool mx = q->bytes[question - 3] == 15;
	memcpy(r, q->bytes, question);
	r[2] = 0x81;
	r[3] = (uint8_t)(0x80 | rcode);
	memset(r + 6, 0, 6);
	if (rcode == 0) {
		static const uint8_t a[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 10 };
		static const uint8_t m[] = { 0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 7, 0, 10, 2, 'g', 'w', 0xc0, 12 };
		r[7] = 1;
		memcpy(r + n, mx ? m : a, mx ? sizeof(m) : sizeof(a));
		n += mx ? sizeof(m) : sizeof(a);
	}
	sendto(s->fd, r, n, 0, (const struct sockaddr *)&q->from, sizeof(q->from));
}

static void answer_all(struct server *s, unsigned rcode)
{
	for (size_t i = 0; i < s->count; i++)
		answer(s, &s->queries[i], rcode);
	s->count = 0;
}

static struct mxguard_policy *make_policy(const char *servers, const char *timeout)
{
	char text[600], message[300];
	struct mxguard_policy *policy;
	int n = snprintf(text, sizeof(text),
			 "mode = \"enforce\"; self = [ \"198.51.100.1\" ]; gateways = ( { name = \"mx\"; allow = \"mx\"; } );"
			 "dns = { servers = [ %s ]; timeout = \"%s\"; };",
			 servers, timeout);
	if (mxguard_policy_parse(&policy, text, (size_t)n, "test.conf", 0, message, sizeof(message)) != MXGUARD_OK)
		fail_msg("%s", message);
	return policy;
}

static void open_site(struct site *site, const char *timeout)
{
	char servers[60];
	*site = (struct site){ .policy = NULL };
	start_server(&site->server);
	snprintf(servers, sizeof(servers), "\"127.0.0.1:%u\"", site->server.port);
	site->policy = make_policy(servers, timeout);
	site->resolver = mxguard_resolver_new(site->policy);
	assert_non_null(site->resolver);
}

static void close_site(struct site *site)
{
	mxguard_resolver_free(site->resolver);
	mxguard_policy_unref(site->policy);
	close(site->server.fd);
}

static struct mxguard_check *make_check(struct site *site, const char *peer, const char *recipient)
{
	struct mxguard_check *c = mxguard_check_new(site->policy, NULL, 0);
	assert_non_null(c);
	assert_int_equal(mxguard_check_set_peer_text(c, peer), MXGUARD_OK);
	assert_int_equal(mxguard_check_add_recipient(c, recipient), 0);
	return c;
}

/* One turn of an event loop, at most 50 ms. */
static void turn(struct site *site)
{
	struct pollfd fds[32];
	size_t own = mxguard_resolver_pollfds(site->resolver, fds, 31);
	assert_true(own <= 31);
	fds[own] = (struct pollfd){ .fd = site->server.fd, .events = POLLIN };
	int wait = mxguard_resolver_timeout(site->resolver);
	poll(fds, (nfds_t)own + 1, wait < 0 || wait > 50 ? 50 : wait);
	take_queries(&site->server);
	assert_int_equal(mxguard_resolver_process(site->resolver, fds, own), MXGUARD_OK);
}

static void wait_for_queries(struct site *site, size_t count)
{
	for (int i = 0; i < 200 && site->server.count < count; i++)
		turn(site);
	assert_int_equal(site->server.count, count);
}

static struct mxguard_check *wait_for_check(struct site *site)
{
	struct mxguard_check *c = NULL;
	for (int i = 0; i < 400 && (c = mxguard_resolver_next(site->resolver)) == NULL; i++)
		turn(site);
	assert_non_null(c);
	return c;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void test_answered(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	assert_int_equal(mxguard_resolver_start(site.resolver, c, -1), MXGUARD_NEED_DNS);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	assert_ptr_equal(wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
	assert_null(mxguard_resolver_next(site.resolver));
	assert_int_equal(mxguard_resolver_timeout(site.resolver), -1);
	mxguard_check_free(c);
	close_site(&site);
}

static void test_same_question_goes_out_once(void **state)
{
	struct site site;
	struct mxguard_check *checks[20];
	(void)state;
	open_site(&site, "5s");
	for (size_t i = 0; i < 20; i++) {
		checks[i] = make_check(&site, i % 2 == 0 ? "192.0.2.10" : "203.0.113.66", "a@example.test");
		assert_int_equal(mxguard_resolver_start(site.resolver, checks[i], -1), MXGUARD_NEED_DNS);
	}
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	for (size_t i = 0; i < 20; i++)
		wait_for_check(&site);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(mxguard_check_verdict(checks[i], 0),
				 i % 2 == 0 ? MXGUARD_VERDICT_AUTHORIZED : MXGUARD_VERDICT_DIRECT);
		mxguard_check_free(checks[i]);
	}
	assert_int_equal(site.server.seen, 2);
	close_site(&site);
}

/* Cancelled, and freed, after `stage` replies; a reply that comes later meets nobody. */
static void test_cancelled_at_every_stage(void **state)
{
	(void)state;
	for (int stage = 0; stage < 2; stage++) {
		struct site site;
		open_site(&site, "5s");
		struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
		struct mxguard_check *other = make_check(&site, "192.0.2.10", "a@example.test");
		mxguard_resolver_start(site.resolver, c, -1);
		mxguard_resolver_start(site.resolver, other, -1);
		wait_for_queries(&site, 1);
		for (int i = 0; i < stage; i++) {
			answer_all(&site.server, 0);
			wait_for_queries(&site, 1);
		}
		mxguard_resolver_cancel(site.resolver, c);
		mxguard_check_free(c);
		for (int i = stage; i < 2; i++) {
			answer_all(&site.server, 0);
			if (i == 0)
				wait_for_queries(&site, 1);
		}
		assert_ptr_equal(wait_for_check(&site), other);
		assert_int_equal(mxguard_check_verdict(other, 0), MXGUARD_VERDICT_AUTHORIZED);
		mxguard_check_free(other);
		close_site(&site);
	}
}

static void test_freed_with_lookups_pending(void **state)
{
	(void)state;
	for (int turns = 0; turns < 3; turns++) {
		struct site site;
		open_site(&site, "5s");
		struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
		mxguard_resolver_start(site.resolver, c, -1);
		for (int i = 0; i < turns; i++)
			turn(&site);
		close_site(&site);
		assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNDECIDED);
		mxguard_check_free(c);
	}
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_silence_ends_at_the_deadline(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "30s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	double start = seconds();
	assert_int_equal(mxguard_resolver_start(site.resolver, c, 300), MXGUARD_NEED_DNS);
	assert_ptr_equal(wait_for_check(&site), c);
	assert_true(seconds() - start < 15); /* not the thirty of the policy */
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "dns-timeout");
	mxguard_check_free(c);
	close_site(&site);
}

/* The second question, too, must fit into the same time: no reply to it may add another. */
static void test_one_deadline_for_the_whole(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "30s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	mxguard_resolver_start(site.resolver, c, 300);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	assert_ptr_equal(wait_for_check(&site), c);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "dns-timeout");
	mxguard_check_free(c);
	close_site(&site);
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
		struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
		mxguard_resolver_start(site.resolver, c, -1);
		wait_for_queries(&site, 1);
		answer_all(&site.server, rows[i].rcode);
		assert_ptr_equal(wait_for_check(&site), c);
		assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), rows[i].reason);
		assert_int_equal(mxguard_check_reply_code(c, 0), 451);
		mxguard_check_free(c);
		close_site(&site);
	}
}

static void test_wrong_id_is_not_believed(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "30s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	mxguard_resolver_start(site.resolver, c, 400);
	wait_for_queries(&site, 1);
	site.server.queries[0].bytes[0] ^= 0x55;
	answer_all(&site.server, 0);
	assert_ptr_equal(wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	mxguard_check_free(c);
	close_site(&site);
}

static void test_recipients_added_later(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	mxguard_resolver_start(site.resolver, c, -1);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	assert_ptr_equal(wait_for_check(&site), c);
	assert_int_equal(mxguard_check_add_recipient(c, "b@other.test"), 1);
	assert_int_equal(mxguard_resolver_start(site.resolver, c, -1), MXGUARD_NEED_DNS);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	wait_for_queries(&site, 1);
	answer_all(&site.server, 0);
	assert_ptr_equal(wait_for_check(&site), c);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(mxguard_check_verdict(c, 1), MXGUARD_VERDICT_AUTHORIZED);
	mxguard_check_free(c);
	close_site(&site);
}

static void test_a_thousand_at_once(void **state)
{
	enum { MANY = 1000 };
	static struct mxguard_check *checks[MANY];
	struct site site;
	size_t done = 0;
	(void)state;
	open_site(&site, "20s");
	for (size_t i = 0; i < MANY; i++) {
		char recipient[64];
		snprintf(recipient, sizeof(recipient), "a@d%zu.test", i);
		checks[i] = make_check(&site, "192.0.2.10", recipient);
		assert_int_equal(mxguard_resolver_start(site.resolver, checks[i], -1), MXGUARD_NEED_DNS);
	}
	for (int i = 0; i < 20000 && done < MANY; i++) {
		turn(&site);
		answer_all(&site.server, 0);
		while (mxguard_resolver_next(site.resolver) != NULL)
			done++;
	}
	assert_int_equal(done, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(mxguard_check_verdict(checks[i], 0), MXGUARD_VERDICT_AUTHORIZED);
		mxguard_check_free(checks[i]);
	}
	close_site(&site);
}

static void test_no_sockets_left(void **state)
{
	struct site site;
	struct rlimit old, none;
	(void)state;
	open_site(&site, "2s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 3; /* all in use: no file, no socket */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int progress = mxguard_resolver_run(site.resolver, c, 1000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(progress, MXGUARD_DONE);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	assert_int_equal(mxguard_check_reply_code(c, 0), 451);
	mxguard_check_free(c);
	close_site(&site);
}

static void test_blocking_needs_no_dns_for_static_terms(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = make_check(&site, "", "a@example.test");
	assert_int_equal(mxguard_resolver_run(site.resolver, c, -1), MXGUARD_NEED_HEADER);
	assert_int_equal(site.server.seen, 0);
	mxguard_check_free(c);
	close_site(&site);
}

static void test_misuse(void **state)
{
	struct site site;
	(void)state;
	open_site(&site, "5s");
	struct mxguard_check *c = make_check(&site, "192.0.2.10", "a@example.test");
	assert_null(mxguard_resolver_new(NULL));
	assert_int_equal(mxguard_resolver_start(site.resolver, c, -2), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_resolver_start(site.resolver, NULL, -1), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_resolver_process(site.resolver, NULL, 1), MXGUARD_ERROR_INVALID);
	mxguard_resolver_cancel(site.resolver, c); /* never started: nothing happens */
	mxguard_resolver_free(NULL);
	mxguard_check_free(c);
	close_site(&site);
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
