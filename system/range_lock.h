/* SPDX-License-Identifier: MIT */
/* Locks of single bytes that belong to an open file, whichever thread has it: the kernel takes them from whoever
 * dies. Where there are none, nobody is known to live. */
#ifndef MXG_RANGE_LOCK_H
#define MXG_RANGE_LOCK_H

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#if defined(F_OFD_SETLK) && !defined(MXG_PORTABLE)
#define MXG_RANGE_LOCKS 1
/* Without waiting; false where another open file has it. */
static inline bool mxg_range_lock(int fd, off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* By another open file. */
static inline bool mxg_range_is_locked(int fd, off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
#else
#define MXG_RANGE_LOCKS 0
static inline bool mxg_range_lock(int fd, off_t at)
{
	(void)fd, (void)at;
	return true;
}

static inline bool mxg_range_is_locked(int fd, off_t at)
{
	(void)fd, (void)at;
	return false;
}
#endif

#endif
