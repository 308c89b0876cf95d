/* SPDX-License-Identifier: MIT */
/* mxguard COMMAND …: finds the command and gets out of its way. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command_list.h" /* made by tools/meson.build from what is compiled in */
#include "base/nearest.h"
#include "commands.h"
#include "completion.h"
#include "mxguard.h"
#include "options.h"
#include "terminal.h"

struct command {
	const char *name, *title, *summary;
	int (*run)(int argc, char **argv);
	const struct mxg_usage *usage;
};

#define COMMAND(NAME, TEXT, SUMMARY) { TEXT, "mxguard " TEXT, SUMMARY, cmd_##NAME, &usage_##NAME },
static const struct command commands[] = { MXG_COMMAND_LIST };
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
	fputs("Usage: mxguard COMMAND [OPTION]…\n"
	      "Was this message handed over by a gateway that is authorized for the recipient's\n"
	      "domain, or did it skip the filters?\n\n",
	      to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "'mxguard COMMAND --help' says more about one of them; the manual is mxguard(1).\n"
	      "With every command: --color=auto|always|never (NO_COLOR is honoured).\n"
	      "First of all: mxguard check --peer 203.0.113.66 --rcpt alice@example.com\n",
	      to);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[COMMAND_COUNT];
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	const char *near = mxg_nearest(name, names, COMMAND_COUNT);
	if (near != NULL)
		return mxg_wrong_use("mxguard", "there is no command '%s'; did you mean '%s'?", name, near);
	return mxg_wrong_use("mxguard", "there is no command '%s'", name);
}

/* --color works everywhere, so no command has to know of it. */
static int take_colour(int *argc, char **argv)
{
	int kept = 1, i = 1;
	for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--color=", 8) != 0)
			argv[kept++] = argv[i];
		else if (!mxg_colour_when(argv[i] + 8))
			return mxg_wrong_use("mxguard", "--color takes auto, always or never, not '%s'", argv[i] + 8);
	}
	for (; i < *argc; i++)
		argv[kept++] = argv[i];
	argv[kept] = NULL;
	*argc = kept;
	return 0;
}

/* The command's own status, unless its output could not be written. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	perror("mxguard: standard output");
	return status == 0 ? EX_IOERR : status;
}

static int run(const struct command *command, int argc, char **argv)
{
	char title[64];
	snprintf(title, sizeof(title), "%s", command->title);
	argv[0] = title;
	return finish(command->run(argc, argv));
}

static int help(const char *name)
{
	char option[] = "--help", *argv[] = { NULL, option, NULL };
	const struct command *command = name == NULL ? NULL : find(name);
	if (command != NULL)
		return run(command, 2, argv);
	if (name != NULL)
		return unknown(name);
	print_help(stdout);
	return finish(0);
}

/* For the build, which installs what comes out. */
static int print_completion(const char *shell)
{
	struct mxg_completed completed[COMMAND_COUNT];
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		completed[i] = (struct mxg_completed){ commands[i].name, commands[i].summary, commands[i].usage };
	if (shell == NULL || !mxg_completion_print(shell, "mxguard", completed, COMMAND_COUNT, stdout))
		return mxg_wrong_use("mxguard", "--completion takes bash or zsh");
	return finish(0);
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	int status = argc > 0 ? take_colour(&argc, argv) : EX_USAGE;
	if (status != 0)
		return status;
	if (argc < 2) {
		print_help(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("mxguard %s\n", mxguard_version());
		return finish(0);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(NULL);
	if (strcmp(argv[1], "--completion") == 0)
		return print_completion(argv[2]);
	if (strcmp(argv[1], "help") == 0)
		return help(argv[2]);
	const struct command *command = find(argv[1]);
	return command == NULL ? unknown(argv[1]) : run(command, argc - 1, argv + 1);
}
