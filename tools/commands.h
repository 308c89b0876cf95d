/* SPDX-License-Identifier: MIT */
#ifndef MXG_COMMANDS_H
#define MXG_COMMANDS_H

#include "option_table.h"

/*
 * mxguard COMMAND …: each command is one function in a file of its own, tools/cmd_NAME.c, and
 * one line in tools/meson.build; its options and what --help says are a table, usage_NAME.
 * argv[0] is "mxguard NAME", which messages begin with; the value returned is the exit status (sysexits.h).
 * --color=WHEN has been taken out of argv by main().
 */
#define MXG_COMMAND(NAME) \
	int cmd_##NAME(int argc, char **argv); \
	extern const struct mxg_usage usage_##NAME

MXG_COMMAND(audit);
MXG_COMMAND(check);
MXG_COMMAND(trace);
MXG_COMMAND(suggest);
MXG_COMMAND(setup);
MXG_COMMAND(report);
MXG_COMMAND(scan);
MXG_COMMAND(refresh);
MXG_COMMAND(gateways);
MXG_COMMAND(export);
MXG_COMMAND(policy);
MXG_COMMAND(milter);
MXG_COMMAND(doctor);
MXG_COMMAND(trap);
MXG_COMMAND(smtpd_filter);

#endif
