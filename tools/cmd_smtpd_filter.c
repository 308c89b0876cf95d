/* SPDX-License-Identifier: MIT */
/* mxguard smtpd-filter: refuses at the door of OpenSMTPD, at RCPT and at the message's end. */
#include <stdbool.h>
#include <stdio.h>

#include "commands.h"
#include "filter/filter.h"
#include "load.h"
#include "options.h"
#include "service/desk.h"
#include "service/door_options.h"
#include "service/log.h"

#define NAME "mxguard smtpd-filter"

struct settings {
	const char *config, *metrics;
	enum mxguard_place relays;
	enum mxg_secrets secrets;
	enum mxg_log_place log;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct settings),
	MXG_OPTION_RELAYS(struct settings),
	MXG_OPTION_SECRETS(struct settings),
	MXG_OPTION_METRICS(struct settings),
	MXG_OPTION_LOG(struct settings, "stderr (smtpd logs it) or syslog"),
};

const struct mxg_usage usage_smtpd_filter = {
	.synopsis = "[-c CONF] [OPTION]…",
	.about = "A filter of OpenSMTPD, smtpd-filters(7), which starts it: refuses at RCPT by the client's\n"
		 "address, at the message's end by a gateway's secret or the trace behind own relays.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "SIGHUP reads the configuration again.\n"
		 "Example, in smtpd.conf: filter \"mxguard\" proc-exec \"/usr/bin/mxguard smtpd-filter\"",
};

int cmd_smtpd_filter(int argc, char **argv)
{
	struct settings s = { .config = MXG_DEFAULT_CONFIG, .relays = MXGUARD_PLACE_DOOR };
	int status = mxg_read_options(&usage_smtpd_filter, argc, argv, &s);
	if (status != 0)
		return status < 0 ? 0 : status;
	mxg_log_open(s.log == MXG_LOG_SYSLOG);
	struct mxg_desk *desk = mxg_desk_new(s.config, "smtpd-filter", &status);
	if (desk == NULL)
		return status;
	mxg_desk_keep_secrets(desk, s.secrets == MXG_SECRETS_KEEP);
	status = mxg_desk_open_metrics(desk, s.metrics);
	if (status != 0) {
		mxg_desk_free(desk);
		return status;
	}
	return mxg_filter_run(desk, s.relays);
}
