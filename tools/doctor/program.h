/* SPDX-License-Identifier: MIT */
#ifndef MXG_PROGRAM_H
#define MXG_PROGRAM_H

#include <stddef.h>

/* What another program prints: postconf(1), doveconf(1). Looked for in the system's folders,
 * not in PATH. NULL where it is not there, fails, or says more than 4 MiB; else free(3) it. */
char *mxg_program_output(const char *const *argv);

/* What `exim -bP WHAT` prints; config NULL: Exim's own. */
char *mxg_program_exim(const char *config, const char *what);

/* What a program of Postfix (postconf, postmap) prints, or doveconf; folder or config NULL: its own. The
 * options end with NULL. */
char *mxg_program_postfix(const char *folder, const char *program, const char *const *options);
char *mxg_program_dovecot(const char *config, const char *const *options);

/* The value of "name = value" in such output, in memory of its own; NULL where it is not there. */
char *mxg_program_setting(const char *output, const char *name);

/* Calls word() for each word of a list that is parted by blanks and commas. */
void mxg_program_words(const char *list, void (*word)(void *to, const char *word), void *to);

#endif
