/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <string.h>

/* What is left of a line. */
struct rest {
	char *at, *end;
};

/* The next field, terminated; NULL: there is none. The last one may hold bars. */
static char *next(struct rest *r)
{
	char *field = r->at;
	if (field == NULL)
		return NULL;
	char *bar = memchr(field, '|', (size_t)(r->end - field));
	if (bar != NULL)
		*bar = '\0';
	r->at = bar == NULL ? NULL : bar + 1;
	return field;
}

/* All that is left, bars and all. */
static void take_rest(struct mxg_filter_line *line, struct rest *r)
{
	line->value = r->at == NULL ? "" : r->at;
	line->length = r->at == NULL ? 0 : (size_t)(r->end - r->at);
}

static void take_text(struct mxg_filter_line *line, const char *text)
{
	line->value = text;
	line->length = strlen(text);
}

static bool take_id(char id[MXG_FILTER_ID_MAX], const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);
	if (len == 0 || len >= MXG_FILTER_ID_MAX || strspn(text, "0123456789abcdefABCDEF") != len)
		return false;
	memcpy(id, text, len + 1);
	return true;
}

/* "0.4" is 4; what cannot be read is newer than all. */
static int version_of(const char *text)
{
	if (text == NULL || strncmp(text, "0.", 2) != 0 || text[2] < '0' || text[2] > '9' || text[3] != '\0')
		return text == NULL ? 0 : 99;
	return text[2] - '0';
}

/* ---- reports ------------------------------------------------------------------------------------- */

/* rdns|fcrdns|src|dest; src is "address:port", "[address]:port" or "unix:/path". More than four fields are a
 * reverse name with bars in it, and that name is the client's to choose. */
static bool take_source(struct mxg_filter_line *line, struct rest *r)
{
	next(r);
	next(r);
	char *src = next(r);
	if (src == NULL || next(r) == NULL || r->at != NULL)
		return false;
	char *colon = strrchr(src, ':');
	bool local = strncmp(src, "unix:", 5) == 0 || strcmp(src, "local") == 0;
	if (colon != NULL && !local)
		*colon = '\0';
	take_text(line, local ? "" : src);
	return true;
}

/* method|identity; once only the identity. */
static bool take_identity(struct mxg_filter_line *line, struct rest *r)
{
	char *at = r->at;
	if (at == NULL)
		return false;
	bool method = strncmp(at, "HELO|", 5) == 0 || strncmp(at, "EHLO|", 5) == 0;
	r->at = method ? at + 5 : at;
	take_rest(line, r);
	return true;
}

/* Which of two fields is the result, the version tells: in the newer ones the other may hold bars. */
static bool take_result(struct mxg_filter_line *line, struct rest *r, const char *yes, bool result_first)
{
	if (r->at == NULL)
		return false;
	if (result_first) {
		const char *result = next(r);
		line->good = strcmp(result, yes) == 0;
		take_rest(line, r);
		return r->at != NULL;
	}
	char *bar = memrchr(r->at, '|', (size_t)(r->end - r->at));
	if (bar == NULL)
		return false;
	*bar = '\0';
	line->good = strcmp(bar + 1, yes) == 0;
	line->value = r->at;
	line->length = (size_t)(bar - r->at);
	return true;
}

static const struct {
	const char *name;
	enum mxg_filter_stream stream;
	enum mxg_filter_event event;
} events[] = {
	{ "link-connect", MXG_FILTER_REPORT, MXG_FILTER_LINK_CONNECT },
	{ "link-disconnect", MXG_FILTER_REPORT, MXG_FILTER_LINK_DISCONNECT },
	{ "link-identify", MXG_FILTER_REPORT, MXG_FILTER_LINK_IDENTIFY },
	{ "link-auth", MXG_FILTER_REPORT, MXG_FILTER_LINK_AUTH },
	{ "tx-begin", MXG_FILTER_REPORT, MXG_FILTER_TX_BEGIN },
	{ "tx-mail", MXG_FILTER_REPORT, MXG_FILTER_TX_MAIL },
	{ "tx-rcpt", MXG_FILTER_REPORT, MXG_FILTER_TX_RCPT },
	{ "tx-reset", MXG_FILTER_REPORT, MXG_FILTER_TX_END },
	{ "tx-commit", MXG_FILTER_REPORT, MXG_FILTER_TX_END },
	{ "tx-rollback", MXG_FILTER_REPORT, MXG_FILTER_TX_END },
	{ "rcpt-to", MXG_FILTER_REQUEST, MXG_FILTER_RCPT_TO },
	{ "data-line", MXG_FILTER_REQUEST, MXG_FILTER_DATA_LINE },
	{ "commit", MXG_FILTER_REQUEST, MXG_FILTER_COMMIT },
};

static enum mxg_filter_event event_of(enum mxg_filter_stream stream, const char *name)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i].stream == stream && strcmp(events[i].name, name) == 0)
			return events[i].event;
	return MXG_FILTER_OTHER;
}

static bool take_payload(struct mxg_filter_line *line, struct rest *r, int version)
{
	switch (line->event) {
	case MXG_FILTER_LINK_CONNECT:
		return take_source(line, r);
	case MXG_FILTER_LINK_IDENTIFY:
		return take_identity(line, r);
	case MXG_FILTER_LINK_AUTH:
		return take_result(line, r, "pass", version >= 7);
	case MXG_FILTER_TX_MAIL:
	case MXG_FILTER_TX_RCPT:
		return next(r) != NULL && take_result(line, r, "ok", version >= 6);
	case MXG_FILTER_TX_BEGIN:
		take_text(line, r->at == NULL ? "" : next(r));
		return true;
	case MXG_FILTER_RCPT_TO:
	case MXG_FILTER_DATA_LINE:
		take_rest(line, r);
		return r->at != NULL;
	default:
		return true;
	}
}

/* ---- the line ------------------------------------------------------------------------------------ */

static bool read_config(struct mxg_filter_line *line, struct rest *r)
{
	const char *key = next(r);
	if (key == NULL)
		return false;
	line->event = strcmp(key, "ready") == 0 ? MXG_FILTER_READY : MXG_FILTER_OTHER;
	return true;
}

/* stream|version|time|subsystem|event|session, and a request's token */
static bool read_event(struct mxg_filter_line *line, struct rest *r)
{
	int version = version_of(next(r));
	const char *time = next(r), *subsystem = next(r), *name = next(r);
	line->token_first = version < 5;
	if (time == NULL || subsystem == NULL || name == NULL || version == 0)
		return false;
	if (strcmp(subsystem, "smtp-in") != 0)
		return true; /* not ours */
	line->event = event_of(line->stream, name);
	if (!take_id(line->session, next(r)))
		return false;
	if (line->stream == MXG_FILTER_REQUEST && !take_id(line->token, next(r)))
		return false;
	return take_payload(line, r, version);
}

bool mxg_filter_line_read(struct mxg_filter_line *line, char *text, size_t length)
{
	struct rest r = { text, text + length };
	*line = (struct mxg_filter_line){ .value = "" };
	text[length] = '\0';
	const char *stream = next(&r);
	if (strcmp(stream, "config") == 0) {
		line->stream = MXG_FILTER_CONFIG;
		return read_config(line, &r);
	}
	if (strcmp(stream, "report") != 0 && strcmp(stream, "filter") != 0)
		return false;
	line->stream = stream[0] == 'r' ? MXG_FILTER_REPORT : MXG_FILTER_REQUEST;
	return read_event(line, &r);
}
