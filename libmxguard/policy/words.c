/* SPDX-License-Identifier: MIT */
/* The words that settings may have as values. */
#include <string.h>

#include "policy/policy.h"

struct word {
	const char *text;
	unsigned value;
};

static bool find_word(const struct word *words, size_t count, const char *text, unsigned *value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i].text, text) != 0)
			continue;
		*value = words[i].value;
		return true;
	}
	return false;
}

#define FIND(words, text, value) find_word(words, sizeof(words) / sizeof((words)[0]), text, value)

bool mxg_policy_mode_word(const char *text, enum mxguard_mode *out)
{
	static const struct word words[] = {
		{ "off", MXGUARD_MODE_OFF },
		{ "monitor", MXGUARD_MODE_MONITOR },
		{ "enforce", MXGUARD_MODE_ENFORCE },
	};
	unsigned value;
	bool found = FIND(words, text, &value);
	if (found)
		*out = (enum mxguard_mode)value;
	return found;
}

bool mxg_policy_action_word(const char *text, enum mxguard_action *out)
{
	static const struct word words[] = {
		{ "accept", MXGUARD_ACTION_ACCEPT },         { "tag", MXGUARD_ACTION_TAG },
		{ "quarantine", MXGUARD_ACTION_QUARANTINE }, { "defer", MXGUARD_ACTION_DEFER },
		{ "reject", MXGUARD_ACTION_REJECT },
	};
	unsigned value;
	bool found = FIND(words, text, &value);
	if (found)
		*out = (enum mxguard_action)value;
	return found;
}

bool mxg_policy_untraced_word(const char *text, enum mxguard_verdict *out)
{
	static const struct word words[] = {
		{ "unknown", MXGUARD_VERDICT_UNKNOWN },
		{ "accept", MXGUARD_VERDICT_INTERNAL },
		{ "direct", MXGUARD_VERDICT_DIRECT },
	};
	unsigned value;
	bool found = FIND(words, text, &value);
	if (found)
		*out = (enum mxguard_verdict)value;
	return found;
}

bool mxg_policy_retrieved_word(const char *text, enum mxguard_verdict *out)
{
	return strcmp(text, "direct") != 0 && mxg_policy_untraced_word(text, out);
}

bool mxg_policy_tag_word(const char *text, enum mxg_tag *out)
{
	static const struct word words[] = {
		{ "never", MXG_TAG_NEVER },
		{ "not-accepted", MXG_TAG_NOT_ACCEPTED },
		{ "always", MXG_TAG_ALWAYS },
	};
	unsigned value;
	bool found = FIND(words, text, &value);
	if (found)
		*out = (enum mxg_tag)value;
	return found;
}
