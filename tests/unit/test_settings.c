/* SPDX-License-Identifier: MIT */
/* The table of settings against what is written elsewhere: mxguard.conf(5), mxguard-dovecot(7) and
 * examples/mxguard.conf (the arguments, in this order), and the names of overrides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/setting.h"

#define ROOM 65536
#define BOTH (MXG_PLACE_FILE | MXG_PLACE_BLOCK)

static char manual[ROOM], dovecot[ROOM], sample[ROOM];

static void read_file(char text[ROOM], const char *path)
{
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, ROOM - 1, f);
	fclose(f);
	assert_in_range(n, 1000, ROOM - 2);
	text[n] = '\0';
}

/* As messages and the manual call it. */
static void full_name(const struct mxg_setting *row, char out[64])
{
	const char *prefix = (row->places & MXG_PLACE_FILE) != 0             ? ""
			     : (row->places & MXG_PLACE_DNS) != 0            ? "dns."
			     : (row->places & MXG_PLACE_TRACE) != 0          ? "trace."
			     : (row->places & MXG_PLACE_TRAP) != 0           ? "trap."
			     : (row->places & MXG_PLACE_GATEWAY) != 0        ? "gateways."
			     : (row->places & MXG_PLACE_HEADER) != 0         ? "gateways.header."
			     : (row->places & MXG_PLACE_CERTIFICATE) != 0    ? "gateways.certificate."
			     : (row->places & MXG_PLACE_ORIGIN) != 0         ? "origin."
			     : (row->places & MXG_PLACE_GATEWAY_ORIGIN) != 0 ? "gateways.origin."
									     : "policies.";
	snprintf(out, 64, "%s%s", prefix, row->name);
}

/* Where the name's item begins in the manual; NULL: there is none. */
static const char *item_of(const char *name)
{
	char begin[80];
	size_t len = (size_t)snprintf(begin, sizeof(begin), "\n.It Ic %s", name);
	for (const char *p = manual; (p = strstr(p, begin)) != NULL; p++)
		if (p[len] == '\n' || p[len] == ' ')
			return p + 1;
	return NULL;
}

static bool has_default(const char *item, const struct mxg_setting *row)
{
	char line[200];
	const char *quote = row->fallback != NULL ? "\"" : "";
	snprintf(line, sizeof(line), "\nDefault: %s%s%s.\n", quote,
		 row->fallback != NULL ? row->fallback : row->otherwise, quote);
	const char *found = strstr(item, line), *next = strstr(item, "\n.It Ic ");
	return found != NULL && (next == NULL || found < next);
}

static void test_every_setting_is_in_the_manual(void **state)
{
	for (size_t i = 0; i < mxg_setting_count; i++) {
		const struct mxg_setting *row = &mxg_settings[i];
		char name[64], mention[80];
		full_name(row, name);
		snprintf(mention, sizeof(mention), "\n.Ic %s", name);
		const char *item = item_of(name);
		if (row->fallback == NULL && row->otherwise == NULL && strstr(manual, mention) == NULL)
			fail_msg("mxguard.conf(5) does not know the group %s", name);
		if (row->fallback == NULL && row->otherwise == NULL)
			continue;
		if (item == NULL)
			fail_msg("mxguard.conf(5) has no item for %s", name);
		if (!has_default(item, row))
			fail_msg("mxguard.conf(5), %s: the default is not that of the table", name);
	}
}

static const struct mxg_setting *find(const char *name, size_t len)
{
	char full[64];
	for (size_t i = 0; i < mxg_setting_count; i++) {
		full_name(&mxg_settings[i], full);
		if (strlen(full) == len && memcmp(full, name, len) == 0)
			return &mxg_settings[i];
	}
	return NULL;
}

/* Also: what stands below WHAT TO DO may stand in a block, and nothing else may but gateways. */
static void test_nothing_else_is_in_the_manual(void **state)
{
	const char *what = strstr(manual, "\n.Sh WHAT TO DO"), *end = strstr(manual, "\n.Ss For all domains");
	size_t count = 0;
	assert_non_null(what);
	assert_non_null(end);
	for (const char *p = manual; (p = strstr(p, "\n.It Ic ")) != NULL; count++) {
		p += strlen("\n.It Ic ");
		size_t len = strcspn(p, " \n");
		const struct mxg_setting *row = find(p, len);
		if (row == NULL)
			fail_msg("mxguard.conf(5) has an item for \"%.*s\", which is no setting", (int)len, p);
		assert_int_equal(row->places == BOTH, p > what && p < end);
	}
	assert_in_range(count, 30, mxg_setting_count);
}

static void test_every_default_is_accepted(void **state)
{
	size_t count = 0;
	for (size_t i = 0; i < mxg_setting_count; i++) {
		const struct mxg_setting *row = &mxg_settings[i];
		char text[200], error[300] = "";
		const char *before = (row->places & MXG_PLACE_DNS) != 0    ? "dns = { "
				     : (row->places & MXG_PLACE_TRAP) != 0 ? "trap = { directory = \"/t\"; "
									   : "";
		const char *after = before[0] != '\0' ? " };" : "";
		struct mxguard_policy *policy = NULL;
		if (row->fallback == NULL)
			continue;
		snprintf(text, sizeof(text), "%s%s = \"%s\";%s", before, row->name, row->fallback, after);
		if (mxguard_policy_parse(&policy, text, strlen(text), "default", 0, error, sizeof(error)) !=
		    MXGUARD_ERROR_NONE)
			fail_msg("%s", error);
		mxguard_policy_unref(policy);
		count++;
	}
	assert_in_range(count, 10, mxg_setting_count);
}

static void test_sample_has_them(void **state)
{
	for (size_t i = 0; i < mxg_setting_count; i++) {
		char begin[64];
		snprintf(begin, sizeof(begin), "%s = ", mxg_settings[i].name);
		if (strcmp(mxg_settings[i].name, "value") != 0 && strstr(sample, begin) == NULL)
			fail_msg("examples/mxguard.conf does not show %s", mxg_settings[i].name);
	}
}

/* ---- overrides --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned bit;
} overrides[] = {
#define X(UPPER, lower) { #lower, MXG_OVERRIDE_##UPPER },
	MXG_OVERRIDES(X)
#undef X
};

static void test_overrides_are_the_table(void **state)
{
	size_t count = 0;
	for (size_t i = 0; i < mxg_setting_count; i++)
		count += mxg_settings[i].override != 0;
	assert_int_equal(count, MXG_OVERRIDE_COUNT);
	for (size_t i = 0; i < MXG_OVERRIDE_COUNT; i++) {
		const struct mxg_setting *row = find(overrides[i].name, strlen(overrides[i].name));
		assert_non_null(row);
		assert_int_equal(row->override, overrides[i].bit);
		assert_int_equal(row->places, BOTH);
		assert_non_null(row->read);
	}
}

static bool is_override(const char *name, size_t len)
{
	for (size_t i = 0; i < MXG_OVERRIDE_COUNT; i++)
		if (strlen(overrides[i].name) == len && memcmp(overrides[i].name, name, len) == 0)
			return true;
	return len == strlen("config") && memcmp(name, "config", len) == 0;
}

static void test_dovecot_manual(void **state)
{
	for (size_t i = 0; i < MXG_OVERRIDE_COUNT; i++) {
		char item[64];
		int len = snprintf(item, sizeof(item), " mxguard_%s", overrides[i].name);
		const char *p = strstr(dovecot, item);
		while (p != NULL && p[len] != ' ' && p[len] != '\n')
			p = strstr(p + 1, item);
		if (p == NULL)
			fail_msg("mxguard-dovecot(7) does not name%s", item);
	}
	for (const char *p = dovecot; (p = strstr(p, "\n.It Ic mxguard_")) != NULL;) {
		p += strlen("\n.It Ic mxguard_");
		if (!is_override(p, strcspn(p, " \n")))
			fail_msg("mxguard-dovecot(7): mxguard_%.*s is no setting", (int)strcspn(p, " \n"), p);
	}
}

/* One matcher: what the file exempts, an override does. */
static void test_exempt_is_one(void **state)
{
	static const char *const addresses[] = { "postmaster",           "PostMaster",
						 "postmaster@a.example", "postmaster@b@a.example",
						 "bob@A.Example",        "bob@b.example",
						 "mypostmaster",         "" };
	const char *expected, *text = "exempt = [ \"postmaster@\", \"Bob@a.example.\" ];";
	struct mxguard_policy *policy;
	struct mxg_arena arena = { NULL, NULL };
	struct mxg_ruleset rules = { .label = NULL };
	unsigned bit = 0;
	assert_int_equal(mxguard_policy_parse(&policy, text, strlen(text), "t", 0, NULL, 0), MXGUARD_ERROR_NONE);
	assert_int_equal(
		mxg_setting_override(&rules, &arena, "exempt", " postmaster@, Bob@a.example.", &bit, &expected),
		MXGUARD_ERROR_NONE);
	assert_int_equal(bit, MXG_OVERRIDE_EXEMPT);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		size_t len = strlen(addresses[i]);
		bool is_exempt = mxg_exempts(&rules.exempt, addresses[i], len);
		assert_int_equal(is_exempt, mxg_exempts(&policy->rulesets[0].exempt, addresses[i], len));
		assert_int_equal(is_exempt, i < 3 || i == 4);
	}
	mxguard_policy_unref(policy);
	mxg_arena_free(&arena);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting_is_in_the_manual),
		cmocka_unit_test(test_nothing_else_is_in_the_manual),
		cmocka_unit_test(test_every_default_is_accepted),
		cmocka_unit_test(test_sample_has_them),
		cmocka_unit_test(test_overrides_are_the_table),
		cmocka_unit_test(test_dovecot_manual),
		cmocka_unit_test(test_exempt_is_one),
	};
	if (argc != 4)
		return EXIT_FAILURE;
	read_file(manual, argv[1]);
	read_file(dovecot, argv[2]);
	read_file(sample, argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
