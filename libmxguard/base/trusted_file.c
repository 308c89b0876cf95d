/* SPDX-License-Identifier: MIT */
#include "base/trusted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mxguard.h"
#include "system/error_text.h"
#include "system/folder_handle.h"

#define PATH_MOST 4096u

static int refuse(int error, char why[MXG_TRUSTED_WHY_MAX], const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(int error, char why[MXG_TRUSTED_WHY_MAX], const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why, MXG_TRUSTED_WHY_MAX, format, args);
	va_end(args);
	return error;
}

/* What is the administrator's to mend, apart from what is the system's. */
static int refuse_open(int error, char why[MXG_TRUSTED_WHY_MAX])
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return refuse(MXGUARD_ERROR_CONFIG, why, "found no such file; expected a regular file");
	case ELOOP:
		return refuse(MXGUARD_ERROR_CONFIG, why, "found a symbolic link; expected a regular file");
	case EACCES:
	case EPERM:
		return refuse(MXGUARD_ERROR_CONFIG, why,
			      "found a file that uid %u may not read; expected a readable one", (unsigned)geteuid());
	case ENXIO:
		return refuse(MXGUARD_ERROR_CONFIG, why, "found a socket or a device; expected a regular file");
	case ENOMEM:
		return refuse(MXGUARD_ERROR_NOMEM, why, "out of memory");
	default:
		/* the plain strerror() is the locale's, and not safe in threads */
		return refuse(MXGUARD_ERROR_IO, why, "found a file that cannot be read (%s); expected a readable one",
			      mxg_error_text(error));
	}
}

static int judge_folder(int fd, char why[MXG_TRUSTED_WHY_MAX])
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return refuse_open(errno, why);
	if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0)
		return refuse(MXGUARD_ERROR_UNTRUSTED, why,
			      "found its folder with mode %04o; expected no write permission for group and others",
			      (unsigned)st.st_mode & 07777);
	return MXGUARD_ERROR_NONE;
}

static int judge_file(int fd, unsigned flags, size_t most, char why[MXG_TRUSTED_WHY_MAX])
{
	struct stat st;
	bool secret = (flags & MXG_TRUSTED_SECRET) != 0;
	if (fstat(fd, &st) != 0)
		return refuse_open(errno, why);
	if (!S_ISREG(st.st_mode))
		return refuse(MXGUARD_ERROR_CONFIG, why, "found %s; expected a regular file",
			      S_ISDIR(st.st_mode) ? "a folder" : "a pipe or a device");
	if ((st.st_mode & (secret ? 077 : 022)) != 0)
		return refuse(MXGUARD_ERROR_UNTRUSTED, why,
			      "found mode %04o; expected no %s permission for group and others",
			      (unsigned)st.st_mode & 07777, secret ? "read or write" : "write");
	if (!secret && st.st_uid != 0 && st.st_uid != geteuid())
		return refuse(MXGUARD_ERROR_UNTRUSTED, why, "found owner uid %u; expected root or uid %u",
			      (unsigned)st.st_uid, (unsigned)geteuid());
	if ((uintmax_t)st.st_size > most)
		return refuse(MXGUARD_ERROR_CONFIG, why, "found %ju bytes; expected at most %zu", (uintmax_t)st.st_size,
			      most);
	return MXGUARD_ERROR_NONE;
}

/* The folder is opened first and the file below it, so that both that are judged are
 * those that are read. */
static int open_folder(const char *path, const char **file)
{
	char folder[PATH_MOST];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	*file = slash == NULL ? path : slash + 1;
	if (len >= sizeof(folder) || **file == '\0') {
		errno = len >= sizeof(folder) ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	memcpy(folder, path, len);
	folder[len] = '\0';
	return open(slash == NULL ? "." : len == 0 ? "/" : folder, MXG_FOLDER_HANDLE);
}

int mxg_trusted_open(const char *path, unsigned flags, size_t most, char why[MXG_TRUSTED_WHY_MAX])
{
	const char *file;
	why[0] = '\0';
	int folder = open_folder(path, &file);
	if (folder < 0)
		return refuse_open(errno, why);
	/* O_NONBLOCK: a FIFO without a writer must not stop a delivery */
	int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	int error = errno;
	int result = fd < 0 ? refuse_open(error, why) : judge_file(fd, flags, most, why);
	if (result == MXGUARD_ERROR_NONE)
		result = judge_folder(folder, why);
	close(folder);
	if (result == MXGUARD_ERROR_NONE)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = fd < 0 ? error : 0;
	return result;
}

/* Reads until the end, whatever fstat(2) said: the file may have grown. */
static int read_all(int fd, size_t most, size_t spare, char **text, size_t *len, char why[MXG_TRUSTED_WHY_MAX])
{
	size_t used = 0, room = 0;
	char *all = NULL;
	for (;;) {
		if (used == room) {
			room = room == 0 ? 16384 : room * 4;
			if (room > most + 1)
				room = most + 1;
			char *more = realloc(all, room + spare);
			if (more == NULL) {
				free(all);
				return refuse(MXGUARD_ERROR_NOMEM, why, "out of memory");
			}
			all = more;
		}
		ssize_t n = read(fd, all + used, room - used);
		if (n < 0 && errno == EINTR)
			continue;
		used += n > 0 ? (size_t)n : 0;
		if (n > 0 && used <= most)
			continue;
		*text = all;
		*len = used;
		if (n == 0)
			return MXGUARD_ERROR_NONE;
		int error = errno;
		free(all);
		*text = NULL;
		return n < 0 ? refuse_open(error, why)
			     : refuse(MXGUARD_ERROR_CONFIG, why, "found more than %zu bytes; expected at most so many",
				      most);
	}
}

int mxg_trusted_read(const char *path, unsigned flags, size_t most, size_t spare, char **text, size_t *len,
		     char why[MXG_TRUSTED_WHY_MAX])
{
	int fd = mxg_trusted_open(path, flags, most, why);
	if (fd < 0)
		return fd;
	int result = read_all(fd, most, spare, text, len, why);
	close(fd);
	return result;
}
