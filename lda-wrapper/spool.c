/* SPDX-License-Identifier: MIT */
/* Taking the message whole. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "system/nameless.h"

/* TMPDIR is not asked: the environment may be a stranger's. */
static int open_in(const char *folder)
{
	char path[4096];
	int fd = mxg_nameless_file(AT_FDCWD, folder, O_RDWR | O_EXCL);
	if (fd >= 0 || errno != ENOTSUP)
		return fd;
	if (snprintf(path, sizeof(path), "%s/mxguard-lda.XXXXXX", folder) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int open_file(const struct mxg_lda_spool *spool)
{
	if (spool->folder != NULL)
		return open_in(spool->folder);
	int fd = open_in("/var/tmp");
	return fd >= 0 ? fd : open_in("/tmp");
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy(int to, int from, size_t len)
{
	static char bytes[65536]; /* the stack may be smaller */
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(from, bytes, sizeof(bytes), (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || write_all(to, bytes, (size_t)n) != 0)
			return -1;
		at += (size_t)n;
	}
	return 0;
}

/* Without a file in memory (another system, an old kernel, a filter), or out of it: one on disk from the start. */
static int begin(struct mxg_lda_spool *spool, size_t len)
{
	spool->fd = -1;
	if (len <= MXG_LDA_MEMORY_MAX)
		spool->fd = mxg_nameless_memory("mxguard-lda");
	spool->in_memory = spool->fd >= 0;
	if (spool->fd < 0)
		spool->fd = open_file(spool);
	return spool->fd < 0 ? -1 : 0;
}

static int move_to_file(struct mxg_lda_spool *spool)
{
	int file = open_file(spool);
	if (file < 0)
		return -1;
	if (copy(file, spool->fd, spool->len) != 0) {
		int saved = errno;
		close(file);
		errno = saved;
		return -1;
	}
	close(spool->fd);
	spool->fd = file;
	spool->in_memory = 0;
	return 0;
}

int mxg_lda_spool_write(struct mxg_lda_spool *spool, const char *bytes, size_t len)
{
	if (spool->fd < 0 && begin(spool, len) != 0)
		return -1;
	if (spool->in_memory && spool->len + len > MXG_LDA_MEMORY_MAX && move_to_file(spool) != 0)
		return -1;
	if (write_all(spool->fd, bytes, len) != 0)
		return -1;
	spool->len += len;
	return 0;
}

int mxg_lda_spool_to_stdin(struct mxg_lda_spool *spool)
{
	if (spool->fd < 0 && begin(spool, 0) != 0) /* an empty message */
		return -1;
	if (lseek(spool->fd, 0, SEEK_SET) != 0 || dup2(spool->fd, STDIN_FILENO) < 0)
		return -1;
	close(spool->fd);
	spool->fd = -1;
	return 0;
}
