/* SPDX-License-Identifier: MIT */
/* Exchange, Google, CommuniGate, what fetches mail, null clients, and the
 * common form for everybody else. */
#include "received/clauses.h"

#include <string.h>

/* Exchange: "from HELO (A) by ME (B) with Microsoft SMTP Server ...", "with
 * mapi" or "with HTTPS via ...", folded anywhere; IIS SMTP: "from HELO ([A][ RDNS failed]) by ME with
 * Microsoft SMTPSVC(v)". HELO is checked to be a host name or literal. */
bool mxg_grammar_exchange(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice name, rest;
	if (c->form != MXG_FORM_FROM || c->from.count != 1 || !c->from.item[0].comment || !mxg_slice_is_helo(c->helo) ||
	    mxg_received_date(out) == 0)
		return false;
	struct mxg_slice text = c->from.item[0].text;
	out->helo = c->helo;
	out->kind = MXG_RECEIVED_PEER;
	if (mxg_address_parse(&out->address, text.at, text.len, MXG_ADDRESS_BARE | MXG_ADDRESS_BRACKETED))
		return !mxg_other_address(c, &out->address);
	return mxg_host_read(text, &name, &out->address, &rest) && name.len == 0 &&
	       mxg_slice_is(rest, " RDNS failed") && !mxg_other_address(c, &out->address);
}

/* Google: the name ends in a dot; only its own servers write under its name. A login there is one of any of its
 * users, and none of ours. */
bool mxg_grammar_google(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->after_by.count > 0 || !mxg_slice_is_word(c->helo) ||
	    !mxg_only_address_comment(c) || c->id.len == 0 || mxg_received_date(out) == 0)
		return false;
	return mxg_peer_from_comment(out, c, NULL) && !mxg_other_address(c, &out->address);
}

/* CommuniGate's web mail and its XIMSS clients always log in. */
static bool communigate_web(const struct mxg_clauses *c)
{
	return mxg_slice_is(c->protocol, "HTTP") || mxg_slice_is(c->protocol, "HTTPU") ||
	       mxg_slice_is(c->protocol, "HTTPS");
}

/* CommuniGate Pro: "from [A] (HELO H)", "from [A] (account U HELO H)", "from [A]
 * (account U)", "from H ([A] verified)". The account is a login, and the
 * protocol must say so too. */
bool mxg_grammar_communigate(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice name, rest;
	if (c->form != MXG_FORM_FROM || c->from.count != 1 || !mxg_address_comment(c, 0) || mxg_received_date(out) == 0)
		return false;
	struct mxg_slice text = c->from.item[0].text;
	out->kind = MXG_RECEIVED_PEER;
	out->authenticated = mxg_protocol_has_login(c->protocol);
	if (mxg_address_parse(&out->address, c->helo.at, c->helo.len, MXG_ADDRESS_BRACKETED)) {
		bool account = mxg_slice_begins(text, "account ");
		if (mxg_slice_begins(text, "HELO "))
			out->helo = mxg_slice_skip(text, 5);
		else if (!account)
			return false;
		if (account && communigate_web(c))
			out->authenticated = true;
		return account == out->authenticated && !mxg_other_address(c, &out->address);
	}
	out->helo = c->helo;
	return mxg_slice_is_host(c->helo) && mxg_host_read(text, &name, &out->address, &rest) && name.len == 0 &&
	       (rest.len == 0 || mxg_slice_is(rest, " verified")) && !mxg_other_address(c, &out->address);
}

/* fetchmail, driver.c: "from SERVER [A] by ME with PROTOCOL (fetchmail-v)". */
bool mxg_grammar_fetchmail(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->from.count != 1 || c->from.item[0].comment || !mxg_slice_is_host(c->helo) ||
	    c->after_by.count > 0 || c->tail.count == 0)
		return false;
	struct mxg_slice text = c->from.item[0].text;
	out->hostname = c->helo;
	out->kind = MXG_RECEIVED_RETRIEVED;
	return mxg_received_date(out) != 0 &&
	       mxg_address_parse(&out->address, text.at, text.len, MXG_ADDRESS_BRACKETED | MXG_ADDRESS_TAGGED);
}

/* getmail, message.py: "from SERVER (A:PORT) by ME with PROTOCOL getmailN msgid:M". */
bool mxg_grammar_getmail(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->from.count != 1 || !c->from.item[0].comment || !mxg_slice_is_host(c->helo) ||
	    c->after_by.count > 0)
		return false;
	struct mxg_slice text = c->from.item[0].text;
	const char *colon = text.len == 0 ? NULL : memrchr(text.at, ':', text.len);
	if (colon == NULL)
		return false;
	size_t n = (size_t)(colon - text.at);
	out->hostname = c->helo;
	out->kind = MXG_RECEIVED_RETRIEVED;
	return mxg_received_date(out) != 0 && mxg_slice_digits(mxg_slice_skip(text, n + 1)) &&
	       mxg_address_parse(&out->address, text.at, n, MXG_ADDRESS_BARE);
}

/* "(nullmailer pid N invoked by uid N)"; "by ME (sSMTP sendmail emulation)";
 * "from U (uid N) (envelope-from S) id X by ME (DragonFly Mail Agent v)". */
bool mxg_grammar_nullclient(struct mxg_received *out, const struct mxg_clauses *c)
{
	out->kind = MXG_RECEIVED_LOCAL;
	if (mxg_received_date(out) == 0 || c->protocol.len > 0)
		return false;
	if (c->form == MXG_FORM_COMMENT) {
		struct mxg_slice text = c->from.item[0].text;
		static const char head[] = "nullmailer pid ", middle[] = " invoked by uid ";
		size_t n = sizeof(head) - 1;
		if (c->from.count != 1 || c->by.len > 0 || !mxg_slice_begins(text, head))
			return false;
		text = mxg_slice_skip(text, n);
		for (n = 0; n < text.len && text.at[n] >= '0' && text.at[n] <= '9';)
			n++;
		text = mxg_slice_skip(text, n);
		return n > 0 && mxg_slice_begins(text, middle) &&
		       mxg_slice_digits(mxg_slice_skip(text, sizeof(middle) - 1));
	}
	if (c->after_by.count != 1)
		return false;
	if (c->form == MXG_FORM_BY)
		return mxg_slice_begins(c->after_by.item[0].text, "sSMTP ");
	return c->form == MXG_FORM_FROM && c->folded && mxg_slice_is_word(c->helo) && c->from.count == 4 &&
	       mxg_slice_begins(c->from.item[0].text, "uid ") &&
	       mxg_slice_digits(mxg_slice_skip(c->from.item[0].text, 4)) &&
	       mxg_slice_begins(c->from.item[1].text, "envelope-from ") && mxg_slice_is(c->from.item[2].text, "id") &&
	       mxg_slice_begins(c->after_by.item[0].text, "DragonFly Mail Agent ");
}

/* "[A]" alone behind HELO, or with HELO in the only comment. */
static bool other_without_name(struct mxg_received *out, const struct mxg_clauses *c)
{
	const struct mxg_item *item = &c->from.item[0];
	out->kind = MXG_RECEIVED_PEER;
	if (item->comment && item->text.len > 5 && item->text.at[4] == ' ' &&
	    mxg_slice_is_label((struct mxg_slice){ item->text.at, 4 })) {
		out->helo = mxg_slice_skip(item->text, 5);
		return mxg_slice_is_helo(out->helo) &&
		       mxg_address_parse(&out->address, c->helo.at, c->helo.len, MXG_ADDRESS_BRACKETED);
	}
	out->helo = c->helo;
	return mxg_address_parse(&out->address, item->text.at, item->text.len,
				 item->comment ? MXG_ADDRESS_BARE : MXG_ADDRESS_BRACKETED | MXG_ADDRESS_TAGGED);
}

/* James and Mirapoint: "NAME (EHLO H) ([A])", the client's word behind its label. */
static bool other_labelled(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice label = c->from.item[0].text, text = c->from.item[1].text, name, rest;
	if (c->from.count != 2 || label.len < 6 || label.at[4] != ' ' ||
	    !mxg_slice_is_label((struct mxg_slice){ label.at, 4 }) || !mxg_slice_is_host(c->helo) ||
	    !mxg_address_comment(c, 1) || !c->from.item[0].comment || c->from.item[1].last_line != 0)
		return false;
	out->helo = mxg_slice_skip(label, 5);
	out->hostname = c->helo;
	out->kind = MXG_RECEIVED_PEER;
	return mxg_slice_is_helo(out->helo) && mxg_host_read(text, &name, &out->address, &rest) && name.len == 0 &&
	       rest.len == 0;
}

/* Critical Path's server puts the login behind its own name. */
static bool other_login(const struct mxg_clauses *c)
{
	for (unsigned i = 0; i < c->after_by.count; i++) {
		if (c->after_by.item[i].comment && mxg_slice_begins(c->after_by.item[i].text, "authenticated as "))
			return true;
	}
	/* Courier before it wrote ESMTPA: its own comment, whole */
	return c->from.count == 2 && mxg_slice_begins(c->from.item[1].text, "AUTH: ") &&
	       mxg_slice_is(c->protocol, "esmtp") && c->lines == 1;
}

/* "([A] [A])": the address stands in the name's place, too; "([A] NAME)": the
 * name stands behind it. */
static bool other_reversed(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice name, rest, again;
	struct mxg_address second;
	if (!mxg_host_read(c->from.item[0].text, &name, &out->address, &rest) || name.len > 0 || rest.len < 2 ||
	    rest.at[0] != ' ')
		return false;
	out->helo = c->helo;
	out->kind = MXG_RECEIVED_PEER;
	rest = mxg_slice_skip(rest, 1);
	return mxg_slice_is_host(rest) || (mxg_host_read(rest, &name, &second, &again) && name.len == 0 &&
					   again.len == 0 && mxg_address_equal(&out->address, &second));
}

/* "(NAME [A] (AS64500 Example Net, US))": Stalwart, which looks up the network, too. */
static bool other_network(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice name, rest;
	if (!mxg_host_read(c->from.item[0].text, &name, &out->address, &rest) || !mxg_slice_begins(rest, " (AS") ||
	    rest.len < 6 || rest.at[4] < '0' || rest.at[4] > '9' || rest.at[rest.len - 1] != ')')
		return false;
	out->helo = c->helo;
	out->hostname = name;
	out->kind = MXG_RECEIVED_PEER;
	return name.len == 0 || (mxg_slice_is_host(name) && !mxg_slice_is_label(name));
}

/* What a server says of the session itself, behind the comment with the address. */
static bool is_remark(const struct mxg_item *item)
{
	static const char *const heads[] = { "using TLS",
					     "Using TLS",
					     "No client certificate ",
					     "Authenticated sender: ",
					     "authenticated",
					     "envelope-from",
					     "envelope-sender",
					     "AUTH: ",
					     "TLS: ",
					     "Client CN ",
					     "version=" };
	for (unsigned i = 0; item->comment && i < sizeof(heads) / sizeof(heads[0]); i++) {
		if (mxg_slice_begins(item->text, heads[i]))
			return true;
	}
	return false;
}

static bool has_one_comment(const struct mxg_clauses *c)
{
	for (unsigned i = 1; i < c->from.count; i++) {
		if (!is_remark(&c->from.item[i]))
			return false;
	}
	return true;
}

/* The common form. Its writer is not known, so neither is what it lets a
 * client put into HELO: one word without specials, one comment, one clause, one
 * date on one line, and one thing in all of it that looks like an address. With
 * that the folds mean nothing, and gateways may have moved them. */
bool mxg_grammar_other(struct mxg_received *out, const struct mxg_clauses *c)
{
	if ((c->form != MXG_FORM_FROM && c->form != MXG_FORM_FROM_ONLY) || c->from.count == 0)
		return false;
	if (c->helo.len > 0 && (!mxg_slice_is_word(c->helo) || mxg_slice_find(c->helo, '=') != NULL))
		return false;
	if (!c->folded && c->semicolon != NULL && memchr(c->value, ';', (size_t)(c->semicolon - c->value)) != NULL)
		return false;
	if (c->form == MXG_FORM_FROM_ONLY && (c->lines > 1 || mxg_has_second_by(c->value, c->end)))
		return false;
	out->authenticated = mxg_protocol_has_login(c->protocol) || other_login(c);
	bool found = other_labelled(out, c);
	if (!found && has_one_comment(c))
		found = other_reversed(out, c) || other_network(out, c) ||
			(c->from.item[0].comment && mxg_peer_from_comment(out, c, " (may be forged)")) ||
			(c->from.count == 1 && other_without_name(out, c));
	return found && !mxg_other_address(c, &out->address);
}
