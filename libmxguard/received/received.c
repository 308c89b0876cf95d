/* SPDX-License-Identifier: MIT */
/* One Received field: which MTA wrote it, and what it says. */
#include "received/received.h"

#include "base/ascii.h"
#include "received/clauses.h"

#include <string.h>

static const struct {
	unsigned mta;
	const char *name;
	mxg_grammar *read;
} mtas[] = {
	{ MXG_MTA_POSTFIX, "postfix", mxg_grammar_postfix },
	{ MXG_MTA_EXIM, "exim", mxg_grammar_exim },
	{ MXG_MTA_SENDMAIL, "sendmail", mxg_grammar_sendmail },
	{ MXG_MTA_OPENSMTPD, "opensmtpd", mxg_grammar_opensmtpd },
	{ MXG_MTA_COURIER, "courier", mxg_grammar_courier },
	{ MXG_MTA_QMAIL, "qmail", mxg_grammar_qmail },
	{ MXG_MTA_QPSMTPD, "qpsmtpd", mxg_grammar_qpsmtpd },
	{ MXG_MTA_HARAKA, "haraka", mxg_grammar_haraka },
	{ MXG_MTA_CHASQUID, "chasquid", mxg_grammar_chasquid },
	{ MXG_MTA_DOVECOT, "dovecot", mxg_grammar_dovecot },
	{ MXG_MTA_CYRUS, "cyrus", mxg_grammar_cyrus },
	{ MXG_MTA_AMAVIS, "amavis", mxg_grammar_amavis },
	{ MXG_MTA_EXCHANGE, "exchange", mxg_grammar_exchange },
	{ MXG_MTA_GOOGLE, "google", mxg_grammar_google },
	{ MXG_MTA_COMMUNIGATE, "communigate", mxg_grammar_communigate },
	{ MXG_MTA_FETCHMAIL, "fetchmail", mxg_grammar_fetchmail },
	{ MXG_MTA_GETMAIL, "getmail", mxg_grammar_getmail },
	{ MXG_MTA_NULLCLIENT, "nullclient", mxg_grammar_nullclient },
	{ MXG_MTA_OTHER, "other", mxg_grammar_other },
};

#define MTAS (sizeof(mtas) / sizeof(mtas[0]))

/* Other words that people use for them. */
static const struct {
	const char *name;
	unsigned mta;
} aliases[] = {
	{ "exim4", MXG_MTA_EXIM },       { "notqmail", MXG_MTA_QMAIL },
	{ "gmail", MXG_MTA_GOOGLE },     { "nullmailer", MXG_MTA_NULLCLIENT },
	{ "ssmtp", MXG_MTA_NULLCLIENT }, { "dma", MXG_MTA_NULLCLIENT },
};

unsigned mxg_mta_parse(const char *name, size_t len)
{
	struct mxg_slice given = { name, len };
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (mxg_slice_is(given, aliases[i].name))
			return aliases[i].mta;
	}
	for (size_t i = 0; i < MTAS; i++) {
		if (mxg_slice_is(given, mtas[i].name))
			return mtas[i].mta;
	}
	return 0;
}

const char *mxg_mta_name(unsigned mta)
{
	for (size_t i = 0; i < MTAS; i++) {
		if (mtas[i].mta == mta)
			return mtas[i].name;
	}
	return "unknown";
}

const char *mxg_mta_list(unsigned index)
{
	return index < MTAS ? mtas[index].name : NULL;
}

/* MTAs that name themselves in the comment behind their own name. */
static const struct {
	const char *text;
	unsigned mta;
	bool whole;
} signatures[] = {
	{ "Postfix", MXG_MTA_POSTFIX, true },    { "Postfix, from userid ", MXG_MTA_POSTFIX, false },
	{ "Postfix/", MXG_MTA_POSTFIX, false },  { "Exim ", MXG_MTA_EXIM, false },
	{ "ecelerity ", MXG_MTA_EXIM, false },   { "OpenSMTPD", MXG_MTA_OPENSMTPD, true },
	{ "Haraka/", MXG_MTA_HARAKA, false },    { "Haraka", MXG_MTA_HARAKA, true },
	{ "chasquid", MXG_MTA_CHASQUID, true },  { "qpsmtpd/", MXG_MTA_QPSMTPD, false },
	{ "Cyrus ", MXG_MTA_CYRUS, false },      { "Dovecot", MXG_MTA_DOVECOT, true },
	{ "qmail-ldap", MXG_MTA_QMAIL, false },  { "CommuniGate Pro ", MXG_MTA_COMMUNIGATE, false },
	{ "sSMTP ", MXG_MTA_NULLCLIENT, false }, { "DragonFly Mail Agent ", MXG_MTA_NULLCLIENT, false },
};

/* "8.17.1.9/8.17.1.9/Debian-2", "8.14.7/8.14.7/Submit" */
static bool is_sendmail_version(struct mxg_slice s)
{
	return s.len > 3 && s.at[0] >= '1' && s.at[0] <= '9' && s.at[1] == '.' && mxg_slice_find(s, '/') != NULL &&
	       mxg_slice_find(s, ' ') == NULL;
}

static unsigned signature_of(struct mxg_slice text)
{
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]) && text.len > 0; i++) {
		if (text.at[0] != signatures[i].text[0])
			continue;
		if (signatures[i].whole ? mxg_slice_is(text, signatures[i].text)
					: mxg_slice_begins(text, signatures[i].text))
			return signatures[i].mta;
	}
	return is_sendmail_version(text) ? MXG_MTA_SENDMAIL : 0;
}

static bool is_google_name(struct mxg_slice by)
{
	static const char *const ends[] = { ".google.com", ".gmail.com", ".googlemail.com" };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);
		if (by.len > n && memcmp(by.at + by.len - n, ends[i], n) == 0)
			return true;
	}
	return false;
}

/* Exim's comment stands behind the protocol and what it says of TLS, before the
 * id, the sender and the recipient; behind those a client could have written it. */
static bool has_exim_comment(const struct mxg_clauses *c)
{
	for (unsigned i = 0; i < c->tail.count; i++) {
		struct mxg_slice text = c->tail.item[i].text;
		if ((c->id.len > 0 && text.at > c->id.at) || (c->recipient.len > 0 && text.at > c->recipient.at) ||
		    mxg_slice_begins(text, "envelope-from"))
			return false;
		if (mxg_slice_begins(text, "Exim "))
			return true;
	}
	return false;
}

static bool protocol_is_followed_by(const struct mxg_clauses *c, const char *text)
{
	struct mxg_slice behind = c->after_protocol;
	while (behind.len > 0 && mxg_byte_is(behind.at[0], MXG_BYTE_BLANK))
		behind = mxg_slice_skip(behind, 1);
	return mxg_slice_begins(behind, text);
}

/* No word tells these; the form of what they write behind "by" does. It must
 * be theirs alone then: what their own grammar refuses, the common form may not
 * take, for it knows nothing of what they let through. */
static unsigned nameless_of(const struct mxg_clauses *c)
{
	bool weekday = true;
	if (mxg_is_courier_id(c->id) && c->tail.count == 0)
		return MXG_MTA_COURIER;
	if (mxg_is_exim_protocol(c->protocol) && mxg_is_exim_id(c->id))
		return MXG_MTA_EXIM;
	if (mxg_slice_begins(c->protocol, "LMTP") ||
	    (c->id.len >= 16 && c->tail.count > 0 && mxg_slice_begins(c->tail.item[0].text, "envelope-from <")))
		return MXG_MTA_DOVECOT;
	if (c->id.len == 0 && c->semicolon != NULL && mxg_date_parse(c->semicolon + 1, c->end, &weekday) != 0 &&
	    !weekday)
		return MXG_MTA_QMAIL;
	return MXG_MTA_OTHER;
}

/* Postfix under a mail_name of its own, told by the whole line of a login, which
 * no other MTA writes below "(NAME [A])". */
static bool is_postfix_line(const struct mxg_clauses *c)
{
	return c->after_by.item[0].comment && mxg_only_address_comment(c) &&
	       (mxg_slice_begins(c->protocol, "ESMTP") || mxg_slice_is(c->protocol, "SMTP")) &&
	       mxg_own_line(c, "Authenticated sender: ") != NULL && c->from.item[0].text.len > 0 &&
	       c->from.item[0].text.at[0] != '[';
}

/* Nothing that a client chooses stands there. Several where no word tells. */
unsigned mxg_clauses_writers(const struct mxg_clauses *c)
{
	if (c->form == MXG_FORM_COMMENT && c->by.len == 0)
		return MXG_MTA_QMAIL | MXG_MTA_HARAKA | MXG_MTA_NULLCLIENT;
	if (c->form == MXG_FORM_FROM_ONLY)
		return MXG_MTA_OTHER;
	const struct mxg_items *own = &c->after_by;
	unsigned told = own->count > 0 && own->item[0].comment ? signature_of(own->item[0].text) : 0;
	if (told != 0)
		return told;
	if (own->count == 2 && own->item[1].comment &&
	    (mxg_slice_begins(own->item[1].text, "amavis, ") || mxg_slice_begins(own->item[1].text, "amavisd-new, ")))
		return MXG_MTA_AMAVIS;
	if (mxg_slice_is(c->protocol, "Microsoft") || mxg_slice_is(c->protocol, "mapi") ||
	    (mxg_slice_is(c->protocol, "HTTPS") && own->count == 0 &&
	     (mxg_slice_begins(c->after_protocol, " via ") || mxg_slice_begins(c->after_protocol, ";"))))
		return MXG_MTA_EXCHANGE;
	if (own->count == 1 && is_postfix_line(c))
		return MXG_MTA_POSTFIX;
	if (has_exim_comment(c))
		return MXG_MTA_EXIM;
	if (protocol_is_followed_by(c, "(fetchmail-"))
		return MXG_MTA_FETCHMAIL;
	if (protocol_is_followed_by(c, "getmail"))
		return MXG_MTA_GETMAIL;
	if (is_google_name(c->by) && own->count == 0)
		return MXG_MTA_GOOGLE;
	return own->count == 0 ? nameless_of(c) : MXG_MTA_OTHER;
}

/* For display, and for what a grammar takes over as it is; *out is empty before. */
static void fill_common(struct mxg_received *out, const struct mxg_clauses *c)
{
	out->by = c->by;
	out->protocol = c->protocol;
	out->id = c->id;
	out->recipient = c->recipient;
	if (c->semicolon != NULL)
		out->date_text = (struct mxg_slice){ c->semicolon + 1, (size_t)(c->end - c->semicolon - 1) };
}

int64_t mxg_received_date(const struct mxg_received *r)
{
	bool weekday;
	return r->date_text.at == NULL ? 0
				       : mxg_date_parse(r->date_text.at, r->date_text.at + r->date_text.len, &weekday);
}

struct mxg_slice mxg_received_for(const struct mxg_received *r)
{
	struct mxg_slice to = r->recipient;
	if (to.len > 2 && to.at[0] == '<' && to.at[to.len - 1] == '>')
		to = (struct mxg_slice){ to.at + 1, to.len - 2 };
	const char *at = mxg_slice_find(to, '@');
	if (at != NULL) {
		struct mxg_slice user = { to.at, (size_t)(at - to.at) };
		if (mxg_slice_is_word(user) && mxg_slice_is_word(mxg_slice_skip(to, user.len + 1)))
			return to;
	}
	return (struct mxg_slice){ NULL, 0 };
}

static bool same_reading(const struct mxg_received *a, const struct mxg_received *b)
{
	return a->kind == b->kind && a->authenticated == b->authenticated &&
	       mxg_address_equal(&a->address, &b->address);
}

/* No word told who wrote it: what matches must agree. */
static bool read_candidates(struct mxg_received *out, const struct mxg_clauses *c, unsigned candidates,
			    enum mxg_received_reason *reason)
{
	const struct mxg_received common = *out;
	bool found = false;
	for (; candidates != 0; candidates &= candidates - 1) {
		struct mxg_received one;
		size_t i = (size_t)__builtin_ctz(candidates); /* the table is in the order of the bits */
		/* the common form knows nothing of local mail */
		if (mtas[i].mta == MXG_MTA_OTHER && found && out->kind == MXG_RECEIVED_LOCAL)
			continue;
		one = common;
		if (!mtas[i].read(&one, c) || one.kind == MXG_RECEIVED_UNREADABLE)
			continue;
		if (found && !same_reading(out, &one)) {
			*reason = MXG_RECEIVED_TWO_READINGS;
			return false;
		}
		if (!found) {
			*out = one;
			out->mta = mtas[i].mta;
		}
		found = true;
	}
	*reason = found ? MXG_RECEIVED_READ : MXG_RECEIVED_NO_ADDRESS;
	return found;
}

static bool refuse(struct mxg_received *out, enum mxg_received_reason reason)
{
	*out = (struct mxg_received){
		.reason = reason, .by = out->by, .protocol = out->protocol, .id = out->id, .date_text = out->date_text
	};
	return false;
}

/* Behind "Received:" and blanks; NULL if that does not stand there. */
static const char *skip_name(const char *field, const char *end)
{
	static const char name[] = "received";
	size_t n = sizeof(name) - 1;
	if ((size_t)(end - field) <= n)
		return NULL;
	if (!mxg_ascii_is_word(field, name, n))
		return NULL;
	const char *at = field + n;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == end || *at != ':')
		return NULL;
	for (at++; at < end && (*at == ' ' || *at == '\t');)
		at++;
	return at;
}

/* What takes mail from an MTA of ours and hands it on, told by words of its own. */
static unsigned agents_of(const struct mxg_clauses *c)
{
	return MXG_MTA_AMAVIS | (mxg_slice_begins(c->protocol, "LMTP") ? MXG_MTA_DOVECOT | MXG_MTA_CYRUS : 0);
}

static unsigned allowed_by(unsigned candidates, unsigned mask, const struct mxg_clauses *c)
{
	/* who names only those has not said which MTA stands before them */
	if ((mask & ~(unsigned)MXG_MTA_AGENTS) == 0)
		return mask == 0 ? candidates : candidates & (MXG_MTA_CAPTURED | mask);
	mask |= agents_of(c);
	/* Postfix can be told to call itself anything (mail_name) */
	if (candidates & MXG_MTA_OTHER && mask & MXG_MTA_POSTFIX && c->after_by.count == 1)
		return MXG_MTA_POSTFIX | (candidates & mask);
	/* and Exim can write anything (received_header_text) */
	if (candidates & MXG_MTA_OTHER && mask & MXG_MTA_EXIM && mxg_is_exim_protocol(c->protocol))
		return MXG_MTA_EXIM | (candidates & mask);
	return candidates & mask;
}

enum mxg_received_reason mxg_field_split(struct mxg_clauses *c, const char *field, size_t len, const char **value,
					 const char **end)
{
	struct mxg_lines lines;
	*end = field + len;
	*value = skip_name(field, *end);
	if (*value == NULL)
		return MXG_RECEIVED_NO_GRAMMAR;
	if (!mxg_lines_survey(&lines, field, len))
		return MXG_RECEIVED_CONTROL_BYTES;
	while (*end > *value && mxg_byte_is((*end)[-1], MXG_BYTE_BLANK))
		(*end)--;
	return mxg_clauses_split(c, &lines, *value, *end) ? MXG_RECEIVED_READ : MXG_RECEIVED_NO_GRAMMAR;
}

bool mxg_received_parse(struct mxg_received *out, const char *field, size_t len, unsigned mta_mask)
{
	struct mxg_clauses c;
	const char *value, *end;
	memset(out, 0, sizeof(*out));
	enum mxg_received_reason reason = mxg_field_split(&c, field, len, &value, &end);
	if (reason == MXG_RECEIVED_NO_GRAMMAR && value != NULL && mxg_form_read(out, value, end, mta_mask))
		return true;
	if (reason != MXG_RECEIVED_READ)
		return refuse(out, reason);
	unsigned candidates = mxg_clauses_writers(&c);
	if (c.late) /* the first line holds nothing of what it must */
		candidates &= MXG_MTA_EXCHANGE | MXG_MTA_OTHER;
	if (mxg_address_behind(&c))
		candidates = 0;
	unsigned allowed = allowed_by(candidates, mta_mask, &c);
	fill_common(out, &c);
	if (allowed == 0)
		return refuse(out, candidates == 0 ? MXG_RECEIVED_NO_GRAMMAR : MXG_RECEIVED_OTHER_MTA);
	if (read_candidates(out, &c, allowed, &reason))
		return true;
	/* LMTP is Dovecot's unless a whole line says otherwise */
	bool other = allowed == MXG_MTA_OTHER || (allowed == MXG_MTA_DOVECOT && c.after_by.count == 0);
	return (other && mxg_form_read(out, value, end, mta_mask)) || refuse(out, reason);
}
