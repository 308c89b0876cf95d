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
	char line[LINE_MAX_LEN];

	e = e->add_str("verdict", mxguard_verdict_name(mxguard_check_verdict(check, index)));
	e = e->add_str("action", mxguard_action_name(mxguard_check_action(check, index)));
	e = e->add_str("would", mxguard_action_name(mxguard_check_would(check, index)));
	e = e->add_str("mode", mxguard_mode_name(mxguard_check_mode(check, index)));
	e = e->add_str("reason", mxguard_check_text(check, index, MXGUARD_TEXT_REASON));
	e = e->add_str("gateway", mxguard_check_text(check, index, MXGUARD_TEXT_GATEWAY));
	e = e->add_str("peer", mxguard_check_text(check, index, MXGUARD_TEXT_PEER));
	e = e->add_str("boundary", mxguard_check_text(check, index, MXGUARD_TEXT_BOUNDARY_PEER));
	mxguard_check_log_line(check, index, line, sizeof(line));
	e_info(e->event(), "%s", line);
}

/* No check could be made: the line has the same fields, so that scripts can read it. */
static void report_broken(struct transaction *t, struct recipient *r)
{
	const struct client *client = t->session->client;
	const char *peer = client->remote_ip.family == 0 ? "-" : net_ip2addr(&client->remote_ip);
	const char *reason = trouble_code(t->trouble != TROUBLE_NONE ? t->trouble : r->trouble);
	struct event_passthrough *e = decision(r->lrcpt->rcpt->event);

	e = e->add_str("verdict", "undecided")->add_str("action", "defer")->add_str("would", "defer");
	e = e->add_str("reason", reason)->add_str("gateway", "")->add_str("peer", peer);
	e_info(e->event(),
	       "mxguard: verdict=undecided action=defer would=- mode=- place=- peer=%s boundary=- hop=0 gateway=- "
	       "term=- from=<%s> rcpt=<%s> id=<%s> msgid=<> reason=%s",
	       peer, str_sanitize(smtp_address_encode(t->trans->mail_from), ADDRESS_SHOWN),
	       str_sanitize(smtp_address_encode(r->lrcpt->rcpt->path), ADDRESS_SHOWN), t->trans->id, reason);
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
