/* SPDX-License-Identifier: MIT */
/* Any bytes as a configuration: either a policy that answers its questions, or one line
 * that says what is wrong. What is accepted holds as many values as it has strings between quotes:
 * libconfig has joined none of them, and no number was read in its own way. */
#include <libconfig.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/removed_field.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig drops the string that a syntax error stands behind. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\nleak:libconfig_yyparse\nleak:scanctx_take_string\n";
}

#define MOST 65536u /* libconfig compares each setting's name with all before it */

static void require(int condition)
{
	if (!condition)
		abort();
}

static void ask(const struct mxguard_policy *p)
{
	static const char domain[] = "a.sub.example.com";
	const struct mxg_ruleset *r = mxg_policy_ruleset(p, domain, sizeof(domain) - 1);
	struct mxg_address address;
	size_t count;
	require(r >= p->rulesets && r < p->rulesets + p->ruleset_count);
	require(p->timeout_ms > 0 && p->timeout_ms <= 300000);
	for (size_t i = 0; i < p->ruleset_count; i++) {
		r = &p->rulesets[i];
		require(r->mode != MXGUARD_MODE_ENFORCE || r->gateway_count > 0);
		for (size_t t = 0; t < r->term_count; t++) {
			require(r->terms[t].gateway < r->gateway_count);
			address = r->terms[t].term.prefix.base;
			mxg_prefix_set_lookup(r->prefixes, &address, &count);
			require(address.family == 0 || count > 0);
		}
		mxg_exempts(&r->exempt, "postmaster@a.example", 20);
	}
	mxg_policy_has_domain(p, domain, sizeof(domain) - 1);
	for (size_t i = 0; mxguard_policy_warning(p, i) != NULL; i++)
		require(strchr(mxguard_policy_warning(p, i), '\n') == NULL);
	mxg_removed_field_is(&(struct mxg_removed){ p, false }, domain, sizeof(domain) - 1, false);
}

/* ---- what libconfig made of it ----------------------------------------------------------------- */

/* Pairs of quotes outside of comments. */
static size_t count_literals(const char *text)
{
	size_t count = 0;
	enum { CODE, STRING, LINE, BLOCK } where = CODE;
	for (const char *p = text; *p != '\0'; p++) {
		switch (where) {
		case CODE:
			where = *p == '"' ? STRING : *p == '#' || strncmp(p, "//", 2) == 0 ? LINE : CODE;
			if (strncmp(p, "/*", 2) == 0) {
				where = BLOCK;
				p++;
			}
			break;
		case STRING:
			if (*p == '"') {
				where = CODE;
				count++;
			} else if (*p == '\\' && p[1] != '\0') {
				p++;
			}
			break;
		case LINE:
			where = *p == '\n' ? CODE : LINE;
			break;
		case BLOCK:
			if (strncmp(p, "*/", 2) == 0) {
				where = CODE;
				p++;
			}
		}
	}
	return count;
}

static size_t count_values(const config_setting_t *setting)
{
	size_t count = 0;
	int type = config_setting_type(setting);
	require(type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64 && type != CONFIG_TYPE_FLOAT);
	if (!config_setting_is_aggregate(setting))
		return type == CONFIG_TYPE_STRING;
	for (unsigned i = 0; i < (unsigned)config_setting_length(setting); i++)
		count += count_values(config_setting_get_elem(setting, i));
	return count;
}

static void compare_with_libconfig(const char *data, size_t size)
{
	config_t config;
	char *text = malloc(size + 2);
	size_t skip = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	require(text != NULL);
	memcpy(text, data + skip, size - skip);
	memcpy(text + size - skip, "\n", 2);
	config_init(&config);
	require(config_read_string(&config, text) == CONFIG_TRUE);
	require(count_values(config_root_setting(&config)) == count_literals(text));
	config_destroy(&config);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mxguard_policy *policy;
	char message[1000];
	if (size == 0 || size > MOST)
		return 0;
	int result = mxguard_policy_parse(&policy, (const char *)data, size, "fuzz.conf", 0, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE) {
		require(message[0] == '\0');
		ask(policy);
		compare_with_libconfig((const char *)data, size);
	} else {
		require(result == MXGUARD_ERROR_CONFIG && policy == NULL);
		require(strncmp(message, "fuzz.conf:", 10) == 0 && strchr(message, '\n') == NULL);
	}
	mxguard_policy_unref(result == MXGUARD_ERROR_NONE ? policy : NULL);
	return 0;
}
