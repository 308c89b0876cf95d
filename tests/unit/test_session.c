/* SPDX-License-Identifier: MIT */
/*
 * Which configuration and snapshot are in force, what is said about them, and that what was
 * begun under one ends under it. Files are real, and so is the DNS server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check/internal.h"
#include "dns_site.h"
#include "policy/policy.h"
#include "resolver/deciding.h"
#include "resolver/session.h"
#include "snapshot_write.h"

#define FOLLOW MXGUARD_SESSION_FLAG_FOLLOW_CONFIG
#define DEFER MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG
#define NO_SNAPSHOT MXGUARD_SESSION_FLAG_NO_SNAPSHOT

#define CONF(allow) \
	"mode = \"enforce\"; hostname = \"mx.example.com\"; self = []; internal = [ \"10.0.0.0/8\" ];" \
	"trace = { by = [ \"mx.example.com\" ]; mta = [ \"postfix\" ]; };" \
	"gateways = ( { name = \"g\"; allow = \"" allow "\"; } );"

static char folder[64], path[96], state_dir[96];

static void write_file(const char *text)
{
	char temporary[128];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *file = fopen(temporary, "w");
	assert_non_null(file);
	fprintf(file, "%s%s%s%s", text, text[0] == '\0' ? "" : "\nstate_dir = \"", text[0] == '\0' ? "" : state_dir,
		text[0] == '\0' ? "" : "\";\n");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, path), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/mxguard-session-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/conf", folder);
	snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
	assert_int_equal(mkdir(state_dir, 0755), 0);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf -- %s", folder);
	return system(command);
}

static struct mxguard_session *open_session(unsigned flags)
{
	struct mxguard_session *s;
	char message[1024];
	if (mxguard_session_open(&s, path, flags, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	return s;
}

static void assert_notice(struct mxguard_session *s, enum mxguard_level level, const char *part)
{
	enum mxguard_level got;
	const char *text = mxguard_session_notice(s, &got);
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("\"%s\" instead of \"…%s…\"", text == NULL ? "(nothing)" : text, part);
	assert_int_equal(got, level);
}

static void assert_silent(struct mxguard_session *s)
{
	const char *text = mxguard_session_notice(s, NULL);
	if (text != NULL)
		fail_msg("\"%s\" is said", text);
}

static enum mxguard_verdict decide(struct mxguard_session *s, const char *peer)
{
	struct mxguard_check *c;
	assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_NONE);
	mxguard_check_set_peer_text(c, peer);
	mxguard_check_add_recipient(c, "a@example.com", NULL);
	assert_int_equal(mxguard_session_decide(s, c, NULL, NULL, -1), MXGUARD_PROGRESS_DONE);
	enum mxguard_verdict verdict = mxguard_check_verdict(c, 0);
	mxguard_session_release(s, c);
	return verdict;
}

static void assert_undecidable(struct mxguard_session *s)
{
	struct mxguard_check *c;
	assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_CONFIG);
	assert_null(c);
	assert_null(mxguard_session_policy(s));
}

/* ---- the configuration ------------------------------------------------------------------------ */

static void test_reload(void **state)
{
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	assert_silent(s);
	write_file("gateways = wrong;");
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_AUTHORIZED); /* nobody follows */
	assert_silent(s);
	for (int i = 0; i < 2; i++) { /* who asks for it hears it every time */
		assert_int_equal(mxguard_session_reload(s), MXGUARD_ERROR_CONFIG);
		assert_notice(s, MXGUARD_LEVEL_ERROR, "the old one stays in force: ");
		assert_silent(s);
	}
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_AUTHORIZED);
	write_file(CONF("ip4:192.0.2.2"));
	assert_int_equal(mxguard_session_reload(s), MXGUARD_ERROR_NONE);
	assert_notice(s, MXGUARD_LEVEL_INFO, "reloaded");
	assert_silent(s);
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_DIRECT);
	assert_int_equal(decide(s, "192.0.2.2"), MXGUARD_VERDICT_AUTHORIZED);
	mxguard_session_free(s);
}

static void test_defers_while_wrong(void **state)
{
	(void)state;
	struct mxguard_session *s = open_session(FOLLOW | DEFER | NO_SNAPSHOT);
	assert_notice(s, MXGUARD_LEVEL_ERROR, path); /* it is not there */
	assert_undecidable(s);
	assert_undecidable(s);
	assert_silent(s);
	assert_int_equal(mxguard_session_is_internal(s, NULL, 0), 0);
	write_file(CONF("ip4:192.0.2.1"));
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_AUTHORIZED);
	assert_notice(s, MXGUARD_LEVEL_INFO, "reloaded");
	write_file("");
	assert_undecidable(s);
	assert_notice(s, MXGUARD_LEVEL_ERROR, "found an empty file");
	write_file("mode = \"sometimes\";");
	assert_undecidable(s);
	assert_notice(s, MXGUARD_LEVEL_ERROR, "sometimes");
	assert_undecidable(s);
	assert_silent(s);
	write_file(CONF("ip4:192.0.2.2"));
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_DIRECT);
	mxguard_session_free(s);
}

/* After its time, and not before; the clock is turned forward by hand. */
static void test_what_is_wrong_is_tried_again(void **state)
{
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	assert_int_equal(chmod(path, 0666), 0); /* not trusted; the mode alone shows in the change time */
	struct mxguard_session *s = open_session(FOLLOW | DEFER | NO_SNAPSHOT);
	assert_notice(s, MXGUARD_LEVEL_ERROR, path);
	int64_t tried = s->tried;
	assert_undecidable(s);
	assert_int_equal(s->tried, tried);
	s->tried -= 10000;
	assert_undecidable(s);
	assert_true(s->tried >= tried);
	assert_silent(s); /* the same */
	mxguard_session_free(s);
}

static void test_follows_and_keeps(void **state)
{
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(FOLLOW | NO_SNAPSHOT);
	write_file("gateways = wrong;");
	for (int i = 0; i < 3; i++)
		assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_AUTHORIZED);
	assert_notice(s, MXGUARD_LEVEL_ERROR, "the old one stays in force");
	assert_silent(s);
	write_file(CONF("ip4:192.0.2.2"));
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_DIRECT);
	assert_notice(s, MXGUARD_LEVEL_INFO, "reloaded");
	mxguard_session_free(s);
}

static void test_open_refuses(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		int result;
	} cases[] = {
		{ "", 0, MXGUARD_ERROR_CONFIG },
		{ "gateways = wrong;", FOLLOW, MXGUARD_ERROR_CONFIG },
		{ CONF("mx"), 1u << 31, MXGUARD_ERROR_INVALID },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mxguard_session *s = (struct mxguard_session *)path;
		char message[1024] = "before";
		write_file(cases[i].text);
		assert_int_equal(mxguard_session_open(&s, path, cases[i].flags, message, sizeof(message)),
				 cases[i].result);
		assert_null(s);
		assert_int_equal(strstr(message, path) != NULL, cases[i].result == MXGUARD_ERROR_CONFIG);
	}
	mxguard_session_free(NULL);
}

static void test_remarks(void **state)
{
	char conf[512];
	(void)state;
	snprintf(conf, sizeof(conf), "%s domains_file = \"%s/domains\";", CONF("ip4:0.0.0.0/1"), folder);
	write_file(conf);
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	assert_notice(s, MXGUARD_LEVEL_REMARK, "0.0.0.0/1");
	assert_notice(s, MXGUARD_LEVEL_REMARK, "domains_file: ");
	assert_silent(s);
	assert_int_equal(mxguard_session_reload(s), MXGUARD_ERROR_NONE);
	assert_notice(s, MXGUARD_LEVEL_INFO, "reloaded");
	assert_notice(s, MXGUARD_LEVEL_REMARK, "0.0.0.0/1");
	assert_notice(s, MXGUARD_LEVEL_REMARK, "domains_file: ");
	assert_silent(s);
	mxguard_session_free(s);
}

static void test_internal(void **state)
{
	static const uint8_t ours[4] = { 10, 1, 2, 3 }, other[4] = { 192, 0, 2, 1 };
	static const uint8_t mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3 };
	static const uint8_t loopback[16] = { [15] = 1 };
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	assert_int_equal(mxguard_session_is_internal(s, ours, 4), 1);
	assert_int_equal(mxguard_session_is_internal(s, mapped, 16), 1);
	assert_int_equal(mxguard_session_is_internal(s, loopback, 16), 1);
	assert_int_equal(mxguard_session_is_internal(s, NULL, 0), 1);
	assert_int_equal(mxguard_session_is_internal(s, other, 4), 0);
	assert_int_equal(mxguard_session_is_internal(s, ours, 3), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_session_is_internal(s, NULL, 4), MXGUARD_ERROR_INVALID);
	mxguard_session_free(s);
}

/* ---- the snapshot ------------------------------------------------------------------------------- */

static void write_snapshot(const struct mxguard_session *s)
{
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(state_dir, &dir);
	assert_true(lock >= 0);
	assert_true(mxg_writer_open(&w, dir));
	assert_true(mxg_writer_commit(&w, mxguard_session_policy(s)->hash, (int64_t)time(NULL)));
	close(dir);
	close(lock);
}

static void damage_snapshot(void)
{
	char temporary[128], name[128];
	snprintf(temporary, sizeof(temporary), "%s/other", state_dir);
	snprintf(name, sizeof(name), "%s/%s", state_dir, MXG_SNAPSHOT_FILE);
	FILE *file = fopen(temporary, "w");
	assert_non_null(file);
	fputs("not a snapshot", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, name), 0);
}

/* A look, as after a second. */
static struct mxguard_snapshot *look(struct mxguard_session *s)
{
	s->looked -= 1000;
	decide(s, "192.0.2.1");
	return mxguard_session_snapshot(s);
}

static void test_snapshot(void **state)
{
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(0);
	assert_notice(s, MXGUARD_LEVEL_INFO, "there is no snapshot");
	assert_silent(s);
	write_snapshot(s);
	int64_t looked = s->looked;
	decide(s, "192.0.2.1");
	assert_true(s->looked == looked ? mxguard_session_snapshot(s) == NULL : s->looked >= looked + 1000);
	assert_non_null(look(s));
	assert_silent(s);
	damage_snapshot();
	for (int i = 0; i < 3; i++)
		assert_null(look(s));
	assert_notice(s, MXGUARD_LEVEL_WARNING, "damaged");
	assert_silent(s);
	write_snapshot(s);
	assert_non_null(look(s));
	assert_silent(s);
	damage_snapshot();
	assert_null(look(s));
	assert_notice(s, MXGUARD_LEVEL_WARNING, "damaged"); /* a new trouble */
	mxguard_session_free(s);
}

/* What was begun with a snapshot keeps it; what is begun later has the new one, also where memory
 * is used once more. */
static void test_snapshot_replaced(void **state)
{
	struct mxguard_check *old, *c;
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(0);
	write_snapshot(s);
	assert_non_null(look(s));
	assert_int_equal(mxguard_session_check(s, &old, 0), MXGUARD_ERROR_NONE);
	const struct mxguard_snapshot *before = old->snapshot;
	assert_ptr_equal(before, mxguard_session_snapshot(s));
	write_snapshot(s);
	assert_ptr_not_equal(look(s), before);
	assert_ptr_equal(old->snapshot, before);
	mxguard_session_release(s, old);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_NONE);
		assert_ptr_equal(c->snapshot, mxguard_session_snapshot(s));
	}
	mxguard_session_free(s); /* with checks that are out */
}

/* ---- deciding -------------------------------------------------------------------------------------- */

static const char header[] = "Received: from y (y [192.0.2.1])\r\n\tby mx.example.com (Postfix) with ESMTP id 2\r\n"
			     "\tfor <a@example.com>; Mon, 23 Nov 2026 12:35:31 +0000\r\n\r\n";
static int header_result, header_calls;

static int read_header(void *context, struct mxguard_check *c)
{
	header_calls++;
	assert_ptr_equal(context, &header_calls);
	assert_true(mxguard_check_header(c, header, sizeof(header) - 1) >= 0);
	return header_result;
}

static void test_decide_with_header(void **state)
{
	static const struct {
		int result, progress;
		enum mxguard_verdict verdict;
	} cases[] = { { MXGUARD_ERROR_NONE, MXGUARD_PROGRESS_DONE, MXGUARD_VERDICT_AUTHORIZED },
		      { MXGUARD_ERROR_IO, MXGUARD_ERROR_IO, MXGUARD_VERDICT_UNDECIDED } };
	struct mxguard_check *c;
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		header_result = cases[i].result;
		header_calls = 0;
		assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_NONE);
		mxguard_check_add_recipient(c, "a@example.com", NULL);
		assert_int_equal(mxguard_session_decide(s, c, read_header, &header_calls, -1), cases[i].progress);
		assert_int_equal(mxguard_check_verdict(c, 0), cases[i].verdict);
		assert_int_equal(header_calls, 1);
		mxguard_session_release(s, c);
	}
	assert_int_equal(decide(s, ""), MXGUARD_VERDICT_UNKNOWN); /* no header to be had */
	assert_int_equal(decide(s, "no address"), MXGUARD_VERDICT_UNKNOWN);
	mxguard_session_free(s);
}

static void write_dns_conf(const struct site *site, const char *allow)
{
	char conf[1024];
	snprintf(conf, sizeof(conf),
		 "mode = \"enforce\"; self = []; gateways = ( { name = \"g\"; allow = \"%s\"; } );"
		 "dns = { timeout = \"30s\"; servers = [ \"127.0.0.1:%u\" ]; };",
		 allow, site->servers[0].port);
	write_file(conf);
}

static void test_decide_in_time(void **state)
{
	static const enum site_manner manner = SITE_SILENT;
	struct mxguard_check *c;
	struct site site;
	(void)state;
	site_open(&site, "5s", &manner, 1);
	write_dns_conf(&site, "mx");
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	double begun = site_seconds();
	assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_NONE);
	mxguard_check_set_peer_text(c, "192.0.2.10");
	mxguard_check_add_recipient(c, "a@example.com", NULL);
	assert_int_equal(mxguard_session_decide(s, c, NULL, NULL, 200), MXGUARD_PROGRESS_DONE);
	assert_true(site_seconds() - begun < 15); /* not the thirty of the policy */
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "dns-timeout");
	assert_int_equal(mxguard_session_limit(s), 30000);
	mxguard_session_free(s);
	site_close(&site);
}

/* ---- eras -------------------------------------------------------------------------------------------- */

static struct mxguard_check *start(struct mxguard_session *s, const char *peer, void *user)
{
	struct mxguard_check *c;
	assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_NONE);
	mxguard_check_set_peer_text(c, peer);
	mxguard_check_add_recipient(c, "a@example.com", NULL);
	assert_int_equal(mxguard_session_start(s, c, -1, user), MXGUARD_PROGRESS_NEED_DNS);
	return c;
}

static struct mxguard_check *wait_for_check(struct mxguard_session *s, struct site *site, void **user)
{
	struct mxguard_check *c = NULL;
	for (int i = 0; i < 200 && c == NULL; i++) {
		struct pollfd fds[16];
		size_t count = mxguard_session_pollfds(s, fds, 16);
		assert_in_range(count, 1, 16);
		assert_int_not_equal(mxguard_session_timeout(s), -1);
		site_turn(site);
		poll(fds, (nfds_t)count, 0);
		assert_int_equal(mxguard_session_process(s, fds, count), MXGUARD_ERROR_NONE);
		c = mxguard_session_next(s, user);
	}
	assert_non_null(c);
	return c;
}

static size_t count_eras(const struct mxguard_session *s)
{
	size_t n = 0;
	for (const struct mxg_era *era = s->eras; era != NULL; era = era->older)
		n++;
	return n;
}

static void test_eras(void **state)
{
	static const enum site_manner manner = SITE_ANSWERS;
	struct site site;
	int mark;
	void *user = NULL;
	(void)state;
	site_open(&site, "5s", &manner, 1);
	write_dns_conf(&site, "mx");
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	struct mxguard_check *first = start(s, "192.0.2.10", &mark), *second = start(s, "192.0.2.10", NULL);
	write_dns_conf(&site, "ip4:192.0.2.77");
	assert_int_equal(mxguard_session_reload(s), MXGUARD_ERROR_NONE);
	assert_int_equal(count_eras(s), 2);
	assert_int_equal(decide(s, "192.0.2.10"), MXGUARD_VERDICT_DIRECT); /* by the new one */
	assert_int_equal(decide(s, "192.0.2.77"), MXGUARD_VERDICT_AUTHORIZED);
	mxguard_session_release(s, second); /* its client is gone */
	assert_int_equal(count_eras(s), 2);
	assert_ptr_equal(wait_for_check(s, &site, &user), first);
	assert_ptr_equal(user, &mark);
	assert_int_equal(mxguard_check_verdict(first, 0), MXGUARD_VERDICT_AUTHORIZED); /* by the old one */
	assert_null(mxguard_session_next(s, NULL));
	mxguard_session_release(s, first);
	assert_int_equal(count_eras(s), 1);
	assert_int_equal(mxguard_session_timeout(s), -1);
	mxguard_session_free(s);
	site_close(&site);
}

static void test_freed_while_under_way(void **state)
{
	static const enum site_manner manner = SITE_WAITS;
	struct site site;
	(void)state;
	site_open(&site, "5s", &manner, 1);
	write_dns_conf(&site, "mx");
	struct mxguard_session *s = open_session(FOLLOW | DEFER | NO_SNAPSHOT);
	start(s, "192.0.2.10", NULL);
	struct mxguard_check *cancelled = start(s, "192.0.2.11", NULL);
	write_file("");
	assert_undecidable(s); /* what is under way goes on */
	assert_int_equal(count_eras(s), 1);
	site_wait_for_queries(&site, 1);
	mxguard_session_cancel(s, cancelled);
	assert_int_equal(mxguard_check_verdict(cancelled, 0), MXGUARD_VERDICT_UNDECIDED);
	mxguard_session_free(s);
	site_close(&site);
}

static void test_checks_are_used_again(void **state)
{
	struct mxguard_check *first, *c;
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(NO_SNAPSHOT);
	assert_int_equal(mxguard_session_check(s, &first, 0), MXGUARD_ERROR_NONE);
	mxguard_check_set_peer_text(first, "192.0.2.1");
	mxguard_check_set_login(first, "alice");
	mxguard_session_release(s, first);
	assert_int_equal(mxguard_session_check(s, &c, 0), MXGUARD_ERROR_NONE);
	assert_ptr_equal(c, first);
	mxguard_check_add_recipient(c, "a@example.com", NULL);
	assert_int_equal(mxguard_session_decide(s, c, NULL, NULL, -1), MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN); /* no peer, no login */
	mxguard_session_release(s, c);
	assert_int_equal(mxguard_session_check(s, &c, MXGUARD_CHECK_FLAG_STEPS), MXGUARD_ERROR_NONE);
	assert_ptr_not_equal(c, first);
	assert_int_equal(mxguard_session_check(s, &c, 1u << 31), MXGUARD_ERROR_INVALID);
	mxguard_session_free(s);
}

/* ---- one beside another, for a second thread ------------------------------------------------------- */

static struct mxguard_session *open_beside(const struct mxguard_session *s)
{
	struct mxguard_session *beside;
	assert_int_equal(mxg_session_beside(&beside, s), MXGUARD_ERROR_NONE);
	assert_non_null(beside);
	return beside;
}

/* It shares what is in force, goes on with it whatever comes after, and outlives the other one. */
static void test_beside(void **state)
{
	(void)state;
	write_file(CONF("ip4:192.0.2.1"));
	struct mxguard_session *s = open_session(FOLLOW);
	write_snapshot(s);
	assert_non_null(look(s));
	struct mxguard_session *beside = open_beside(s);
	const struct mxguard_snapshot *snapshot = mxguard_session_snapshot(s);
	assert_ptr_equal(mxguard_session_policy(beside), mxguard_session_policy(s));
	assert_ptr_equal(mxguard_session_snapshot(beside), snapshot);
	write_file(CONF("ip4:192.0.2.2"));
	write_snapshot(s);
	assert_int_equal(decide(s, "192.0.2.1"), MXGUARD_VERDICT_DIRECT);
	mxguard_session_free(s);
	beside->looked -= 1000;
	assert_int_equal(decide(beside, "192.0.2.1"), MXGUARD_VERDICT_AUTHORIZED);
	assert_int_equal(decide(beside, "192.0.2.2"), MXGUARD_VERDICT_DIRECT);
	assert_ptr_equal(mxguard_session_snapshot(beside), snapshot);
	assert_silent(beside);
	mxguard_session_free(beside);
}

static void test_beside_one_without_a_configuration(void **state)
{
	(void)state;
	write_file("mode = \"sometimes\";");
	struct mxguard_session *s = open_session(DEFER | NO_SNAPSHOT), *beside = open_beside(s);
	assert_undecidable(beside);
	mxguard_session_free(s);
	assert_undecidable(beside);
	mxguard_session_free(beside);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reload),
		TEST(test_defers_while_wrong),
		TEST(test_what_is_wrong_is_tried_again),
		TEST(test_follows_and_keeps),
		TEST(test_open_refuses),
		TEST(test_remarks),
		TEST(test_internal),
		TEST(test_snapshot),
		TEST(test_snapshot_replaced),
		TEST(test_decide_with_header),
		TEST(test_decide_in_time),
		TEST(test_eras),
		TEST(test_freed_while_under_way),
		TEST(test_checks_are_used_again),
		TEST(test_beside),
		TEST(test_beside_one_without_a_configuration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
