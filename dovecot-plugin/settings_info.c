/* SPDX-License-Identifier: MIT */
/* Dovecot 2.4: the names and types of our settings. Linked into the plugin and into the
 * settings module, by which doveconf learns them. */
#include "config.h"
#include "lib.h"
#include "settings.h"
#include "settings-parser.h"
#include "settings_24.h"

#undef DEF
#define DEF(name) SETTING_DEFINE_STRUCT_STR(#name, name, struct mxguard_settings)

static const struct setting_define defines[] = { DEF(mxguard_config),
						 DEF(mxguard_mode),
						 DEF(mxguard_exempt),
						 DEF(mxguard_on_direct),
						 DEF(mxguard_on_direct_queued),
						 DEF(mxguard_on_unknown),
						 DEF(mxguard_on_unreadable),
						 DEF(mxguard_on_untraced),
						 DEF(mxguard_tag),
						 DEF(mxguard_quarantine_mailbox),
						 SETTING_DEFINE_LIST_END };

static const struct mxguard_settings defaults = {
	.mxguard_config = "/etc/mxguard/mxguard.conf",
	.mxguard_mode = "",
	.mxguard_exempt = "",
	.mxguard_on_direct = "",
	.mxguard_on_direct_queued = "",
	.mxguard_on_unknown = "",
	.mxguard_on_unreadable = "",
	.mxguard_on_untraced = "",
	.mxguard_tag = "",
	.mxguard_quarantine_mailbox = "",
};

const struct setting_parser_info mxguard_setting_parser_info = {
	.name = "mxguard",
	.plugin_dependency = "lib99_mxguard_plugin",
	.defines = defines,
	.defaults = &defaults,
	.struct_size = sizeof(struct mxguard_settings),
	.pool_offset1 = 1 + offsetof(struct mxguard_settings, pool),
};
