/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRACE_MAIL_STREAM_H
#define MXG_TRACE_MAIL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* A file as it is read, line by line: one message, or an mbox with several. */
struct mxg_mail_stream {
	int fd;
	size_t at, end;
	bool mbox, line_start, blank; /* blank: the line above was empty */
	int error; /* errno of a read that failed, else 0 */
	char bytes[16384];
};

void mxg_mail_stream_open(struct mxg_mail_stream *stream, int fd); /* which stays the caller's */
/* The next line, or a part of it if it is long; 0 at the end of the file. It holds until the next call. */
size_t mxg_mail_stream_line(struct mxg_mail_stream *stream, const char **line);
/* Whether a message of an mbox begins here, behind another. */
bool mxg_mail_stream_next(struct mxg_mail_stream *stream);
/* How many bytes are at hand, at least WANT of them, of at most 16,384, if there are so many. */
size_t mxg_mail_stream_left(struct mxg_mail_stream *stream, size_t want);

#endif
