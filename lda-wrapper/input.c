/* SPDX-License-Identifier: MIT */
/* Reading the message, in bounded memory and time. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"

#define FIRST_ROOM 16384

int mxg_lda_input_open(struct mxg_lda_input *in)
{
	struct stat st;
	if (fstat(STDIN_FILENO, &st) != 0)
		return errno;
	in->parent = getppid();
	in->is_file = S_ISREG(st.st_mode);
	if (!in->is_file)
		return 0;
	in->begin = in->at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	if (in->begin < 0)
		return errno;
	in->size = st.st_size > in->begin ? st.st_size - in->begin : 0;
	return 0;
}

void mxg_lda_input_close(struct mxg_lda_input *in)
{
	free(in->head);
	in->head = NULL;
}

int mxg_lda_input_wait(const struct mxg_lda_input *in)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	for (;;) {
		int left = mxg_lda_left(in->deadline);
		int ready = left == 0 ? 0 : poll(&p, 1, left);
		if (ready > 0)
			return 0;
		if (ready == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (errno != EINTR)
			return -1;
	}
}

ssize_t mxg_lda_input_read(struct mxg_lda_input *in, char *bytes, size_t room)
{
	ssize_t n;
	if (in->ended)
		return 0;
	do {
		if (!in->is_file && mxg_lda_input_wait(in) != 0)
			return -1;
		n = in->is_file ? pread(STDIN_FILENO, bytes, room, in->at) : read(STDIN_FILENO, bytes, room);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n > 0)
		in->at += n;
	in->ended = n == 0;
	return n;
}

static bool grow(struct mxg_lda_input *in)
{
	size_t room = in->head_room == 0 ? FIRST_ROOM : in->head_room * 4;
	if (room > MXG_LDA_HEAD_MAX) {
		errno = EMSGSIZE;
		return false;
	}
	char *bigger = realloc(in->head, room);
	if (bigger == NULL)
		return false;
	in->head = bigger;
	in->head_room = room;
	return true;
}

ssize_t mxg_lda_input_more_head(struct mxg_lda_input *in)
{
	if (in->head_len == in->head_room && !grow(in))
		return -1;
	ssize_t n = mxg_lda_input_read(in, in->head + in->head_len, in->head_room - in->head_len);
	if (n > 0)
		in->head_len += (size_t)n;
	return n;
}

#define EXITING 0x4U /* PF_EXITING of proc(5), "flags" */

/* A process that ends closes its pipes before it stops being our parent. */
static bool parent_is_ending(pid_t parent)
{
	char path[64], text[512], *rest;
	unsigned flags = 0;
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)parent);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false; /* a chroot without /proc */
	text[n] = '\0';
	rest = strrchr(text, ')'); /* the name in front may hold anything */
	return rest != NULL && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && (flags & EXITING) != 0;
}

bool mxg_lda_input_is_whole(const struct mxg_lda_input *in)
{
	if (in->is_file)
		return true;
	bool ending = parent_is_ending(in->parent);
	return !ending && getppid() == in->parent;
}
