/* SPDX-License-Identifier: MIT */
/*
 * What decides what a snapshot must hold, in 32 bytes: the terms that ask DNS, for which
 * domains each set of them counts, which domains there are, and how macros and DNSSEC are
 * judged. Another mode or action, other static ranges, secrets or timeouts leave it as it
 * is. It guards against accidents, not against forgers: who can write the snapshot needs
 * no collision. Four FNV-1a lanes of 64 bits.
 */
#include <string.h>

#include "policy/build.h"

struct hash {
	uint64_t lanes[4];
};

static void add_bytes(struct hash *h, const void *bytes, size_t len)
{
	static const uint64_t primes[4] = { 0x100000001b3u, 0x100000001cfu, 0x10000000233u, 0x100000002a5u };
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		for (size_t lane = 0; lane < 4; lane++)
			h->lanes[lane] = (h->lanes[lane] ^ p[i]) * primes[lane];
}

static void add_number(struct hash *h, uint64_t number)
{
	unsigned char bytes[8];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(number >> (8 * i));
	add_bytes(h, bytes, sizeof(bytes));
}

/* With its length, so that two texts never look like one. */
static void add_text(struct hash *h, const char *text, size_t len)
{
	add_number(h, len);
	add_bytes(h, text, len);
}

static void add_string(struct hash *h, const char *text)
{
	add_text(h, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void add_rulesets(struct hash *h, const struct mxguard_policy *policy)
{
	add_number(h, policy->ruleset_count);
	for (size_t r = 0; r < policy->ruleset_count; r++) {
		const struct mxg_ruleset *rules = &policy->rulesets[r];
		add_number(h, rules->dns_count);
		for (size_t i = 0; i < rules->dns_count; i++) {
			const struct mxg_term *term = &rules->terms[rules->dns_terms[i]].term;
			add_text(h, term->text, term->text_len);
		}
	}
}

static void add_domains(struct hash *h, const struct mxguard_policy *policy)
{
	const char *name;
	uint32_t number;
	for (size_t i = 0; (name = mxg_domain_map_name(policy->map, i, &number)) != NULL; i++) {
		add_string(h, name);
		add_number(h, number);
	}
	add_number(h, policy->domains.count);
	for (size_t i = 0; i < policy->domains.count; i++)
		add_string(h, policy->domains.items[i]);
	add_string(h, policy->domains_file);
	add_string(h, policy->default_domain);
}

void mxg_policy_hash(struct mxguard_policy *policy)
{
	struct hash h = { { 0xcbf29ce484222325u, 0x9ae16a3b2f90404fu, 0xc3a5c85c97cb3127u, 0xb492b66fbe98f273u } };
	add_string(&h, "mxguard policy 1");
	add_rulesets(&h, policy);
	add_domains(&h, policy);
	add_number(&h, policy->insecure_client_macros);
	add_number(&h, policy->reply_rules.need_ad);
	for (size_t i = 0; i < sizeof(policy->hash); i++)
		policy->hash[i] = (uint8_t)(h.lanes[i / 8] >> (8 * (i % 8)));
}
