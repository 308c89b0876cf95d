/* SPDX-License-Identifier: MIT */
/* The connections, and which of them must go. */
#include "clients.h"

#define HALF_WAY_MS 10000 /* from a request's first byte to its last, or for taking an answer */
#define CROWDED_MS 1000 /* … where others wait for the room */
#define SETTLED_MS 500 /* who has just come, or been answered, may have a request on its way */

size_t mxg_clients_count(const struct mxg_clients *clients)
{
	size_t count = 0;
	for (size_t i = 0; i < MXG_CONNECTION_STATES; i++)
		count += clients->lists[i].count;
	return count;
}

static void append(struct mxg_clients *clients, struct mxg_connection *c, int64_t now)
{
	struct mxg_client_list *list = &clients->lists[c->state];
	c->older = list->newest;
	c->newer = NULL;
	*(list->newest != NULL ? &list->newest->newer : &list->oldest) = c;
	list->newest = c;
	list->count++;
	c->since = now;
	if (c->source != NULL && c->state == MXG_CONNECTION_AT_WORK)
		c->source->at_work++;
}

static void take_out(struct mxg_clients *clients, struct mxg_connection *c)
{
	struct mxg_client_list *list = &clients->lists[c->state];
	*(c->older != NULL ? &c->older->newer : &list->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &list->newest) = c->older;
	list->count--;
	if (c->source != NULL && c->state == MXG_CONNECTION_AT_WORK)
		c->source->at_work--;
}

void mxg_clients_add(struct mxg_clients *clients, struct mxg_connection *c, int64_t now)
{
	c->state = mxg_connection_look(c);
	append(clients, c, now);
}

void mxg_clients_remove(struct mxg_clients *clients, struct mxg_connection *c)
{
	take_out(clients, c);
	if (c->source != NULL)
		mxg_sources_leave(&clients->sources, c->source);
}

void mxg_clients_conclude(struct mxg_clients *clients, struct mxg_connection *c, int64_t now)
{
	enum mxg_connection_state state = mxg_connection_look(c);
	if (state == c->state && c->requests == c->requests_seen)
		return;
	take_out(clients, c);
	c->state = state;
	c->requests_seen = c->requests;
	append(clients, c, now);
}

struct mxg_connection *mxg_clients_late(const struct mxg_clients *clients, int64_t now)
{
	struct mxg_connection *c = clients->lists[MXG_CONNECTION_HALF_WAY].oldest;
	return c != NULL && now - c->since >= HALF_WAY_MS ? c : NULL;
}

/* Postfix opens a new connection where an idle one was closed. */
struct mxg_connection *mxg_clients_spare(const struct mxg_clients *clients, int64_t now)
{
	struct mxg_connection *c = clients->lists[MXG_CONNECTION_IDLE].oldest;
	for (; c != NULL && now - c->since >= SETTLED_MS; c = c->newer)
		if (mxg_connection_part(c))
			return c;
	c = clients->lists[MXG_CONNECTION_HALF_WAY].oldest;
	return c != NULL && now - c->since >= CROWDED_MS ? c : NULL;
}
