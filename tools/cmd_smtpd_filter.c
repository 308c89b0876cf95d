/* SPDX-License-Identifier: MIT */
/* mxguard smtpd-filter: refuses at the door of OpenSMTPD, at RCPT and at the message's end. */
#include <stdbool.h>
#include <stdio.h>

#include "commands.h"
#include "filter/filter.h"
#include "load.h"
#include "options.h"
#include "service/desk.h"
#include "service/log.h"

#define NAME "mxguard smtpd-filter"

struct settings {
	const char *config, *metrics;
	enum { RELAYS_WAIT, RELAYS_QUEUE } relays;
	enum { SECRETS_REMOVE, SECRETS_KEEP } secrets;
	enum { LOG_STDERR, LOG_SYSLOG } log;
};

static const struct mxg_option_word relays[] = {
	{ "wait", RELAYS_WAIT },
	{ "queue", RELAYS_QUEUE },
	{ NULL, 0 },
};

static const struct mxg_option_word secrets[] = {
	{ "remove", SECRETS_REMOVE },
	{ "keep", SECRETS_KEEP },
	{ NULL, 0 },
};

static const struct mxg_option_word logs[] = {
	{ "stderr", LOG_STDERR },
	{ "syslog", LOG_SYSLOG },
	{ NULL, 0 },
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct settings),
	{ 0, "relays", "WHAT",
	  "what internal relays do while we decide: wait (and pass a refusal\n"
	  "on) or queue (they have taken the message: on_direct_queued holds)",
	  .kind = MXG_OPTION_WORD, .field = offsetof(struct settings, relays), .words = relays },
	{ 0, "secrets", "WHAT",
	  "what becomes of the secrets of shared gateways: remove, or keep (for a\n"
	  "plugin or wrapper behind us, which needs them to decide, and removes them)",
	  .kind = MXG_OPTION_WORD, .field = offsetof(struct settings, secrets), .words = secrets },
	{ 0, "metrics", "ADDRESS",
	  "OpenMetrics for whoever scrapes, at /metrics: unix:/path,\n"
	  "inet:127.0.0.1:port or inet:[::1]:port",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct settings, metrics) },
	{ 0, "log", "WHERE", "stderr (smtpd logs it) or syslog", .kind = MXG_OPTION_WORD,
	  .field = offsetof(struct settings, log), .words = logs },
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
	struct settings s = { .config = MXG_DEFAULT_CONFIG };
	int status = mxg_read_options(&usage_smtpd_filter, argc, argv, &s);
	if (status != 0)
		return status < 0 ? 0 : status;
	if (optind < argc)
		return mxg_wrong_use(NAME, "'%s' is an argument too many", argv[optind]);
	mxg_log_open(s.log == LOG_SYSLOG);
	struct mxg_desk *desk = mxg_desk_new(s.config, "smtpd-filter", &status);
	if (desk == NULL)
		return status;
	mxg_desk_keep_secrets(desk, s.secrets == SECRETS_KEEP);
	status = mxg_desk_open_metrics(desk, s.metrics);
	if (status != 0) {
		mxg_desk_free(desk);
		return status;
	}
	return mxg_filter_run(desk, s.relays == RELAYS_QUEUE ? MXGUARD_PLACE_QUEUED : MXGUARD_PLACE_DOOR);
}
