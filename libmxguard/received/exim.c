/* SPDX-License-Identifier: MIT */
/* Exim, host.c host_build_sender_fullhost() and the default
 * received_header_text: "from [A]", "from [A] (helo=H ident=I)", "from NAME
 * ([A] helo=H ident=I)", with ":port" behind [A] if it is logged. H and I can
 * be raw, so reading is from the left and stops at "helo=". */
#include "received/clauses.h"

#include <string.h>

/* "[A]" or "[A]:port" at the left; the rest goes to *rest. */
static bool read_host(struct mxg_slice text, struct mxg_address *address, struct mxg_slice *rest)
{
	const char *close = text.len == 0 ? NULL : mxg_slice_find(text, ']');
	if (close == NULL || text.at[0] != '[')
		return false;
	*rest = mxg_slice_skip(text, (size_t)(close + 1 - text.at));
	if (rest->len > 1 && rest->at[0] == ':') {
		size_t n = 1;
		while (n < rest->len && n < 6 && rest->at[n] >= '0' && rest->at[n] <= '9')
			n++;
		if (n == 1)
			return false;
		*rest = mxg_slice_skip(*rest, n);
	}
	return mxg_address_parse(address, text.at, (size_t)(close + 1 - text.at), MXG_ADDRESS_BRACKETED);
}

/* "helo=H", "ident=I" or both, behind "port=N" where a host without a name has
 * its port logged; they must be words for the fold behind them to be Exim's own. */
static bool read_words(struct mxg_received *out, struct mxg_slice text)
{
	bool first = true;
	while (text.len > 0) {
		size_t n = 0;
		while (n < text.len && !mxg_byte_is(text.at[n], MXG_BYTE_BLANK))
			n++;
		struct mxg_slice word = { text.at, n };
		if (mxg_slice_begins(word, "helo="))
			out->helo = mxg_slice_skip(word, 5);
		else if (first && mxg_slice_begins(word, "port=") && mxg_slice_digits(mxg_slice_skip(word, 5)))
			;
		else if (!mxg_slice_begins(word, "ident="))
			return false;
		first = false;
		if (memchr(word.at, '(', n) != NULL || memchr(word.at, ')', n) != NULL)
			return false;
		while (n < text.len && mxg_byte_is(text.at[n], MXG_BYTE_BLANK))
			n++;
		text = mxg_slice_skip(text, n);
	}
	return true;
}

static bool address_first(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice rest;
	if (!read_host(c->helo, &out->address, &rest) || rest.len > 0 || c->from.count > 1)
		return false;
	return c->from.count == 0 || (c->from.item[0].comment && read_words(out, c->from.item[0].text));
}

static bool name_first(struct mxg_received *out, const struct mxg_clauses *c)
{
	struct mxg_slice rest;
	const struct mxg_item *item = &c->from.item[0];
	if (c->from.count != 1 || !mxg_slice_is_host(c->helo))
		return false;
	/* a long name stands alone on the first line */
	if (item->line > 1 || (item->line == 1 && !item->fresh))
		return false;
	if (!read_host(item->text, &out->address, &rest))
		return false;
	/* Exim 3 wrote "NAME [A]" bare */
	if (!item->comment && rest.len > 0)
		return false;
	out->hostname = c->helo;
	if (rest.len > 0 && !mxg_byte_is(rest.at[0], MXG_BYTE_BLANK))
		return false;
	while (rest.len > 0 && mxg_byte_is(rest.at[0], MXG_BYTE_BLANK))
		rest = mxg_slice_skip(rest, 1);
	if (!read_words(out, rest))
		return false;
	if (out->helo.len == 0)
		out->helo = c->helo; /* Exim leaves helo= out where it equals the name */
	return true;
}

/* "from USER by ME with local", "from USER (helo=H) by ME with local-esmtp":
 * no host at all, and a protocol that only a local caller gets. */
static bool is_local(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (!mxg_slice_is(c->protocol, "local") && !mxg_slice_begins(c->protocol, "local-"))
		return false;
	if (c->helo.len == 0 || c->helo.at[0] == '[' || c->from.count > 1)
		return false;
	if (c->helo.at[0] != '"' && !mxg_slice_is_word(c->helo))
		return false;
	out->kind = MXG_RECEIVED_LOCAL;
	return c->from.count == 0 || (c->from.item[0].comment && mxg_slice_begins(c->from.item[0].text, "helo=") &&
				      read_words(out, c->from.item[0].text));
}

/* "from USER by ME with scanned-ok": what a content scanner of this host hands
 * back with -oMr. Mail from anywhere, unless nothing stands below. An address
 * always stands on the first line of what a remote client sent, so no fold. */
static bool is_scanned(struct mxg_received *out, const struct mxg_clauses *c)
{
	static const char tail[] = "-scanned";
	size_t n = sizeof(tail) - 1;
	struct mxg_slice p = c->protocol;
	if (!mxg_slice_is(p, "scanned-ok") && (p.len <= n || memcmp(p.at + p.len - n, tail, n) != 0))
		return false;
	if (c->folded || c->from.count > 0 || !mxg_slice_is_host(c->helo) || !mxg_slice_is_host(p))
		return false;
	out->kind = MXG_RECEIVED_LOCAL;
	return mxg_received_date(out) != 0;
}

/* Ecelerity, Exim's cousin: "from ([A:port] helo=H)". */
static bool bracketed_port(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->helo.len > 0 || c->from.count != 1 || !c->from.item[0].comment || c->from.item[0].line != 0)
		return false;
	struct mxg_slice text = c->from.item[0].text;
	const char *close = mxg_slice_find(text, ']');
	if (close == NULL || text.at[0] != '[')
		return false;
	size_t n = (size_t)(close - text.at);
	const char *colon = memrchr(text.at, ':', n);
	struct mxg_slice rest = mxg_slice_skip(text, n + 1);
	if (colon == NULL || rest.len == 0 || rest.at[0] != ' ')
		return false;
	struct mxg_slice port = { colon + 1, (size_t)(close - colon - 1) };
	return mxg_slice_digits(port) && read_words(out, mxg_slice_skip(rest, 1)) &&
	       mxg_address_parse(&out->address, text.at + 1, (size_t)(colon - text.at - 1), MXG_ADDRESS_BARE);
}

/* $sender_fullhost in a text of the administrator's: "from (HELO) [A]", "from
 * NAME (HELO) [A]"; "from NAME [A]" is name_first's. */
static bool address_last(struct mxg_received *out, const struct mxg_clauses *c)
{
	const struct mxg_item *helo = &c->from.item[0], *host = &c->from.item[1];
	struct mxg_slice rest;
	if (c->from.count != 2 || !helo->comment || host->comment || host->line != 0 ||
	    (c->helo.len > 0 && !mxg_slice_is_host(c->helo)) || !mxg_slice_is_word(helo->text))
		return false;
	out->hostname = c->helo;
	out->helo = helo->text;
	return read_host(host->text, &out->address, &rest) && rest.len == 0;
}

/* "from HELO (NAME [A]) by ME (Exim v) with P", with a blank in NAME's place
 * where there is none: another such text, told by where the comment stands. A
 * literal in HELO's place is one only where the comment cannot be taken for it. */
static bool helo_first(struct mxg_received *out, const struct mxg_clauses *c)
{
	const struct mxg_item *item = &c->from.item[0];
	struct mxg_slice text = item->text, name, rest;
	if (c->from.count != 1 || !item->comment || item->line != 0 || c->after_by.count != 1 || c->folded ||
	    !mxg_slice_is_helo(c->helo) || text.len == 0 || text.at[0] == '[')
		return false;
	if (text.at[0] == ' ')
		text = mxg_slice_skip(text, 1);
	out->helo = c->helo;
	if (!mxg_host_read(text, &name, &out->address, &rest) || rest.len > 0)
		return false;
	out->hostname = name;
	return name.len == 0 || (mxg_slice_is_host(name) && !mxg_slice_is_label(name));
}

/* "by ME with esmtpa (Exim v) id X": a text that hides the client of a login. */
static bool hidden_login(struct mxg_received *out, const struct mxg_clauses *c)
{
	out->kind = MXG_RECEIVED_PEER;
	out->authenticated = mxg_is_exim_protocol(c->protocol) && mxg_protocol_has_login(c->protocol);
	return out->authenticated && mxg_is_exim_id(c->id) && c->after_by.count == 0 && mxg_received_date(out) != 0;
}

bool mxg_is_exim_id(struct mxg_slice id)
{
	if ((id.len != 16 || id.at[13] != '-') && (id.len != 23 || id.at[18] != '-'))
		return false;
	for (size_t i = 0; i < id.len; i++) {
		bool dash = i == 6 || (i == id.len - 3 && id.len == 16) || (i == 18 && id.len == 23);
		if (dash != (id.at[i] == '-') || !mxg_byte_is(id.at[i], MXG_BYTE_HOST) || id.at[i] == '.' ||
		    id.at[i] == '_')
			return false;
	}
	return true;
}

bool mxg_is_exim_protocol(struct mxg_slice protocol)
{
	return mxg_slice_begins(protocol, "esmtp") || mxg_slice_begins(protocol, "utf8esmtp") ||
	       mxg_slice_is(protocol, "smtp") || mxg_slice_is(protocol, "smtps");
}

static bool reads_peer(struct mxg_received *out, const struct mxg_clauses *c)
{
	static bool (*const forms[])(struct mxg_received *, const struct mxg_clauses *) = { address_first, name_first,
											    bracketed_port,
											    address_last, helo_first };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		out->helo = out->hostname = (struct mxg_slice){ NULL, 0 };
		if (forms[i](out, c))
			return true;
	}
	return false;
}

bool mxg_grammar_exim(struct mxg_received *out, const struct mxg_clauses *c)
{
	if (c->form == MXG_FORM_BY)
		return hidden_login(out, c);
	if (c->form != MXG_FORM_FROM)
		return false;
	/* only a comment may stand between the name and "with" */
	for (unsigned i = 0; i < c->after_by.count; i++) {
		if (!c->after_by.item[i].comment)
			return false;
	}
	if (is_local(out, c) || is_scanned(out, c))
		return true;
	*out = (struct mxg_received){ .by = out->by,
				      .protocol = out->protocol,
				      .id = out->id,
				      .recipient = out->recipient,
				      .date_text = out->date_text };
	out->authenticated = mxg_protocol_has_login(c->protocol);
	out->kind = MXG_RECEIVED_PEER;
	return reads_peer(out, c);
}
