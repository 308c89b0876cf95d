/* SPDX-License-Identifier: MIT */
/*
 * Memory runs out at the first, the second, the third … allocation, until none fails any more:
 * no crash, no leak (under ASan), and never an answer that is not true. What could not be
 * decided is an error or `unknown`; a peer that is no gateway is never `authorized`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "failing_memory.h"
#include "mxguard.h"
#include "scripted_dns.h"

#define NOW 1000000000
#define FAILURES_MAX 2000
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a whole decision -------------------------------------------------------------------- */

static const char conf[] =
	"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\"; self = [];"
	"internal = [ \"10.0.0.0/8\" ]; trace = { by = [ \"mx.example.com\" ]; mta = [ \"postfix\" ]; };"
	"domains = [ \"example.com\", \"alias.example\" ]; exempt = [ \"postmaster@\" ];"
	"gateways = ( { name = \"static\"; allow = \"ip4:198.51.100.1 ip6:2001:db8::1\"; },"
	"  { name = \"shared\"; allow = \"ip4:198.51.100.2\"; header = { name = \"X-Token\"; value = \"s3cret\"; }; },"
	"  { name = \"mx\"; allow = \"mx\"; },"
	"  { name = \"cloud\"; allow = \"include:spf.example.net ptr:filter.example exists:%{ir}.list.example.net\"; } "
	");"
	"policies = ( { domains = [ \"strict.example\", \".sub.example\" ]; gateways = ( { name = \"one\"; allow = "
	"\"mx a:gw.%{d}\"; } ); } );";

/* 192.0.2.10: by include; 192.0.2.20: by mx; 192.0.2.99: by mx of the name before aliases, which
 * the trace tells. Everybody else is no gateway. */
static const struct scripted_record script[] = {
	RECORD("spf.example.net TXT", "\056v=spf1 include:deep.example.net redirect=r.tld"),
	RECORD("deep.example.net TXT", "\045v=spf1 ip4:192.0.2.10 a:h.tld mx ~all"),
	RECORD("example.com MX", "\000\012\002gw\007example\003com\000"),
	RECORD("example.com MX", "\000\024\003gw2\007example\003com\000"),
	RECORD("alias.example MX", "\000\012\003gw3\007example\003com\000"),
	RECORD("gw3.example.com A", "\300\000\002\143"),
	RECORD("gw.example.com A", "\300\000\002\024"),
	RECORD("gw2.example.com A", "\300\000\002\025"),
	RECORD("h.tld A", "\300\000\002\036"),
	RECORD("r.tld TXT", "\013v=spf1 -all"),
};

#define HEADER(address) \
	"Received: from x (x [10.1.2.3])\r\n\tby mx.example.com (Postfix) with ESMTP id 1\r\n\tfor <a@b>;" \
	" Mon, 23 Nov 2026 12:35:31 +0000\r\n" \
	"Received: from y (y [" address "])\r\n\tby mx.example.com (Postfix) with ESMTP id 2\r\n" \
	"\tfor <old@alias.example>; Mon, 23 Nov 2026 12:35:31 +0000\r\n" \
	"X-Token: s3cret\r\nSubject: x\r\n\r\n"

struct decision {
	const char *name, *peer, *header;
	enum mxguard_verdict verdict; /* with memory enough, for every recipient but the exempt one */
};

static const struct decision decisions[] = {
	{ "static gateway", "198.51.100.1", NULL, MXGUARD_VERDICT_AUTHORIZED },
	{ "gateway by include", "192.0.2.10", NULL, MXGUARD_VERDICT_AUTHORIZED },
	{ "gateway by mx", "192.0.2.20", NULL, MXGUARD_VERDICT_AUTHORIZED },
	{ "no gateway", "203.0.113.66", NULL, MXGUARD_VERDICT_DIRECT },
	{ "no gateway, IPv6", "2001:db9::66", NULL, MXGUARD_VERDICT_DIRECT },
	{ "no header", "10.1.2.3", NULL, MXGUARD_VERDICT_UNKNOWN },
	{ "shared gateway", "198.51.100.2", HEADER("198.51.100.2"), MXGUARD_VERDICT_AUTHORIZED },
	{ "gateway in the trace", "10.1.2.3", HEADER("192.0.2.10"), MXGUARD_VERDICT_AUTHORIZED },
	{ "gateway of the name in the trace", "", HEADER("192.0.2.99"), MXGUARD_VERDICT_AUTHORIZED },
	{ "shared gateway in the trace", "", HEADER("198.51.100.2"), MXGUARD_VERDICT_AUTHORIZED },
	{ "no gateway in the trace", "", HEADER("203.0.113.66"), MXGUARD_VERDICT_DIRECT },
};

static const char *const recipients[] = { "alice@example.com", "<bob@EXAMPLE.com>", "postmaster@example.com",
					  "late@example.com" };

/* The check keeps texts in blocks: a longer one moves the ends of blocks to other places. */
static char helo[4096] = "helo.example";

/* A front end that takes every error for what it is, and goes on where it can. */
static bool fill(struct mxguard_check *c, const struct decision *d)
{
	bool good = mxguard_check_set_peer_text(c, d->peer) == MXGUARD_ERROR_NONE;
	good &= mxguard_check_set_helo(c, helo) == MXGUARD_ERROR_NONE;
	good &= mxguard_check_set_sender(c, "<sender@example.org>") == MXGUARD_ERROR_NONE;
	good &= mxguard_check_set_ids(c, "id", "<msgid@x>") == MXGUARD_ERROR_NONE;
	for (size_t i = 0; i + 1 < COUNT(recipients); i++)
		good &= mxguard_check_add_recipient(c, recipients[i], NULL) == MXGUARD_ERROR_NONE;
	return good && mxguard_check_add_recipient_name(c, 0, "old@alias.example") == MXGUARD_ERROR_NONE &&
	       mxguard_check_override(c, 1, "quarantine_mailbox", "Held", NULL, 0) == MXGUARD_ERROR_NONE;
}

static int feed(struct mxguard_check *c, const char *header)
{
	size_t len = strlen(header);
	for (size_t at = 0; at < len; at += 50)
		if (mxguard_check_header(c, header + at, len - at < 50 ? len - at : 50) != 1)
			break;
	return mxguard_check_header_end(c);
}

static int run(struct mxguard_check *c, const struct decision *d)
{
	int progress = scripted_run(c, script, COUNT(script), NOW);
	if (progress == MXGUARD_PROGRESS_NEED_HEADER && d->header != NULL) {
		feed(c, d->header);
		progress = scripted_run(c, script, COUNT(script), NOW);
	}
	if (progress > 0 && progress != MXGUARD_PROGRESS_DONE)
		progress = mxguard_check_give_up(c, NOW);
	return progress;
}

static void read_results(const struct mxguard_check *c)
{
	char buffer[4096];
	for (size_t i = 0; i < COUNT(recipients); i++) {
		mxguard_check_log_line(c, i, buffer, sizeof(buffer));
		mxguard_check_tag(c, i, buffer, sizeof(buffer));
		for (int what = MXGUARD_TEXT_REASON; what <= MXGUARD_TEXT_QUARANTINE_MAILBOX; what++)
			assert_non_null(mxguard_check_text(c, i, (enum mxguard_text)what));
		for (size_t step = 0; mxguard_check_step(c, i, step) != NULL; step++)
			;
	}
}

/* With memory enough: exactly the verdict. Without: it, or nothing that decides. */
static void judge(const struct mxguard_check *c, const struct decision *d, int progress)
{
	for (size_t i = 0; i < COUNT(recipients); i++) {
		enum mxguard_verdict verdict = mxguard_check_verdict(c, i);
		enum mxguard_verdict right = i == 2 ? MXGUARD_VERDICT_EXEMPT : d->verdict;
		bool open = verdict == MXGUARD_VERDICT_UNDECIDED || verdict == MXGUARD_VERDICT_UNKNOWN;
		if (verdict != right && !(memory_failed && open))
			fail_msg("%s, recipient %d: %s (%s), progress %d", d->name, i, mxguard_verdict_name(verdict),
				 mxguard_check_text(c, i, MXGUARD_TEXT_REASON), progress);
		if (progress == MXGUARD_PROGRESS_DONE && verdict == MXGUARD_VERDICT_UNDECIDED && i < 3)
			fail_msg("%s, recipient %d: done, and not decided", d->name, i);
	}
	assert_true(progress == MXGUARD_PROGRESS_DONE || (memory_failed && progress == MXGUARD_ERROR_NOMEM));
}

static void decide(struct mxguard_policy *policy, const struct decision *d, unsigned flags)
{
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policy, NULL, flags);
	if (c == NULL) {
		assert_true(memory_failed);
		return;
	}
	/* the second time in memory that is there already, after a transaction that went wrong */
	for (int turn = 0; turn < 2; turn++) {
		bool filled = fill(c, d);
		assert_true(filled || memory_failed);
		int progress = filled ? run(c, d) : MXGUARD_ERROR_NOMEM;
		if (progress == MXGUARD_PROGRESS_DONE &&
		    mxguard_check_add_recipient(c, recipients[3], NULL) == MXGUARD_ERROR_NONE)
			progress = run(c, d);
		judge(c, d, progress);
		read_results(c);
		mxguard_check_reset(c);
	}
	mxguard_check_free(c);
}

static void try_all(struct mxguard_policy *policy, const struct decision *d, unsigned flags, bool from_then_on)
{
	for (unsigned long which = 1; which < FAILURES_MAX; which++) {
		memory_fail_at(which, from_then_on);
		decide(policy, d, flags);
		memory_suffices();
		if (!memory_failed)
			return;
	}
	fail_msg("%s: memory never sufficed", d->name);
}

static struct mxguard_policy *load(void)
{
	struct mxguard_policy *policy;
	char message[500];
	if (mxguard_policy_parse(&policy, conf, sizeof(conf) - 1, "oom.conf", 0, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	return policy;
}

static void test_decisions(void **state)
{
	struct mxguard_policy *policy = load();
	for (size_t i = 0; i < COUNT(decisions); i++) {
		memory_fail_at(0, false);
		decide(policy, &decisions[i], MXGUARD_CHECK_FLAG_STEPS); /* with memory enough */
		for (unsigned k = 0; k < 4; k++)
			try_all(policy, &decisions[i], (k & 1) != 0 ? MXGUARD_CHECK_FLAG_STEPS : 0, (k & 2) != 0);
	}
	mxguard_policy_unref(policy);
}

static void test_ends_of_blocks(void **state)
{
	struct mxguard_policy *policy = load();
	char whole[sizeof(helo)];
	memset(whole, 'h', sizeof(whole));
	for (size_t i = 0; i < COUNT(decisions); i++)
		for (int len = 2500; len < (int)sizeof(helo); len += 48) {
			snprintf(helo, sizeof(helo), "%.*s", len, whole);
			try_all(policy, &decisions[i], 0, false);
		}
	strcpy(helo, "helo.example");
	mxguard_policy_unref(policy);
}

static void test_policy(void **state)
{
	bool lasts[] = { false, true };
	for (size_t k = 0; k < COUNT(lasts); k++) {
		unsigned long which = 1;
		for (memory_failed = true; memory_failed; which++) {
			struct mxguard_policy *policy;
			char message[500] = "";
			memory_fail_at(which, lasts[k]);
			int result = mxguard_policy_parse(&policy, conf, sizeof(conf) - 1, "oom.conf", 0, message,
							  sizeof(message));
			memory_suffices();
			if (result != MXGUARD_ERROR_NONE && result != MXGUARD_ERROR_NOMEM)
				fail_msg("allocation %lu: %d, \"%s\"", which, result, message);
			assert_true((result == MXGUARD_ERROR_NONE) == (policy != NULL));
			assert_true(result == MXGUARD_ERROR_NONE || memory_failed);
			mxguard_policy_unref(policy);
		}
		assert_true(which > 10);
	}
}

/* A server of its own stands nowhere: its sockets fail at once, and so it ends in time. */
static void test_resolver(void **state)
{
	struct mxguard_policy *policy = load();
	memory_failed = true;
	for (unsigned long which = 1; memory_failed; which++) {
		memory_fail_at(which, false);
		struct mxguard_resolver *resolver = NULL;
		mxguard_resolver_new(&resolver, policy, 0);
		struct mxguard_check *c = NULL;
		mxguard_check_new(&c, policy, NULL, 0);
		if (resolver != NULL && c != NULL && fill(c, &decisions[3])) {
			int progress = mxguard_resolver_run(resolver, c, 0);
			assert_true(progress == MXGUARD_PROGRESS_DONE ||
				    (memory_failed && progress == MXGUARD_ERROR_NOMEM));
			assert_int_not_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
			assert_int_not_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_DIRECT);
		}
		mxguard_resolver_free(resolver);
		mxguard_check_free(c);
		memory_suffices();
	}
	mxguard_policy_unref(policy);
}

static int read_header(void *context, struct mxguard_check *c)
{
	(void)context;
	int result = mxguard_check_header(c, HEADER("192.0.2.10"), sizeof(HEADER("192.0.2.10")) - 1);
	return result < 0 ? result : MXGUARD_ERROR_NONE;
}

/* A whole life: opened, asked with and without DNS, read anew, asked again. */
static void live(const char *path, unsigned flags)
{
	static const struct {
		const char *peer;
		enum mxguard_verdict verdict;
	} peers[] = { { "198.51.100.1", MXGUARD_VERDICT_AUTHORIZED }, { "", MXGUARD_VERDICT_UNKNOWN } };
	struct mxguard_session *s;
	if (mxguard_session_open(&s, path, flags, NULL, 0) != MXGUARD_ERROR_NONE) {
		assert_true(memory_failed);
		return;
	}
	for (size_t i = 0; i < 2 * COUNT(peers); i++) {
		struct mxguard_check *c;
		bool made = mxguard_session_check(s, &c, 0) == MXGUARD_ERROR_NONE;
		assert_true(made || memory_failed);
		if (made) {
			mxguard_check_set_peer_text(c, peers[i / 2].peer);
			mxguard_check_add_recipient(c, "alice@example.com", NULL);
			int progress = mxguard_session_decide(s, c, read_header, NULL, 0);
			assert_true(progress == MXGUARD_PROGRESS_DONE || memory_failed);
			if (progress == MXGUARD_PROGRESS_DONE && !memory_failed)
				assert_int_equal(mxguard_check_verdict(c, 0), peers[i / 2].verdict);
			if (i / 2 > 0) /* no DNS in no time */
				assert_int_not_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_AUTHORIZED);
		}
		mxguard_session_release(s, c);
		assert_true(mxguard_session_reload(s) == MXGUARD_ERROR_NONE || memory_failed);
		assert_non_null(mxguard_session_notice(s, NULL));
	}
	mxguard_session_free(s);
}

static void test_session(void **state)
{
	char path[] = "/tmp/mxguard-oom-XXXXXX";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, conf, sizeof(conf) - 1), sizeof(conf) - 1);
	close(fd);
	for (unsigned flags = 0; flags < 4; flags++) {
		unsigned long which = 1;
		for (memory_failed = true; memory_failed; which++) {
			memory_fail_at(which, which % 2 == 0);
			live(path, flags);
			memory_suffices();
		}
		assert_true(which > 100);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions), cmocka_unit_test(test_ends_of_blocks), cmocka_unit_test(test_policy),
		cmocka_unit_test(test_resolver),  cmocka_unit_test(test_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
