/* SPDX-License-Identifier: MIT */
/* libmxguard_settings.so, in Dovecot 2.4's modules/settings. */
#include "config.h"
#include "lib.h"
#include "settings-parser.h"
#include "settings_24.h"

#define EXPORTED __attribute__((visibility("default")))

extern const char *mxguard_settings_version;
extern const struct setting_parser_info *mxguard_settings_set_infos[];

EXPORTED const char *mxguard_settings_version = DOVECOT_ABI_VERSION;
EXPORTED const struct setting_parser_info *mxguard_settings_set_infos[] = { &mxguard_setting_parser_info, NULL };
