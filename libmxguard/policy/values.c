/* SPDX-License-Identifier: MIT */
/* One setting's value, of the type that it must have. */
#include <stdio.h>
#include <string.h>

#include "base/domain_text.h"
#include "policy/build.h"

void *mxg_build_take(struct mxg_policy_build *b, size_t count, size_t size)
{
	size_t all;
	void *memory = __builtin_mul_overflow(count, size, &all) ? NULL : mxg_arena_take(b->arena, all + 1);
	if (memory == NULL) {
		mxg_build_no_memory(b);
		return NULL;
	}
	return memset(memory, 0, all);
}

const char *mxg_build_copy(struct mxg_policy_build *b, const char *text, size_t len)
{
	const char *copy = mxg_arena_text(b->arena, text, len);
	if (copy == NULL)
		mxg_build_no_memory(b);
	return copy;
}

const char *mxg_build_string(struct mxg_policy_build *b, const config_setting_t *setting, const char *expected)
{
	const char *text = config_setting_get_string(setting);
	if (config_setting_type(setting) == CONFIG_TYPE_STRING)
		return text != NULL ? text : "";
	mxg_build_unexpected(b, setting, expected);
	return NULL;
}

bool mxg_build_is_list(const config_setting_t *setting)
{
	int type = config_setting_type(setting);
	return type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
}

bool mxg_take_bool(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		   const config_setting_t *setting)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return mxg_build_unexpected(b, setting, row->expected);
	*(bool *)field = config_setting_get_bool(setting) != 0;
	return true;
}

bool mxg_take_domain(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		     const config_setting_t *setting)
{
	char name[256];
	const char *text = mxg_build_string(b, setting, row->expected);
	if (text == NULL)
		return false;
	const char *expected = mxg_domain_text(name, text, strlen(text));
	if (expected != NULL)
		return mxg_build_unexpected(b, setting, expected);
	const char *copy = mxg_build_copy(b, name, strlen(name));
	*(const char **)field = copy;
	return copy != NULL;
}

bool mxg_take_path(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		   const config_setting_t *setting)
{
	const char **out = field;
	const char *text = mxg_build_string(b, setting, "a path");
	if (text == NULL)
		return false;
	if (text[0] == '\0' || text[strlen(text) - 1] == '/' || (text[0] != '/' && b->folder == NULL))
		return mxg_build_unexpected(b, setting, "an absolute path");
	if (text[0] == '/') {
		*out = mxg_build_copy(b, text, strlen(text));
		return *out != NULL;
	}
	size_t size = strlen(b->folder) + strlen(text) + 2;
	char *joined = mxg_build_take(b, size, 1);
	if (joined != NULL)
		snprintf(joined, size, "%s/%s", b->folder, text);
	*out = joined;
	return joined != NULL;
}

bool mxg_build_domains(struct mxg_policy_build *b, const config_setting_t *setting, bool suffixes,
		       struct mxg_string_list *out)
{
	char name[256];
	if (!mxg_build_is_list(setting))
		return mxg_build_unexpected(b, setting, "a list of names, such as [ \"example.com\" ]");
	size_t count = (size_t)config_setting_length(setting);
	const char **names = mxg_build_take(b, count, sizeof(*names));
	if (names == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *one = config_setting_get_elem(setting, (unsigned)i);
		const char *text = mxg_build_string(b, one, "a domain name");
		if (text == NULL)
			return false;
		const char *expected = suffixes ? mxg_domain_or_suffix_text(name, text, strlen(text))
						: mxg_domain_text(name, text, strlen(text));
		if (expected != NULL)
			return mxg_build_unexpected(b, one, expected);
		names[i] = mxg_build_copy(b, name, strlen(name));
		if (names[i] == NULL)
			return false;
	}
	*out = (struct mxg_string_list){ names, count };
	return true;
}

static bool take_prefix(struct mxg_policy_build *b, const config_setting_t *setting, struct mxg_prefix *out)
{
	char buffer[MXG_PREFIX_TEXT_MAX];
	const char *text = mxg_build_string(b, setting, "an address or a range");
	if (text == NULL)
		return false;
	enum mxg_prefix_error error = mxg_prefix_parse(out, text, strlen(text));
	if (error == MXG_PREFIX_HOST_BITS)
		return mxg_build_fail(b, setting, "found \"%s\" with host bits set; expected \"%s\"", text,
				      mxg_prefix_format(out, buffer));
	if (error == MXG_PREFIX_BAD_LENGTH)
		return mxg_build_unexpected(b, setting, "a prefix length of 0 to 32 (IPv4) or 128 (IPv6)");
	if (error != MXG_PREFIX_OK)
		return mxg_build_unexpected(b, setting, "an address or a range, such as \"192.0.2.0/24\"");
	if (out->bits == 0)
		return mxg_build_unexpected(b, setting, "hosts of your own, not every host there is");
	if (out->bits < (out->base.family == 4 ? 8 : 16))
		mxg_build_warn(b, setting, "\"%s\" is a very wide range", text);
	return true;
}

bool mxg_build_prefixes(struct mxg_policy_build *b, const config_setting_t *setting, const struct mxg_prefix *first,
			size_t first_count, struct mxg_prefix_list *out)
{
	if (!mxg_build_is_list(setting))
		return mxg_build_unexpected(b, setting, "a list of ranges, such as [ \"192.0.2.0/24\" ]");
	size_t count = (size_t)config_setting_length(setting);
	struct mxg_prefix *items = mxg_build_take(b, first_count + count, sizeof(*items));
	if (items == NULL)
		return false;
	if (first_count > 0)
		memcpy(items, first, first_count * sizeof(*items));
	for (size_t i = 0; i < count; i++)
		if (!take_prefix(b, config_setting_get_elem(setting, (unsigned)i), &items[first_count + i]))
			return false;
	*out = (struct mxg_prefix_list){ items, first_count + count };
	return true;
}

bool mxg_take_prefixes(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting)
{
	return mxg_build_prefixes(b, setting, NULL, 0, field);
}
