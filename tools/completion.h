/* SPDX-License-Identifier: MIT */
#ifndef MXG_COMPLETION_H
#define MXG_COMPLETION_H

#include "option_table.h"

/* A program for shells to complete. */
struct mxg_completed {
	const char *name; /* of a command; NULL: the program has none, and this is all of it */
	const char *summary;
	const struct mxg_usage *usage;
};

/* The script for shell "bash" or "zsh"; false: another one. */
bool mxg_completion_print(const char *shell, const char *program, const struct mxg_completed *commands, size_t count,
			  FILE *to);

#endif
