/* SPDX-License-Identifier: MIT */
/* MTAs that write "from HELO (NAME [ADDRESS])" and say who they are in the
 * comment behind their own name. */
#include "received/clauses.h"

#include <string.h>

static bool first_comment_begins(const struct mxg_clauses *c, const char *text)
{
	return c->after_by.count > 0 && c->after_by.item[0].comment && mxg_slice_begins(c->after_by.item[0].text, text);
}

/* Postfix, smtpd.c: "from HELO (NAME [A])", comments for TLS and login, "by ME
 * (mail_name) with P id Q"; cleanup.c and pickup.c: "by ME (mail_name[, from
 * userid N])". HELO's specials are already '?'. */
static bool postfix_local(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice text = c->after_by.item[0].text;
	const char *behind = text.at + text.len;
	const char *comma = memchr(text.at, ',', text.len);
	if (c->after_by.count != 1 || c->protocol.len > 0 || c->id.len == 0 || c->recipient.len > 0)
		return false;
	/* without the fold it is smtpd_hide_client_session's: mail from anywhere */
	if (memchr(behind, '\n', (size_t)(c->id.at - behind)) == NULL)
		return false;
	if (comma != NULL) {
		struct mxg_slice user = mxg_slice_skip(text, (size_t)(comma - text.at));
		if (!mxg_slice_begins(user, ", from userid ") || !mxg_slice_digits(mxg_slice_skip(user, 14)))
			return false;
	}
	out->kind = MXG_RECEIVED_LOCAL;
	return mxg_received_date(out) != 0;
}

/* Whatever stands behind "by" may be mail_name; then the rest must be all the more as Postfix writes it. */
static bool postfix_comments(const struct mxg_clauses *c)
{
	struct mxg_slice text = c->from.item[0].text;
	const char *open = mxg_slice_find(text, '[');
	if (open == NULL || open == text.at) /* "unknown" stands there where there is no name */
		return false;
	return mxg_slice_begins(c->after_by.item[0].text, "Postfix") ||
	       (open[-1] == ' ' && mxg_only_address_comment(c) && (c->folded || c->from.count == 1));
}

bool mxg_grammar_postfix(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->after_by.count == 0 || !c->after_by.item[0].comment)
		return false;
	if (c->form == MXG_FORM_BY)
		return postfix_local(out, c);
	if (c->form != MXG_FORM_FROM || c->after_by.count != 1 || !mxg_slice_is_word(c->helo) || c->protocol.len == 0 ||
	    !mxg_address_comment(c, 0) || !postfix_comments(c))
		return false;
	/* a client that said HELO has no "A" in its protocol */
	out->authenticated = mxg_protocol_has_login(c->protocol) || mxg_own_line(c, "Authenticated sender: ") != NULL;
	return mxg_peer_from_comment(out, c, NULL);
}

/* sendmail, conf "HReceived": "from HELO ($_)" or "($_)" with $_ = "[ID@]NAME
 * [A] [(may be forged)]"; submit.cf: "(from USER@localhost)"; own bounces:
 * "from localhost (localhost)" without a protocol. */
/* "(authenticated bits=N)", whole */
static bool sendmail_login(const struct mxg_clauses *c)
{
	const struct mxg_item *item = mxg_own_line(c, "authenticated bits=");
	return item != NULL && mxg_slice_digits(mxg_slice_skip(item->text, 19));
}

static bool sendmail_ident(struct mxg_received *out, struct mxg_clauses *c)
{
	struct mxg_item *item = &c->from.item[0];
	const char *at = mxg_slice_find(item->text, '@');
	const char *open = mxg_slice_find(item->text, '[');
	if (at != NULL && (open == NULL || at < open)) {
		struct mxg_slice ident = { item->text.at, (size_t)(at - item->text.at) };
		if (!mxg_slice_is_word(ident) || memchr(at + 1, '@', item->text.len - ident.len - 1) != NULL)
			return false;
		item->text = mxg_slice_skip(item->text, ident.len + 1);
	}
	return mxg_peer_from_comment(out, c, " (may be forged)");
}

static bool sendmail_comment_form(struct mxg_received *out, struct mxg_clauses *c)
{
	if (!mxg_slice_begins(c->from.item[0].text, "from "))
		return false;
	c->from.item[0].text = mxg_slice_skip(c->from.item[0].text, 5);
	struct mxg_slice text = c->from.item[0].text;
	if (mxg_slice_find(text, '[') != NULL)
		return sendmail_ident(out, c);
	static const char local[] = "@localhost";
	size_t n = sizeof(local) - 1;
	if (text.len <= n || memcmp(text.at + text.len - n, local, n) != 0)
		return false;
	text.len -= n;
	/* only submit.cf writes it, and never with a protocol */
	if (!mxg_slice_is_word(text) || c->protocol.len > 0 || c->from.count != 1 || c->id.len == 0)
		return false;
	out->kind = MXG_RECEIVED_LOCAL;
	return mxg_received_date(out) != 0;
}

bool mxg_grammar_sendmail(struct mxg_received *out, const struct mxg_clauses *given)
{
	struct mxg_clauses c = *given;
	if (c.after_by.count != 1 || c.form == MXG_FORM_BY || !mxg_only_address_comment(&c))
		return false;
	out->authenticated = mxg_protocol_has_login(c.protocol) || sendmail_login(&c);
	if (c.form == MXG_FORM_COMMENT)
		return sendmail_comment_form(out, &c);
	if (c.helo.len > 0 && !mxg_slice_is_word(c.helo))
		return false;
	if (c.protocol.len == 0 && mxg_slice_is(c.helo, "localhost") && c.from.count == 1 &&
	    mxg_slice_is(c.from.item[0].text, "localhost")) {
		out->kind = MXG_RECEIVED_LOCAL;
		return c.id.len > 0 && mxg_received_date(out) != 0;
	}
	return sendmail_ident(out, &c);
}

/* OpenSMTPD, smtp_session.c. HELO is a host name or literal, NAME whatever the
 * PTR says; "[local]" is its own socket, where ESMTPA is no login. mask-src
 * leaves out the from clause: mail from anywhere, so never local. */
bool mxg_grammar_opensmtpd(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->after_by.count != 1 || c->from.count != 1 || !mxg_slice_is_helo(c->helo) ||
	    !mxg_address_comment(c, 0))
		return false;
	struct mxg_slice text = c->from.item[0].text;
	static const char local[] = " [local]";
	size_t n = sizeof(local) - 1;
	if (text.len > n && memcmp(text.at + text.len - n, local, n) == 0) {
		text.len -= n;
		out->kind = MXG_RECEIVED_LOCAL;
		return mxg_slice_is_host(text) && mxg_slice_is(c->protocol, "ESMTPA") && mxg_received_date(out) != 0;
	}
	out->authenticated = mxg_protocol_has_login(c->protocol);
	return mxg_peer_from_comment(out, c, NULL);
}

/* Haraka, connection.js received_line(): HELO is the first word, raw. Its
 * outbound adds "(Haraka outbound)" on top, and nothing below for a bounce. */
bool mxg_grammar_haraka(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form == MXG_FORM_COMMENT) {
		out->kind = MXG_RECEIVED_MARKER;
		out->local_if_last = true;
		return mxg_slice_is(c->from.item[0].text, "Haraka outbound") && c->from.count == 1 && c->by.len == 0 &&
		       mxg_received_date(out) != 0;
	}
	if (c->form != MXG_FORM_FROM || c->after_by.count != 1 || c->from.count != 1 || c->helo.len == 0 ||
	    mxg_slice_find(c->helo, ' ') != NULL || !mxg_address_comment(c, 0))
		return false;
	out->authenticated = mxg_protocol_has_login(c->protocol);
	return mxg_peer_from_comment(out, c, NULL);
}

/* Cyrus, lmtpengine.c: HELO is raw, blanks and parentheses too; only where it
 * is one word can the anchors be trusted. LMTPA is no login of a user. */
bool mxg_grammar_cyrus(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->after_by.count != 1 || !mxg_slice_is_word(c->helo) ||
	    !mxg_only_address_comment(c) || !mxg_slice_begins(c->protocol, "LMTP"))
		return false;
	if (mxg_slice_is(c->from.item[0].text, "[unix socket]")) {
		out->helo = c->helo;
		out->kind = MXG_RECEIVED_MARKER;
		return mxg_received_date(out) != 0;
	}
	return mxg_peer_from_comment(out, c, NULL);
}

/* amavis, the header that it inserts: " by localhost (ME [127.0.0.1]) (amavis,
 * port N) with P"; ME is the name that counts. */
bool mxg_grammar_amavis(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice name, rest;
	struct mxg_address own;
	if (c->form != MXG_FORM_FROM || c->after_by.count != 2 || c->from.count != 1 || !mxg_address_comment(c, 0) ||
	    (c->helo.len > 0 && !mxg_slice_is_helo(c->helo)))
		return false;
	if (!mxg_host_read(c->after_by.item[0].text, &name, &own, &rest) || rest.len > 0 || !mxg_slice_is_host(name))
		return false;
	if (mxg_slice_is(c->by, "localhost"))
		out->by = name;
	return mxg_peer_from_comment(out, c, NULL);
}

/* chasquid, internal/smtpsrv/conn.go addReceivedHeader(): the address comes
 * first, the client's HELO in the comment; with a login no address at all. */
bool mxg_grammar_chasquid(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->after_by.count != 1 || c->from.count > 1)
		return false;
	/* "from HELO" alone is a login's, and HELO may look like an address */
	if (c->from.count == 0 || !mxg_address_comment(c, 0) || mxg_protocol_has_login(c->protocol))
		return false;
	if (!mxg_address_parse(&out->address, c->helo.at, c->helo.len, MXG_ADDRESS_ANY & ~MXG_ADDRESS_BARE) ||
	    c->helo.at[0] != '[')
		return false;
	out->helo = c->from.item[0].text;
	out->kind = MXG_RECEIVED_PEER;
	return first_comment_begins(c, "chasquid");
}
