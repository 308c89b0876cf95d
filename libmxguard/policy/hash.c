/* SPDX-License-Identifier: MIT */
/*
 * What decides what a snapshot must hold: the terms that ask DNS, for which domains each set of
 * them counts, which domains there are, and how macros and DNSSEC are judged. Another mode or
 * action, other static ranges, secrets or timeouts leave it as it is; so do paths and the order
 * of gateways, blocks and domains.
 *
 * What hosts that share a snapshot must have in common besides: who is a gateway at all.
 */
#include <string.h>

#include "base/checksum.h"
#include "policy/build.h"

static void join_string(struct mxg_checksum *set, const char *text, const struct mxg_checksum *more)
{
	struct mxg_checksum one;
	mxg_checksum_begin(&one);
	mxg_checksum_string(&one, text);
	if (more != NULL)
		mxg_checksum_set(&one, more);
	mxg_checksum_join(set, &one);
}

/* Every domain that has a set of its own, with that set. */
static void add_names(struct mxg_checksum *sum, const struct mxguard_policy *policy)
{
	struct mxg_checksum set = { { 0 } };
	const char *name;
	uint32_t number;
	for (size_t i = 0; (name = mxg_domain_map_name(policy->map, i, &number)) != NULL; i++)
		join_string(&set, name, &policy->rulesets[number].asks);
	mxg_checksum_set(sum, &set);
}

/* ---- what a snapshot must hold --------------------------------------------------------------- */

static void hash_asks(struct mxg_ruleset *rules)
{
	rules->asks = (struct mxg_checksum){ { 0 } };
	for (size_t i = 0; i < rules->dns_count; i++) {
		const struct mxg_term *term = &rules->terms[rules->dns_terms[i]].term;
		struct mxg_checksum one;
		mxg_checksum_begin(&one);
		mxg_checksum_text(&one, term->text, term->text_len);
		mxg_checksum_join(&rules->asks, &one);
	}
}

static void add_domains(struct mxg_checksum *sum, const struct mxguard_policy *policy)
{
	struct mxg_checksum set = { { 0 } };
	for (size_t i = 0; i < policy->domains.count; i++)
		join_string(&set, policy->domains.items[i], NULL);
	mxg_checksum_set(sum, &set);
	mxg_checksum_number(sum, mxg_policy_lists_elsewhere(policy));
	mxg_checksum_string(sum, policy->default_domain);
}

void mxg_policy_hash(struct mxguard_policy *policy)
{
	struct mxg_checksum sum;
	mxg_checksum_begin(&sum);
	mxg_checksum_string(&sum, "mxguard policy 2");
	for (size_t i = 0; i < policy->ruleset_count; i++)
		hash_asks(&policy->rulesets[i]);
	mxg_checksum_set(&sum, &policy->rulesets[0].asks);
	add_names(&sum, policy);
	add_domains(&sum, policy);
	mxg_checksum_number(&sum, policy->insecure_client_macros);
	mxg_checksum_number(&sum, policy->reply_rules.need_ad);
	mxg_checksum_end(&sum, policy->hash);
}

/* ---- who is a gateway ------------------------------------------------------------------------- */

/* Not the secret of a header: the file that this goes into is for everybody to read. */
static void join_gateway(struct mxg_checksum *set, const struct mxg_ruleset *rules, const struct mxg_gateway *g)
{
	struct mxg_checksum one;
	mxg_checksum_begin(&one);
	mxg_checksum_string(&one, g->token.field);
	mxg_checksum_number(&one, g->certificate.set);
	mxg_checksum_number(&one, g->certificate.verified);
	mxg_checksum_string(&one, g->certificate.subject);
	if (g->certificate.has_fingerprint)
		mxg_checksum_bytes(&one, g->certificate.fingerprint, sizeof(g->certificate.fingerprint));
	for (size_t i = 0; i < g->term_count; i++) {
		const struct mxg_term *term = &rules->terms[g->first_term + i].term;
		mxg_checksum_text(&one, term->text, term->text_len);
	}
	mxg_checksum_join(set, &one);
}

static void gateways_of(struct mxg_checksum *set, const struct mxg_ruleset *rules)
{
	*set = (struct mxg_checksum){ { 0 } };
	for (size_t i = 0; i < rules->gateway_count; i++)
		join_gateway(set, rules, &rules->gateways[i]);
}

void mxg_policy_gateways_hash(const struct mxguard_policy *policy, uint8_t out[MXG_CHECKSUM_BYTES])
{
	struct mxg_checksum sum, common, own, set = { { 0 } };
	const char *name;
	uint32_t number;
	gateways_of(&common, &policy->rulesets[0]);
	for (uint32_t r = 1; r < policy->ruleset_count; r++) {
		own = common;
		if (policy->rulesets[r].gateways != policy->rulesets[0].gateways)
			gateways_of(&own, &policy->rulesets[r]);
		for (size_t i = 0; (name = mxg_domain_map_name(policy->map, i, &number)) != NULL; i++)
			if (number == r)
				join_string(&set, name, &own);
	}
	mxg_checksum_begin(&sum);
	mxg_checksum_string(&sum, "mxguard gateways 1");
	mxg_checksum_set(&sum, &common);
	mxg_checksum_set(&sum, &set);
	mxg_checksum_end(&sum, out);
}
