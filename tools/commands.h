/* SPDX-License-Identifier: MIT */
#ifndef MXG_COMMANDS_H
#define MXG_COMMANDS_H

/*
 * mxguard COMMAND …: each command is one function in a file of its own, tools/cmd_NAME.c, and
 * one line in tools/meson.build. argv[0] is "mxguard NAME", so that getopt_long() names the
 * command in its messages; the value returned is the exit status (sysexits.h).
 * --color=WHEN has been taken out of argv by main().
 */
int cmd_check(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_scan(int argc, char **argv);
int cmd_refresh(int argc, char **argv);
int cmd_gateways(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif
