/* SPDX-License-Identifier: MIT */
/* Messages from a stream, in whatever pieces they come and are asked for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/stream.h"

/* Half of each message stays; "=" stays as it is. */
static size_t halve(void *data, uint8_t *message, size_t len)
{
	++*(int *)data;
	return len > 0 && message[0] == '=' ? len : len / 2;
}

static const char sent[] = "\0\6abcdef\0\0\0\2==\0\1x\0\3=yz";
static const char wanted[] = "\0\3abc\0\0\0\2==\0\0\0\3=yz";

static void run(size_t piece, size_t room)
{
	int sockets[2], taken = 0;
	char got[sizeof(sent)], buffer[sizeof(sent)];
	size_t n = 0, len = sizeof(sent) - 1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
	struct mxg_stream *stream = mxg_stream_new(sockets[0], NULL);
	assert_non_null(stream);
	for (size_t at = 0; at < len; at += piece) {
		size_t some = len - at < piece ? len - at : piece;
		assert_int_equal(send(sockets[1], sent + at, some, 0), (ssize_t)some);
		ssize_t more;
		while ((more = mxg_stream_receive(stream, buffer, room, halve, &taken)) > 0) {
			assert_true((size_t)more <= room && n + (size_t)more < sizeof(got));
			memcpy(got + n, buffer, (size_t)more);
			n += (size_t)more;
		}
		assert_true(more == -1 && errno == EAGAIN);
	}
	assert_int_equal(n, sizeof(wanted) - 1);
	assert_memory_equal(got, wanted, n);
	assert_int_equal(taken, 5);
	close(sockets[1]);
	assert_int_equal(mxg_stream_receive(stream, buffer, room, halve, &taken), 0);
	mxg_stream_free(stream);
	close(sockets[0]);
}

static void test_pieces(void **state)
{
	for (size_t piece = 1; piece < sizeof(sent); piece++)
		for (size_t room = 1; room < sizeof(sent); room++)
			run(piece, room);
}

/* The longest one, and one behind it. */
static void test_long(void **state)
{
	static uint8_t message[65537 + 3], buffer[65535];
	int sockets[2], taken = 0;
	size_t sum = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
	struct mxg_stream *stream = mxg_stream_new(sockets[0], NULL);
	memset(message, '=', sizeof(message));
	message[0] = message[1] = 0xff;
	message[65537] = 0;
	message[65538] = 1;
	for (size_t at = 0; sum < sizeof(message);) {
		ssize_t n = send(sockets[1], message + at, sizeof(message) - at, MSG_NOSIGNAL);
		at += n > 0 ? (size_t)n : 0;
		n = mxg_stream_receive(stream, buffer, sizeof(buffer), halve, &taken);
		assert_true(n > 0 || errno == EAGAIN);
		sum += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(taken, 2);
	mxg_stream_free(stream);
	close(sockets[0]);
	close(sockets[1]);
}

static void test_find(void **state)
{
	struct mxg_stream *first = mxg_stream_new(4, NULL), *streams = mxg_stream_new(7, first);
	assert_ptr_equal(*mxg_stream_find(&streams, 4), first);
	assert_ptr_equal(mxg_stream_find(&streams, 7), &streams);
	assert_null(*mxg_stream_find(&streams, 5));
	assert_ptr_equal(mxg_stream_next(streams), first);
	mxg_stream_free(streams);
	mxg_stream_free(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pieces), cmocka_unit_test(test_long),
					    cmocka_unit_test(test_find) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
