/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_SETTINGS_24_H
#define MXG_PLUGIN_SETTINGS_24_H

#include "policy/override_names.h"

/* The settings as Dovecot 2.4 knows them; members are named as the settings are. */
struct mxguard_settings {
	pool_t pool;
	const char *mxguard_config;
#define X(UPPER, lower) const char *mxguard_##lower;
	MXG_OVERRIDES(X)
#undef X
};

extern const struct setting_parser_info mxguard_setting_parser_info;

#endif
