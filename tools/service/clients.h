/* SPDX-License-Identifier: MIT */
#ifndef MXG_CLIENTS_H
#define MXG_CLIENTS_H

#include <stdint.h>

#include "connection.h"
#include "source.h"

/*
 * All connections, by what they are at, and in each list by since when: who may be closed for
 * others, and whose time is over, stands in front.
 */
struct mxg_client_list {
	struct mxg_connection *oldest, *newest;
	size_t count;
};

struct mxg_clients {
	struct mxg_client_list lists[MXG_CONNECTION_STATES];
	struct mxg_sources sources;
};

size_t mxg_clients_count(const struct mxg_clients *clients);
void mxg_clients_add(struct mxg_clients *clients, struct mxg_connection *connection, int64_t now);
/* Also leaves its source. The connection itself is the caller's. */
void mxg_clients_remove(struct mxg_clients *clients, struct mxg_connection *connection);
/* After anything was done with it: puts it where it belongs. Its time begins anew with each
 * request, not with each byte. */
void mxg_clients_conclude(struct mxg_clients *clients, struct mxg_connection *connection, int64_t now);

/* One that has left a request or an answer half-way for too long, or NULL. */
struct mxg_connection *mxg_clients_late(const struct mxg_clients *clients, int64_t now);
/* One to close for a new one: idle, or else half-way for longer than others should have to wait. */
struct mxg_connection *mxg_clients_spare(const struct mxg_clients *clients, int64_t now);

#endif
