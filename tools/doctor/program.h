/* SPDX-License-Identifier: MIT */
#ifndef MXG_PROGRAM_H
#define MXG_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* What another program prints: postconf(1), doveconf(1). Looked for in the system's folders,
 * not in PATH. NULL where it is not there, fails, says more than 4 MiB, or takes too long; else free(3) it. */
char *mxg_program_output(const char *const *argv);

/* One that gives no answer, as where a table hangs, is ended and never asked again; its name has to stay in memory. */
#define MXG_PROGRAM_SECONDS 30
#define MXG_PROGRAM_SILENT "%s gave no answer within 30 seconds and was ended; nothing that it tells is known"
const char *mxg_program_silent(size_t n); /* the n-th of these; NULL: there are no more */
bool mxg_program_tell_silent(const char *command); /* in lines on standard error; true: there are some */

/* What `exim -bP WHAT` prints; config NULL: Exim's own. */
char *mxg_program_exim(const char *config, const char *what);

/* What a program of Postfix (postconf, postmap) prints, or doveconf; folder or config NULL: its own. The
 * options end with NULL. */
char *mxg_program_postfix(const char *folder, const char *program, const char *const *options);
char *mxg_program_dovecot(const char *config, const char *const *options);
/* `postconf OPTION NAME`; folder NULL: Postfix's own, option and name NULL: none. */
char *mxg_program_postconf(const char *folder, const char *option, const char *name);
/* One value, as Postfix itself reads it: with $names put in, without the line end. */
char *mxg_program_postfix_value(const char *folder, const char *name);

/* One value of Dovecot's, without the line end; config NULL: Dovecot's own, protocol NULL: for all. */
char *mxg_program_dovecot_value(const char *config, const char *protocol, const char *name);
/* Several at once, each to be freed, NULL where there is none: every question costs four processes, whatever is asked.
 * The first is one that every Dovecot knows. */
void mxg_program_dovecot_values(const char *config, const char *const *names, char **values, size_t count);
/* 203, 204 … for the Dovecot that is installed, 0 where none is; *text (free(3) it) what it says of itself. */
unsigned mxg_program_dovecot_version(char **text);

/* The value of "name = value" in such output, in memory of its own; NULL where it is not there. */
char *mxg_program_setting(const char *output, const char *name);

/* The next word of a list that is parted by blanks and commas; as Postfix reads it, what stands between braces is
 * parted by nothing. False at the end. */
bool mxg_program_word(const char **at, const char **word, size_t *len);
/* Calls word() for each. */
void mxg_program_words(const char *list, void (*word)(void *to, const char *word), void *to);

#endif
