/* SPDX-License-Identifier: MIT */
/* mxguard policy: answers an MTA at RCPT, so that the MTA itself refuses at the door. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "load.h"
#include "options.h"
#include "service/decider.h"
#include "service/desk.h"
#include "service/door_options.h"
#include "service/listener.h"
#include "service/log.h"
#include "service/service.h"

#define NAME "mxguard policy"
#define DEFAULT_CONNECTIONS 4096
#define NUMBER_MAX 1000000

struct settings {
	const char *config, *metrics;
	const char *listen[MXG_LISTENERS_MAX];
	size_t listen_count;
	long max_connections, max_per_source;
	enum mxg_log_place log;
};

static const struct mxg_option options[] = {
	MXG_OPTION_CONFIG(struct settings),
	{ 'l', "listen", "ADDRESS",
	  "unix:/path, inet:127.0.0.1:port or inet:[::1]:port; may be given\n"
	  "several times; systemd's sockets are taken by themselves",
	  .kind = MXG_OPTION_LIST, .field = offsetof(struct settings, listen), .max = MXG_LISTENERS_MAX,
	  .count = offsetof(struct settings, listen_count) },
	MXG_OPTION_METRICS(struct settings),
	{ 0, "max-connections", "N", "at one time (4096); idle ones are closed for new ones", .kind = MXG_OPTION_NUMBER,
	  .field = offsetof(struct settings, max_connections), .min = 1, .max = NUMBER_MAX },
	{ 0, "max-per-source", "N",
	  "requests of one local user, or one address by TCP, that wait for\n"
	  "DNS at one time, where its share of all is not less anyway",
	  .kind = MXG_OPTION_NUMBER, .field = offsetof(struct settings, max_per_source), .min = 1, .max = NUMBER_MAX },
	MXG_OPTION_LOG(struct settings, "stderr or syslog; by itself: stderr, but syslog where stderr is\n"
					"the MTA's connection, as under spawn(8)"),
};

const struct mxg_usage usage_policy = {
	.synopsis = "[-c CONF] [--listen ADDRESS]… [OPTION]…",
	.about = "Answers Postfix (check_policy_service) and Exim (${readsocket}) at RCPT: refuse, defer, or\n"
		 "nothing against it. Without --listen: on standard input and output, for spawn(8).",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "SIGHUP reads the configuration again, SIGTERM answers what was asked and ends.\n"
		 "Example: mxguard policy --listen inet:127.0.0.1:10033",
};

static int read_options(struct settings *s, int argc, char **argv)
{
	*s = (struct settings){ .config = MXG_DEFAULT_CONFIG,
				.max_connections = DEFAULT_CONNECTIONS,
				.max_per_source = NUMBER_MAX };
	return mxg_read_options(&usage_policy, argc, argv, s);
}

/* spawn(8) connects all three of them to the MTA: a log line there would be an answer. */
static bool stderr_is_the_connection(void)
{
	struct stat out, err;
	if (fstat(STDERR_FILENO, &err) != 0)
		return true; /* closed */
	return fstat(STDOUT_FILENO, &out) == 0 && S_ISSOCK(out.st_mode) && out.st_dev == err.st_dev &&
	       out.st_ino == err.st_ino;
}

static void open_log(const struct settings *s)
{
	mxg_log_open(s->log == MXG_LOG_SYSLOG || (s->log == MXG_LOG_BY_ITSELF && stderr_is_the_connection()));
}

/* How many listeners there are, or -1 after a message. */
static int open_listeners(const struct settings *s, struct mxg_listener *listeners)
{
	char message[512] = "";
	int count = mxg_listener_inherit(listeners, MXG_LISTENERS_MAX, message, sizeof(message));
	for (size_t i = 0; count >= 0 && i < s->listen_count; i++) {
		if (count == MXG_LISTENERS_MAX)
			snprintf(message, sizeof(message), "systemd's sockets and --listen together are more than %d",
				 MXG_LISTENERS_MAX);
		if (message[0] != '\0' ||
		    mxg_listener_open(&listeners[count], s->listen[i], message, sizeof(message)) != 0) {
			while (count > 0)
				mxg_listener_close(&listeners[--count]);
			count = -1;
			break;
		}
		count++;
	}
	if (count < 0)
		mxg_log_error("mxguard: policy: %s", message);
	return count;
}

static int serve(const struct settings *s)
{
	struct mxg_listener listeners[MXG_LISTENERS_MAX];
	int status;
	/* the configuration comes first: nobody can ask before it is known to be good */
	struct mxg_decider *decider = mxg_decider_new(s->config, &status);
	if (decider == NULL)
		return status;
	status = mxg_desk_open_metrics(mxg_decider_desk(decider), s->metrics);
	int count = status != 0 ? 0 : open_listeners(s, listeners);
	if (count < 0)
		status = EX_OSERR;
	if (status == 0) {
		struct mxg_service_options service = { .listeners = listeners,
						       .listener_count = (size_t)count,
						       .max_connections = (size_t)s->max_connections,
						       .max_per_source = (size_t)s->max_per_source };
		status = mxg_service_run(&service, decider);
	}
	mxg_decider_free(decider);
	return status;
}

int cmd_policy(int argc, char **argv)
{
	struct settings s;
	int status = read_options(&s, argc, argv);
	if (status != 0)
		return status < 0 ? 0 : status;
	open_log(&s);
	if (mxg_service_block_signals() != 0) {
		mxg_log_error("mxguard: policy: the signals cannot be set up");
		return EX_OSERR;
	}
	return serve(&s);
}
