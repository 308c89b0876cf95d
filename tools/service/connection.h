/* SPDX-License-Identifier: MIT */
#ifndef MXG_CONNECTION_H
#define MXG_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response.h"
#include "decider.h"
#include "request.h"

enum mxg_connection_state {
	MXG_CONNECTION_IDLE, /* in the middle of nothing: closing it loses no request */
	MXG_CONNECTION_HALF_WAY, /* the client has something still to send or to take */
	MXG_CONNECTION_AT_WORK, /* it waits for us */
	MXG_CONNECTION_STATES
};

struct mxg_source;

/*
 * One MTA process that asks. Requests are taken one after the other: the next one is looked at
 * when the one before it is answered and the answer is on its way, so they are answered in
 * order, and what a client can make us hold is bounded.
 */
struct mxg_connection {
	/* clients.c's: the place in its list, and since when it stands there (monotonic milliseconds) */
	struct mxg_connection *older, *newer;
	enum mxg_connection_state state;
	uint64_t requests_seen;
	int64_t since;
	struct mxg_source *source; /* NULL: standard input */
	int in, out; /* the same socket, but for stdin and stdout */
	bool is_socket;
	bool is_local; /* a unix socket: what comes after its end is refused while it is sent */
	bool ended; /* no more will come */
	bool close_after; /* the one-line form: Exim reads up to the end */
	bool broken; /* must go, at once */
	short watched; /* what the wait set was told */
	struct mxg_pending *pending;
	enum mxg_request_form form; /* of the pending request */
	uint64_t requests; /* that were taken */
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

enum mxg_connection_state mxg_connection_look(const struct mxg_connection *connection);
/* Before an idle one is closed: false where something has come that was not read yet. A client on a
 * unix socket cannot send any more then, and so knows that nobody has got it. */
bool mxg_connection_part(struct mxg_connection *connection);
/* Everything that will ever come is answered. */
bool mxg_connection_is_done(const struct mxg_connection *connection);
bool mxg_connection_wants_read(const struct mxg_connection *connection);
bool mxg_connection_wants_write(const struct mxg_connection *connection);

#endif
