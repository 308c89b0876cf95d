/* SPDX-License-Identifier: MIT */
/* What syslog daemons, journalctl and Dovecot write in front of a message. */
#include "report/decision.h"

static bool take(const char **at, const char *end, char c)
{
	if (*at >= end || **at != c)
		return false;
	(*at)++;
	return true;
}

/* ---- the tag ------------------------------------------------------------------------------------------------ */

/* What stands in front of the "[pid]", ":" or "(user)" of a tag. */
static size_t name_length(const char *tag, size_t len)
{
	size_t n = 0;
	while (n < len && tag[n] != '[' && tag[n] != ':' && tag[n] != '(')
		n++;
	return n;
}

#define IS(TEXT) (n == sizeof(TEXT) - 1 && memcmp(tag, TEXT, sizeof(TEXT) - 1) == 0)

bool mxg_line_is_ours(const char *tag, size_t len)
{
	if (len < 3 || (tag[0] != 'm' && tag[0] != 'd' && tag[0] != 'l'))
		return false;
	size_t n = name_length(tag, len);
	return IS("mxguard") || IS("dovecot") || IS("mxguard-lda") || IS("lmtp") || IS("lda") || IS("dovecot-lda") ||
	       (n > 8 && n < 40 && memcmp(tag, "mxguard-", 8) == 0 && memchr(tag, ' ', n) == NULL);
}

/* OpenSMTPD writes what a filter says on standard error behind the filter's name, and its own tag before it. */
static const char *behind_filter(const char *at, const char *end)
{
	if (!mxg_begins(at, end, "mxguard", 7))
		return NULL;
	for (at += 7; at < end && *at != ':' && *at != ' ';)
		at++;
	return mxg_begins(at, end, ": ", 2) ? at + 2 : NULL;
}

const char *mxg_line_behind_tag(const char *tag, size_t len, const char *at, const char *end)
{
	if (mxg_line_is_ours(tag, len))
		return at;
	size_t n = len < 5 || tag[0] != 's' ? 0 : name_length(tag, len);
	return IS("smtpd") ? behind_filter(at, end) : NULL;
}

/* One word up to a blank. */
static const char *word_end(const char *at, const char *end)
{
	return mxg_find(at, end, ' ');
}

/* RFC 5424 behind the time: HOST APP PID MSGID STRUCTURED-DATA MESSAGE. */
static const char *skip_structured(const char *at, const char *end)
{
	if (take(&at, end, '-'))
		return at;
	bool quoted = false;
	while (at < end && *at == '[') {
		for (at++; at < end && (quoted || *at != ']'); at++) {
			if (*at == '\\' && quoted && at + 1 < end)
				at++;
			else if (*at == '"')
				quoted = !quoted;
		}
		at += at < end;
	}
	return at;
}

static bool read_5424(struct mxg_prefix_found *out, const char *at, const char *end)
{
	const char *program = at;
	size_t len = 0;
	for (size_t i = 0; i < 4; i++) { /* host, program, pid, message id */
		if (!take(&at, end, ' '))
			return false;
		program = i == 1 ? at : program;
		at = word_end(at, end);
		len = i == 1 ? (size_t)(at - program) : len;
	}
	if (!take(&at, end, ' '))
		return false;
	at = skip_structured(at, end);
	take(&at, end, ' ');
	if (mxg_begins(at, end, "\xef\xbb\xbf", 3)) /* RFC 5424 §6.4: a byte order mark */
		at += 3;
	out->message = mxg_line_behind_tag(program, len, at, end);
	return out->message != NULL;
}

/* "HOST mxguard[12]: ", or without the host as Dovecot writes its own files. */
static bool read_host_and_tag(struct mxg_prefix_found *out, const char *at, const char *end)
{
	for (int word = 0; word < 2; word++) {
		if (!take(&at, end, ' '))
			return false;
		const char *first = at;
		at = word_end(at, end);
		if (at == first)
			return false;
		/* rsyslog writes a tag that came by RFC 5424 without the colon */
		if (at[-1] != ':' && word == 1 && mxg_line_is_ours(first, (size_t)(at - first))) {
			out->message = at + (at < end);
			return true;
		}
		if (at[-1] != ':')
			continue;
		const char *message = mxg_line_behind_tag(first, (size_t)(at - first), at + (at < end), end);
		if (message == NULL)
			return false;
		/* a bare "mxguard: verdict=" has no tag: it begins the message */
		bool bare = at - first == 8 && memcmp(first, "mxguard:", 8) == 0 && mxg_begins(at, end, " verdict=", 9);
		/* Dovecot's own "lmtp(12): " is read with what follows */
		bool dovecot = first[0] == 'l' || mxg_begins(first, end, "dovecot-lda(", 12);
		out->message = bare || dovecot ? first : message;
		return true;
	}
	return false;
}

bool mxg_line_prefix(struct mxg_prefix_found *out, const char *line, size_t len, struct mxg_line_clock *c)
{
	const char *at = line, *end = line + len;
	bool version = false;
	out->time = 0;
	if (at < end && *at == '<') { /* <priority> */
		while (at < end && at - line < 6 && *at != '>')
			at++;
		if (!take(&at, end, '>'))
			return false;
		version = mxg_begins(at, end, "1 ", 2);
		at += version ? 2 : 0;
	}
	if (mxg_begins(at, end, "mxguard: verdict=", 17) || mxg_begins(at, end, "{\"verdict\":", 11)) {
		out->message = at;
		return true;
	}
	const char *behind = mxg_line_time(&out->time, at, end, c);
	if (behind == NULL)
		return false;
	if (mxg_begins(behind, end, " {\"verdict\":", 12)) {
		out->message = behind + 1;
		return true;
	}
	return version ? read_5424(out, behind, end) : read_host_and_tag(out, behind, end);
}

static const char *skip_repeat(const char *at, const char *end, uint32_t *repeat)
{
	static const char begin[] = "message repeated ", middle[] = " times: [ ";
	const char *p = at + sizeof(begin) - 1;
	uint32_t n = 0;
	if (!mxg_begins(at, end, begin, sizeof(begin) - 1))
		return at;
	while (p < end && *p >= '0' && *p <= '9' && n < 10000000)
		n = n * 10 + (uint32_t)(*p++ - '0');
	if (n == 0 || !mxg_begins(p, end, middle, sizeof(middle) - 1))
		return at;
	*repeat = n;
	return p + sizeof(middle) - 1;
}

const char *mxg_line_message(const char *at, const char *end, uint32_t *repeat)
{
	*repeat = 1;
	at = skip_repeat(at, end, repeat);
	if (!mxg_begins(at, end, "lmtp(", 5) && !mxg_begins(at, end, "lda(", 4) &&
	    !mxg_begins(at, end, "dovecot-lda(", 12))
		return at;
	const char *p = word_end(at, end); /* "lmtp(12):", "lda(user)<12><abc>:": no blank in it */
	if (p == end || p[-1] != ':')
		return at;
	p++;
	return mxg_begins(p, end, "Info: ", 6) ? p + 6 : p;
}
