/* SPDX-License-Identifier: MIT */
/* Forms that few programs write, each matched as a whole line and by nothing
 * less. They are tried only where no grammar could read the field, and none of
 * them is in the language of any grammar, so there is nothing to disagree with. */
#include "received/clauses.h"

#include <string.h>

/*
 * A pattern is literal text and conversions. Each conversion takes the longest
 * run of its own bytes, and no byte that may follow it in a pattern is one of
 * them but where the text says so: there is one way to match, or none.
 *   ' '  blanks on the same physical line      '~'  blanks, perhaps with a fold
 *   %a   an address (the client's)             %p   the same, IPv4 or untagged IPv6 without brackets
 *   %e   HELO: host name or address literal    %r   host name that DNS gave
 *   %h   by: our host's name                   %i   id
 *   %n   digits                                %v   version: letters, digits and .-_
 *   %w   a plain word: nothing that could open or close anything
 *   %c   a comment, parentheses and all        %q   a recipient or sender
 *   %d   a date to the end (RFC 5322)          %t   a date to the end, as ctime(3) writes it
 */
struct form {
	unsigned mta;
	enum mxg_received_kind kind;
	bool authenticated;
	const char *pattern;
};

static const struct form forms[] = {
	/* qmail-scanner in qmail-queue's place: mail from anywhere, put back as a
	 * local user's */
	{ MXG_MTA_QMAIL, MXG_RECEIVED_LOCAL, false, "from %q by %h by uid %n with qmail-scanner-%v %c; %d" },
	/* Mercury/32 takes from its queue what its own users and the network left there */
	{ MXG_MTA_OTHER, MXG_RECEIVED_LOCAL, false, "from spooler by %h (Mercury/32 v%v);~%d" },
	/* Zimbra's mailboxd */
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, false, "from~%r~(LHLO~%r)~(%p)~by~%h~with~LMTP;~%d" },
	/* simta, receive.c */
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, false, "FROM %e (%r [%a])~BY %h ID %i ;~%d" },
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, false, "FROM %e ([%a])~BY %h ID %i ;~%d" },
	/* Obtuse Systems' smtpd */
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, false, "from %r(%p), claiming to be \"%e\"~via SMTP by %h, id %i; %t" },
	/* web mail: the browser's address, and a login since it is web mail */
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, true, "from %p (NaSMail authenticated user %q)~by %h with HTTP;~%d" },
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, true, "from %p (SquirrelMail authenticated user %q)~by %h with HTTP;~%d" },
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, true, "from [%a] by %h (via HTTP); %d" },
	/* sendmail's, broken off in the middle: no "by", so it is believed on top only */
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, false, "from %e (%w@%r [%a]) %v=FAIL); %d" },
	/* hour and day in words, and no date */
	{ MXG_MTA_OTHER, MXG_RECEIVED_PEER, false,
	  "from %e (%r [%a]) at just after %v by %h on a %v (%v) (envelope-from <%q>) with %v" },
};

struct match {
	const char *at, *end;
	struct mxg_received *out;
};

static bool is_address_byte(char c)
{
	return mxg_byte_is(c, MXG_BYTE_HOST) || c == ':';
}

static bool is_helo_byte(char c)
{
	return is_address_byte(c) || c == '[' || c == ']';
}

static bool is_host_byte(char c)
{
	return mxg_byte_is(c, MXG_BYTE_HOST);
}

/* no bracket, no quote, nothing that ends a clause */
static bool is_word_byte(char c)
{
	return is_host_byte(c) || c == '+' || c == '=' || c == '/';
}

static bool is_mailbox_byte(char c)
{
	return is_word_byte(c) || c == '@';
}

static struct mxg_slice take_run(struct match *m, bool (*is)(char))
{
	const char *start = m->at;
	while (m->at < m->end && is(*m->at))
		m->at++;
	return (struct mxg_slice){ start, (size_t)(m->at - start) };
}

static bool take_blanks(struct match *m, bool fold)
{
	const char *start = m->at;
	while (m->at < m->end && mxg_byte_is(*m->at, MXG_BYTE_BLANK)) {
		if (!fold && (*m->at == '\n' || *m->at == '\r'))
			return false;
		m->at++;
	}
	return m->at > start;
}

static bool take_address(struct match *m, unsigned shapes)
{
	struct mxg_slice text = take_run(m, is_address_byte);
	return mxg_address_parse(&m->out->address, text.at, text.len, shapes);
}

/* "[A]" has been opened by the pattern; a tag is part of the literal. */
static bool take_literal(struct match *m)
{
	struct mxg_slice text = take_run(m, is_address_byte);
	if (m->at == m->end || *m->at != ']')
		return false;
	return mxg_address_parse(&m->out->address, text.at - 1, text.len + 2,
				 MXG_ADDRESS_BRACKETED | MXG_ADDRESS_TAGGED);
}

/* On one line, balanced. */
static bool take_comment(struct match *m)
{
	unsigned depth = 0;
	if (m->at == m->end || *m->at != '(')
		return false;
	for (; m->at < m->end && *m->at != '\n' && *m->at != '\r'; m->at++) {
		if (*m->at == '(')
			depth++;
		else if (*m->at == ')' && --depth == 0) {
			m->at++;
			return true;
		}
	}
	return false;
}

/* What is left, all of it: a date and at most the name of its zone. */
static bool take_date(struct match *m)
{
	bool weekday;
	struct mxg_slice text = { m->at, (size_t)(m->end - m->at) };
	for (size_t i = 0; i < text.len; i++) {
		if (strchr("[]<>@;\"=", text.at[i]) != NULL)
			return false;
	}
	m->out->date_text = text;
	m->at = m->end;
	return mxg_date_parse(text.at, m->end, &weekday) != 0;
}

/* "Sun Nov 13 15:38:52 2005", all that is left. No zone: it is for no clock. */
static bool take_ctime(struct match *m)
{
	static const char shape[] = "Aaa Aaa #0 00:00:00 0000";
	if ((size_t)(m->end - m->at) != sizeof(shape) - 1)
		return false;
	for (const char *s = shape; *s != '\0'; s++, m->at++) {
		char c = *m->at;
		bool digit = c >= '0' && c <= '9';
		bool good = *s == 'A'   ? c >= 'A' && c <= 'Z'
			    : *s == 'a' ? c >= 'a' && c <= 'z'
			    : *s == '0' ? digit
			    : *s == '#' ? digit || c == ' '
					: c == *s;
		if (!good)
			return false;
	}
	return true;
}

static bool take(struct match *m, char conversion)
{
	struct mxg_received *out = m->out;
	switch (conversion) {
	case 'a':
		return take_literal(m);
	case 'p':
		return take_address(m, MXG_ADDRESS_BARE);
	case 'e':
		return mxg_slice_is_helo(out->helo = take_run(m, is_helo_byte));
	case 'r':
		return (out->hostname = take_run(m, is_host_byte)).len > 0;
	case 'h':
		return (out->by = take_run(m, is_host_byte)).len > 0;
	case 'i':
		return (out->id = take_run(m, is_host_byte)).len > 0;
	case 'n':
		return mxg_slice_digits(take_run(m, is_host_byte));
	case 'v':
		return take_run(m, is_host_byte).len > 0;
	case 'w':
		return take_run(m, is_word_byte).len > 0;
	case 'q':
		return take_run(m, is_mailbox_byte).len > 0;
	case 'c':
		return take_comment(m);
	case 'd':
		return take_date(m);
	case 't':
		return take_ctime(m);
	default:
		return false;
	}
}

static bool fits(struct match *m, const char *pattern)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern == '%') {
			if (!take(m, *++pattern))
				return false;
		} else if (*pattern == ' ' || *pattern == '~') {
			if (!take_blanks(m, *pattern == '~'))
				return false;
		} else if (m->at == m->end || *m->at++ != *pattern) {
			return false;
		}
	}
	return m->at == m->end;
}

bool mxg_form_read(struct mxg_received *out, const char *value, const char *end, unsigned mta_mask)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *form = &forms[i];
		if (mta_mask != 0 && (mta_mask & form->mta) == 0)
			continue;
		struct mxg_received one = { .kind = form->kind,
					    .mta = form->mta,
					    .authenticated = form->authenticated };
		struct match m = { value, end, &one };
		if (fits(&m, form->pattern)) {
			*out = one;
			return true;
		}
	}
	return false;
}
