/* SPDX-License-Identifier: MIT */
/* Reading that leaves no time of it on the file, where the system has that: only the owner and root may ask for it. */
#ifndef MXG_UNNOTICED_H
#define MXG_UNNOTICED_H

#include <errno.h>
#include <fcntl.h>

#if defined(O_NOATIME) && !defined(MXG_PORTABLE)
#define MXG_UNNOTICED O_NOATIME
#else
#define MXG_UNNOTICED 0
#endif

static inline int mxg_open_unnoticed(int folder, const char *name, int flags)
{
	int fd = openat(folder, name, flags | MXG_UNNOTICED);
	return fd < 0 && errno == EPERM && MXG_UNNOTICED != 0 ? openat(folder, name, flags) : fd;
}

#endif
