/* SPDX-License-Identifier: MIT */
/* examples/mxguard.conf, with which most people begin: it is valid as it stands, and with all of
 * its settings; and what it calls a default is one. Its path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"
#include "policy/policy.h"

#define ROOM 16384

static const char *path;

static void read_sample(char text[ROOM])
{
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, ROOM - 1, f);
	fclose(f);
	assert_in_range(n, 1000, ROOM - 2);
	text[n] = '\0';
}

static struct mxguard_policy *parse(const char *text)
{
	struct mxguard_policy *policy = NULL;
	char message[500] = "";
	if (mxguard_policy_parse(&policy, text, strlen(text), "sample", 0, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	return policy;
}

/* "#name = …" is a setting, "# text" is a remark; within a list, "# ," and "#  " continue it. */
static bool is_setting(const char *line)
{
	return line[0] == '#' && (mxg_ascii_is_alpha(line[1]) || line[1] == ')');
}

static bool is_list_item(const char *line)
{
	return strncmp(line, "# ,{", 4) == 0 || strncmp(line, "#    header", 11) == 0 ||
	       strncmp(line, "#    certificate", 16) == 0 || strncmp(line, "#  {", 4) == 0 ||
	       strncmp(line, "#    gateways", 13) == 0;
}

/* All lines that `wanted` names lose their "#"; returns how many. */
static size_t uncomment(char text[ROOM], bool (*wanted)(const char *line))
{
	size_t count = 0;
	for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		if (!wanted(line))
			continue;
		line[0] = ' ';
		count++;
	}
	return count;
}

static bool is_any(const char *line)
{
	return is_setting(line) || is_list_item(line);
}

static void test_as_it_stands(void **state)
{
	char text[ROOM];
	(void)state;
	read_sample(text);
	struct mxguard_policy *p = parse(text);
	assert_int_equal(p->rulesets[0].mode, MXGUARD_MODE_MONITOR);
	assert_int_equal(p->rulesets[0].gateway_count, 1);
	assert_int_equal(p->warnings.count, 0);
	mxguard_policy_unref(p);
}

static void test_with_all_settings(void **state)
{
	char text[ROOM];
	(void)state;
	read_sample(text);
	assert_int_equal(uncomment(text, is_any), 37);
	char *secret = strstr(text, "value_file = "); /* which is not on this machine */
	assert_non_null(secret);
	memcpy(secret, "value      = ", 13);
	struct mxguard_policy *p = parse(text);
	assert_int_equal(p->rulesets[0].gateway_count, 6);
	assert_int_equal(p->ruleset_count, 3);
	assert_int_equal(p->domains.count, 2);
	mxguard_policy_unref(p);
}

static void same_rules(const struct mxg_ruleset *a, const struct mxg_ruleset *b)
{
	assert_int_equal(a->on_direct, b->on_direct);
	assert_int_equal(a->on_direct_queued, b->on_direct_queued);
	assert_int_equal(a->on_unknown, b->on_unknown);
	assert_int_equal(a->on_untraced, b->on_untraced);
	assert_int_equal(a->retrieved, b->retrieved);
	assert_int_equal(a->resubmitted, b->resubmitted);
	assert_int_equal(a->tag, b->tag);
	assert_string_equal(a->quarantine_mailbox, b->quarantine_mailbox);
}

static void same_surroundings(const struct mxguard_policy *a, const struct mxguard_policy *b)
{
	assert_int_equal(a->origins.count, b->origins.count);
	for (size_t i = 0; i < a->origins.count; i++)
		assert_memory_equal(&a->origins.items[i], &b->origins.items[i], sizeof(a->origins.items[i]));
	assert_string_equal(a->state_dir, b->state_dir);
	assert_int_equal(a->timeout_ms, b->timeout_ms);
	assert_int_equal(a->grace, b->grace);
	assert_int_equal(a->keep_stale, b->keep_stale);
	assert_int_equal(a->reply_rules.max_ttl, b->reply_rules.max_ttl);
	assert_int_equal(a->settle, b->settle);
	assert_int_equal(a->patience, b->patience);
	assert_int_equal(a->log_format, b->log_format);
	assert_int_equal(a->reply_rules.need_ad, b->reply_rules.need_ad);
}

/* The paragraphs that "# default:" begins. */
static size_t uncomment_defaults(char text[ROOM])
{
	bool inside = false;
	size_t count = 0;
	for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		inside = strncmp(line, "# default:", 10) == 0 || (inside && is_setting(line));
		if (!inside || !is_setting(line))
			continue;
		line[0] = ' ';
		count++;
	}
	return count;
}

static void test_defaults_are_defaults(void **state)
{
	char text[ROOM];
	(void)state;
	read_sample(text);
	struct mxguard_policy *plain = parse(text);
	assert_int_equal(uncomment_defaults(text), 13);
	struct mxguard_policy *spelt_out = parse(text);
	same_rules(&plain->rulesets[0], &spelt_out->rulesets[0]);
	same_surroundings(plain, spelt_out);
	mxguard_policy_unref(plain);
	mxguard_policy_unref(spelt_out);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_it_stands),
		cmocka_unit_test(test_with_all_settings),
		cmocka_unit_test(test_defaults_are_defaults),
	};
	if (argc != 2)
		return 99;
	path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
