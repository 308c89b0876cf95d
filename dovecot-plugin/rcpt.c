/* SPDX-License-Identifier: MIT */
/* RCPT: refused here, one by one, where the peer alone decides and no copy is wanted. */
#include "connection.h"
#include "transaction.h"

#include "llist.h"
#include "report.h"
#include "trap.h"

static int refuse(struct transaction *t, struct recipient *r)
{
	report_recipient(t, r);
	recipient_refuse(t, r);
	return -1;
}

static int pass_on(struct transaction *t, struct recipient *r)
{
	struct session *s = t->session;

	return s->module_ctx.super.cmd_rcpt(s->client, r->cmd, r->lrcpt);
}

/* What is accepted, and what only the header can tell, is reported with the message. */
static int conclude(struct transaction *t, struct recipient *r)
{
	enum mxguard_action action;

	if (!recipient_decided(t, r))
		return pass_on(t, r);
	recipient_judge(t, r);
	action = recipient_action(t, r);
	if (action == MXGUARD_ACTION_REJECT && trap_waits(t, r)) {
		report_recipient(t, r);
		return pass_on(t, r);
	}
	if (action == MXGUARD_ACTION_REJECT || action == MXGUARD_ACTION_DEFER)
		return refuse(t, r);
	return pass_on(t, r);
}

static void wait_for_check(struct transaction *t, struct recipient *r)
{
	r->transaction = t;
	DLLIST_PREPEND(&t->waiting, r);
}

static int decide(struct transaction *t, struct recipient *r)
{
	int progress;

	if (!transaction_add(t, r)) {
		r->trouble = TROUBLE_MEMORY;
		return refuse(t, r);
	}
	progress = transaction_run(t);
	if (progress < 0) {
		r->trouble = TROUBLE_MEMORY;
		return refuse(t, r);
	}
	if (progress == MXGUARD_PROGRESS_NEED_DNS && !recipient_decided(t, r)) {
		wait_for_check(t, r);
		return 0;
	}
	return conclude(t, r);
}

int plugin_cmd_rcpt(struct client *client, struct smtp_server_cmd_ctx *cmd, struct lmtp_recipient *lrcpt)
{
	struct session *session = session_of(client);
	struct transaction *t = transaction_get(session);
	struct recipient *r = recipient_new(lrcpt, cmd);

	if (t->trouble != TROUBLE_NONE)
		return refuse(t, r);
	if (t->running) {
		wait_for_check(t, r);
		return 0;
	}
	return decide(t, r);
}

/* The end of a RCPT that waited: what smtp_server_cmd_rcpt() does for one that did not. */
static void finish(struct transaction *t, struct recipient *r)
{
	struct smtp_server_cmd_ctx *cmd = r->cmd;
	struct smtp_server_command *command = cmd->cmd;
	int ret;

	smtp_server_command_ref(command);
	ret = !r->added ? decide(t, r) : conclude(t, r);
	if (ret > 0 && !smtp_server_command_is_replied(command))
		smtp_server_cmd_rcpt_reply_success(cmd);
	smtp_server_command_unref(&command);
}

/* The oldest one: a list made by prepending has it at its end. */
static struct recipient *take_oldest(struct transaction *t)
{
	struct recipient *r = t->waiting;

	while (r->next != NULL)
		r = r->next;
	DLLIST_REMOVE(&t->waiting, r);
	r->transaction = NULL;
	return r;
}

/* Each reply can bring the next command, or the end of the connection. */
void transaction_go_on(struct transaction *t)
{
	struct connection_visit visit;

	transaction_ref(t);
	connection_enter(&visit, t->session->client->conn);
	if (t->data_continue != NULL) {
		data_continue_t *go_on = t->data_continue;

		t->data_continue = NULL;
		go_on(t);
	} else {
		while (t->session != NULL && !t->running && t->waiting != NULL)
			finish(t, take_oldest(t));
	}
	connection_leave(&visit);
	transaction_unref(&t);
}
