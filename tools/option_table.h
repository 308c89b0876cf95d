/* SPDX-License-Identifier: MIT */
#ifndef MXG_OPTION_TABLE_H
#define MXG_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * The options of a command, one row each: how they are read, what --help says and what shells
 * complete comes from here. -h and --help are every command's own and stand in no table.
 */

struct mxg_option_word {
	const char *text; /* NULL: the end */
	unsigned value;
};

enum mxg_option_kind {
	MXG_OPTION_FLAG, /* bool */
	MXG_OPTION_TEXT, /* const char * */
	MXG_OPTION_NUMBER, /* long, from min to max */
	MXG_OPTION_WORD, /* an enum, by `words` */
	MXG_OPTION_LIST, /* const char *[max], and size_t at `count` */
	MXG_OPTION_OWN /* by `take`; may be repeated */
};

struct mxg_option {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* FILE and FOLDER are completed; NULL: takes none */
	const char *help; /* lines end with \n but for the last */
	enum mxg_option_kind kind;
	size_t field; /* in the command's own struct */
	long min, max;
	size_t count;
	const struct mxg_option_word *words;
	bool (*take)(void *target, const char *value); /* OWN; before a LIST's entry, whether it is one */
	const char *takes; /* what `take` wants: "a domain name" */
};

struct mxg_usage {
	const char *synopsis, *about, *after;
	const struct mxg_option *options;
	size_t count;
	bool stops; /* options end at the first argument */
	enum { MXG_ARGUMENTS_NONE, MXG_ARGUMENTS_FILES, MXG_ARGUMENTS_COMMAND, MXG_ARGUMENTS_OTHER } arguments;
	const char *const *(*first)(void); /* the words that the first argument may be, up to NULL; NULL: any */
};

#define MXG_OPTION_CONFIG(TYPE) \
	{ \
		'c', "config", "FILE", "configuration (/etc/mxguard/mxguard.conf)", .kind = MXG_OPTION_TEXT, \
										    .field = offsetof(TYPE, config) \
	}

extern const struct mxg_option_word mxg_option_places[]; /* enum mxguard_place */

enum mxg_options_next { MXG_OPTIONS_GO_ON, MXG_OPTIONS_HELP, MXG_OPTIONS_WRONG };

/* Into target; arguments begin at optind. MXG_OPTIONS_WRONG with a message: what is wrong, and what
 * would be right. */
enum mxg_options_next mxg_options_take(const struct mxg_usage *usage, int argc, char **argv, void *target,
				       char *message, size_t size);
void mxg_usage_print(const struct mxg_usage *usage, const char *command, FILE *to);

#endif
