/* SPDX-License-Identifier: MIT */
#include "mail_stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

size_t mxg_mail_stream_left(struct mxg_mail_stream *s, size_t want)
{
	ssize_t n = 1;
	if (s->end - s->at < want && s->at > 0) {
		memmove(s->bytes, s->bytes + s->at, s->end - s->at);
		s->end -= s->at;
		s->at = 0;
	}
	while (s->end - s->at < want && (n = read(s->fd, s->bytes + s->end, sizeof(s->bytes) - s->end)) > 0)
		s->end += (size_t)n;
	if (n < 0)
		s->error = errno;
	return s->end - s->at;
}

static bool at_from_line(struct mxg_mail_stream *s)
{
	return s->line_start && mxg_mail_stream_left(s, 5) >= 5 && memcmp(s->bytes + s->at, "From ", 5) == 0;
}

size_t mxg_mail_stream_line(struct mxg_mail_stream *s, const char **line)
{
	size_t n = mxg_mail_stream_left(s, 1);
	if (n == 0)
		return 0;
	*line = s->bytes + s->at;
	const char *lf = memchr(*line, '\n', n);
	n = lf == NULL ? n : (size_t)(lf + 1 - *line);
	s->blank = s->line_start && lf != NULL && (n == 1 || (n == 2 && **line == '\r'));
	s->line_start = lf != NULL;
	s->at += n;
	return n;
}

void mxg_mail_stream_open(struct mxg_mail_stream *s, int fd)
{
	*s = (struct mxg_mail_stream){ .fd = fd, .line_start = true };
	s->mbox = at_from_line(s);
}

bool mxg_mail_stream_next(struct mxg_mail_stream *s)
{
	return s->mbox && s->blank && at_from_line(s);
}
