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
#define X(UPPER, lower) DEF(mxguard_##lower),
						 MXG_OVERRIDES(X)
#undef X
							 SETTING_DEFINE_LIST_END };

static const struct mxguard_settings defaults = { .mxguard_config = "/etc/mxguard/mxguard.conf",
#define X(UPPER, lower) .mxguard_##lower = "",
						  MXG_OVERRIDES(X)
#undef X
};

const struct setting_parser_info mxguard_setting_parser_info = {
	.name = "mxguard",
	.plugin_dependency = "lib99_mxguard_plugin",
	.defines = defines,
	.defaults = &defaults,
	.struct_size = sizeof(struct mxguard_settings),
	.pool_offset1 = 1 + offsetof(struct mxguard_settings, pool),
};
