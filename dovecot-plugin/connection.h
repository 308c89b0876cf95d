/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_CONNECTION_H
#define MXG_PLUGIN_CONNECTION_H

#include "dovecot-compat.h"

/*
 * What goes on with a connection's command from a callback that is not the connection's own,
 * stands between enter and leave. Delivering a message enters the mail user's ioloop context,
 * and replies from there: whatever waits for input or output is then added in that context,
 * stays in it, and is inherited by the listeners and by later connections of the process.
 */
struct connection_visit {
	struct smtp_server_connection *conn;
	bool corked, locked; /* it was so before */
};

void connection_enter(struct connection_visit *visit, struct smtp_server_connection *conn);
void connection_leave(struct connection_visit *visit);

#endif
