/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOMAINS_H
#define MXG_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * domains_file: the local domains, one a line; blank lines and #-comments do not count. A folder is all files in
 * it, but for those whose names begin with a dot or end with ~.
 * Read in pieces, so that 100,000 lines cost time but no memory, under the same rules of
 * trust as the configuration (trusted_file.h).
 */

/* A wrong line costs itself alone. What holds more lines that are no domains than domains, or none at all, is no list:
 * a page, a log, a file that was emptied. */
bool mxg_domains_is_list(size_t domains, size_t wrong_lines);
/* Whether the file lists the domain (lower case, A-label): 1, 0, or -1 where it cannot be read or
 * trusted, or does not list it and is no list. */
int mxg_domains_find(const char *path, const char *domain, size_t len);

/* One domain after the other, for those who need them all. */
struct mxg_domains_reader;

/* MXGUARD_ERROR_NONE, or an error with a message. */
int mxg_domains_open(struct mxg_domains_reader **reader, const char *path, char *message, size_t size);
/* Reads what is open already, a file or a pipe, under this name; it is closed with the reader. False: out of memory. */
bool mxg_domains_open_fd(struct mxg_domains_reader **reader, int fd, const char *name);
/* 1 and the normalized domain (valid until the next call), 0 at the end, or an error with a
 * message (file:line) for a line that is wrong; the next call goes on behind it. */
int mxg_domains_next(struct mxg_domains_reader *reader, const char **domain, char *message, size_t size);
void mxg_domains_close(struct mxg_domains_reader *reader); /* NULL is allowed */

#endif
