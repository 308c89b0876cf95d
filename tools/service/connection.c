/* SPDX-License-Identifier: MIT */
/* One connection: bounded buffers, requests in order. */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

#define FIRST_ROOM 2048
/* A client that sends without reading stops being listened to. */
#define OUTPUT_MAX (4 * MXG_RESPONSE_MAX)

struct mxg_connection *mxg_connection_new(int in, int out, bool is_socket)
{
	struct mxg_connection *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->in = in;
	c->out = out;
	c->is_socket = is_socket;
	return c;
}

void mxg_connection_free(struct mxg_connection *c)
{
	if (c->out != c->in)
		close(c->out);
	close(c->in);
	free(c->input);
	free(c->output);
	free(c);
}

/* ---- in ---------------------------------------------------------------------------- */

static bool grow_input(struct mxg_connection *c)
{
	size_t room = c->input_room == 0 ? FIRST_ROOM : c->input_room * 2;
	if (room > MXG_REQUEST_MAX)
		return false;
	char *bigger = realloc(c->input, room);
	if (bigger == NULL) {
		mxg_log_error("mxguard: policy: out of memory: a connection is closed");
		c->broken = true;
		return false;
	}
	c->input = bigger;
	c->input_room = room;
	return true;
}

static ssize_t receive(const struct mxg_connection *c, char *bytes, size_t room)
{
	if (c->is_socket)
		return recv(c->in, bytes, room, MSG_DONTWAIT);
	return read(c->in, bytes, room);
}

/* One read at a time: where more has come, poll says so again. */
void mxg_connection_read(struct mxg_connection *c)
{
	if (c->input_len == c->input_room && !grow_input(c))
		return;
	ssize_t n = receive(c, c->input + c->input_len, c->input_room - c->input_len);
	if (n > 0)
		c->input_len += (size_t)n;
	else if (n == 0)
		c->ended = true;
	else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		c->broken = true;
}

static void drop_input(struct mxg_connection *c, size_t len)
{
	c->input_len -= len;
	c->scanned = 0;
	if (c->input_len > 0) {
		memmove(c->input, c->input + len, c->input_len);
		return;
	}
	free(c->input); /* an idle connection costs next to nothing */
	c->input = NULL;
	c->input_room = 0;
}

/* ---- out ---------------------------------------------------------------------------- */

static ssize_t transmit(const struct mxg_connection *c, const char *bytes, size_t len)
{
	if (c->is_socket)
		return send(c->out, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(c->out, bytes, len);
}

void mxg_connection_write(struct mxg_connection *c)
{
	while (c->output_sent < c->output_len) {
		ssize_t n = transmit(c, c->output + c->output_sent, c->output_len - c->output_sent);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			c->broken = errno != EAGAIN && errno != EWOULDBLOCK;
			return;
		}
		c->output_sent += (size_t)n;
	}
	free(c->output);
	c->output = NULL;
	c->output_len = c->output_sent = 0;
}

static void put_response(struct mxg_connection *c, const struct mxg_response *response, enum mxg_request_form form)
{
	char bytes[MXG_RESPONSE_MAX];
	size_t len = mxg_response_write(bytes, response, form);
	char *bigger = len == 0 ? NULL : realloc(c->output, c->output_len + len);
	if (bigger == NULL) {
		c->broken = true; /* no reply: the MTA then defers by itself */
		return;
	}
	memcpy(bigger + c->output_len, bytes, len);
	c->output = bigger;
	c->output_len += len;
	c->close_after = form == MXG_REQUEST_LINE;
}

/* ---- requests ------------------------------------------------------------------------ */

static void refuse_request(struct mxg_connection *c, const char *wrong)
{
	mxg_log_error("mxguard: policy: a request cannot be understood: %s; no reply is given", wrong);
	c->broken = true;
}

static void ask(struct mxg_connection *c, struct mxg_decider *decider, size_t len)
{
	struct mxg_request request;
	struct mxg_response response = { .kind = MXG_RESPONSE_NOTHING };
	const char *wrong = mxg_request_parse(&request, c->input, len);
	if (wrong != NULL) {
		refuse_request(c, wrong);
		return;
	}
	c->form = request.form;
	c->requests++;
	c->pending = mxg_decider_ask(decider, &request, c, &response);
	if (c->pending == NULL)
		put_response(c, &response, request.form);
	drop_input(c, len);
}

static bool may_ask(const struct mxg_connection *c)
{
	return !c->broken && !c->close_after && c->pending == NULL && c->input_len > 0 && c->output_len < OUTPUT_MAX;
}

void mxg_connection_advance(struct mxg_connection *c, struct mxg_decider *decider)
{
	while (may_ask(c)) {
		size_t len = mxg_request_length(c->input, c->input_len, &c->scanned);
		if (len > 0)
			ask(c, decider, len);
		else if (c->input_len >= MXG_REQUEST_MAX)
			refuse_request(c, "it has no end within 65,536 bytes");
		else
			break;
		if (c->output_len >= OUTPUT_MAX)
			mxg_connection_write(c);
	}
	if (c->output_len > 0)
		mxg_connection_write(c);
	if (c->ended && c->pending == NULL && c->input_len > 0 && c->output_len == 0 && !c->broken && !c->close_after)
		refuse_request(c, "it ended in the middle");
}

void mxg_connection_answer(struct mxg_connection *c, const struct mxg_response *response)
{
	c->pending = NULL;
	put_response(c, response, c->form);
}

/* ---- what it is at --------------------------------------------------------------------- */

enum mxg_connection_state mxg_connection_look(const struct mxg_connection *c)
{
	if (c->pending != NULL)
		return MXG_CONNECTION_AT_WORK;
	return c->input_len == 0 && c->output_len == 0 ? MXG_CONNECTION_IDLE : MXG_CONNECTION_HALF_WAY;
}

static bool has_unread(const struct mxg_connection *c)
{
	struct pollfd in = { .fd = c->in, .events = POLLIN };
	return poll(&in, 1, 0) > 0;
}

bool mxg_connection_part(struct mxg_connection *c)
{
	char byte;
	if (has_unread(c))
		return false;
	/* what was sent meanwhile is in now, or will never be */
	return !c->is_local || (shutdown(c->in, SHUT_RD) == 0 && recv(c->in, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0);
}

bool mxg_connection_is_done(const struct mxg_connection *c)
{
	if (c->broken)
		return true;
	return (c->ended && mxg_connection_look(c) == MXG_CONNECTION_IDLE) || (c->close_after && c->output_len == 0);
}

bool mxg_connection_wants_read(const struct mxg_connection *c)
{
	return !c->ended && !c->close_after && c->pending == NULL && c->output_len == 0;
}

bool mxg_connection_wants_write(const struct mxg_connection *c)
{
	return c->output_len > 0;
}
