/* SPDX-License-Identifier: MIT */
/* Replies to an MTA. */
#include "response.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool printable(char c)
{
	return c >= ' ' && c <= '~';
}

void mxg_response_add(struct mxg_response *reply, const char *field)
{
	size_t used = 0;
	bool blank = false;
	reply->kind = MXG_RESPONSE_ADD;
	for (; *field != '\0' && used + 1 < sizeof(reply->text); field++) {
		blank |= *field == '\r' || *field == '\n' || *field == '\t' || *field == ' ';
		if (*field == '\r' || *field == '\n' || *field == '\t' || *field == ' ')
			continue;
		if (blank && used > 0 && used + 2 < sizeof(reply->text))
			reply->text[used++] = ' ';
		blank = false;
		reply->text[used++] = printable(*field) ? *field : '?';
	}
	reply->text[used] = '\0';
}

void mxg_response_refuse(struct mxg_response *reply, int code, const char *status, const char *text)
{
	reply->kind = MXG_RESPONSE_REFUSE;
	/* RFC 5321 §4.5.3.1.5 gives a reply line 512 bytes; Postfix adds the recipient to it */
	snprintf(reply->text, sizeof(reply->text), "%d %s %.400s", code, status, text);
}

static const char *word_of(enum mxg_response_kind kind, bool line)
{
	if (kind == MXG_RESPONSE_PASS)
		return line ? "accept" : "DUNNO";
	if (kind == MXG_RESPONSE_ADD)
		return line ? "add " : "PREPEND ";
	return "";
}

size_t mxg_response_write(char buffer[MXG_RESPONSE_MAX], const struct mxg_response *reply, enum mxg_request_form form)
{
	bool line = form == MXG_REQUEST_LINE;
	if (reply->kind == MXG_RESPONSE_NOTHING)
		return 0;
	int n = snprintf(buffer, MXG_RESPONSE_MAX, "%s%s%s", line ? "" : "action=", word_of(reply->kind, line),
			 reply->kind == MXG_RESPONSE_PASS ? "" : reply->text);
	if (n < 0 || n > MXG_RESPONSE_MAX - 3)
		return 0;
	size_t len = (size_t)n;
	for (size_t i = 0; i < len; i++)
		if (!printable(buffer[i]))
			buffer[i] = '?';
	buffer[len++] = '\n';
	if (!line)
		buffer[len++] = '\n';
	return len;
}
