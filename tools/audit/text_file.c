/* SPDX-License-Identifier: MIT */
#include "audit/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST (1 << 20)

static char *read_all(int fd, size_t size)
{
	char *text = malloc(size + 1);
	size_t len = 0;
	while (text != NULL && len < size) {
		ssize_t n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (text != NULL)
		text[len] = '\0';
	return text;
}

char *mxg_text_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	char *text = NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MOST)
		text = read_all(fd, (size_t)st.st_size);
	else
		errno = EFBIG;
	close(fd);
	return text;
}
