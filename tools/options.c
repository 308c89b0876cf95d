/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "text.h"

#define NAME_MAX_LENGTH 31 /* longer ones are near to nothing */

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

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* Levenshtein's distance; both at most NAME_MAX_LENGTH long. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LENGTH + 1];
	size_t n = strlen(b);
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned corner = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[n];
}

const char *mxg_nearest(const char *typed, const char *const *names)
{
	const char *best = NULL;
	unsigned best_distance = 3; /* two slips of the finger */
	if (strlen(typed) > NAME_MAX_LENGTH)
		return NULL;
	for (; *names != NULL; names++) {
		if (strlen(*names) > NAME_MAX_LENGTH)
			continue;
		unsigned d = distance(typed, *names);
		if (d < best_distance && d < strlen(*names)) {
			best = *names;
			best_distance = d;
		}
	}
	return best;
}

static int unknown_option(const char *command, const char *typed, const struct option *longs)
{
	const char *names[64];
	char name[NAME_MAX_LENGTH + 1];
	size_t n = 0;
	for (; longs[n].name != NULL && n < 63; n++)
		names[n] = longs[n].name;
	names[n] = NULL;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
	const char *near = mxg_nearest(name, names);
	if (near != NULL)
		mxg_wrong_use(command, "there is no option '%s'; did you mean '--%s'?", typed, near);
	else
		mxg_wrong_use(command, "there is no option '%s' (or it takes no value)", typed);
	return '?';
}

int mxg_next_option(int argc, char **argv, const char *shorts, const struct option *longs)
{
	opterr = 0;
	int option = getopt_long(argc, argv, shorts, longs, NULL);
	const char *typed = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	if (option == ':') {
		mxg_wrong_use(argv[0], "%s needs a value", typed);
		return '?';
	}
	if (option != '?')
		return option;
	if (strncmp(typed, "--", 2) == 0)
		return unknown_option(argv[0], typed, longs);
	mxg_wrong_use(argv[0], "there is no option '-%c'", optopt);
	return '?';
}

bool mxg_number_option(const char *command, const char *option, const char *text, long min, long max, long *out)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= min && n <= max) {
		*out = n;
		return true;
	}
	mxg_wrong_use(command, "%s takes a number from %ld to %ld, not '%s'", option, min, max, text);
	return false;
}
