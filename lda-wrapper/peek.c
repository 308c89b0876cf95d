/* SPDX-License-Identifier: MIT */
/* A look at standard input that takes nothing from it. */
#include "peek.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t peek_pipe(int fd, char *bytes, size_t room)
{
	int copy[2];
	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	ssize_t n = tee(fd, copy[1], room, SPLICE_F_NONBLOCK), got = 0;
	int saved = errno;
	while (got < n) {
		ssize_t more = read(copy[0], bytes + got, (size_t)(n - got));
		if (more <= 0)
			break;
		got += more;
	}
	close(copy[0]);
	close(copy[1]);
	errno = saved;
	return n < 0 ? n : got;
}

ssize_t mxg_lda_peek(int fd, char *bytes, size_t room)
{
	ssize_t n = recv(fd, bytes, room, MSG_PEEK | MSG_DONTWAIT);
	return n < 0 && errno == ENOTSOCK ? peek_pipe(fd, bytes, room) : n;
}
