/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_SETTINGS_H
#define MXG_PLUGIN_SETTINGS_H

#include "dovecot-compat.h"
#include "policy/override_names.h"

#define MXG_DEFAULT_CONFIG "/etc/mxguard/mxguard.conf"

/* mxguard_NAME in Dovecot's configuration, in this order in plugin_settings.values. */
enum plugin_override {
#define X(UPPER, lower) OVERRIDE_##UPPER,
	MXG_OVERRIDES(X)
#undef X
		OVERRIDE_COUNT
};
/* Without the prefix, as mxguard_check_override() takes them. */
extern const char *const override_names[OVERRIDE_COUNT];

struct plugin_settings {
	const char *config; /* path of mxguard.conf(5) */
	const char *values[OVERRIDE_COUNT]; /* NULL: not set */
};

/* 0, or -1 with an error for the log: then nothing is to be let through. Strings are
 * allocated from pool. */
int settings_of_client(struct client *client, pool_t pool, struct plugin_settings *set_r, const char **error_r);
/* The user's, userdb fields included; `event` is for warnings. */
int settings_of_service_user(struct mail_storage_service_user *user, struct event *event, pool_t pool,
			     struct plugin_settings *set_r, const char **error_r);
int settings_of_user(struct mail_user *user, pool_t pool, struct plugin_settings *set_r, const char **error_r);

#endif
