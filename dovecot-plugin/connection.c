/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include "ioloop.h"
#include "ostream.h"

/* A connection is accepted in no context, and its input is handled in none. */
static void leave_context(void)
{
	struct ioloop_context *context = io_loop_get_current_context(current_ioloop);

	if (context != NULL)
		io_loop_context_deactivate(context);
}

void connection_enter(struct connection_visit *visit, struct smtp_server_connection *conn)
{
	leave_context();
	smtp_server_connection_ref(conn);
	visit->conn = conn;
	visit->corked = conn->corked;
	visit->locked = conn->input_locked;
	if (!visit->corked)
		smtp_server_connection_cork(conn);
	if (!visit->locked)
		smtp_server_connection_input_lock(conn);
}

/* Replies are sent now, and may end the connection. */
void connection_leave(struct connection_visit *visit)
{
	struct smtp_server_connection *conn = visit->conn;

	leave_context();
	if (!visit->locked)
		smtp_server_connection_input_unlock(conn);
	if (!visit->corked && conn->conn.output != NULL)
		smtp_server_connection_uncork(conn);
	smtp_server_connection_unref(&conn);
}
