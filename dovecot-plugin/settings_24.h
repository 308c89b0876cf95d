/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_SETTINGS_24_H
#define MXG_PLUGIN_SETTINGS_24_H

/* The settings as Dovecot 2.4 knows them; members are named as the settings are. */
struct mxguard_settings {
	pool_t pool;
	const char *mxguard_config;
	const char *mxguard_mode;
	const char *mxguard_exempt;
	const char *mxguard_on_direct;
	const char *mxguard_on_direct_queued;
	const char *mxguard_on_unknown;
	const char *mxguard_on_unreadable;
	const char *mxguard_on_untraced;
	const char *mxguard_tag;
	const char *mxguard_quarantine_mailbox;
};

extern const struct setting_parser_info mxguard_setting_parser_info;

#endif
