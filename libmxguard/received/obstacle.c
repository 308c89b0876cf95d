/* SPDX-License-Identifier: MIT */
/* Why a field is unreadable, for whoever has to do something about it. Decides nothing. */
#include "received/clauses.h"

static const char *in_bytes(const char *field, size_t len)
{
	struct mxg_lines lines;
	if (!mxg_lines_survey(&lines, field, len))
		return "a control byte, broken UTF-8 or a bare CR";
	if (lines.by > 1)
		return "\"by\" begins more than one of its lines";
	if (lines.from > 0)
		return "one of its folded lines begins with \"from\"";
	return "parentheses that do not add up, or a second \"by\" or semicolon";
}

/* What a grammar finds in the place of the address. */
static const char *in_from_clause(const struct mxg_clauses *c)
{
	struct mxg_slice name, rest;
	struct mxg_address address;
	const struct mxg_item *item = &c->from.item[0];
	if (c->helo.len > 0 && !mxg_slice_is_word(c->helo))
		return "the client's name for itself is not one plain word";
	if (c->from.count == 0)
		return "no address stands behind the client's name";
	if (item->line != 0)
		return "the address does not stand on the first line";
	if (!mxg_host_read(item->text, &name, &address, &rest) &&
	    !mxg_address_parse(&address, item->text.at, item->text.len, MXG_ADDRESS_ANY))
		return "no address stands where it should";
	if (mxg_other_address(c, &address))
		return "more than one thing looks like an address";
	if (c->from.count > 1)
		return "more than one comment before \"by\"";
	return NULL;
}

static const char *in_clauses(const struct mxg_clauses *c)
{
	bool weekday;
	if (c->form == MXG_FORM_BY)
		return "it has no from clause: the client is hidden, or a fold is missing";
	if (c->form == MXG_FORM_FROM_ONLY)
		return "it has no by clause";
	if (c->late)
		return "the first line ends behind \"from\"";
	if (mxg_address_behind(c))
		return "an address stands behind the protocol, on one line with \"by\"";
	const char *found = in_from_clause(c);
	if (found != NULL)
		return found;
	if (c->semicolon == NULL || mxg_date_parse(c->semicolon + 1, c->end, &weekday) == 0)
		return "no date stands at its end";
	return "it is not the form of any known version";
}

const char *mxg_received_obstacle(const char *field, size_t len, unsigned *nearly)
{
	struct mxg_clauses c;
	const char *value, *end;
	*nearly = 0;
	if (mxg_field_split(&c, field, len, &value, &end) != MXG_RECEIVED_READ)
		return value == NULL ? "it is no Received field" : in_bytes(field, len);
	*nearly = mxg_clauses_writers(&c);
	return in_clauses(&c);
}
