/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_INPUT_H
#define MXG_LDA_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MXG_LDA_HEAD_MAX (1024 * 1024)

/*
 * The message on standard input. A file is read by pread(2): its offset never moves, so COMMAND
 * can have it as it is. What comes from anything else is kept in `head` until it is spooled.
 */
struct mxg_lda_input {
	bool is_file;
	off_t begin, at; /* a file: where the message begins, and where reading goes on */
	off_t size; /* a file: how long the message is, as far as is known now */
	char *head;
	size_t head_len, head_room;
	bool ended; /* the end has been read */
	int64_t deadline;
};

/* 0, or an errno. */
int mxg_lda_input_open(struct mxg_lda_input *input);
void mxg_lda_input_close(struct mxg_lda_input *input);

/* Adds a piece to the head. How many bytes came; 0 at the end; -1: errno (ETIMEDOUT, EMSGSIZE
 * where the head is full). */
ssize_t mxg_lda_input_more_head(struct mxg_lda_input *input);
/* Reads on, behind the head. */
ssize_t mxg_lda_input_read(struct mxg_lda_input *input, char *bytes, size_t room);

#endif
