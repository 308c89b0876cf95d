/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "text.h"

int mxg_wrong_use(const char *command, const char *format, ...)
{
	char message[1024], clean[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	mxg_text_clean(clean, sizeof(clean), message, strlen(message), NULL);
	fprintf(stderr, "%s: %s\nTry '%s --help'.\n", command, clean, command);
	return EX_USAGE;
}

int mxg_read_options(const struct mxg_usage *usage, int argc, char **argv, void *target)
{
	char message[1024];
	switch (mxg_options_take(usage, argc, argv, target, message, sizeof(message))) {
	case MXG_OPTIONS_HELP:
		mxg_usage_print(usage, argv[0], stdout);
		return -1;
	case MXG_OPTIONS_WRONG:
		return mxg_wrong_use(argv[0], "%s", message);
	case MXG_OPTIONS_GO_ON:
		break;
	}
	if (usage->arguments == MXG_ARGUMENTS_NONE && optind < argc)
		return mxg_wrong_use(argv[0], "'%s' is an argument too many", argv[optind]);
	return 0;
}
