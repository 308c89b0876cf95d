/* SPDX-License-Identifier: MIT */
/* What a front end's own configuration says instead of the policy. */
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "base/neuter.h"

const struct mxg_override *mxg_check_override_for(const struct mxguard_check *check,
						  const struct mxg_recipient *recipient, unsigned bit)
{
	if (recipient->override != NULL && (recipient->override->set & bit) != 0)
		return recipient->override;
	return (check->override.set & bit) != 0 ? &check->override : NULL;
}

static void complain(char *message, size_t size, const char *setting, const char *value, const char *expected)
{
	char name[64], found[128];
	mxg_neuter(name, sizeof(name), setting, strlen(setting), "");
	mxg_neuter(found, sizeof(found), value, strlen(value), "");
	if (size > 0 && expected == NULL)
		snprintf(message, size, "%s: no such setting", name);
	else if (size > 0)
		snprintf(message, size, "%s: found \"%s\"; expected %s", name, found, expected);
}

static struct mxg_override *override_at(struct mxguard_check *c, size_t index)
{
	if (index == MXGUARD_ALL)
		return &c->override;
	struct mxg_recipient *r = &c->recipients[index];
	if (r->override == NULL) {
		r->override = mxg_arena_take(&c->arena, sizeof(*r->override));
		if (r->override != NULL)
			r->override->set = 0;
	}
	return r->override;
}

/* What is wrong for one recipient is not what the others wait for. */
static int refuse(struct mxguard_check *c, size_t index, int error)
{
	return index == MXGUARD_ALL ? mxg_check_setter_failed(c, error) : error;
}

int mxguard_check_override(struct mxguard_check *c, size_t index, const char *setting, const char *value, char *message,
			   size_t size)
{
	if (setting == NULL || value == NULL || (index != MXGUARD_ALL && index >= c->recipient_count))
		return refuse(c, index, MXGUARD_ERROR_INVALID);
	struct mxg_override *o = override_at(c, index);
	const char *expected;
	unsigned bit = 0;
	int error = o == NULL ? MXGUARD_ERROR_NOMEM
			      : mxg_setting_override(&o->rules, &c->arena, setting, value, &bit, &expected);
	if (error == MXGUARD_ERROR_NOMEM)
		c->out_of_memory = true;
	else if (error == MXGUARD_ERROR_INVALID)
		complain(message, size, setting, value, expected);
	else
		o->set |= bit;
	return error == MXGUARD_ERROR_NONE ? error : refuse(c, index, error);
}
