/* SPDX-License-Identifier: MIT */
#ifndef CASES_SECRET_H
#define CASES_SECRET_H

#include <stdbool.h>

/* A file with a secret that this process may not read, and what systemd's LoadCredential= gives it instead. */
struct secret {
	char folder[64]; /* "": there is none */
	unsigned user; /* effective, before */
};

/* Where the configuration has the word @secret@, the path of the file takes its place. `credential`: what the file of
 * the same name in CREDENTIALS_DIRECTORY holds; NULL: there is no such folder. False: something failed. */
bool secret_begin(struct secret *secret, char **config, const char *credential);
bool secret_end(struct secret *secret);

#endif
