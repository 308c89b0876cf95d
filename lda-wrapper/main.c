/* SPDX-License-Identifier: MIT */
/* mxguard-lda: stands in front of a delivery command and becomes it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command.h"
#include "deadline.h"
#include "delivery.h"
#include "guard.h"
#include "report.h"
#include "signals.h"

#define MESSAGE_MAX 512

/* A descriptor that is closed would be taken by the next file opened: the configuration as
 * standard input, the log as standard output. False where standard input was closed. */
static bool open_descriptors(void)
{
	bool had_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return had_input && fcntl(STDOUT_FILENO, F_GETFD) >= 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return had_input;
}

static void fill_values(struct mxg_lda_values *v, const struct mxg_lda_delivery *d, size_t index, bool quarantine)
{
	*v = (struct mxg_lda_values){
		.mailbox = quarantine ? mxguard_check_text(d->check, index, MXGUARD_TEXT_QUARANTINE_MAILBOX) : "INBOX",
		.verdict = mxguard_verdict_name(mxguard_check_verdict(d->check, index)),
		.rcpt = d->options->rcpts[index],
		.action = mxguard_action_name(mxguard_check_action(d->check, index)),
		.reason = mxguard_check_text(d->check, index, MXGUARD_TEXT_REASON),
		.peer = mxguard_check_text(d->check, index, MXGUARD_TEXT_BOUNDARY_PEER),
		.gateway = mxguard_check_text(d->check, index, MXGUARD_TEXT_GATEWAY),
	};
}

static int deliver(struct mxg_lda_delivery *d, size_t index, bool quarantine)
{
	struct mxg_lda_values values;
	int status = mxg_lda_take(d);
	if (status != 0)
		return status;
	fill_values(&values, d, index, quarantine);
	return mxg_lda_command_exec(d->options->command, quarantine ? d->options->quarantine : NULL, &values);
}

static int act(struct mxg_lda_delivery *d)
{
	size_t index;
	enum mxguard_action action = mxg_lda_action(d, &index);
	switch (action) {
	case MXGUARD_ACTION_ACCEPT:
	case MXGUARD_ACTION_TAG:
		return deliver(d, index, false);
	case MXGUARD_ACTION_QUARANTINE:
		return deliver(d, index, true);
	case MXGUARD_ACTION_REJECT:
		return mxg_lda_reply(EX_NOPERM, mxguard_check_text(d->check, index, MXGUARD_TEXT_STATUS),
				     mxguard_check_text(d->check, index, MXGUARD_TEXT_REPLY));
	case MXGUARD_ACTION_DEFER:
		break;
	}
	return mxg_lda_reply(EX_TEMPFAIL, mxguard_check_text(d->check, index, MXGUARD_TEXT_STATUS),
			     mxguard_check_text(d->check, index, MXGUARD_TEXT_REPLY));
}

/* Returns only where COMMAND was not started. */
static int run(const struct mxg_lda_options *options, const struct mxg_lda_feeder *feeder)
{
	struct mxg_lda_delivery delivery = { .options = options,
					     .feeder = feeder,
					     .spool = { .fd = -1, .folder = options->spool_dir } };
	delivery.deadline = delivery.input.deadline = mxg_lda_now() + options->timeout * 1000;
	int error = mxg_lda_input_open(&delivery.input);
	if (error != 0)
		return mxg_lda_defer("4.3.0", "standard input: %s", strerror(error));
	int status = mxg_lda_decide(&delivery);
	if (status == 0)
		status = act(&delivery);
	mxguard_session_free(delivery.session);
	mxg_lda_input_close(&delivery.input);
	return status;
}

int main(int argc, char **argv)
{
	static struct mxg_lda_options options;
	struct mxg_lda_feeder feeder;
	char message[MESSAGE_MAX] = "";
	int status;
	bool had_input = open_descriptors();
	mxg_lda_signals_set();
	mxg_lda_feeder_open(&feeder);
	enum mxg_lda_next next = mxg_lda_options_read(&options, argc, argv, message, sizeof(message));
	if (next == MXG_LDA_DONE)
		return fflush(stdout) == 0 ? 0 : EX_IOERR;
	mxg_lda_log_open(&options);
	if (next == MXG_LDA_WRONG)
		return mxg_lda_defer("4.3.5", "%s", message);
	if (!had_input)
		return mxg_lda_defer("4.3.0", "standard input is closed: there is no message");
	mxg_lda_feeder_judge(&feeder, options.init);
	feeder.guarded = options.signal_exit != 0;
	if (feeder.guarded && !mxg_lda_guard((int)options.signal_exit, &status))
		return status;
	return run(&options, &feeder);
}
