/* SPDX-License-Identifier: MIT */
#ifndef MXG_OPTIONS_H
#define MXG_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

/* "COMMAND: message", where help is to be had, and EX_USAGE. */
int mxg_wrong_use(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * getopt_long() with errors that propose what would be right: an unknown option is followed by
 * the nearest known one. shorts must begin with ':' (getopt's own messages off). Returns the
 * option, -1 at the end, or '?' after a message (then return EX_USAGE). argv[0] names the command.
 */
int mxg_next_option(int argc, char **argv, const char *shorts, const struct option *longs);

/* A whole decimal number from min to max; false, with a message, for anything else. */
bool mxg_number_option(const char *command, const char *option, const char *text, long min, long max, long *out);

/* The name that is nearest to what was typed, NULL where none is near. names ends with NULL. */
const char *mxg_nearest(const char *typed, const char *const *names);

#endif
