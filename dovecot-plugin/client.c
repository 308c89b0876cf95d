/* SPDX-License-Identifier: MIT */
/* Into and out of lmtp's client: its functions are wrapped, whatever the settings say. */
#include "client.h"

#include "transaction.h"
#include "xclient.h"

static MODULE_CONTEXT_DEFINE_INIT(session_module, &lmtp_module_register);
static lmtp_client_created_func_t *next_hook;
static bool hooked;

struct session *session_of(struct client *client)
{
	return MODULE_CONTEXT_REQUIRE(client, session_module);
}

static void plugin_trans_free(struct client *client, struct smtp_server_transaction *trans)
{
	struct session *session = session_of(client);

	transaction_end(session);
	session->module_ctx.super.trans_free(client, trans);
}

static void plugin_destroy(struct client *client)
{
	struct session *session = session_of(client);
	void (*destroy)(struct client *) = session->module_ctx.super.destroy;

	transaction_end(session);
	destroy(client); /* session is in its pool */
}

/* XCLIENT comes later: what differs now was told by a PROXY header. */
static bool came_by_proxy(const struct client *client)
{
	return !net_ip_compare(&client->remote_ip, &client->real_remote_ip) ||
	       client->remote_port != client->real_remote_port ||
	       !net_ip_compare(&client->local_ip, &client->real_local_ip) ||
	       client->local_port != client->real_local_port;
}

static void client_created(struct client **_client)
{
	struct client *client = *_client;
	struct session *session = p_new(client->pool, struct session, 1);

	session->client = client;
	session->by_proxy = came_by_proxy(client);
	session->module_ctx.super = client->v;
	client->v.trans_free = plugin_trans_free;
	client->v.destroy = plugin_destroy;
	client->v.cmd_rcpt = plugin_cmd_rcpt;
	client->v.cmd_data = plugin_cmd_data;
	client->v.local_deliver = plugin_local_deliver;
	MODULE_CONTEXT_SET(client, session_module, session);
	xclient_forget_logins(client->conn->server);
	if (next_hook != NULL)
		next_hook(_client);
}

bool client_hook_init(void)
{
	if (lmtp_client_created_hook_set == NULL)
		return FALSE;
	next_hook = lmtp_client_created_hook_set(client_created);
	hooked = TRUE;
	return TRUE;
}

void client_hook_deinit(void)
{
	if (hooked)
		(void)lmtp_client_created_hook_set(next_hook);
	hooked = FALSE;
}
