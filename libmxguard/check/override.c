/* SPDX-License-Identifier: MIT */
/* What a front end's own configuration says instead of the policy. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "check/internal.h"
#include "base/neuter.h"

const struct mxg_override *mxg_check_override_for(const struct mxguard_check *check,
						  const struct mxg_recipient *recipient, unsigned bit)
{
	if (recipient->override != NULL && (recipient->override->set & bit) != 0)
		return recipient->override;
	return (check->override.set & bit) != 0 ? &check->override : NULL;
}

/* "user@domain", or "user@" for every domain. */
static bool entry_matches(const char *entry, size_t entry_len, const char *address, size_t len)
{
	if (entry_len > 0 && entry[entry_len - 1] == '@')
		return len >= entry_len && strncasecmp(entry, address, entry_len) == 0 &&
		       memchr(address + entry_len, '@', len - entry_len) == NULL;
	return len == entry_len && strncasecmp(entry, address, len) == 0;
}

bool mxg_override_exempts(const struct mxg_override *override, const char *address, size_t len)
{
	const char *p = override->exempt;
	while (*p != '\0') {
		size_t word = strcspn(p, " ,\t");
		if (word > 0 && entry_matches(p, word, address, len))
			return true;
		p += word;
		p += strspn(p, " ,\t");
	}
	return false;
}

static bool set_mode(struct mxg_override *o, const char *value)
{
	return mxg_policy_mode_word(value, &o->mode);
}

static bool set_on_direct(struct mxg_override *o, const char *value)
{
	return mxg_policy_action_word(value, &o->on_direct);
}

static bool set_on_direct_queued(struct mxg_override *o, const char *value)
{
	return mxg_policy_action_word(value, &o->on_direct_queued);
}

static bool set_on_unknown(struct mxg_override *o, const char *value)
{
	return mxg_policy_action_word(value, &o->on_unknown);
}

static bool set_on_unreadable(struct mxg_override *o, const char *value)
{
	return mxg_policy_action_word(value, &o->on_unreadable);
}

static bool set_on_untraced(struct mxg_override *o, const char *value)
{
	return mxg_policy_untraced_word(value, &o->on_untraced);
}

static bool set_tag(struct mxg_override *o, const char *value)
{
	return mxg_policy_tag_word(value, &o->tag);
}

static bool set_exempt(struct mxg_override *o, const char *value)
{
	o->exempt = value;
	return true;
}

static bool set_quarantine_mailbox(struct mxg_override *o, const char *value)
{
	if (!mxg_policy_is_quarantine_mailbox(value))
		return false;
	o->quarantine_mailbox = value;
	return true;
}

static const struct row {
	const char *setting;
	unsigned bit;
	bool (*set)(struct mxg_override *, const char *);
	const char *expected;
} rows[] = {
	{ "mode", MXG_OVERRIDE_MODE, set_mode, "off, monitor or enforce" },
	{ "exempt", MXG_OVERRIDE_EXEMPT, set_exempt, "addresses" },
	{ "on_direct", MXG_OVERRIDE_ON_DIRECT, set_on_direct, "an action" },
	{ "on_direct_queued", MXG_OVERRIDE_ON_DIRECT_QUEUED, set_on_direct_queued, "an action" },
	{ "on_unknown", MXG_OVERRIDE_ON_UNKNOWN, set_on_unknown, "an action" },
	{ "on_unreadable", MXG_OVERRIDE_ON_UNREADABLE, set_on_unreadable, "an action" },
	{ "on_untraced", MXG_OVERRIDE_ON_UNTRACED, set_on_untraced, "unknown, accept or direct" },
	{ "tag", MXG_OVERRIDE_TAG, set_tag, "never, not-accepted or always" },
	{ "quarantine_mailbox", MXG_OVERRIDE_QUARANTINE_MAILBOX, set_quarantine_mailbox, "a mailbox name, not INBOX" },
};

static const struct row *find_row(const char *setting)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].setting, setting) == 0)
			return &rows[i];
	return NULL;
}

static int complain(char *message, size_t size, const char *setting, const char *value, const char *expected)
{
	char name[64], found[128];
	mxg_neuter(name, sizeof(name), setting, strlen(setting), "");
	mxg_neuter(found, sizeof(found), value, strlen(value), "");
	if (size > 0 && expected == NULL)
		snprintf(message, size, "%s: no such setting", name);
	else if (size > 0)
		snprintf(message, size, "%s: found \"%s\"; expected %s", name, found, expected);
	return MXGUARD_ERROR_INVALID;
}

static struct mxg_override *override_at(struct mxguard_check *c, size_t index)
{
	if (index == MXGUARD_ALL)
		return &c->override;
	struct mxg_recipient *r = &c->recipients[index];
	if (r->override == NULL) {
		r->override = mxg_arena_take(&c->arena, sizeof(*r->override));
		if (r->override != NULL)
			*r->override = (struct mxg_override){ 0 };
	}
	return r->override;
}

int mxguard_check_override(struct mxguard_check *c, size_t index, const char *setting, const char *value, char *message,
			   size_t size)
{
	if (setting == NULL || value == NULL || (index != MXGUARD_ALL && index >= c->recipient_count))
		return MXGUARD_ERROR_INVALID;
	const struct row *row = find_row(setting);
	if (row == NULL)
		return complain(message, size, setting, value, NULL);
	struct mxg_override *o = override_at(c, index);
	const char *kept = mxg_check_keep(c, value, strlen(value));
	if (o == NULL || kept == NULL) {
		c->out_of_memory = true;
		return MXGUARD_ERROR_NOMEM;
	}
	if (!row->set(o, kept))
		return complain(message, size, setting, value, row->expected);
	o->set |= row->bit;
	return MXGUARD_ERROR_NONE;
}
