/* SPDX-License-Identifier: MIT */
#include "plugin_settings.h"

const char *const override_names[OVERRIDE_COUNT] = {
#define X(UPPER, lower) [OVERRIDE_##UPPER] = #lower,
	MXG_OVERRIDES(X)
#undef X
};
