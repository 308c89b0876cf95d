/* SPDX-License-Identifier: MIT */
/* Any bytes as a configuration: either a policy that answers its questions, or one line
 * that says what is wrong. */
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
		mxg_ruleset_exempts(r, "postmaster@a.example", 20);
	}
	mxg_policy_has_domain(p, domain, sizeof(domain) - 1);
	for (size_t i = 0; mxguard_policy_warning(p, i) != NULL; i++)
		require(strchr(mxguard_policy_warning(p, i), '\n') == NULL);
	mxg_removed_field_is(p, domain, sizeof(domain) - 1, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mxguard_policy *policy;
	char message[1000];
	if (size > MOST)
		return 0;
	int result = mxguard_policy_parse(&policy, (const char *)data, size, "fuzz.conf", 0, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE) {
		require(message[0] == '\0');
		ask(policy);
	} else {
		require(result == MXGUARD_ERROR_CONFIG && policy == NULL);
		require(strncmp(message, "fuzz.conf:", 10) == 0 && strchr(message, '\n') == NULL);
	}
	mxguard_policy_unref(result == MXGUARD_ERROR_NONE ? policy : NULL);
	return 0;
}
