/* SPDX-License-Identifier: MIT */
/* A term is shown with the proof that it does what it is shown for: the check itself says `authorized`. */
#include <stdio.h>

#include "report/judge.h"

#define DOMAINS_TRIED 100 /* the term does not depend on them */

static bool check_says_authorized(struct mxguard_policy *policy, const struct mxg_address *host, const char *domain)
{
	char address[MXG_ADDRESS_TEXT_MAX], recipient[300];
	struct mxguard_check *check;
	snprintf(recipient, sizeof(recipient), "somebody@%.255s", domain);
	if (mxguard_check_new(&check, policy, NULL, 0) != MXGUARD_ERROR_NONE)
		return false;
	bool good = mxguard_check_set_peer_text(check, mxg_address_format(host, address)) == MXGUARD_ERROR_NONE &&
		    mxguard_check_add_recipient(check, recipient, NULL) >= 0 &&
		    mxguard_check_run(check, 1) == MXGUARD_PROGRESS_DONE &&
		    mxguard_check_verdict(check, 0) == MXGUARD_VERDICT_AUTHORIZED;
	mxguard_check_free(check);
	return good;
}

static bool prove(const struct mxg_report_state *s, const struct mxg_candidate *c)
{
	char text[700], message[200];
	struct mxguard_policy *policy;
	int n = snprintf(text, sizeof(text), "gateways = ( { name = \"candidate\"; allow = \"%s\"; } );\n", c->term);
	if (n < 0 || (size_t)n >= sizeof(text) ||
	    mxguard_policy_parse(&policy, text, (size_t)n, "candidate", 0, message, sizeof(message)) !=
		    MXGUARD_ERROR_NONE)
		return false;
	bool good = c->domain_count > 0;
	for (size_t d = 0; good && d < c->domain_count && d < DOMAINS_TRIED; d++)
		for (size_t h = 0; good && h < c->host_count; h++)
			good = check_says_authorized(policy, &c->hosts[h], s->domains[c->domains[d]].name);
	mxguard_policy_unref(policy);
	return good;
}

void mxg_report_prove(struct mxg_report_result *r)
{
	for (size_t i = 0; i < r->candidate_count; i++)
		r->candidates[i].proven = prove(r->state, &r->candidates[i]);
}
