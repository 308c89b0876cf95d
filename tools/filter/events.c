/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <stdio.h>
#include <string.h>

#include "../service/log.h"
#include "message.h"

#define SHOWN 80

static const char registrations[] = "register|report|smtp-in|link-connect\n"
				    "register|report|smtp-in|link-disconnect\n"
				    "register|report|smtp-in|link-identify\n"
				    "register|report|smtp-in|link-auth\n"
				    "register|report|smtp-in|tx-begin\n"
				    "register|report|smtp-in|tx-mail\n"
				    "register|report|smtp-in|tx-rcpt\n"
				    "register|report|smtp-in|tx-reset\n"
				    "register|report|smtp-in|tx-commit\n"
				    "register|report|smtp-in|tx-rollback\n"
				    "register|filter|smtp-in|rcpt-to\n"
				    "register|filter|smtp-in|data-line\n"
				    "register|filter|smtp-in|commit\n"
				    "register|ready\n";
static const char trouble[] = "451 4.3.0 Temporary internal failure";

/* ---- reports ------------------------------------------------------------------------------------- */

static void connect(struct mxg_filter_events *e, const struct mxg_filter_line *line)
{
	struct mxg_filter_session *s = mxg_filter_sessions_add(e->sessions, line->session, e->desk, e->relayed);
	if (s == NULL) {
		mxg_log_error("mxguard: smtpd-filter: out of memory");
		return; /* who is not known gets 451 */
	}
	mxg_door_tell(s->door, MXG_DOOR_PEER, line->value);
	mxg_door_tell(s->door, MXG_DOOR_ID, line->session);
}

static void begin(struct mxg_filter_events *e, struct mxg_filter_session *s, const char *sender)
{
	mxg_filter_message_reset(s);
	s->rcpt_open = false;
	mxg_door_hold(s->door, mxguard_policy_trap(mxguard_session_policy(mxg_desk_session(e->desk))) != NULL);
	mxg_door_mail(s->door, sender);
}

static void report(struct mxg_filter_events *e, struct mxg_filter_session *s, const struct mxg_filter_line *line)
{
	switch (line->event) {
	case MXG_FILTER_LINK_IDENTIFY:
		mxg_door_tell(s->door, MXG_DOOR_HELO, line->value);
		break;
	case MXG_FILTER_LINK_AUTH:
		if (line->good)
			mxg_door_tell(s->door, MXG_DOOR_LOGIN, line->value);
		break;
	case MXG_FILTER_TX_BEGIN:
		mxg_door_tell(s->door, MXG_DOOR_ID, line->value);
		break;
	case MXG_FILTER_TX_MAIL:
		if (line->good)
			begin(e, s, line->value);
		break;
	case MXG_FILTER_TX_RCPT:
		if (!line->good && s->rcpt_open) /* smtpd refuses what it cannot read without asking us */
			mxg_door_withdraw(s->door);
		s->rcpt_open = false;
		break;
	case MXG_FILTER_TX_END:
		mxg_filter_message_reset(s);
		mxg_door_reset(s->door);
		break;
	default:
		break;
	}
}

/* ---- requests ------------------------------------------------------------------------------------ */

static void answer_rcpt(struct mxg_filter_events *e, struct mxg_filter_session *s)
{
	char refusal[MXG_FILTER_REPLY_MAX];
	mxg_filter_refusal(refusal, mxg_door_reply(s->door));
	s->waits_for_rcpt = false;
	s->rcpt_open = refusal[0] == '\0';
	mxg_filter_answer(s, e->out, refusal);
}

/* smtpd asks for one thing at a time; if it did not, nobody could tell whose the answer is. */
static void ask_rcpt(struct mxg_filter_events *e, struct mxg_filter_session *s, const char *recipient)
{
	if (mxg_door_is_waiting(s->door)) {
		mxg_filter_answer(s, e->out, trouble);
		return;
	}
	s->waits_for_rcpt = true;
	if (mxg_door_rcpt(s->door, recipient) == MXG_DOOR_READY)
		answer_rcpt(e, s);
}

static void request(struct mxg_filter_events *e, struct mxg_filter_session *s, const struct mxg_filter_line *line)
{
	memcpy(s->token, line->token, sizeof(s->token));
	s->token_first = line->token_first;
	if (line->event == MXG_FILTER_RCPT_TO)
		ask_rcpt(e, s, line->value);
	else if (line->event == MXG_FILTER_DATA_LINE)
		mxg_filter_message_line(s, e->out, line->value, line->length);
	else if (line->event == MXG_FILTER_COMMIT)
		mxg_filter_message_commit(s, e->out);
}

/* A session that we have not seen begin. Lines go back as they are; its end is refused. */
static void request_of_nobody(struct mxg_filter_events *e, const struct mxg_filter_line *line)
{
	struct mxg_filter_session nobody = { .token_first = line->token_first };
	memcpy(nobody.id, line->session, sizeof(nobody.id));
	memcpy(nobody.token, line->token, sizeof(nobody.token));
	nobody.stage = MXG_FILTER_REFUSED;
	if (line->event == MXG_FILTER_DATA_LINE)
		mxg_filter_message_line(&nobody, e->out, line->value, line->length);
	else
		mxg_filter_answer(&nobody, e->out, trouble);
}

/* ---- lines ---------------------------------------------------------------------------------------- */

static void complain(const char *text, size_t length)
{
	char shown[SHOWN + 1];
	size_t n = 0;
	for (; n < length && n < SHOWN; n++)
		shown[n] = (unsigned char)text[n] >= ' ' && (unsigned char)text[n] < 0x7f ? text[n] : '?';
	shown[n] = '\0';
	mxg_log_error("mxguard: smtpd-filter: smtpd said what cannot be read: \"%s\"", shown);
}

static bool is_wanted_request(const struct mxg_filter_line *line)
{
	return line->stream == MXG_FILTER_REQUEST && line->token[0] != '\0' && line->event != MXG_FILTER_OTHER;
}

/* What cannot be read is never a reason to accept: the request is refused, the session forgotten. */
static void give_up(struct mxg_filter_events *e, const struct mxg_filter_line *line)
{
	if (is_wanted_request(line))
		request_of_nobody(e, line);
	if (line->session[0] != '\0')
		mxg_filter_sessions_remove(e->sessions, line->session);
}

static void act(struct mxg_filter_events *e, const struct mxg_filter_line *line)
{
	if (line->event == MXG_FILTER_LINK_CONNECT) {
		connect(e, line);
		return;
	}
	if (line->event == MXG_FILTER_LINK_DISCONNECT) {
		mxg_filter_sessions_remove(e->sessions, line->session);
		return;
	}
	struct mxg_filter_session *s = mxg_filter_sessions_find(e->sessions, line->session);
	if (s != NULL && line->stream == MXG_FILTER_REPORT)
		report(e, s, line);
	else if (s != NULL)
		request(e, s, line);
	else if (is_wanted_request(line))
		request_of_nobody(e, line);
}

void mxg_filter_take_line(struct mxg_filter_events *e, char *text, size_t length)
{
	char beginning[SHOWN];
	size_t shown = length < sizeof(beginning) ? length : sizeof(beginning);
	struct mxg_filter_line line;
	memcpy(beginning, text, shown);
	if (!mxg_filter_line_read(&line, text, length)) {
		complain(beginning, shown);
		give_up(e, &line);
	} else if (line.stream != MXG_FILTER_CONFIG) {
		if (line.event != MXG_FILTER_OTHER)
			act(e, &line);
	} else if (line.event == MXG_FILTER_READY && !e->ready) {
		mxg_filter_output_text(e->out, registrations);
		e->ready = true;
	}
}

void mxg_filter_take_broken(struct mxg_filter_events *e, char *text, size_t length)
{
	struct mxg_filter_line line;
	complain(text, length);
	(void)mxg_filter_line_read(&line, text, length);
	give_up(e, &line);
}

void mxg_filter_take_decisions(struct mxg_filter_events *e)
{
	struct mxg_door *door;
	while ((door = mxg_door_next(e->desk)) != NULL) {
		struct mxg_filter_session *s = mxg_door_owner(door);
		if (s->waits_for_rcpt)
			answer_rcpt(e, s);
		else
			mxg_filter_message_decided(s, e->out);
	}
}
