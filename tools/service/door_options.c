/* SPDX-License-Identifier: MIT */
/* What can be given for the options that services at the door have in common. */
#include "door_options.h"

#include "mxguard.h"

const struct mxg_option_word mxg_option_logs[] = {
	{ "stderr", MXG_LOG_STDERR },
	{ "syslog", MXG_LOG_SYSLOG },
	{ NULL, 0 },
};

const struct mxg_option_word mxg_option_relays[] = {
	{ "wait", MXGUARD_PLACE_DOOR },
	{ "queue", MXGUARD_PLACE_QUEUED },
	{ NULL, 0 },
};

const struct mxg_option_word mxg_option_secrets[] = {
	{ "remove", MXG_SECRETS_REMOVE },
	{ "keep", MXG_SECRETS_KEEP },
	{ NULL, 0 },
};
