/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRUSTED_FILE_H
#define MXG_TRUSTED_FILE_H

#include <stddef.h>

/*
 * Files that decide whether mail is let in are read only where nobody else can have
 * written them: a regular file, not reached through a symbolic link, owned by root or the
 * effective user, without write permission for group and others, in a folder that is not
 * writable for group and others either (or has the sticky bit).
 */
enum mxg_trusted_flag {
	/* Holds a secret: no read permission for group and others either. The owner may be
	 * any user: nobody but he and root can then have read or written it. */
	MXG_TRUSTED_SECRET = 1 << 0
};

#define MXG_TRUSTED_WHY_MAX 160

/* A descriptor (close-on-exec), or a negative enum mxguard_error and why, without the
 * file's name: "found …; expected …". errno is what open(2) said, or 0. */
int mxg_trusted_open(const char *path, unsigned flags, size_t most, char why[MXG_TRUSTED_WHY_MAX]);

/* The whole of it, at most `most` bytes, malloc'd, with room for `spare` bytes behind. */
int mxg_trusted_read(const char *path, unsigned flags, size_t most, size_t spare, char **text, size_t *len,
		     char why[MXG_TRUSTED_WHY_MAX]);

#endif
