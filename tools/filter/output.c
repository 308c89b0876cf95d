/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_LEAST 65536u

static bool make_room(struct mxg_filter_output *out, size_t length)
{
	size_t waiting = out->end - out->begin, room = out->room == 0 ? ROOM_LEAST : out->room;
	if (length <= out->room - out->end)
		return true;
	while (room - waiting < length)
		room *= 2;
	if (room == out->room) {
		memmove(out->bytes, out->bytes + out->begin, waiting);
	} else {
		char *bytes = malloc(room);
		if (bytes == NULL)
			return false;
		if (waiting > 0)
			memcpy(bytes, out->bytes + out->begin, waiting);
		free(out->bytes);
		out->bytes = bytes;
		out->room = room;
	}
	out->begin = 0;
	out->end = waiting;
	return true;
}

void mxg_filter_output_add(struct mxg_filter_output *out, const char *bytes, size_t length)
{
	if (length == 0 || out->broken)
		return;
	if (!make_room(out, length)) {
		out->broken = true;
		return;
	}
	memcpy(out->bytes + out->end, bytes, length);
	out->end += length;
}

void mxg_filter_output_text(struct mxg_filter_output *out, const char *text)
{
	mxg_filter_output_add(out, text, strlen(text));
}

void mxg_filter_output_write(struct mxg_filter_output *out, int fd)
{
	while (out->begin < out->end) {
		ssize_t n = write(fd, out->bytes + out->begin, out->end - out->begin);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			out->broken = errno != EAGAIN && errno != EWOULDBLOCK;
			return;
		}
		out->begin += (size_t)n;
	}
	out->begin = out->end = 0;
	if (out->room > 16 * ROOM_LEAST) { /* one large message does not hold it for ever */
		free(out->bytes);
		out->bytes = NULL;
		out->room = 0;
	}
}

size_t mxg_filter_output_waiting(const struct mxg_filter_output *out)
{
	return out->end - out->begin;
}

void mxg_filter_output_free(struct mxg_filter_output *out)
{
	free(out->bytes);
	*out = (struct mxg_filter_output){ 0 };
}
