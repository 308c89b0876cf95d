/* SPDX-License-Identifier: MIT */
/* Files without a name, where the system has them: they are gone when their writer is. -1 with ENOTSUP where
 * it has none; every caller has a way with names. */
#ifndef MXG_NAMELESS_H
#define MXG_NAMELESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MXG_PORTABLE)
/* In memory. */
static inline int mxg_nameless_memory(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC);
}

/* In FOLDER, below AT as for openat(2). */
static inline int mxg_nameless_file(int at, const char *folder, int flags)
{
	int fd = openat(at, folder, O_TMPFILE | O_CLOEXEC | flags, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		errno = ENOTSUP;
	return fd;
}

/* Whether mxg_nameless_name() will work. */
static inline int mxg_nameless_can_be_named(void)
{
	return access("/proc/self/fd", X_OK) == 0;
}

static inline int mxg_nameless_name(int fd, int folder, const char *name)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW);
}
#else
static inline int mxg_nameless_memory(const char *name)
{
	(void)name;
	errno = ENOTSUP;
	return -1;
}

static inline int mxg_nameless_file(int at, const char *folder, int flags)
{
	(void)at, (void)folder, (void)flags;
	errno = ENOTSUP;
	return -1;
}

static inline int mxg_nameless_can_be_named(void)
{
	return 0;
}

static inline int mxg_nameless_name(int fd, int folder, const char *name)
{
	(void)fd, (void)folder, (void)name;
	errno = ENOTSUP;
	return -1;
}
#endif

#endif
