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

/* 0 when there is something to read. */
static int wait_readable(const struct mxg_lda_input *in)
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
		if (!in->is_file && wait_readable(in) != 0)
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
