/* SPDX-License-Identifier: MIT */
#ifndef MXG_STREAM_H
#define MXG_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * DNS over TCP: messages, each behind its length (RFC 1035 §4.2.2). Takes them from a socket and hands them on as a
 * socket would, but each as a whole and as somebody makes it.
 */
struct mxg_stream;

/* Makes of a message one that is not longer, and returns its length. */
typedef size_t mxg_stream_take(void *data, uint8_t *message, size_t len);

struct mxg_stream *mxg_stream_new(int fd, struct mxg_stream *next); /* NULL: no memory */
void mxg_stream_free(struct mxg_stream *stream); /* this one, not the next ones */
struct mxg_stream **mxg_stream_find(struct mxg_stream **first, int fd); /* *result is NULL: none */
struct mxg_stream *mxg_stream_next(const struct mxg_stream *stream);

/* As recv(2) does: -1 with EAGAIN where no message is whole yet, 0 at the end. */
ssize_t mxg_stream_receive(struct mxg_stream *stream, void *buffer, size_t room, mxg_stream_take *take, void *data);

#endif
