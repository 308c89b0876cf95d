/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_LINE_H
#define MXG_FILTER_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* A line of smtpd-filters(7), taken apart where it stands. Protocols 0.4 to 0.7. */

enum mxg_filter_stream { MXG_FILTER_CONFIG, MXG_FILTER_REPORT, MXG_FILTER_REQUEST };

enum mxg_filter_event {
	MXG_FILTER_OTHER = 0, /* nothing that we asked for */
	MXG_FILTER_READY, /* config */
	/* reports */
	MXG_FILTER_LINK_CONNECT, /* value: the client's address as an MTA writes it, "": none */
	MXG_FILTER_LINK_DISCONNECT,
	MXG_FILTER_LINK_IDENTIFY, /* value: HELO */
	MXG_FILTER_LINK_AUTH, /* good; value: the login */
	MXG_FILTER_TX_BEGIN, /* value: the message's id */
	MXG_FILTER_TX_MAIL, /* good; value: the sender */
	MXG_FILTER_TX_RCPT, /* good; value: the recipient */
	MXG_FILTER_TX_END, /* reset, commit, rollback */
	/* requests */
	MXG_FILTER_RCPT_TO, /* value: the recipient */
	MXG_FILTER_DATA_LINE, /* value: the line */
	MXG_FILTER_COMMIT
};

#define MXG_FILTER_ID_MAX 32

struct mxg_filter_line {
	enum mxg_filter_stream stream;
	enum mxg_filter_event event;
	bool token_first; /* as answers are to be written: before protocol 0.5 */
	char session[MXG_FILTER_ID_MAX], token[MXG_FILTER_ID_MAX]; /* "": none */
	bool good; /* what was tried has succeeded */
	const char *value; /* in the line; bytes of the client's choice, terminated */
	size_t length;
};

/* text: without its end, `text[length]` may be written. False: it is none, or none that can be
 * understood; then stream, session and token are set as far as they could be read, so that somebody
 * can be told. */
bool mxg_filter_line_read(struct mxg_filter_line *line, char *text, size_t length);

#endif
