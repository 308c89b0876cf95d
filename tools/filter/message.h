/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_MESSAGE_H
#define MXG_FILTER_MESSAGE_H

#include "output.h"
#include "session.h"

/*
 * A message, line by line. What stands in the header is kept until it is decided, since our field goes
 * on top of it; the body then goes through as it comes. smtpd takes no answer but lines before the
 * message's end: a refusal waits for the request `commit`, and lines that nobody will read are dropped.
 */

/* A line as smtpd sends it: raw, with its dots, a single one at the end. */
void mxg_filter_message_line(struct mxg_filter_session *session, struct mxg_filter_output *out, const char *line,
			     size_t length);
/* The door has decided. */
void mxg_filter_message_decided(struct mxg_filter_session *session, struct mxg_filter_output *out);
/* `commit`: whether the message may be taken. */
void mxg_filter_message_commit(struct mxg_filter_session *session, struct mxg_filter_output *out);
/* The message is over, or the connection is gone. */
void mxg_filter_message_reset(struct mxg_filter_session *session);

/* The request's answer: "proceed", or what goes behind "reject|". */
void mxg_filter_answer(const struct mxg_filter_session *session, struct mxg_filter_output *out, const char *refusal);
/* "550 5.7.1 …"; "": 250. */
void mxg_filter_refusal(char text[MXG_FILTER_REPLY_MAX], const struct mxg_door_reply *reply);

#endif
