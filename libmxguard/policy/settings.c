/* SPDX-License-Identifier: MIT */
/* Settings taken by the table. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "policy/build.h"

static void *field_of(const struct mxg_setting *row, struct mxguard_policy *policy, struct mxg_ruleset *rules)
{
	return (char *)((row->places & MXG_PLACE_BLOCK) != 0 ? (void *)rules : (void *)policy) + row->field;
}

static const struct mxg_setting *find_row(const char *name, unsigned places)
{
	for (size_t i = 0; i < mxg_setting_count; i++)
		if ((mxg_settings[i].places & places) != 0 && strcmp(mxg_settings[i].name, name) == 0)
			return &mxg_settings[i];
	return NULL;
}

/* ---- unknown ones ------------------------------------------------------------------------------- */

#define FEW 5 /* settings in a group: they are all named */

/* "a, b or c" */
static void list_names(char *out, size_t size, const char *const *names, size_t count)
{
	size_t at = 0;
	for (size_t i = 0; i < count && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s",
				       i == 0           ? ""
				       : i + 1 == count ? " or "
							: ", ",
				       names[i]);
}

static bool refuse(struct mxg_policy_build *b, const config_setting_t *s, unsigned place)
{
	const char *names[64] = { 0 }, *written = config_setting_name(s);
	size_t known = 0;
	if (place == MXG_PLACE_BLOCK && find_row(written, MXG_PLACE_FILE) != NULL)
		return mxg_build_fail(b, s,
				      "found it in a block of policies; expected it outside: it is for all domains");
	const char *group = find_row(written, MXG_PLACE_DNS) != NULL     ? "dns"
			    : find_row(written, MXG_PLACE_TRACE) != NULL ? "trace"
			    : find_row(written, MXG_PLACE_TRAP) != NULL  ? "trap"
									 : NULL;
	if (group != NULL)
		return mxg_build_fail(b, s, "found it in a wrong place; expected it in the group %s { }", group);
	for (size_t i = 0; i < mxg_setting_count && known < sizeof(names) / sizeof(names[0]); i++)
		if ((mxg_settings[i].places & place) != 0)
			names[known++] = mxg_settings[i].name;
	const char *nearest = mxg_nearest(written, names, known);
	if (nearest != NULL)
		return mxg_build_fail(b, s, "found an unknown setting; expected perhaps %s", nearest);
	if (known <= FEW) {
		char list[200];
		list_names(list, sizeof(list), names, known);
		return mxg_build_fail(b, s, "found an unknown setting; expected %s", list);
	}
	return mxg_build_fail(b, s, "found an unknown setting; expected one of those in mxguard.conf(5)");
}

bool mxg_settings_know(struct mxg_policy_build *b, const config_setting_t *group, unsigned place)
{
	for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
		const config_setting_t *one = config_setting_get_elem(group, i);
		if (find_row(config_setting_name(one), place) == NULL)
			return refuse(b, one, place);
	}
	return true;
}

/* ---- taking --------------------------------------------------------------------------------------- */

static bool take_string(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			const config_setting_t *s)
{
	const char *text = mxg_build_string(b, s, row->expected);
	int error = text == NULL ? MXGUARD_ERROR_CONFIG : row->read(row, text, field, b->arena);
	if (error == MXGUARD_ERROR_INVALID)
		return mxg_build_unexpected(b, s, row->expected);
	return error == MXGUARD_ERROR_NONE || (error == MXGUARD_ERROR_NOMEM && mxg_build_no_memory(b));
}

bool mxg_settings_take(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *group,
		       unsigned place)
{
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, group, "a group { }");
	if (!mxg_settings_know(b, group, place))
		return false;
	for (size_t i = 0; i < mxg_setting_count; i++) {
		const struct mxg_setting *row = &mxg_settings[i];
		const config_setting_t *one =
			(row->places & place) == 0 ? NULL : config_setting_get_member(group, row->name);
		if (one != NULL &&
		    !(row->take != NULL ? row->take : take_string)(b, row, field_of(row, b->policy, rules), one))
			return false;
	}
	return true;
}

bool mxg_settings_default(struct mxg_policy_build *b, struct mxg_ruleset *rules)
{
	for (size_t i = 0; i < mxg_setting_count; i++) {
		const struct mxg_setting *row = &mxg_settings[i];
		if (row->fallback == NULL)
			continue;
		void *field = field_of(row, b->policy, rules);
		if (row->read == NULL)
			*(const char **)field = row->fallback;
		else if (row->read(row, row->fallback, field, b->arena) != MXGUARD_ERROR_NONE)
			return mxg_build_no_memory(b); /* a test reads them all: they are never wrong */
	}
	rules->on_unreadable_door = MXGUARD_ACTION_DEFER;
	rules->on_unreadable_queued = MXGUARD_ACTION_QUARANTINE;
	return true;
}

int mxg_setting_override(struct mxg_ruleset *rules, struct mxg_arena *arena, const char *name, const char *text,
			 unsigned *bit, const char **expected)
{
	const struct mxg_setting *row = find_row(name, MXG_PLACE_BLOCK);
	*expected = NULL;
	if (row == NULL || row->override == 0)
		return MXGUARD_ERROR_INVALID;
	*expected = row->expected;
	*bit = row->override;
	return row->read(row, text, field_of(row, NULL, rules), arena);
}
