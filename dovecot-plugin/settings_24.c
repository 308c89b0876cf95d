/* SPDX-License-Identifier: MIT */
/* Dovecot 2.4: settings are typed, and filtered by the event that asks for them. */
#include "plugin_settings.h"

#include "settings.h"
#include "settings_24.h"

static const char *keep(pool_t pool, const char *value)
{
	return *value == '\0' ? NULL : p_strdup(pool, value);
}

static int read_settings(struct event *event, enum settings_get_flags flags, pool_t pool, struct plugin_settings *set_r,
			 const char **error_r)
{
	const struct mxguard_settings *set;

	if (settings_get(event, &mxguard_setting_parser_info, flags, &set, error_r) < 0)
		return -1;
	set_r->config = p_strdup(pool, set->mxguard_config);
	set_r->values[OVERRIDE_MODE] = keep(pool, set->mxguard_mode);
	set_r->values[OVERRIDE_EXEMPT] = keep(pool, set->mxguard_exempt);
	set_r->values[OVERRIDE_ON_DIRECT] = keep(pool, set->mxguard_on_direct);
	set_r->values[OVERRIDE_ON_DIRECT_QUEUED] = keep(pool, set->mxguard_on_direct_queued);
	set_r->values[OVERRIDE_ON_UNKNOWN] = keep(pool, set->mxguard_on_unknown);
	set_r->values[OVERRIDE_ON_UNREADABLE] = keep(pool, set->mxguard_on_unreadable);
	set_r->values[OVERRIDE_ON_UNTRACED] = keep(pool, set->mxguard_on_untraced);
	set_r->values[OVERRIDE_TAG] = keep(pool, set->mxguard_tag);
	set_r->values[OVERRIDE_QUARANTINE_MAILBOX] = keep(pool, set->mxguard_quarantine_mailbox);
	settings_free(set);
	return 0;
}

/* remote { } and local { } match addresses in the event, and lmtp puts none into its own.
 * There is no user yet: a setting with %{user} stays as it is, instead of failing. */
int settings_of_client(struct client *client, pool_t pool, struct plugin_settings *set_r, const char **error_r)
{
	struct event *event = event_create(client->event);
	int ret;

	if (client->remote_ip.family != 0)
		event_add_ip(event, "remote_ip", &client->remote_ip);
	if (client->local_ip.family != 0)
		event_add_ip(event, "local_ip", &client->local_ip);
	ret = read_settings(event, SETTINGS_GET_FLAG_NO_EXPAND, pool, set_r, error_r);
	event_unref(&event);
	return ret;
}

int settings_of_service_user(struct mail_storage_service_user *user, struct event *event ATTR_UNUSED, pool_t pool,
			     struct plugin_settings *set_r, const char **error_r)
{
	return read_settings(mail_storage_service_user_get_event(user), 0, pool, set_r, error_r);
}

int settings_of_user(struct mail_user *user, pool_t pool, struct plugin_settings *set_r, const char **error_r)
{
	return read_settings(user->event, 0, pool, set_r, error_r);
}
