/* SPDX-License-Identifier: MIT */
/* A connection at a door: what is replied to each recipient and to the message, and what goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check/internal.h"
#include "door/door.h"
#include "door/header.h"
#include "service/desk.h"

#define SPAMMER "203.0.113.66"
#define GATEWAY "192.0.2.10"
#define SHARED "198.51.100.7"
#define RELAY "10.0.0.5"
#define DOOR MXGUARD_PLACE_DOOR
#define QUEUED MXGUARD_PLACE_QUEUED

#define HOP(client) \
	" from x (x [" client "]) by relay.example.com (Postfix) with ESMTP id 4X1;\n\tMon, 23 Nov 2026 10:00:00 " \
	"+0000"

static const char conf[] =
	"mode = \"enforce\"; hostname = \"mx.example.com\"; authserv_id = \"id.example.com\"; self = [];"
	"internal = [ \"10.0.0.0/8\" ]; origins = [ \"10.0.0.9\" ]; exempt = [ \"postmaster@\" ];"
	"trace = { by = [ \"relay.example.com\" ]; mta = [ \"postfix\" ]; };"
	"gateways = ( { name = \"own\"; allow = \"ip4:192.0.2.0/24\"; },"
	"  { name = \"shared\"; allow = \"ip4:198.51.100.0/24\";"
	"    header = { name = \"X-Token\"; value = \"s3cret\"; }; } );"
	"policies = ( { domains = [ \"aside.example\" ]; on_direct = \"quarantine\"; },"
	"  { domains = [ \"late.example\" ]; on_direct = \"defer\"; },"
	"  { domains = [ \"sure.example\" ]; gateways = ( { name = \"own\"; allow = \"ip4:192.0.2.0/24\"; } ); },"
	"  { domains = [ \"watched.example\" ]; mode = \"monitor\"; },"
	"  { domains = [ \"cloud.example\" ]; gateways = ( { name = \"cloud\";"
	"    certificate = { subject = \"mail.filter.example\"; verified = true; }; } ); },"
	"  { domains = [ \"asking.example\" ]; gateways = ( { name = \"mx\"; allow = \"mx\"; } ); } );"
	"trap = { directory = \"/nonexistent/trap\"; };"
	"dns = { servers = [ \"127.0.0.1:%u\" ]; timeout = \"200ms\"; };";

static int silent; /* the DNS server: takes questions, and answers none */
static char path[] = "/tmp/mxguard-door-XXXXXX";
static struct mxg_desk *desk;
static struct mxg_door *door;

static unsigned open_silent(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	silent = socket(AF_INET, SOCK_DGRAM, 0);
	if (silent < 0 || bind(silent, (struct sockaddr *)&at, len) != 0 ||
	    getsockname(silent, (struct sockaddr *)&at, &len) != 0)
		return 0;
	return ntohs(at.sin_port);
}

static int set_up(void **state)
{
	int status, fd = mkstemp(path);
	unsigned port = open_silent();
	(void)state;
	if (fd < 0 || port == 0 || dprintf(fd, conf, port) < 0 || close(fd) != 0)
		return -1;
	desk = mxg_desk_new(path, "test", &status);
	return desk == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	mxg_door_free(door);
	mxg_desk_free(desk);
	close(silent);
	return unlink(path);
}

static void connect_from(const char *peer, enum mxguard_place relayed)
{
	mxg_door_free(door);
	door = mxg_door_new(desk, relayed, &door);
	assert_non_null(door);
	assert_ptr_equal(mxg_door_owner(door), &door);
	mxg_door_connect(door);
	mxg_door_tell(door, MXG_DOOR_PEER, peer);
	mxg_door_mail(door, "<someone@sender.example>");
}

static int rcpt(const char *recipient)
{
	assert_int_equal(mxg_door_rcpt(door, recipient), MXG_DOOR_READY);
	return mxg_door_reply(door)->code;
}

static const struct mxg_door_message *end(void)
{
	assert_int_equal(mxg_door_header_end(door), MXG_DOOR_READY);
	return mxg_door_message(door);
}

/* ---- recipients -------------------------------------------------------------------------------- */

static void test_recipients(void **state)
{
	static const struct {
		const char *peer, *recipient;
		int code;
		const char *status;
	} rows[] = {
		{ SPAMMER, "<a@example.com>", 550, "5.7.1" },
		{ SPAMMER, "<a@late.example>", 451, "4.7.1" },
		{ SPAMMER, "<a@aside.example>", 250, "2.0.0" },
		{ SPAMMER, "<a@watched.example>", 250, "2.0.0" },
		{ SPAMMER, "<postmaster@example.com>", 250, "2.0.0" },
		{ GATEWAY, "<a@example.com>", 250, "2.0.0" },
		{ SHARED, "<a@example.com>", 250, "2.0.0" }, /* the header will tell */
		{ RELAY, "<a@example.com>", 250, "2.0.0" },
		{ "unknown", "<a@example.com>", 451, NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		connect_from(rows[i].peer, DOOR);
		assert_int_equal(rcpt(rows[i].recipient), rows[i].code);
		if (rows[i].status != NULL)
			assert_string_equal(mxg_door_reply(door)->status, rows[i].status);
	}
}

static void test_a_login_is_believed(void **state)
{
	(void)state;
	connect_from(SPAMMER, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 550);
	mxg_door_tell(door, MXG_DOOR_LOGIN, "alice");
	mxg_door_mail(door, "<alice@example.com>");
	assert_int_equal(rcpt("<a@example.com>"), 250);
	mxg_door_tell(door, MXG_DOOR_LOGIN, NULL);
	mxg_door_mail(door, "<alice@example.com>");
	assert_int_equal(rcpt("<a@example.com>"), 550);
	mxg_door_tell(door, MXG_DOOR_LOGIN, "alice");
	mxg_door_connect(door); /* another client */
	mxg_door_tell(door, MXG_DOOR_PEER, SPAMMER);
	mxg_door_mail(door, "");
	assert_int_equal(rcpt("<a@example.com>"), 550);
}

static void test_a_certificate_is_the_client_s(void **state)
{
	(void)state;
	connect_from(SPAMMER, DOOR);
	mxg_door_tell(door, MXG_DOOR_CERTIFICATE_SUBJECT, "mail.filter.example");
	assert_int_equal(rcpt("<a@cloud.example>"), 550); /* not verified */
	mxg_door_tell(door, MXG_DOOR_CERTIFICATE_VERIFIED, "yes");
	mxg_door_mail(door, "");
	assert_int_equal(rcpt("<a@cloud.example>"), 250);
	mxg_door_tell(door, MXG_DOOR_CERTIFICATE_SUBJECT, "");
	mxg_door_mail(door, "");
	assert_int_equal(rcpt("<a@cloud.example>"), 550);
}

/* ---- messages ----------------------------------------------------------------------------------- */

static void test_the_header_decides(void **state)
{
	(void)state;
	connect_from(SHARED, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	mxg_door_field(door, "X-Token", " s3cret");
	assert_int_equal(end()->reply.code, 250);
	mxg_door_mail(door, "");
	assert_int_equal(rcpt("<a@example.com>"), 250);
	mxg_door_field(door, "X-Token", " other");
	assert_int_equal(end()->reply.code, 550);
	assert_string_equal(mxg_door_reply(door)->status, "5.7.1");
}

/* The relay's own field stands on top: the MTA has not written its own. */
static void test_the_trace_decides(void **state)
{
	static const struct {
		const char *peer, *client;
		enum mxguard_place relayed;
		int code;
		bool quarantine;
	} rows[] = {
		{ RELAY, HOP(SPAMMER), DOOR, 550, false },
		{ RELAY, HOP(SPAMMER), QUEUED, 250, true },
		{ RELAY, HOP(GATEWAY), DOOR, 250, false },
		{ RELAY, HOP("10.0.0.9"), DOOR, 250, false }, /* an origin of ours */
		{ RELAY, NULL, DOOR, 451, false }, /* it always adds a field */
		{ "10.0.0.9", NULL, DOOR, 250, false }, /* made there */
		{ "10.0.0.9", HOP(SPAMMER), DOOR, 550, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		connect_from(rows[i].peer, rows[i].relayed);
		assert_int_equal(rcpt("<a@example.com>"), 250);
		if (rows[i].client != NULL)
			mxg_door_field(door, "Received", rows[i].client);
		mxg_door_field(door, "Subject", " x");
		assert_int_equal(end()->reply.code, rows[i].code);
		assert_int_equal(mxg_door_message(door)->quarantine, rows[i].quarantine);
	}
}

static void test_answers_that_differ(void **state)
{
	static const struct {
		const char *recipients[4];
		int code;
		bool differ, quarantine;
	} rows[] = {
		{ { "a@example.com" }, 550, false, false },
		{ { "a@example.com", "a@late.example" }, 451, false, false },
		{ { "a@late.example", "a@example.com" }, 451, false, false },
		{ { "a@example.com", "postmaster@example.com" }, 250, true, false },
		{ { "a@aside.example" }, 250, false, true },
		{ { "a@aside.example", "postmaster@example.com" }, 250, true, false },
		{ { "a@aside.example", "a@example.com" }, 250, true, false },
		{ { "a@watched.example", "postmaster@example.com" }, 250, false, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		connect_from(RELAY, DOOR);
		for (size_t k = 0; k < 4 && rows[i].recipients[k] != NULL; k++)
			assert_int_equal(rcpt(rows[i].recipients[k]), 250);
		mxg_door_field(door, "Received", HOP(SPAMMER));
		const struct mxg_door_message *m = end();
		assert_int_equal(m->reply.code, rows[i].code);
		assert_int_equal(m->differ, rows[i].differ);
		assert_int_equal(m->quarantine, rows[i].quarantine);
		if (m->differ)
			assert_non_null(strstr(m->field, "id.example.com;\r\n\tx-mxguard=fail"));
	}
}

/* Who was refused at RCPT has no part in the message's field. */
static void test_the_field_is_for_those_who_get_it(void **state)
{
	(void)state;
	connect_from(SPAMMER, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 550);
	assert_int_equal(rcpt("<postmaster@example.com>"), 250);
	mxg_door_field(door, "Subject", " x");
	assert_string_equal(end()->field, "");
	mxg_door_mail(door, "");
	assert_int_equal(rcpt("<a@aside.example>"), 250);
	mxg_door_field(door, "Subject", " x");
	assert_non_null(strstr(end()->field, "x-mxguard=fail"));
}

/* ---- fields that go -------------------------------------------------------------------------------- */

static void test_fields_are_numbered_by_name(void **state)
{
	static const char *const fields[][2] = {
		{ "Authentication-Results", " other.example.com; spf=pass" },
		{ "authentication-results", " id.example.com; x-mxguard=pass" },
		{ "X-Token", " s3cret" },
		{ "Subject", " x\n\tfolded" },
		{ "Authentication-Results", "\n id.example.com; x-mxguard=pass" },
		{ "x-token", "" },
		{ "Authentication-Results", " other.example.com" },
		{ "subject", " y\rX-Token: hidden" },
		{ "Cc", " z" },
	};
	static const struct {
		const char *name, *value;
		unsigned number;
	} gone[] = {
		{ "authentication-results", NULL, 2 }, { "X-Token", NULL, 1 },
		{ "Authentication-Results", NULL, 3 }, { "x-token", NULL, 2 },
		{ "subject", " yX-Token: hidden", 2 },
	};
	size_t count;
	(void)state;
	connect_from(GATEWAY, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		mxg_door_field(door, fields[i][0], fields[i][1]);
	const struct mxg_door_removal *removals = mxg_door_header_removals(end()->header, &count);
	assert_int_equal(count, sizeof(gone) / sizeof(gone[0]));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(removals[i].name, gone[i].name);
		assert_int_equal(removals[i].number, gone[i].number);
		assert_int_equal(removals[i].value == NULL, gone[i].value == NULL);
		if (gone[i].value != NULL)
			assert_string_equal(removals[i].value, gone[i].value);
	}
}

/* Longer than what the filter looks at. */
static void test_a_long_field_is_one(void **state)
{
	size_t count;
	char *value = malloc(300001);
	(void)state;
	assert_non_null(value);
	memset(value, 'x', 300000);
	for (size_t i = 0; i < 300000; i += 50)
		memcpy(value + i, "\n ", 2);
	value[300000] = '\0';
	connect_from(GATEWAY, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	mxg_door_field(door, "X-Long", value);
	mxg_door_field(door, "Authentication-Results", value);
	mxg_door_field(door, "Authentication-Results", " id.example.com; x-mxguard=pass");
	mxg_door_field(door, "X-Token", value);
	mxg_door_field(door, "Subject", " x");
	const struct mxg_door_removal *removals = mxg_door_header_removals(end()->header, &count);
	assert_int_equal(count, 2);
	assert_string_equal(removals[0].name, "Authentication-Results");
	assert_int_equal(removals[0].number, 2);
	assert_null(removals[0].value);
	assert_string_equal(removals[1].name, "X-Token");
	assert_null(removals[1].value);
	free(value);
}

static void test_bytes_are_cut(void **state)
{
	static const char header[] =
		"Subject: x\r\nX-Token: s3cret\r\nX-TOKEN:\r\n two\r\nTo: y\r\n\r\nX-Token: body\r\n";
	size_t count;
	(void)state;
	connect_from(GATEWAY, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	for (size_t i = 0; i < sizeof(header) - 1; i += 5)
		mxg_door_bytes(door, header + i, sizeof(header) - 1 - i < 5 ? sizeof(header) - 1 - i : 5);
	const struct mxg_door_cut *cuts = mxg_door_header_cuts(end()->header, &count);
	assert_int_equal(count, 1);
	assert_int_equal(cuts[0].from, strlen("Subject: x\r\n"));
	assert_int_equal(cuts[0].to, strstr(header, "To:") - header);
}

/* Names end in a number where `numbered`. */
static int message_of(const char *name, bool numbered, const char *value, size_t times)
{
	char own[64];
	connect_from(GATEWAY, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	for (size_t i = 0; i < times; i++) {
		snprintf(own, sizeof(own), numbered ? "%s%zu" : "%s", name, i);
		mxg_door_field(door, own, value);
	}
	return end()->reply.code;
}

static void test_excess(void **state)
{
	(void)state;
	assert_int_equal(message_of("X-Other-", true, " y", 10000), 250);
	assert_int_equal(message_of("X-Other-", true, " y", 100001), 550);
	assert_int_equal(message_of("X-Token", false, " s3cret", 1000), 250);
	assert_int_equal(message_of("X-Token", false, " s3cret", 1001), 550);
	assert_int_equal(message_of("X-Token (", true, " s3cret", 65), 250);
}

/* ---- waiting, holding ------------------------------------------------------------------------------- */

static void wait_for_desk(void)
{
	struct mxguard_session *session = mxg_desk_session(desk);
	struct mxg_door *ready = NULL;
	for (int turns = 0; ready == NULL && turns < 1000; turns++) {
		struct pollfd fds[16];
		size_t count = mxguard_session_pollfds(session, fds, 16);
		int n = poll(fds, (nfds_t)count, mxguard_session_timeout(session));
		mxguard_session_process(session, fds, n > 0 ? count : 0);
		ready = mxg_door_next(desk);
	}
	assert_ptr_equal(ready, door);
}

/* The DNS server answers nothing. */
static void test_who_needs_dns_waits(void **state)
{
	(void)state;
	connect_from(SPAMMER, DOOR);
	assert_int_equal(mxg_door_rcpt(door, "<a@asking.example>"), MXG_DOOR_WAIT);
	assert_true(mxg_door_is_waiting(door));
	wait_for_desk();
	assert_false(mxg_door_is_waiting(door));
	assert_int_equal(mxg_door_reply(door)->code, 451);
	assert_int_equal(rcpt("<a@example.com>"), 550);
	mxg_door_mail(door, "");
	assert_int_equal(mxg_door_rcpt(door, "<a@asking.example>"), MXG_DOOR_WAIT);
	mxg_door_reset(door); /* the client has gone */
	assert_null(mxg_door_next(desk));
	connect_from(RELAY, DOOR);
	assert_int_equal(rcpt("<a@asking.example>"), 250);
	mxg_door_field(door, "Received", HOP(SPAMMER));
	assert_int_equal(mxg_door_header_end(door), MXG_DOOR_WAIT);
	wait_for_desk();
	assert_int_equal(mxg_door_message(door)->reply.code, 451);
}

static void test_what_is_held(void **state)
{
	(void)state;
	connect_from(SPAMMER, DOOR);
	mxg_door_hold(door, true);
	mxg_door_mail(door, "<a@sender.example>");
	assert_int_equal(rcpt("<a@late.example>"), 451); /* not for certain */
	assert_int_equal(rcpt("<a@sure.example>"), 250);
	assert_int_equal(rcpt("<postmaster@example.com>"), 451); /* not with the other */
	assert_int_equal(rcpt("<b@sure.example>"), 250);
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 550);
	assert_true(mxg_door_message(door)->held);
	assert_string_equal(mxg_door_message(door)->trap, ""); /* somebody might want it */
	mxg_door_mail(door, "<a@sender.example>");
	assert_int_equal(rcpt("<b@sure.example>"), 250);
	assert_true(mxg_door_is_holding(door));
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 550);
	assert_int_equal(strncmp(mxg_door_message(door)->trap, "X-Mxguard-Trap: peer=" SPAMMER ";", 30), 0);
	mxg_door_mail(door, "<>");
	assert_int_equal(rcpt("<b@sure.example>"), 550); /* a bounce */
	mxg_door_mail(door, "<a@sender.example>");
	assert_int_equal(rcpt("<postmaster@example.com>"), 250);
	assert_false(mxg_door_is_holding(door));
	assert_int_equal(rcpt("<a@sure.example>"), 550); /* somebody gets it already */
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 250);
	assert_false(mxg_door_message(door)->held);
	mxg_door_hold(door, false);
	mxg_door_mail(door, "<a@sender.example>");
	assert_int_equal(rcpt("<a@sure.example>"), 550);
}

/* Who was let in here and refused by the MTA has no say in what becomes of the message. */
static void test_whom_the_mta_refuses(void **state)
{
	(void)state;
	connect_from(SHARED, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	assert_int_equal(rcpt("<postmaster@example.com>"), 250);
	mxg_door_withdraw(door);
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 550);
}

/* Those whom the message's door has let in before do not get it on the word of those who come after. */
static void test_what_nobody_waits_for(void **state)
{
	(void)state;
	connect_from(SHARED, DOOR);
	assert_int_equal(rcpt("<a@example.com>"), 250);
	mxg_door_abandon(door);
	assert_int_equal(rcpt("<postmaster@example.com>"), 451);
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 451);
	mxg_door_mail(door, "<a@sender.example>");
	assert_int_equal(rcpt("<postmaster@example.com>"), 250);
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 250);
}

static void test_nobody_is_left(void **state)
{
	(void)state;
	connect_from(SHARED, DOOR);
	assert_int_equal(rcpt("<postmaster@example.com>"), 250);
	mxg_door_withdraw(door);
	mxg_door_field(door, "Subject", " x");
	assert_int_equal(end()->reply.code, 451);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_a_login_is_believed),
		cmocka_unit_test(test_a_certificate_is_the_client_s),
		cmocka_unit_test(test_the_header_decides),
		cmocka_unit_test(test_the_trace_decides),
		cmocka_unit_test(test_answers_that_differ),
		cmocka_unit_test(test_the_field_is_for_those_who_get_it),
		cmocka_unit_test(test_fields_are_numbered_by_name),
		cmocka_unit_test(test_a_long_field_is_one),
		cmocka_unit_test(test_bytes_are_cut),
		cmocka_unit_test(test_excess),
		cmocka_unit_test(test_who_needs_dns_waits),
		cmocka_unit_test(test_what_is_held),
		cmocka_unit_test(test_whom_the_mta_refuses),
		cmocka_unit_test(test_what_nobody_waits_for),
		cmocka_unit_test(test_nobody_is_left),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
