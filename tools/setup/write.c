/* SPDX-License-Identifier: MIT */
/* The file is made, or nothing is: never changed, never through a link. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "setup.h"

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

/* The folder, made where it is missing; a link in its place is none. */
static int open_folder(const char *path, const char **name)
{
	char folder[4096];
	const char *slash = strrchr(path, '/');
	*name = slash == NULL ? path : slash + 1;
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	if (len >= sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(folder, sizeof(folder), "%.*s", (int)len, path);
	const char *where = slash == NULL ? "." : len == 0 ? "/" : folder;
	if (mkdir(where, 0755) != 0 && errno != EEXIST)
		return -1;
	return open(where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

const char *mxg_setup_write(const char *path, const char *text, size_t len, bool *exists)
{
	const char *name;
	int folder = open_folder(path, &name);
	*exists = false;
	if (folder < 0)
		return strerror(errno);
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	*exists = fd < 0 && errno == EEXIST;
	bool good = fd >= 0 && fchmod(fd, 0644) == 0 && write_all(fd, text, len) && fsync(fd) == 0;
	int error = errno;
	if (fd >= 0 && close(fd) != 0 && good) {
		error = errno;
		good = false;
	}
	if (fd >= 0 && !good)
		unlinkat(folder, name, 0);
	else if (good)
		fsync(folder);
	close(folder);
	return good ? NULL : strerror(error);
}
