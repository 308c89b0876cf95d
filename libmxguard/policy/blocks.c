/* SPDX-License-Identifier: MIT */
/* `policies`: blocks for some domains, which inherit what they do not say; and which block
 * governs a domain. */
#include <string.h>
#include <strings.h>

#include "policy/build.h"

/* ---- making ------------------------------------------------------------------------------------ */

static bool check_blocks(struct mxg_policy_build *b, const config_setting_t *setting, size_t *names)
{
	if (!mxg_build_is_list(setting))
		return mxg_build_unexpected(
			b, setting, "a list such as ( { domains = [ \"example.com\" ]; mode = \"enforce\"; } )");
	for (unsigned i = 0; i < (unsigned)config_setting_length(setting); i++) {
		const config_setting_t *block = config_setting_get_elem(setting, i);
		if (config_setting_type(block) != CONFIG_TYPE_GROUP)
			return mxg_build_unexpected(
				b, block, "a group such as { domains = [ \"example.com\" ]; mode = \"enforce\"; }");
		const config_setting_t *domains = config_setting_get_member(block, "domains");
		if (domains == NULL)
			return mxg_build_fail(b, block, "found a block without domains; expected domains = [ ... ]");
		if (mxg_build_is_list(domains) && config_setting_length(domains) == 0)
			return mxg_build_fail(b, domains,
					      "found an empty list; expected the domains that the block is for");
		*names += (size_t)config_setting_length(domains);
	}
	return true;
}

static bool map_domains(struct mxg_policy_build *b, uint32_t number, const config_setting_t *setting,
			const struct mxg_string_list *names)
{
	for (size_t i = 0; i < names->count; i++) {
		const config_setting_t *one = config_setting_get_elem(setting, (unsigned)i);
		unsigned line = mxg_build_line(one);
		if (!mxg_domain_map_add(b->policy->map, names->items[i], number, &line))
			return mxg_build_fail(b, one,
					      "found \"%s\" for the second time; expected each domain in one place (it "
					      "stands in line %u)",
					      names->items[i], line);
	}
	return true;
}

static bool take_block(struct mxg_policy_build *b, uint32_t number, const config_setting_t *block)
{
	struct mxg_ruleset *rules = &b->policy->rulesets[number];
	const config_setting_t *domains = config_setting_get_member(block, "domains");
	struct mxg_string_list names;
	*rules = b->policy->rulesets[0];
	b->policy->ruleset_count = number + 1;
	if (!mxg_build_domains(b, domains, true, &names) || !map_domains(b, number, domains, &names))
		return false;
	rules->label = names.items[0];
	return mxg_settings_take(b, rules, block, MXG_PLACE_BLOCK);
}

bool mxg_take_policies(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting)
{
	size_t names = 0;
	if (!check_blocks(b, setting, &names))
		return false;
	size_t count = (size_t)config_setting_length(setting);
	struct mxg_ruleset *all = mxg_build_take(b, count + 1, sizeof(*all));
	if (all == NULL)
		return false;
	all[0] = b->policy->rulesets[0];
	b->policy->rulesets = all;
	b->policy->map = mxg_domain_map_new(b->arena, names);
	if (b->policy->map == NULL)
		return mxg_build_no_memory(b);
	for (size_t i = 0; i < count; i++)
		if (!take_block(b, (uint32_t)i + 1, config_setting_get_elem(setting, (unsigned)i)))
			return false;
	return true;
}

/* ---- judging ------------------------------------------------------------------------------------- */

static bool judge(struct mxg_policy_build *b, const struct mxg_ruleset *rules, const config_setting_t *group)
{
	const config_setting_t *gateways = config_setting_get_member(group, "gateways");
	const config_setting_t *mode = config_setting_get_member(group, "mode");
	if (rules->gateway_count > 0 || rules->mode == MXGUARD_MODE_OFF)
		return true;
	if (rules->mode == MXGUARD_MODE_MONITOR) {
		if (group == b->root || gateways != NULL)
			mxg_build_warn(b, gateways, "%sno gateway is configured, so no peer is ever authorized",
				       gateways == NULL ? "gateways: " : "");
		return b->error == MXGUARD_ERROR_NONE;
	}
	return mxg_build_fail(
		b,
		gateways != NULL ? gateways
		: mode != NULL   ? mode
				 : group,
		"found no gateways in enforce mode, which would refuse everything; expected at least one in "
		"gateways");
}

static bool names_a_domain(const struct mxguard_policy *p, uint32_t number)
{
	uint32_t of;
	const char *name;
	for (size_t i = 0; (name = mxg_domain_map_name(p->map, i, &of)) != NULL; i++)
		if (of == number && name[0] != '.')
			return true;
	return false;
}

/* Grace, `settle` and export rest on what refresh has asked for, and it asks for the domains that
 * it is told. */
static void warn_of_no_domains(struct mxg_policy_build *b)
{
	struct mxguard_policy *p = b->policy;
	for (uint32_t i = 0; i < p->ruleset_count && !mxg_policy_has_domains(p); i++) {
		const struct mxg_ruleset *r = &p->rulesets[i];
		if (r->mode != MXGUARD_MODE_ENFORCE || !r->by_recipient || names_a_domain(p, i))
			continue;
		if (!p->nothing_to_refresh)
			mxg_build_warn(
				b, NULL,
				"domains: gateways of policy \"%s\" depend on the recipient's domain, and no "
				"domain is listed: refresh keeps nothing of them, so that a gateway is refused at "
				"once when the MX moves; set domains or domains_file",
				r->label);
		p->nothing_to_refresh = true;
	}
}

bool mxg_rulesets_judge(struct mxg_policy_build *b)
{
	const config_setting_t *blocks = config_setting_get_member(b->root, "policies");
	if (!judge(b, &b->policy->rulesets[0], b->root))
		return false;
	for (size_t i = 1; i < b->policy->ruleset_count; i++)
		if (!judge(b, &b->policy->rulesets[i], config_setting_get_elem(blocks, (unsigned)i - 1)))
			return false;
	warn_of_no_domains(b);
	return b->error == MXGUARD_ERROR_NONE;
}

/* ---- asking --------------------------------------------------------------------------------------- */

const struct mxg_ruleset *mxg_policy_ruleset(const struct mxguard_policy *policy, const char *domain, size_t len)
{
	uint32_t number = 0;
	mxg_domain_map_find(policy->map, domain, len, &number);
	return &policy->rulesets[number];
}

bool mxg_policy_has_domain(const struct mxguard_policy *policy, const char *domain, size_t len)
{
	return mxg_domain_map_has(policy->domain_set, domain, len);
}

bool mxg_policy_lists_domain(const struct mxguard_policy *policy, const char *domain, size_t len)
{
	return mxg_domain_map_has(policy->map, domain, len);
}

bool mxg_policy_has_domains(const struct mxguard_policy *policy)
{
	return policy->domains.count > 0 || mxg_policy_lists_elsewhere(policy);
}

const char *mxg_policy_listed_domain(const struct mxguard_policy *policy, size_t index)
{
	const char *name;
	uint32_t number;
	for (size_t i = 0; (name = mxg_domain_map_name(policy->map, i, &number)) != NULL; i++)
		if (name[0] != '.' && index-- == 0)
			return name;
	return NULL;
}

/* The entry is in lower case. */
static bool entry_covers(const char *entry, const char *address, size_t len)
{
	size_t entry_len = strlen(entry);
	if (entry[entry_len - 1] != '@')
		return len == entry_len && strncasecmp(entry, address, len) == 0;
	/* RFC 5321 §4.5.1: "postmaster" alone, too */
	if (len == entry_len - 1)
		return strncasecmp(entry, address, len) == 0;
	return len >= entry_len && strncasecmp(entry, address, entry_len) == 0 &&
	       memchr(address + entry_len, '@', len - entry_len) == NULL;
}

bool mxg_exempts(const struct mxg_exempt *exempt, const char *address, size_t len)
{
	for (size_t i = 0; i < exempt->count; i++)
		if (entry_covers(exempt->items[i], address, len))
			return true;
	return false;
}
