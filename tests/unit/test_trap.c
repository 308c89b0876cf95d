/* SPDX-License-Identifier: MIT */
/* Whether a copy of a message is kept, and what the settings of the trap may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mxguard.h"
#include "trap/name.h"

#define NOW 1000000000
#define GATEWAYS "gateways = ( { name = \"filters\"; allow = \"ip4:192.0.2.10\"; } );"
#define TRAP "trap = { directory = \"/var/lib/mxguard/trap\"; };"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int parse(struct mxguard_policy **policy, const char *text, char message[500])
{
	message[0] = '\0';
	return mxguard_policy_parse(policy, text, strlen(text), "test.conf", 0, message, 500);
}

struct transaction {
	const char *what, *settings, *peer, *sender;
	const char *recipients[3];
	enum mxguard_place place;
	int first, all; /* mxguard_check_trap() of the first recipient, and of the message */
};

static const struct transaction transactions[] = {
	{ "certain", TRAP, "203.0.113.66", "a@b.example", { "x@example.com" }, MXGUARD_PLACE_DOOR, 1, 1 },
	{ "mapped", TRAP, "::ffff:203.0.113.66", "a@b.example", { "x@example.com" }, MXGUARD_PLACE_DOOR, 1, 1 },
	{ "two of them",
	  TRAP,
	  "203.0.113.66",
	  "a@b.example",
	  { "x@example.com", "y@example.org" },
	  MXGUARD_PLACE_DOOR,
	  1,
	  1 },
	{ "no trap", "", "203.0.113.66", "a@b.example", { "x@example.com" }, MXGUARD_PLACE_DOOR, 0, 0 },
	{ "queued", TRAP, "203.0.113.66", "a@b.example", { "x@example.com" }, MXGUARD_PLACE_QUEUED, 0, 0 },
	{ "null sender", TRAP, "203.0.113.66", "<>", { "x@example.com" }, MXGUARD_PLACE_DOOR, 0, 0 },
	{ "gateway", TRAP, "192.0.2.10", "a@b.example", { "x@example.com" }, MXGUARD_PLACE_DOOR, 0, 0 },
	{ "another domain's gateway",
	  TRAP
	  "policies = ( { domains = [ \"o.example\" ]; gateways = ( { name = \"o\"; allow = \"ip4:203.0.113.0/24\"; "
	  "} ); } );",
	  "203.0.113.66",
	  "a@b.example",
	  { "x@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "beside an exempt one",
	  TRAP "exempt = [ \"postmaster@\" ];",
	  "203.0.113.66",
	  "a@b.example",
	  { "x@example.com", "postmaster@example.com" },
	  MXGUARD_PLACE_DOOR,
	  1,
	  0 },
	{ "monitored",
	  TRAP "mode = \"monitor\";",
	  "203.0.113.66",
	  "a@b.example",
	  { "x@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "deferred",
	  TRAP "on_direct = \"defer\";",
	  "203.0.113.66",
	  "a@b.example",
	  { "x@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "put aside",
	  TRAP "on_direct = \"quarantine\";",
	  "203.0.113.66",
	  "a@b.example",
	  { "x@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "an address with several readings",
	  TRAP,
	  "203.0.113.66",
	  "a@b.example",
	  { "x%y@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "the host's own name",
	  TRAP,
	  "203.0.113.66",
	  "a@b.example",
	  { "x@mx.example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "login", TRAP, "203.0.113.66", "a@b.example", { "x@example.com" }, MXGUARD_PLACE_DOOR, 0, 0 },
	{ "internal peer",
	  TRAP "on_untraced = \"direct\";",
	  "127.0.0.1",
	  "a@b.example",
	  { "x@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
	{ "no peer",
	  TRAP "on_untraced = \"direct\";",
	  "",
	  "a@b.example",
	  { "x@example.com" },
	  MXGUARD_PLACE_DOOR,
	  0,
	  0 },
};

static struct mxguard_check *decide(const struct transaction *t)
{
	char text[1000], message[500];
	struct mxguard_policy *policy;
	struct mxguard_check *check;
	snprintf(text, sizeof(text),
		 "%s hostname = \"mx.example.com\"; domains = [ \"example.com\", \"example.org\" ]; %s %s",
		 strstr(t->settings, "mode =") == NULL ? "mode = \"enforce\";" : "", GATEWAYS, t->settings);
	if (parse(&policy, text, message) != MXGUARD_ERROR_NONE)
		fail_msg("%s: %s", t->what, message);
	assert_int_equal(mxguard_check_new(&check, policy, NULL, 0), MXGUARD_ERROR_NONE);
	mxguard_policy_unref(policy);
	mxguard_check_set_peer_text(check, t->peer);
	mxguard_check_set_sender(check, t->sender);
	mxguard_check_set_place(check, t->place);
	mxguard_check_set_helo(check, "a \"b\r\nX: y");
	if (strcmp(t->what, "login") == 0)
		mxguard_check_set_login(check, "somebody");
	for (size_t i = 0; t->recipients[i] != NULL; i++)
		mxguard_check_add_recipient(check, t->recipients[i], NULL);
	return check;
}

static void test_only_what_is_certain(void **state)
{
	for (size_t i = 0; i < COUNT(transactions); i++) {
		const struct transaction *t = &transactions[i];
		char field[1024] = "unchanged";
		struct mxguard_check *check = decide(t);
		assert_int_equal(mxguard_check_trap(check, MXGUARD_ALL, field, sizeof(field)), 0); /* not decided */
		mxguard_check_run(check, NOW);
		mxguard_check_header_end(check);
		mxguard_check_run(check, NOW);
		if (mxguard_check_trap(check, 0, NULL, 0) != t->first ||
		    mxguard_check_trap(check, MXGUARD_ALL, field, sizeof(field)) != t->all)
			fail_msg("%s", t->what);
		assert_int_equal(mxguard_check_trap(check, 9, NULL, 0), 0);
		if (t->all == 1)
			assert_string_equal(field, "X-Mxguard-Trap: peer=203.0.113.66; domain=example.com;\r\n"
						   "\ttime=1000000000; reason=peer-not-a-gateway;\r\n"
						   "\thelo=\"a\\x20\\x22b\\x0d\\x0aX:\\x20y\"\r\n");
		else
			assert_string_equal(field, "unchanged");
		mxguard_check_free(check);
	}
}

/* The gateways are the MX set, and nobody knows since when: only where `settle` is no matter. */
static void test_settle_must_be_known(void **state)
{
	static const char *const settles[] = { "", "dns = { settle = \"0s\"; };" };
	for (size_t i = 0; i < COUNT(settles); i++) {
		char text[500], message[500];
		uint8_t query[512];
		size_t number, length;
		struct mxguard_policy *policy;
		struct mxguard_check *check;
		snprintf(text, sizeof(text),
			 "mode = \"enforce\"; hostname = \"mx.example.com\"; self = [ \"192.0.2.1\" ]; "
			 "gateways = ( { name = \"mx\"; allow = \"mx ip4:192.0.2.10\"; } ); %s %s",
			 TRAP, settles[i]);
		assert_int_equal(parse(&policy, text, message), MXGUARD_ERROR_NONE);
		assert_int_equal(mxguard_check_new(&check, policy, NULL, 0), MXGUARD_ERROR_NONE);
		mxguard_policy_unref(policy);
		mxguard_check_set_peer_text(check, "203.0.113.66");
		mxguard_check_set_sender(check, "a@b.example");
		mxguard_check_add_recipient(check, "x@example.com", NULL);
		assert_int_equal(mxguard_check_run(check, NOW), MXGUARD_PROGRESS_NEED_DNS);
		while (mxguard_check_next_question(check, &number, query, sizeof(query), &length) == 1) {
			query[2] |= 0x80; /* the same message as a reply: there is no such record */
			mxguard_check_reply(check, number, query, length, NOW);
			mxguard_check_run(check, NOW);
		}
		assert_int_equal(mxguard_check_verdict(check, 0), MXGUARD_VERDICT_DIRECT);
		assert_int_equal(mxguard_check_action(check, 0), MXGUARD_ACTION_REJECT);
		assert_int_equal(mxguard_check_trap(check, 0, NULL, 0), i);
		mxguard_check_free(check);
	}
}

static void test_settings(void **state)
{
	static const struct {
		const char *group, *wrong; /* wrong NULL: it is taken */
	} rows[] = {
		{ "directory = \"/t\"; share = \"100%\"; keep = \"1d\"; max_total = \"1024G\"; per_hour = 1000000;",
		  NULL },
		{ "directory = \"/t\"; share = \"1%\"; max_total = \"1M\"; per_hour = 1;", NULL },
		{ "", "trap: found no directory" },
		{ "directory = \"t\";", "trap.directory: found \"t\"" },
		{ "directory = \"/t\"; share = \"101%\";", "trap.share: found \"101%\"" },
		{ "directory = \"/t\"; share = \"0%\";", "trap.share" },
		{ "directory = \"/t\"; share = 10;", "trap.share" },
		{ "directory = \"/t\"; max_total = \"1025G\";", "trap.max_total" },
		{ "directory = \"/t\"; max_total = \"2000000M\";", "trap.max_total" },
		{ "directory = \"/t\"; max_total = \"9999999999999999999999G\";", "trap.max_total" },
		{ "directory = \"/t\"; max_total = \"2T\";", "trap.max_total" },
		{ "directory = \"/t\"; per_hour = 0;", "trap.per_hour" },
		{ "directory = \"/t\"; per_hour = -1;", "trap.per_hour" },
		{ "directory = \"/t\"; per_hour = \"500\";", "trap.per_hour" },
		{ "directory = \"/t\"; per_day = 1;", "trap.per_day: found an unknown setting" },
		{ "directory = \"/t\"; timeout = \"1s\";", "in the group dns" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[500], message[500];
		struct mxguard_policy *policy;
		snprintf(text, sizeof(text), "%s trap = { %s };", GATEWAYS, rows[i].group);
		int result = parse(&policy, text, message);
		if ((result == MXGUARD_ERROR_NONE) != (rows[i].wrong == NULL) ||
		    (rows[i].wrong != NULL && strstr(message, rows[i].wrong) == NULL))
			fail_msg("%s: %s", rows[i].group, message);
		mxguard_policy_unref(policy);
	}
}

static void test_limits(void **state)
{
	char message[500];
	struct mxguard_policy *policy;
	assert_int_equal(parse(&policy, GATEWAYS TRAP, message), MXGUARD_ERROR_NONE);
	assert_string_equal(mxguard_policy_trap(policy), "/var/lib/mxguard/trap");
	assert_int_equal(mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_SHARE), 10);
	assert_int_equal(mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_KEEP), 30 * 24 * 3600);
	assert_int_equal(mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_MAX_TOTAL), UINT64_C(2) << 30);
	assert_int_equal(mxguard_policy_trap_limit(policy, MXGUARD_TRAP_LIMIT_PER_HOUR), 500);
	assert_int_equal(mxguard_policy_trap_limit(policy, (enum mxguard_trap_limit)77), 0);
	mxguard_policy_unref(policy);
	assert_int_equal(parse(&policy, GATEWAYS, message), MXGUARD_ERROR_NONE);
	assert_null(mxguard_policy_trap(policy));
	mxguard_policy_unref(policy);
}

static void test_names(void **state)
{
	static const char *const wrong[] = { "",
					     "x",
					     "1.M1P1Q1.h",
					     "1.M1P1Q1.h,S=",
					     "1.M1P1Q1.h,S=1x",
					     "1.M1P1Q1.h,S=1:2,S",
					     ".1,S=1",
					     "1,S=1",
					     "1234567890123456.x,S=1" };
	char name[MXG_TRAP_NAME_MAX], other[MXG_TRAP_NAME_MAX];
	struct mxg_trap_name read;
	mxg_trap_name_make(name, 12345);
	mxg_trap_name_make(other, 12345);
	assert_string_not_equal(name, other);
	assert_true(mxg_trap_name_read(name, &read));
	assert_int_equal(read.size, 12345);
	assert_true(read.time > NOW);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_false(mxg_trap_name_read(wrong[i], &read));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_certain),
		cmocka_unit_test(test_settle_must_be_known),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
