/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_COMMAND_H
#define MXG_LDA_COMMAND_H

#include <stddef.h>

/* What stands for the placeholders, and in COMMAND's environment. */
struct mxg_lda_values {
	const char *mailbox, *verdict, *rcpt; /* %{mailbox} %{verdict} %{rcpt} */
	const char *action, *reason, *peer, *gateway;
};

/*
 * Becomes COMMAND: placeholders are replaced inside single arguments, no shell is involved; the
 * program is looked for in the system's own folders, not in the environment's PATH. quarantine,
 * where it is not NULL, is a line of words to be run instead. Returns only where that failed:
 * the exit status, after a message.
 */
int mxg_lda_command_exec(char *const *command, const char *quarantine, const struct mxg_lda_values *values);

#endif
