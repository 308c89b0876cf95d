/* SPDX-License-Identifier: MIT */
#include "scan/folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system/folder_handle.h"
#include "system/unnoticed.h"

#define CLOSING_MOST 32

void mxg_scan_folder_init(struct mxg_scan_folder *f)
{
	f->fd = AT_FDCWD;
	f->closing_count = 0;
	f->len = 0;
}

static bool close_range_at_once(unsigned first, unsigned last)
{
#if defined(SYS_close_range) && !defined(MXG_PORTABLE)
	return syscall(SYS_close_range, first, last, 0) == 0;
#else
	return false;
#endif
}

static void close_all(struct mxg_scan_folder *f)
{
	int last = f->closing + f->closing_count - 1;
	if (f->closing_count > 0 && !close_range_at_once((unsigned)f->closing, (unsigned)last))
		for (int fd = f->closing; fd <= last; fd++)
			close(fd);
	f->closing_count = 0;
}

/* A file gets the lowest number that is free: as long as they stay open, they follow each other. */
void mxg_scan_folder_close(struct mxg_scan_folder *f, int fd)
{
	if (f->closing_count > 0 && fd != f->closing + f->closing_count)
		close_all(f);
	if (f->closing_count++ == 0)
		f->closing = fd;
	if (f->closing_count == CLOSING_MOST)
		close_all(f);
}

void mxg_scan_folder_leave(struct mxg_scan_folder *f)
{
	close_all(f);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = AT_FDCWD;
	f->len = 0;
}

void mxg_scan_folder_enter(struct mxg_scan_folder *f, const char *path, size_t len)
{
	if (len == f->len && memcmp(path, f->path, len) == 0)
		return;
	mxg_scan_folder_leave(f);
	memcpy(f->path, path, len);
	f->path[len] = '\0';
	f->len = len;
	if (len > 0)
		f->fd = open(f->path, MXG_FOLDER_HANDLE);
	if (f->fd < 0)
		f->fd = AT_FDCWD;
}

int mxg_scan_folder_open(struct mxg_scan_folder *f, const char *name)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	memcpy(f->path + f->len, name, strlen(name) + 1);
	const char *from = f->fd >= 0 ? name : f->path;
	return mxg_open_unnoticed(f->fd, from, flags);
}
