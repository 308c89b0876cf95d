/* SPDX-License-Identifier: MIT */
/* mxguard milter: refuses at the door of Postfix and sendmail, at RCPT and at the header's end. */
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "commands.h"
#include "load.h"
#include "milter/milter.h"
#include "options.h"
#include "service/desk.h"
#include "service/door_options.h"
#include "service/listener.h"
#include "service/log.h"

#define NAME "mxguard milter"
#define DEFAULT_CONNECTIONS 4096

struct settings {
	const char *config, *listen, *metrics;
	long max_connections;
	enum { QUARANTINE_TAG, QUARANTINE_MTA } quarantine;
	enum mxguard_place relays;
	enum mxg_secrets secrets;
	enum mxg_log_place log;
};

static const struct mxg_option_word quarantines[] = {
	{ "tag", QUARANTINE_TAG },
	{ "mta", QUARANTINE_MTA },
	{ NULL, 0 },
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct settings),
	{ 'l', "listen", "ADDRESS",
	  "unix:/path, inet:127.0.0.1:port or inet6:[::1]:port; a socket of\n"
	  "systemd's is taken by itself",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct settings, listen) },
	{ 0, "quarantine", "HOW",
	  "where a message is to be put aside: tag (the field tells, and who\n"
	  "delivers acts on it) or mta (the MTA's own quarantine)",
	  .kind = MXG_OPTION_WORD, .field = offsetof(struct settings, quarantine), .words = quarantines },
	MXG_OPTION_RELAYS(struct settings),
	MXG_OPTION_SECRETS(struct settings),
	MXG_OPTION_METRICS(struct settings),
	{ 0, "max-connections", "N", "of MTAs at one time (4096); more are sent away, and defer",
	  .kind = MXG_OPTION_NUMBER, .field = offsetof(struct settings, max_connections), .min = 1, .max = 1000000 },
	MXG_OPTION_LOG(struct settings, "stderr or syslog"),
};

const struct mxg_usage usage_milter = {
	.synopsis = "[-c CONF] --listen ADDRESS [OPTION]…",
	.about = "Refuses at the door of Postfix (smtpd_milters) and sendmail (INPUT_MAIL_FILTER): at RCPT by the\n"
		 "client's address, at the header's end by a gateway's secret or the trace behind own relays.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "SIGHUP reads the configuration again, SIGTERM lets messages under way come to an end.\n"
		 "Example: mxguard milter --listen inet:127.0.0.1:10034",
};

static int read_options(struct settings *s, int argc, char **argv)
{
	*s = (struct settings){ .config = MXG_DEFAULT_CONFIG,
				.relays = MXGUARD_PLACE_DOOR,
				.max_connections = DEFAULT_CONNECTIONS };
	return mxg_read_options(&usage_milter, argc, argv, s);
}

/* libmilter knows only one. 0, or an exit status after a message. */
static int open_listener(const struct settings *s, struct mxg_listener *listener)
{
	char message[512] = "";
	int count = mxg_listener_inherit(listener, 1, message, sizeof(message));
	if (count == 0 && s->listen == NULL)
		return mxg_wrong_use(NAME, "--listen is missing, and systemd passes no socket");
	if (count == 1 && s->listen != NULL) {
		snprintf(message, sizeof(message), "--listen %s: there is a socket of systemd's already", s->listen);
		mxg_listener_close(listener);
		count = -1;
	} else if (count == 0) {
		count = mxg_listener_open(listener, s->listen, message, sizeof(message));
	}
	if (count < 0)
		mxg_log_error("mxguard: milter: %s", message);
	return count < 0 ? EX_OSERR : 0;
}

static int serve(const struct settings *s)
{
	static struct mxg_milter milter; /* libmilter's threads outlive this function */
	static struct mxg_listener listener;
	int status;
	/* the configuration comes first: nobody can ask before it is known to be good */
	struct mxg_desk *desk = mxg_desk_new(s->config, "milter", &status);
	if (desk == NULL)
		return status;
	status = open_listener(s, &listener);
	if (status == 0 && (status = mxg_desk_open_metrics(desk, s->metrics)) != 0)
		mxg_listener_close(&listener);
	if (status != 0) {
		mxg_desk_free(desk);
		return status;
	}
	mxg_desk_keep_secrets(desk, s->secrets == MXG_SECRETS_KEEP);
	milter.listener = &listener;
	milter.relayed = s->relays;
	milter.quarantine = s->quarantine == QUARANTINE_MTA;
	milter.max_connections = s->max_connections;
	return mxg_milter_run(&milter, desk);
}

int cmd_milter(int argc, char **argv)
{
	struct settings s;
	int status = read_options(&s, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	mxg_log_open(s.log == MXG_LOG_SYSLOG);
	if (!mxg_milter_block_signals()) {
		mxg_log_error("mxguard: milter: the signals cannot be set up");
		return EX_OSERR;
	}
	return serve(&s);
}
