/* SPDX-License-Identifier: MIT */
/* DATA: what the header decides, and what is done with the message. */
#include "quarantine.h"
#include "report.h"
#include "transaction.h"
#include "trap.h"

#include "str.h"

#define TAG_MAX 2048

static struct recipient *recipient_at(struct smtp_server_recipient *rcpt)
{
	return recipient_of(rcpt->context);
}

static bool all_decided(const struct transaction *t)
{
	struct smtp_server_recipient *rcpt;

	array_foreach_elem(&t->trans->rcpt_to, rcpt)
		if (!recipient_decided(t, recipient_at(rcpt)))
			return FALSE;
	return TRUE;
}

static bool is_refusal(enum mxguard_action action)
{
	return action == MXGUARD_ACTION_REJECT || action == MXGUARD_ACTION_DEFER;
}

/* Settles and reports every recipient; false where all of them are refused. */
static bool conclude_all(struct transaction *t)
{
	struct smtp_server_recipient *rcpt;
	bool any = FALSE;

	array_foreach_elem(&t->trans->rcpt_to, rcpt) {
		struct recipient *r = recipient_at(rcpt);

		recipient_judge(t, r);
		if (r->lrcpt->type == LMTP_RECIPIENT_TYPE_PROXY && r->trouble == TROUBLE_NONE &&
		    recipient_action(t, r) != MXGUARD_ACTION_ACCEPT)
			recipient_tag_only(t, r);
		report_recipient(t, r);
		any = any || !is_refusal(recipient_action(t, r));
	}
	return any;
}

/* How bad a verdict is; the field on top of the message shows the worst. */
static int rank(enum mxguard_verdict verdict)
{
	switch (verdict) {
	case MXGUARD_VERDICT_DIRECT:
		return 3;
	case MXGUARD_VERDICT_UNKNOWN:
		return 2;
	case MXGUARD_VERDICT_AUTHORIZED:
		return 1;
	default:
		return 0;
	}
}

/* One message is delivered to all: so one field, and only by those who get the message. */
static const char *tag(const struct transaction *t)
{
	struct smtp_server_recipient *rcpt;
	char field[TAG_MAX], worst[TAG_MAX] = "";
	int worst_rank = -1;

	array_foreach_elem(&t->trans->rcpt_to, rcpt) {
		const struct recipient *r = recipient_at(rcpt);
		int r_rank = rank(mxguard_check_verdict(t->check, r->index));

		if (is_refusal(recipient_action(t, r)) || r_rank <= worst_rank)
			continue;
		if (mxguard_check_tag(t->check, r->index, field, sizeof(field)) != 1)
			continue;
		worst_rank = r_rank;
		memcpy(worst, field, sizeof(worst));
	}
	return t_strdup(worst);
}

static int deliver(struct transaction *t, struct smtp_server_cmd_ctx *cmd, struct istream *input, uoff_t size)
{
	struct session *s = t->session;
	struct smtp_server_recipient *rcpt;
	struct istream *rewritten;
	bool any = conclude_all(t);
	int ret;

	trap_keep(t, input);
	if (!any) {
		array_foreach_elem(&t->trans->rcpt_to, rcpt)
			recipient_refuse(t, recipient_at(rcpt));
		return 0;
	}
	rewritten = header_rewrite(input, tag(t), &t->header);
	ret = s->module_ctx.super.cmd_data(s->client, cmd, t->trans, rewritten, size);
	i_stream_unref(&rewritten);
	return ret;
}

static void deliver_later(struct transaction *t)
{
	struct smtp_server_cmd_ctx *cmd = t->data_cmd;
	struct smtp_server_command *command = cmd->cmd;
	struct istream *input = t->data_input;

	t->data_input = NULL;
	smtp_server_command_ref(command);
	(void)deliver(t, cmd, input, t->data_size);
	smtp_server_command_unref(&command);
	i_stream_unref(&input);
}

static void wait_for_check(struct transaction *t, struct smtp_server_cmd_ctx *cmd, struct istream *input, uoff_t size)
{
	t->data_cmd = cmd;
	t->data_input = input;
	i_stream_ref(input);
	t->data_size = size;
	t->data_continue = deliver_later;
}

static int fail_all(struct transaction *t, const char *enh_code)
{
	struct smtp_server_recipient *rcpt;

	array_foreach_elem(&t->trans->rcpt_to, rcpt)
		smtp_server_recipient_reply(rcpt, 451, enh_code, "Temporary internal failure");
	return 0;
}

/* Only the header can tell: 1 where it did, 0 where DNS is asked, -1 without memory. */
static int decide_by_header(struct transaction *t)
{
	int progress;

	(void)mxguard_check_header_end(t->check);
	progress = transaction_run(t);
	if (progress == MXGUARD_PROGRESS_NEED_HEADER)
		progress = mxguard_check_give_up(t->check, ioloop_time);
	return progress == MXGUARD_PROGRESS_NEED_DNS ? 0 : progress < 0 ? -1 : 1;
}

int plugin_cmd_data(struct client *client, struct smtp_server_cmd_ctx *cmd, struct smtp_server_transaction *trans,
		    struct istream *data_input, uoff_t data_size)
{
	struct transaction *t = transaction_get(session_of(client));
	bool wanted;
	int ret = 1;

	i_assert(t->trans == trans);
	if (t->trouble != TROUBLE_NONE) /* no recipient was let through */
		return fail_all(t, "4.3.5");
	transaction_stop(t);
	wanted = !all_decided(t) || mxguard_check_wants_header(t->check) == 1;
	if (header_scan(data_input, t->policy, wanted ? t->check : NULL, t->pool, &t->header) < 0) {
		e_error(client->event, "mxguard: read(%s) failed: %s", i_stream_get_name(data_input),
			i_stream_get_error(data_input));
		return fail_all(t, "4.3.0");
	}
	if (t->header.message_id != NULL)
		(void)mxguard_check_set_ids(t->check, NULL, t->header.message_id);
	if (wanted)
		ret = decide_by_header(t);
	if (ret < 0)
		return fail_all(t, "4.3.0");
	if (ret > 0)
		return deliver(t, cmd, data_input, data_size);
	wait_for_check(t, cmd, data_input, data_size);
	return 0;
}

/* Runs as the user and must not wait: the verdict stands already. */
int plugin_local_deliver(struct client *client, struct lmtp_recipient *lrcpt, struct smtp_server_cmd_ctx *cmd,
			 struct smtp_server_transaction *trans, struct lmtp_local_deliver_context *lldctx)
{
	struct session *session = session_of(client);
	struct transaction *t = session->transaction;
	struct recipient *r = recipient_of(lrcpt);
	enum mxguard_action action = recipient_action(t, r);
	const char *mailbox;
	struct quarantine_box box;
	int ret;

	if (is_refusal(action)) {
		recipient_refuse(t, r);
		return -1;
	}
	if (action != MXGUARD_ACTION_QUARANTINE)
		return session->module_ctx.super.local_deliver(client, lrcpt, cmd, trans, lldctx);
	mailbox = mxguard_check_text(t->check, r->index, MXGUARD_TEXT_QUARANTINE_MAILBOX);
	if (quarantine_open(lldctx->rcpt_user, mailbox, &box) < 0) {
		quarantine_complain(lrcpt->rcpt->event, &box);
		smtp_server_recipient_reply(lrcpt->rcpt, 451, "4.2.0", "Mailbox for suspicious mail is not available");
		return -1;
	}
	lldctx->rcpt_default_mailbox = box.name;
	quarantine_begin();
	ret = session->module_ctx.super.local_deliver(client, lrcpt, cmd, trans, lldctx);
	quarantine_end();
	return ret;
}
