/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_OPTIONS_H
#define MXG_LDA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "feeder.h"
#include "mxguard.h"
#include "../tools/option_table.h"

#define MXG_LDA_RECIPIENTS_MAX 1000

/* What the MTA tells by options, and where it tells nothing, by its environment. */
struct mxg_lda_options {
	const char *config;
	const char *peer; /* NULL: nothing is known; "": there was none */
	const char *helo, *from, *login, *id;
	const char *rcpts[MXG_LDA_RECIPIENTS_MAX], *originals[MXG_LDA_RECIPIENTS_MAX];
	size_t rcpt_count, original_count;
	enum mxguard_place place;
	long timeout; /* seconds for deciding */
	long signal_exit; /* 0: COMMAND is exec'd, and its signals are its own */
	enum mxg_lda_init init;
	const char *spool_dir; /* NULL: /var/tmp or /tmp */
	const char *quarantine; /* --quarantine-command */
	char **command; /* COMMAND ARG… NULL */
	bool version; /* to say it, and no more */
	enum { MXG_LDA_LOG_SYSLOG, MXG_LDA_LOG_STDERR, MXG_LDA_LOG_NONE } log;
};

extern const struct mxg_usage mxg_lda_usage;

enum mxg_lda_next { MXG_LDA_GO_ON, MXG_LDA_DONE, MXG_LDA_WRONG };

/* MXG_LDA_WRONG with a message: what is wrong, and what would be right. */
enum mxg_lda_next mxg_lda_options_read(struct mxg_lda_options *options, int argc, char **argv, char *message,
				       size_t size);

#endif
