/* SPDX-License-Identifier: MIT */
/* What a check says of its recipients: under overrides, in texts and log line, in the tag. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checks.h"
#include "mxguard.h"
#include "scripted_dns.h"

/* ---- overrides ---------------------------------------------------------------------------- */

struct override_row {
	const char *setting, *value;
	const char *peer;
	enum mxguard_place place;
	enum mxguard_verdict verdict;
	enum mxguard_action action;
};

static const struct override_row override_rows[] = {
	{ "mode", "off", SPAMMER, MXGUARD_PLACE_DOOR, MXGUARD_VERDICT_EXEMPT, MXGUARD_ACTION_ACCEPT },
	{ "mode", "monitor", SPAMMER, MXGUARD_PLACE_DOOR, MXGUARD_VERDICT_DIRECT, MXGUARD_ACTION_ACCEPT },
	{ "exempt", "alice@example.com", SPAMMER, MXGUARD_PLACE_DOOR, MXGUARD_VERDICT_EXEMPT, MXGUARD_ACTION_ACCEPT },
	{ "exempt", "x@y ,\tALICE@", SPAMMER, MXGUARD_PLACE_DOOR, MXGUARD_VERDICT_EXEMPT, MXGUARD_ACTION_ACCEPT },
	{ "exempt", "lice@ ice@example.com", SPAMMER, MXGUARD_PLACE_DOOR, MXGUARD_VERDICT_DIRECT,
	  MXGUARD_ACTION_REJECT },
	{ "on_direct", "quarantine", SPAMMER, MXGUARD_PLACE_DOOR, MXGUARD_VERDICT_DIRECT, MXGUARD_ACTION_QUARANTINE },
	{ "on_direct", "tag", SPAMMER, MXGUARD_PLACE_QUEUED, MXGUARD_VERDICT_DIRECT, MXGUARD_ACTION_QUARANTINE },
	{ "on_direct_queued", "tag", SPAMMER, MXGUARD_PLACE_QUEUED, MXGUARD_VERDICT_DIRECT, MXGUARD_ACTION_TAG },
	{ "on_untraced", "accept", "", MXGUARD_PLACE_QUEUED, MXGUARD_VERDICT_INTERNAL, MXGUARD_ACTION_ACCEPT },
	{ "on_untraced", "direct", "", MXGUARD_PLACE_QUEUED, MXGUARD_VERDICT_DIRECT, MXGUARD_ACTION_QUARANTINE },
	{ "on_unreadable", "reject", "", MXGUARD_PLACE_QUEUED, MXGUARD_VERDICT_UNKNOWN, MXGUARD_ACTION_REJECT },
	{ "on_unknown", "reject", "", MXGUARD_PLACE_QUEUED, MXGUARD_VERDICT_UNKNOWN, MXGUARD_ACTION_QUARANTINE },
};

/* Something else, for all recipients: a recipient's own must go first. */
static const char *general_value(const char *setting)
{
	if (strcmp(setting, "mode") == 0)
		return "enforce";
	return strcmp(setting, "exempt") == 0 ? "other@example.org" : "accept";
}

static void run_override(const struct override_row *row, size_t index)
{
	struct mxguard_check *c = check_from(static_conf, row->peer, "alice@example.com");
	assert_int_equal(mxguard_check_set_place(c, row->place), MXGUARD_ERROR_NONE);
	if (index == 0)
		assert_int_equal(
			mxguard_check_override(c, MXGUARD_ALL, row->setting, general_value(row->setting), NULL, 0),
			MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_override(c, index, row->setting, row->value, NULL, 0), MXGUARD_ERROR_NONE);
	if (mxguard_check_run(c, NOW) == MXGUARD_PROGRESS_NEED_HEADER) {
		mxguard_check_header_end(c);
		assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	}
	assert_int_equal(mxguard_check_verdict(c, 0), row->verdict);
	assert_int_equal(mxguard_check_action(c, 0), row->action);
	mxguard_check_free(c);
}

static void test_overrides(void **state)
{
	for (size_t i = 0; i < COUNT(override_rows); i++) {
		run_override(&override_rows[i], MXGUARD_ALL);
		run_override(&override_rows[i], 0);
	}
}

static void test_overrides_that_are_wrong(void **state)
{
	static const char *const wrong[][2] = {
		{ "mode", "on" },
		{ "mode", "" },
		{ "Mode", "off" },
		{ "on_direct", "refuse" },
		{ "on_untraced", "tag" },
		{ "tag", "sometimes" },
		{ "gateways", "mx" },
		{ "", "" },
		{ "quarantine_mailbox", "" },
		{ "exempt", "alice" },
		{ "exempt", "bob@, @example.com" },
		{ "exempt", "bob@not_a..name" },
		{ "quarantine_mailbox", "INBOX" },
		{ "quarantine_mailbox", "Inbox" },
		{ "quarantine_mailbox", "a\nb" },
	};
	struct mxguard_check *c = check_from(static_conf, SPAMMER, "alice@example.com");
	char message[200], tiny[5];
	assert_int_equal(mxguard_check_override(c, MXGUARD_ALL, "quarantine_mailbox", "Held", NULL, 0),
			 MXGUARD_ERROR_NONE);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		message[0] = '\0';
		assert_int_equal(
			mxguard_check_override(c, MXGUARD_ALL, wrong[i][0], wrong[i][1], message, sizeof(message)),
			MXGUARD_ERROR_INVALID);
		assert_string_not_equal(message, "");
		assert_int_equal(mxguard_check_override(c, MXGUARD_ALL, wrong[i][0], wrong[i][1], tiny, sizeof(tiny)),
				 MXGUARD_ERROR_INVALID);
	}
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNDECIDED);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_QUARANTINE_MAILBOX), "Held");
	mxguard_check_free(c);
}

/* Nothing is left out of a sentence where a domain would stand: it is the host's own mail. */
static void test_recipient_without_domain(void **state)
{
	struct mxguard_check *c = check_from(static_conf, SPAMMER, "alice");
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_action(c, 0), MXGUARD_ACTION_REJECT);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REPLY),
			    "Refused: " SPAMMER
			    " is not an authorized gateway for mx.example.com; deliver to the hosts in "
			    "the domain's MX record");
	mxguard_check_free(c);
}

/* ---- what is printed ---------------------------------------------------------------------- */

static void assert_plain(const char *text, const char *also)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((*p < 0x20 || *p >= 0x7f) && strchr(also, *p) == NULL)
			fail_msg("byte 0x%02x in \"%s\"", (unsigned char)*p, text);
}

static void assert_all_plain(const struct mxguard_check *c)
{
	char buffer[4096];
	const char *step;
	mxguard_check_log_line(c, 0, buffer, sizeof(buffer));
	assert_plain(buffer, "");
	for (int what = MXGUARD_TEXT_REASON; what <= MXGUARD_TEXT_QUARANTINE_MAILBOX; what++)
		assert_plain(mxguard_check_text(c, 0, (enum mxguard_text)what), "");
	for (size_t i = 0; (step = mxguard_check_step(c, 0, i)) != NULL; i++)
		assert_plain(step, "");
	if (mxguard_check_tag(c, 0, buffer, sizeof(buffer)) == 1)
		assert_plain(buffer, "\r\n\t");
}

/* One word of the line: nothing from outside may start, end or forge another. */
static void assert_words(const struct mxguard_check *c, size_t expected)
{
	char line[4096];
	size_t words = 0;
	mxguard_check_log_line(c, 0, line, sizeof(line));
	for (const char *p = line; *p != '\0'; p++)
		words += *p == ' ';
	assert_int_equal(words, expected);
}

static void feed_text(struct mxguard_check *c, const char *text)
{
	char recipient[3000];
	snprintf(recipient, sizeof(recipient), "%s@%s", text, text);
	assert_int_equal(mxguard_check_set_helo(c, text), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_set_sender(c, text), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_set_ids(c, text, text), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_add_recipient(c, recipient, NULL), 0);
}

static void try_text(const char *conf, const char *text)
{
	struct mxguard_check *c = check_of(conf);
	mxguard_check_set_peer_text(c, SPAMMER);
	feed_text(c, text);
	int progress = mxguard_check_run(c, NOW);
	if (progress != MXGUARD_PROGRESS_DONE)
		progress = mxguard_check_give_up(c, NOW);
	assert_int_equal(progress, MXGUARD_PROGRESS_DONE);
	assert_all_plain(c);
	if (conf == static_conf)
		assert_words(c, 18);
	mxguard_check_free(c);
}

static void test_hostile_text(void **state)
{
	static const char *const confs[] = { static_conf, dns_conf };
	for (size_t k = 0; k < COUNT(confs); k++) {
		for (int byte = 1; byte < 256; byte++) {
			char text[] = "a b";
			text[1] = (char)byte;
			try_text(confs[k], text);
		}
		try_text(confs[k], "x> reason=gateway-match rcpt=<y\r\nmxguard: verdict=authorized");
		try_text(confs[k], "\"'<>\\=\033[2J\xff\xfe\xc3\xa9");
		try_text(confs[k], "@@@@");
		try_text(confs[k], "<<>>");
	}
}

/* What the domain published stands in the explanation, the reply and the log line. */
static void test_hostile_records(void **state)
{
	static const struct scripted_record script[] = {
		RECORD("spf.example.net TXT", "\044v=spf1 \"x\" ip4:1\r\n\033[2J\377\" a=\"b\\ -all"),
	};
	struct mxguard_check *c = check_from(dns_conf, GATEWAY, "alice@example.com");
	char line[4096];
	assert_int_equal(scripted_run(c, script, COUNT(script), NOW), MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_verdict(c, 0), MXGUARD_VERDICT_UNKNOWN);
	assert_all_plain(c);
	mxguard_check_log_line(c, 0, line, sizeof(line));
	const char *detail = strstr(line, " detail=\"");
	assert_non_null(detail);
	assert_ptr_equal(strchr(detail + 9, '"'), line + strlen(line) - 1);
	mxguard_check_free(c);
}

/* ---- the tag ---------------------------------------------------------------------------------- */

#define AR "Authentication-Results: id.example.com;\r\n\tx-mxguard="

static void assert_tag(struct mxguard_check *c, const char *expected)
{
	char field[2048];
	mxguard_check_override(c, MXGUARD_ALL, "tag", "always", NULL, 0);
	if (mxguard_check_run(c, NOW) != MXGUARD_PROGRESS_DONE)
		assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_tag(c, 0, field, sizeof(field)), 1);
	assert_string_equal(field, expected);
	assert_int_equal(mxguard_check_tag(c, MXGUARD_ALL, field, sizeof(field)), 1);
	assert_string_equal(field, expected);
	mxguard_check_free(c);
}

static void test_tag_of_each_verdict(void **state)
{
	assert_tag(check_from(static_conf, GATEWAY, "a@example.com"), AR
		   "pass reason=\"gateway-match\"\r\n\tpolicy.peer=\"192.0.2.10\"\r\n\tpolicy.gateway=\"filters\"\r\n");
	assert_tag(check_from(static_conf, SPAMMER, "a@example.com"),
		   AR "fail reason=\"peer-not-a-gateway\"\r\n\tpolicy.peer=\"203.0.113.66\"\r\n");
	assert_tag(check_from(static_conf, "2001:db9::1", "a@example.com"),
		   AR "fail reason=\"peer-not-a-gateway\"\r\n\tpolicy.peer=\"2001:db9::1\"\r\n");
	assert_tag(
		check_from(dns_conf, GATEWAY, "a@example.com"), AR
		"temperror reason=\"dns-cancelled\"\r\n\tpolicy.peer=\"192.0.2.10\"\r\n\tpolicy.gateway=\"cloud\"\r\n");
	assert_tag(check_from(static_conf, "", "a@example.com"), AR "permerror reason=\"no-header\"\r\n");
	struct mxguard_check *c = check_from(static_conf, SPAMMER, "a@example.com");
	mxguard_check_set_login(c, "alice");
	assert_tag(c, AR "none reason=\"login\"\r\n\tpolicy.peer=\"203.0.113.66\"\r\n");
	c = check_from(static_conf, SPAMMER, "a@example.com");
	mxguard_check_override(c, 0, "exempt", "a@", NULL, 0);
	assert_tag(c, AR "none reason=\"recipient-exempt\"\r\n");
	assert_tag(check_from(static_conf, "127.0.0.2", "a@example.com"), AR "permerror reason=\"no-header\"\r\n");
}

static void test_tag_settings(void **state)
{
	static const struct {
		const char *tag, *on_direct, *mode, *peer;
		int wanted;
	} rows[] = {
		{ "never", "reject", "enforce", SPAMMER, 0 },
		{ "never", "tag", "enforce", SPAMMER, 1 },
		{ "never", "reject", "monitor", SPAMMER, 0 },
		{ "not-accepted", "reject", "monitor", SPAMMER, 1 },
		{ "not-accepted", "reject", "enforce", GATEWAY, 0 },
		{ "always", "reject", "enforce", GATEWAY, 1 },
		{ "always", "reject", "off", GATEWAY, 0 },
		{ "not-accepted", "accept", "enforce", SPAMMER, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mxguard_check *c = check_from(static_conf, rows[i].peer, "alice@example.com");
		char field[2048];
		mxguard_check_override(c, MXGUARD_ALL, "tag", rows[i].tag, NULL, 0);
		mxguard_check_override(c, MXGUARD_ALL, "on_direct", rows[i].on_direct, NULL, 0);
		mxguard_check_override(c, MXGUARD_ALL, "mode", rows[i].mode, NULL, 0);
		assert_int_equal(mxguard_check_tag(c, MXGUARD_ALL, field, sizeof(field)), 0); /* not decided */
		mxguard_check_run(c, NOW);
		assert_int_equal(mxguard_check_tag(c, 0, field, sizeof(field)), rows[i].wanted);
		mxguard_check_free(c);
	}
}

static void test_tag_for_all(void **state)
{
	static const struct scripted_record script[] = {
		RECORD("spf.example.net TXT", "\032v=spf1 ip4:192.0.2.10 -all"),
	};
	struct mxguard_check *c = check_from(dns_conf, SPAMMER, "exempt@example.com");
	char field[2048];
	mxguard_check_override(c, MXGUARD_ALL, "exempt", "exempt@", NULL, 0);
	mxguard_check_override(c, MXGUARD_ALL, "tag", "always", NULL, 0);
	mxguard_check_add_recipient(c, "alice@example.com", NULL);
	assert_int_equal(scripted_run(c, script, COUNT(script), NOW), MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_tag(c, MXGUARD_ALL, field, sizeof(field)), 1);
	assert_non_null(strstr(field, "=fail "));
	assert_int_equal(mxguard_check_tag(c, 0, field, sizeof(field)), 1);
	assert_non_null(strstr(field, "=none "));
	mxguard_check_free(c);
}

static void test_words(void **state)
{
	assert_string_equal(mxguard_verdict_name((enum mxguard_verdict)99), "undecided");
	assert_string_equal(mxguard_action_name((enum mxguard_action)99), "defer");
	assert_string_equal(mxguard_mode_name((enum mxguard_mode)99), "monitor");
	assert_string_equal(mxguard_place_name((enum mxguard_place)99), "door");
	assert_string_not_equal(mxguard_version(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_overrides_that_are_wrong),
		cmocka_unit_test(test_recipient_without_domain),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_hostile_records),
		cmocka_unit_test(test_tag_of_each_verdict),
		cmocka_unit_test(test_tag_settings),
		cmocka_unit_test(test_tag_for_all),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
