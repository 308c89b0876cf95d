/* SPDX-License-Identifier: MIT */
/* Courier, the qmail family and Dovecot: no word in their fields names them,
 * so each tells itself by the form of the whole. */
#include "received/clauses.h"

#include <string.h>

static bool is_hex(struct mxg_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (strchr("0123456789ABCDEFabcdef", s.at[i]) == NULL)
			return false;
	}
	return s.len > 0;
}

/* "HEX.HEX.HEX", as courier/submit.C makes its message ids. */
bool mxg_is_courier_id(struct mxg_slice id)
{
	const char *dot = mxg_slice_find(id, '.');
	if (dot == NULL)
		return false;
	struct mxg_slice head = { id.at, (size_t)(dot - id.at) };
	struct mxg_slice rest = mxg_slice_skip(id, head.len + 1);
	const char *second = rest.len == 0 ? NULL : mxg_slice_find(rest, '.');
	if (second == NULL)
		return false;
	struct mxg_slice middle = { rest.at, (size_t)(second - rest.at) };
	struct mxg_slice last = mxg_slice_skip(rest, middle.len + 1);
	return is_hex(head) && is_hex(middle) && is_hex(last) && last.len == 8;
}

/* Only these lines of a local caller and of Courier's own bounces. */
static bool courier_local(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice who = c->from.item[1].text;
	out->kind = MXG_RECEIVED_LOCAL;
	if (!mxg_slice_is(c->helo, "localhost") || !mxg_slice_is(c->from.item[0].text, "localhost [127.0.0.1]"))
		return false;
	if (mxg_slice_is(c->protocol, "local"))
		return mxg_slice_begins(who, "uid ") && mxg_slice_digits(mxg_slice_skip(who, 4));
	return mxg_slice_is(c->protocol, "dsn") && mxg_slice_begins(who, "ftp://");
}

/* Courier's second line. A PTR name with a line end in it pushes the true
 * address down into this one, so brackets are not believed here. */
static bool is_courier_comment(const struct mxg_item *item)
{
	static const char *const heads[] = { "IDENT: ", "AUTH: ", "TLS: " };
	if (item->line != item->last_line || mxg_slice_find(item->text, '[') != NULL)
		return false;
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		if (mxg_slice_begins(item->text, heads[i]))
			return true;
	}
	return false;
}

/* Courier's submit: "from HELO (NAME [::ffff:A])", then "(IDENT: I, AUTH: M U,
 * TLS: ...)", "by ME with P", "id X; date". IPv4 is always mapped. IDENT is the
 * client's, so the login is believed from the protocol only. PTR names come
 * raw: what is no plain host name is not read. */
bool mxg_grammar_courier(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->after_by.count > 0 || c->tail.count > 0 || c->cipher.count > 0 ||
	    !mxg_is_courier_id(c->id) || c->recipient.len > 0 || mxg_received_date(out) == 0)
		return false;
	if (c->helo.len == 0 || !mxg_address_comment(c, 0) || c->from.count > 2)
		return false;
	if (mxg_slice_find(c->helo, ' ') != NULL)
		return false;
	if (c->from.count == 2 && courier_local(out, c))
		return true;
	out->kind = MXG_RECEIVED_UNREADABLE;
	if (c->from.count == 2 && !is_courier_comment(&c->from.item[1]))
		return false;
	struct mxg_slice text = c->from.item[0].text;
	const char *open = mxg_slice_find(text, '[');
	size_t at = open == NULL ? 0 : (size_t)(open - text.at);
	if (open == NULL ||
	    (memchr(open, '.', text.len - at) != NULL && !mxg_slice_begins(mxg_slice_skip(text, at), "[::ffff:")))
		return false;
	out->authenticated = mxg_protocol_has_login(c->protocol);
	return mxg_peer_from_comment(out, c, NULL);
}

/* "[ID@]A" without brackets (but for qmail-ldap, which names itself). ID has been made
 * harmless by qmail's safestring, so the last @ ends it. */
static bool read_bare(struct mxg_slice text, struct mxg_address *address, bool ident, unsigned shapes)
{
	const char *at = ident && text.at != NULL ? memrchr(text.at, '@', text.len) : NULL;
	if (at != NULL) {
		struct mxg_slice user = { text.at, (size_t)(at - text.at) };
		if (mxg_slice_find(user, ' ') != NULL || mxg_slice_find(user, '(') != NULL)
			return false;
		text = mxg_slice_skip(text, user.len + 1);
	}
	return mxg_address_parse(address, text.at, text.len, shapes);
}

/* NAME [(HELO H)] (A), all on the first line; H must be one word. */
static bool read_qmail_peer(struct mxg_received *out, const struct mxg_clauses *c, bool ident)
{
	if (c->from.count == 0 || c->from.count > 2 || !mxg_slice_is_word(c->helo))
		return false;
	unsigned last = c->from.count - 1;
	if (!c->from.item[0].comment || !mxg_address_comment(c, last) || c->from.item[last].last_line != 0)
		return false;
	if (c->from.count == 2) {
		struct mxg_slice helo = c->from.item[0].text;
		if (!mxg_slice_begins(helo, "HELO "))
			return false;
		out->helo = mxg_slice_skip(helo, 5);
		if (mxg_slice_find(out->helo, ' ') != NULL || mxg_slice_find(out->helo, '\t') != NULL ||
		    mxg_slice_find(out->helo, '(') != NULL)
			return false;
	}
	if (!mxg_slice_is(c->helo, "unknown") && !mxg_slice_is(c->helo, "Unknown"))
		out->hostname = c->helo;
	if (c->from.count == 1)
		out->helo = c->helo; /* qmail leaves HELO out where it equals the name */
	out->kind = MXG_RECEIVED_PEER;
	/* an address in the name's place is a PTR's, or somebody else's order of words */
	struct mxg_address name;
	unsigned shapes = MXG_ADDRESS_BARE | (ident && c->after_by.count > 0 ? MXG_ADDRESS_BRACKETED : 0);
	return read_bare(c->from.item[last].text, &out->address, ident, shapes) &&
	       (!mxg_address_parse(&name, c->helo.at, c->helo.len, MXG_ADDRESS_ANY) ||
		mxg_address_equal(&name, &out->address));
}

/* "(qmail N invoked from network)" says that the next field tells; "by uid N",
 * "by alias" and "for bounce" are this host's own. */
static bool qmail_invoked(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice text = c->from.item[0].text;
	size_t n = 6;
	if (c->from.count != 1 || c->by.len > 0 || !mxg_slice_begins(text, "qmail "))
		return false;
	while (n < text.len && text.at[n] >= '0' && text.at[n] <= '9')
		n++;
	if (n == 6)
		return false;
	text = mxg_slice_skip(text, n);
	out->kind = MXG_RECEIVED_LOCAL;
	if (mxg_slice_is(text, " invoked from network"))
		out->kind = MXG_RECEIVED_MARKER;
	else if (mxg_slice_begins(text, " invoked by uid "))
		return mxg_slice_digits(mxg_slice_skip(text, 16)) && mxg_received_date(out) != 0;
	else if (!mxg_slice_is(text, " invoked for bounce") && !mxg_slice_is(text, " invoked by alias"))
		return false;
	return mxg_received_date(out) != 0;
}

/* qmail's received.c; its dates have no weekday, its fields no id. */
bool mxg_grammar_qmail(struct mxg_received *out, const struct mxg_clauses *c)
{
	bool weekday = true;
	if (c->semicolon == NULL || mxg_date_parse(c->semicolon + 1, c->end, &weekday) == 0 || weekday)
		return false;
	if (c->form == MXG_FORM_COMMENT)
		return qmail_invoked(out, c);
	if (c->form != MXG_FORM_FROM || c->id.len > 0 || c->protocol.len == 0 || c->tail.count > 0)
		return false;
	struct mxg_clauses plain = *c;
	/* qmail-ldap names itself and repeats the sender among the comments */
	if (c->after_by.count == 1 && mxg_slice_begins(c->after_by.item[0].text, "qmail-ldap")) {
		if (c->from.count == 3 && mxg_slice_begins(c->from.item[2].text, "envelope-sender "))
			plain.from.count = 2;
	} else if (c->after_by.count > 0 || c->recipient.len > 0) {
		return false;
	}
	out->authenticated = mxg_protocol_has_login(c->protocol);
	return read_qmail_peer(out, &plain, true);
}

bool mxg_grammar_qpsmtpd(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->from.count != 2 || c->after_by.count != 1 || mxg_received_date(out) == 0)
		return false;
	out->authenticated = mxg_protocol_has_login(c->protocol);
	return read_qmail_peer(out, c, false);
}

/* Dovecot, smtp-server-transaction.c: "from HELO ([A])", "(using TLS...)",
 * "by ME with P", "id X", "(envelope-from <...>)", "for <...>; date". HELO is a
 * host name or literal, or "unknown". Over a unix socket no address at all. */
bool mxg_grammar_dovecot(struct mxg_received *out, const struct mxg_clauses *c)
{
	bool named = c->after_by.count == 1 && c->after_by.item[0].comment &&
		     mxg_slice_is(c->after_by.item[0].text, "Dovecot");
	if (c->form != MXG_FORM_FROM || (c->after_by.count > 0 && !named) || !mxg_slice_is_helo(c->helo) ||
	    c->id.len < 16 || c->cipher.count > 0 || mxg_is_courier_id(c->id))
		return false;
	bool lmtp = mxg_slice_begins(c->protocol, "LMTP");
	bool sender = c->tail.count == 1 && mxg_slice_begins(c->tail.item[0].text, "envelope-from <");
	if (!lmtp && !(sender && mxg_slice_begins(c->protocol, "ESMTP")))
		return false;
	if (lmtp && !sender && !named && !(c->folded && c->lines > 2))
		return false;
	if (c->from.count == 0) {
		out->helo = c->helo;
		out->kind = MXG_RECEIVED_MARKER;
		return lmtp;
	}
	out->authenticated = mxg_protocol_has_login(c->protocol);
	return mxg_address_comment(c, 0) && c->from.item[0].text.len > 0 && c->from.item[0].text.at[0] == '[' &&
	       mxg_peer_from_comment(out, c, NULL);
}
