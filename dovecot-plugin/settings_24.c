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
#define X(UPPER, lower) set_r->values[OVERRIDE_##UPPER] = keep(pool, set->mxguard_##lower);
	MXG_OVERRIDES(X)
#undef X
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
