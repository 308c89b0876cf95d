/* SPDX-License-Identifier: MIT */
#ifndef MXG_OPTIONS_H
#define MXG_OPTIONS_H

#include <getopt.h> /* optind: where arguments begin */

#include "option_table.h"

/* "COMMAND: message", where help is to be had, and EX_USAGE. */
int mxg_wrong_use(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* By the command's table, into its own struct; argv[0] names the command. 0: go on; else an exit
 * status after a message, or -1 after --help. */
int mxg_read_options(const struct mxg_usage *usage, int argc, char **argv, void *target);

#endif
