/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "transaction.h"

#include "str-sanitize.h"

#define LINE_MAX_LEN 4096
#define ADDRESS_SHOWN 256

static struct event_category category_mxguard = { .name = "mxguard" };

static struct event_category *const categories[] = { &category_mxguard, NULL };

/* The line tells peer, recipient and session itself. With a prefix of its own it does not make
 * Dovecot tell its log process another one, and back, for each message. */
static struct event_passthrough *decision(struct event *parent)
{
	struct event_passthrough *e = event_create_passthrough(parent);

	e = e->set_name("mxguard_decision")->add_categories(categories);
	return e->replace_log_prefix(i_get_failure_prefix());
}

void report_check(const struct mxguard_check *check, size_t index, struct event *parent)
{
	struct event_passthrough *e = decision(parent);
	const char *key, *value;
	char line[LINE_MAX_LEN];

	for (size_t i = 0; (value = mxguard_check_log_field(check, index, i, &key)) != NULL; i++)
		e = e->add_str(key, value);
	mxguard_check_log_line(check, index, line, sizeof(line));
	e_info(e->event(), "%s", line);
}

/* No check could be made: the line has the same fields, so that scripts can read it. */
static void report_broken(struct transaction *t, struct recipient *r)
{
	const struct client *client = t->session->client;
	const char *peer = client->remote_ip.family == 0 ? NULL : net_ip2addr(&client->remote_ip);
	const char *reason = trouble_code(t->trouble != TROUBLE_NONE ? t->trouble : r->trouble);
	const char *from = smtp_address_encode(t->trans->mail_from), *rcpt = smtp_address_encode(r->lrcpt->rcpt->path);
	struct event_passthrough *e = decision(r->lrcpt->rcpt->event);
	char line[LINE_MAX_LEN];

	e = e->add_str("verdict", "undecided")->add_str("action", "defer")->add_str("reason", reason);
	e = e->add_str("peer", peer == NULL ? "" : peer)->add_str("id", t->trans->id);
	e = e->add_str("from", str_sanitize(from, ADDRESS_SHOWN))->add_str("rcpt", str_sanitize(rcpt, ADDRESS_SHOWN));
	mxguard_policy_trouble_line(t->policy, reason, peer, helo_of(t), from, rcpt, t->trans->id, line, sizeof(line));
	e_info(e->event(), "%s", line);
}

void report_recipient(struct transaction *t, struct recipient *r)
{
	if (r->reported)
		return;
	r->reported = TRUE;
	if (t->trouble != TROUBLE_NONE || r->trouble != TROUBLE_NONE || !r->added)
		report_broken(t, r);
	else
		report_check(t->check, r->index, r->lrcpt->rcpt->event);
}

/* Remarks go where people look for them, to `mxguard doctor`: a 2.4 process serves one connection,
 * and would repeat them. */
void report_notices(struct mxguard_session *session, struct event *event)
{
	enum mxguard_level level;
	const char *text;

	while ((text = mxguard_session_notice(session, &level)) != NULL) {
		if (level == MXGUARD_LEVEL_ERROR)
			e_error(event, "mxguard: all recipients are deferred with 451 4.3.5: %s", text);
		else if (level == MXGUARD_LEVEL_WARNING)
			e_warning(event, "mxguard: %s", text);
		else
			e_debug(event, "mxguard: %s", text);
	}
}
