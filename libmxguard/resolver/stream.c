/* SPDX-License-Identifier: MIT */
#include "resolver/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGE_MAX (2 + 65535) /* with its length */

struct mxg_stream {
	struct mxg_stream *next;
	int fd;
	bool whole; /* the first message is, and is being handed on */
	size_t at; /* of it, so much is */
	size_t len;
	uint8_t bytes[MESSAGE_MAX];
};

struct mxg_stream *mxg_stream_new(int fd, struct mxg_stream *next)
{
	struct mxg_stream *s = malloc(sizeof(*s));
	if (s == NULL)
		return NULL;
	s->fd = fd;
	s->next = next;
	s->whole = false;
	s->at = s->len = 0;
	return s;
}

void mxg_stream_free(struct mxg_stream *s)
{
	free(s);
}

struct mxg_stream **mxg_stream_find(struct mxg_stream **at, int fd)
{
	while (*at != NULL && (*at)->fd != fd)
		at = &(*at)->next;
	return at;
}

struct mxg_stream *mxg_stream_next(const struct mxg_stream *s)
{
	return s->next;
}

/* Of the first message, as far as its length is known. */
static size_t message_length(const struct mxg_stream *s)
{
	return s->len < 2 ? MESSAGE_MAX : 2 + ((size_t)s->bytes[0] << 8 | s->bytes[1]);
}

static void let_go(struct mxg_stream *s, size_t from, size_t to)
{
	memmove(s->bytes + from, s->bytes + to, s->len - to);
	s->len -= to - from;
}

static void change(struct mxg_stream *s, mxg_stream_take *take, void *data)
{
	size_t old = message_length(s), new = 2 + take(data, s->bytes + 2, old - 2);
	let_go(s, new, old);
	s->bytes[0] = (uint8_t)((new - 2) >> 8);
	s->bytes[1] = (uint8_t)(new - 2);
	s->whole = true;
}

static size_t hand_on(struct mxg_stream *s, uint8_t *buffer, size_t room)
{
	size_t end = message_length(s), n = end - s->at < room ? end - s->at : room;
	memcpy(buffer, s->bytes + s->at, n);
	s->at += n;
	if (s->at == end) {
		let_go(s, 0, end);
		s->at = 0;
		s->whole = false;
	}
	return n;
}

/* As many messages as are whole and have room. */
static size_t hand_on_all(struct mxg_stream *s, uint8_t *buffer, size_t room, mxg_stream_take *take, void *data)
{
	size_t n = 0;
	while (n < room && (s->whole || message_length(s) <= s->len)) {
		if (!s->whole)
			change(s, take, data);
		n += hand_on(s, buffer + n, room - n);
	}
	return n;
}

ssize_t mxg_stream_receive(struct mxg_stream *s, void *buffer, size_t room, mxg_stream_take *take, void *data)
{
	size_t n = hand_on_all(s, buffer, room, take, data);
	if (n > 0)
		return (ssize_t)n;
	ssize_t got = recv(s->fd, s->bytes + s->len, MESSAGE_MAX - s->len, 0);
	if (got <= 0)
		return got;
	s->len += (size_t)got;
	n = hand_on_all(s, buffer, room, take, data);
	if (n > 0)
		return (ssize_t)n;
	errno = EAGAIN;
	return -1;
}
