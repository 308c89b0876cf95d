/* SPDX-License-Identifier: MIT */
/* Dovecot 2.3: settings are strings in plugin { }, and userdb fields of the same names. */
#include "plugin_settings.h"

#include "mail-storage-settings.h"

#define PREFIX "mxguard_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static bool is_known(const char *name)
{
	if (strcmp(name, "config") == 0)
		return TRUE;
	for (unsigned i = 0; i < OVERRIDE_COUNT; i++)
		if (strcmp(name, override_names[i]) == 0)
			return TRUE;
	return FALSE;
}

/* A misspelt name would silently do nothing; Dovecot 2.3 takes any name in plugin { }. */
static void warn_of_unknown(const struct mail_user_settings *set, struct event *event)
{
	static char *last;
	const char *const *envs;
	unsigned int count;

	if (!array_is_created(&set->plugin_envs))
		return;
	envs = array_get(&set->plugin_envs, &count);
	for (unsigned int i = 0; i + 1 < count; i += 2) {
		if (strncmp(envs[i], PREFIX, PREFIX_LEN) != 0 || is_known(envs[i] + PREFIX_LEN))
			continue;
		if (last != NULL && strcmp(last, envs[i]) == 0)
			continue;
		i_free(last);
		last = i_strdup(envs[i]);
		e_warning(event, "mxguard: %s: no such setting; see mxguard-dovecot(7)", envs[i]);
	}
	/* never freed twice, and not counted as lost: one name a process */
}

static const char *get(const struct mail_user_settings *set, const char *name, pool_t pool)
{
	const char *value = mail_user_set_plugin_getenv(set, t_strconcat(PREFIX, name, NULL));

	return value == NULL || *value == '\0' ? NULL : p_strdup(pool, value);
}

static void read_settings(const struct mail_user_settings *set, struct event *event, pool_t pool,
			  struct plugin_settings *set_r)
{
	warn_of_unknown(set, event);
	set_r->config = get(set, "config", pool);
	if (set_r->config == NULL)
		set_r->config = MXG_DEFAULT_CONFIG;
	for (unsigned i = 0; i < OVERRIDE_COUNT; i++)
		set_r->values[i] = get(set, override_names[i], pool);
}

int settings_of_client(struct client *client, pool_t pool, struct plugin_settings *set_r,
		       const char **error_r ATTR_UNUSED)
{
	read_settings(client->user_set, client->event, pool, set_r);
	return 0;
}

int settings_of_service_user(struct mail_storage_service_user *user, struct event *event, pool_t pool,
			     struct plugin_settings *set_r, const char **error_r ATTR_UNUSED)
{
	const struct mail_user_settings *set = mail_storage_service_user_get_set(user)[0];

	read_settings(set, event, pool, set_r);
	return 0;
}

int settings_of_user(struct mail_user *user, pool_t pool, struct plugin_settings *set_r,
		     const char **error_r ATTR_UNUSED)
{
	read_settings(user->set, user->event, pool, set_r);
	return 0;
}
