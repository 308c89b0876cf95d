/* SPDX-License-Identifier: MIT */
/* `origin`: how the fields are read that gateways write. */
#include "policy/build.h"
#include "received/received.h"

bool mxg_build_mtas(struct mxg_policy_build *b, const config_setting_t *setting, const char *expected, unsigned *mask,
		    struct mxg_string_list *names)
{
	if (!mxg_build_is_list(setting))
		return mxg_build_unexpected(b, setting, "a list of names, such as [ \"postfix\" ]");
	size_t count = (size_t)config_setting_length(setting);
	const char **items = mxg_build_take(b, count, sizeof(*items));
	for (size_t i = 0; items != NULL && i < count; i++) {
		const config_setting_t *one = config_setting_get_elem(setting, (unsigned)i);
		const char *word = mxg_build_string(b, one, expected);
		unsigned mta = word == NULL ? 0 : mxg_mta_parse(word, strlen(word));
		if (mta == 0)
			return word != NULL && mxg_build_unexpected(b, one, expected);
		*mask |= mta;
		items[i] = mxg_build_copy(b, word, strlen(word));
		if (items[i] == NULL)
			return false;
	}
	if (names != NULL)
		*names = (struct mxg_string_list){ items, count };
	return items != NULL;
}

static bool take_tag(struct mxg_policy_build *b, const config_setting_t *tag)
{
	if (config_setting_type(tag) != CONFIG_TYPE_BOOL)
		return mxg_build_unexpected(b, tag, "true or false");
	b->policy->origin_tag = config_setting_get_bool(tag) != 0;
	return true;
}

bool mxg_take_origin(struct mxg_policy_build *b, struct mxg_origin_rules *out, const config_setting_t *group,
		     unsigned place)
{
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, group, "a group such as { by = [ \".gateway.example\" ]; }");
	if (!mxg_settings_know(b, group, place))
		return false;
	const config_setting_t *by = config_setting_get_member(group, "by");
	const config_setting_t *mta = config_setting_get_member(group, "mta");
	const config_setting_t *internal = config_setting_get_member(group, "internal");
	const config_setting_t *tag = config_setting_get_member(group, "tag");
	if (by == NULL && (place == MXG_PLACE_GATEWAY_ORIGIN || mta != NULL || internal != NULL))
		return mxg_build_fail(b, group,
				      "found no names; expected by = [ ... ], the names that the gateway "
				      "writes into its Received fields");
	if (by != NULL && !mxg_build_domains(b, by, true, &out->by))
		return false;
	if (by != NULL && out->by.count == 0)
		return mxg_build_unexpected(b, by, "at least one name, such as [ \".gateway.example\" ]");
	b->policy->any_origin |= out->by.count > 0;
	return (mta == NULL || mxg_build_mtas(b, mta, MXG_EXPECTED_MTA, &out->mta, NULL)) &&
	       (internal == NULL || mxg_build_prefixes(b, internal, NULL, 0, &out->internal)) &&
	       (tag == NULL || take_tag(b, tag));
}
