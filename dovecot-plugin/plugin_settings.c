/* SPDX-License-Identifier: MIT */
#include "plugin_settings.h"

const char *const override_names[OVERRIDE_COUNT] = {
	[OVERRIDE_MODE] = "mode",
	[OVERRIDE_EXEMPT] = "exempt",
	[OVERRIDE_ON_DIRECT] = "on_direct",
	[OVERRIDE_ON_DIRECT_QUEUED] = "on_direct_queued",
	[OVERRIDE_ON_UNKNOWN] = "on_unknown",
	[OVERRIDE_ON_UNREADABLE] = "on_unreadable",
	[OVERRIDE_ON_UNTRACED] = "on_untraced",
	[OVERRIDE_TAG] = "tag",
	[OVERRIDE_QUARANTINE_MAILBOX] = "quarantine_mailbox",
};
