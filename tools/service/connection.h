/* SPDX-License-Identifier: MIT */
#ifndef MXG_CONNECTION_H
#define MXG_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response.h"
#include "decider.h"
#include "request.h"

/*
 * One MTA process that asks. Requests are taken one after the other: the next one is looked at
 * when the one before it is answered and the answer is on its way, so they are answered in
 * order, and what a client can make us hold is bounded.
 */
struct mxg_connection {
	struct mxg_connection *older, *newer; /* by when something last came; the service's list */
	int in, out; /* the same socket, but for stdin and stdout */
	bool is_socket;
	bool ended; /* no more will come */
	bool close_after; /* the one-line form: Exim reads up to the end */
	bool broken; /* must go, at once */
	uint32_t watched; /* what epoll was told */
	struct mxg_pending *pending;
	enum mxg_request_form form; /* of the pending request */
	int64_t active; /* monotonic milliseconds */
	char *input;
	size_t input_len, input_room, scanned;
	char *output;
	size_t output_len, output_sent;
};

struct mxg_connection *mxg_connection_new(int in, int out, bool is_socket); /* NULL: no memory */
void mxg_connection_free(struct mxg_connection *connection); /* closes; pending must be cancelled */

/* Takes in what has come, as far as there is room. */
void mxg_connection_read(struct mxg_connection *connection);
/* Sends what is waiting, as far as it goes. */
void mxg_connection_write(struct mxg_connection *connection);
/* Asks for every whole request that is in, until one has to wait. */
void mxg_connection_advance(struct mxg_connection *connection, struct mxg_decider *decider);
/* The answer to the pending request. */
void mxg_connection_answer(struct mxg_connection *connection, const struct mxg_response *response);

/* In the middle of nothing: closing it loses no request. */
bool mxg_connection_is_idle(const struct mxg_connection *connection);
/* Everything that will ever come is answered. */
bool mxg_connection_is_done(const struct mxg_connection *connection);
bool mxg_connection_wants_read(const struct mxg_connection *connection);
bool mxg_connection_wants_write(const struct mxg_connection *connection);

#endif
