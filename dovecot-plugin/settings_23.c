/* SPDX-License-Identifier: MIT */
/* Dovecot 2.3: settings are strings in plugin { }, and userdb fields of the same names. */
#include "plugin_settings.h"

#include "mail-storage-settings.h"

#define PREFIX "mxguard_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* Where a setting belongs; NULL: there is none of this name. */
static const char **slot(struct plugin_settings *set, const char *name)
{
	if (strcmp(name, "config") == 0)
		return &set->config;
	for (unsigned i = 0; i < OVERRIDE_COUNT; i++)
		if (strcmp(name, override_names[i]) == 0)
			return &set->values[i];
	return NULL;
}

/* A misspelt name would silently do nothing; Dovecot 2.3 takes any name in plugin { }. */
static void warn_of_unknown(const char *key, struct event *event)
{
	static char *last; /* one name a process; never freed */

	if (null_strcmp(last, key) == 0)
		return;
	i_free(last);
	last = i_strdup(key);
	e_warning(event, "mxguard: %s: no such setting; see mxguard-dovecot(7)", key);
}

/* Keys and values in turn; of a key that is there twice the first one counts, as in Dovecot. */
static void read_settings(const struct mail_user_settings *set, struct event *event, pool_t pool,
			  struct plugin_settings *set_r)
{
	const char *const *envs = NULL;
	unsigned int count = 0;

	i_zero(set_r);
	if (array_is_created(&set->plugin_envs))
		envs = array_get(&set->plugin_envs, &count);
	for (unsigned int i = 0; i + 1 < count; i += 2) {
		const char **value;

		if (strncmp(envs[i], PREFIX, PREFIX_LEN) != 0)
			continue;
		value = slot(set_r, envs[i] + PREFIX_LEN);
		if (value == NULL)
			warn_of_unknown(envs[i], event);
		else if (*value == NULL)
			*value = p_strdup(pool, envs[i + 1]);
	}
	for (unsigned i = 0; i < OVERRIDE_COUNT; i++)
		if (set_r->values[i] != NULL && *set_r->values[i] == '\0')
			set_r->values[i] = NULL;
	if (set_r->config == NULL || *set_r->config == '\0')
		set_r->config = MXG_DEFAULT_CONFIG;
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
