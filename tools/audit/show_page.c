/* SPDX-License-Identifier: MIT */
/* The audit as a page. */
#include "audit/guard.h"
#include "audit/show.h"
#include "json.h"
#include "page/page.h"
#include "page/words.h"
#include "text.h"

static const char *tone_of(const struct mxg_audit_row *row)
{
	if (row->port == 0)
		return "plain";
	return row->guard == MXG_GUARD_NONE ? "bad" : row->guard == MXG_GUARD_UNKNOWN ? "warn" : "good";
}

json_t *mxg_show_page_row(const struct mxg_audit_row *row)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	json_t *port = row->port == 0 ? json_null() : json_integer(row->port);
	return json_pack("[o, o, s, o, [s, s], s, o, o, o]", mxg_json_text(row->domain), mxg_json_text(row->name),
			 mxg_address_format(&row->address, address), port, tone_of(row), mxg_guard_word(row->guard),
			 mxg_leak_word(row->leak), mxg_json_time(row->since), mxg_json_time(row->until),
			 mxg_json_text(row->advice));
}

static void say(const struct mxg_audit *audit, struct mxg_page *page)
{
	if (audit->unguarded > 0)
		mxg_page_say(
			page, "bad",
			"Mail gets in past the gateways: behind %zu of the rows below a server answers and nothing "
			"guards it.",
			audit->unguarded);
	else if (audit->failures > 0 || audit->unknown > 0)
		mxg_page_say(
			page, "warn",
			"Nothing unguarded was seen, but not everything could be found out: this is no all-clear.");
	else
		mxg_page_say(page, "good", "Nothing unguarded answers.");
	if (mxg_asker_is_deaf(audit->asker))
		mxg_page_say(page, "warn", "DNS does not answer: " MXG_RESOLVER_HINT);
}

static json_t *sum(const char *label, size_t value, const char *tone, const char *note)
{
	return json_pack("{s:s, s:I, s:s, s:s}", "label", label, "value", (json_int_t)value, "tone",
			 value == 0 ? "plain" : tone, "note", note);
}

static void put_sums(const struct mxg_show *s, const struct mxg_audit *audit, struct mxg_page *page)
{
	json_t *items = json_array();
	json_array_append_new(items, sum("unguarded", audit->unguarded, "bad", "ports that take mail from anybody"));
	json_array_append_new(items, sum("not known", audit->unknown, "warn", "whether something guards the port"));
	json_array_append_new(items,
			      sum("could not be asked or read", audit->failures, "warn", "see the list at the end"));
	json_array_append_new(items,
			      sum("rows", json_array_size(s->rows), "plain", "a name, an address and a port each"));
	mxg_page_part(page, json_pack("{s:s, s:o}", "part", "sums", "items", items));
}

static void put_rows(const struct mxg_show *s, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = {
		{ "domain", "domain" }, { "name", NULL }, { "address", "address" }, { "port", "number" },
		{ "guard", "state" },   { "leak", NULL }, { "since", "time" },      { "until", "time" },
		{ "advice", NULL },     { NULL, NULL },
	};
	json_t *row;
	size_t i;
	mxg_page_begin_rows(page,
			    mxg_page_new_table("names", "Names by which mail can still reach this host",
					       "Without a port: nothing takes mail at that address now. Without a "
					       "domain: a name of the host's, for all of its domains.",
					       columns, -1));
	json_array_foreach(s->rows, i, row) mxg_page_row(page, json_incref(row));
	mxg_page_end_rows(page);
}

static void put_failures(const struct mxg_show *s, struct mxg_page *page)
{
	static const struct mxg_page_column columns[] = { { "what", NULL }, { NULL, NULL } };
	json_t *text;
	size_t i;
	if (json_array_size(s->told) == 0)
		return;
	mxg_page_begin_rows(page,
			    mxg_page_new_table("failures", "What could not be asked or read",
					       s->failures > json_array_size(s->told) ? "The first of them." : NULL,
					       columns, -1));
	json_array_foreach(s->told, i, text) mxg_page_row(page, json_pack("[O]", text));
	mxg_page_end_rows(page);
}

void mxg_show_page(const struct mxg_show *s, const struct mxg_audit *audit, const char *config, int64_t now, FILE *to)
{
	struct mxg_page page;
	mxg_page_begin(&page, to, "Names by which mail still gets here", "mxguard audit", now);
	say(audit, &page);
	mxg_page_fact(&page, "configuration", "%s", config);
	mxg_page_fact(&page, "domains", "%zu", audit->domains.count);
	mxg_page_fact(&page, "questions to DNS", "%llu", (unsigned long long)mxg_asker_sent(audit->asker));
	put_sums(s, audit, &page);
	put_rows(s, &page);
	put_failures(s, &page);
	mxg_page_part(&page, mxg_page_words(MXG_WORDS_AUDIT));
	mxg_page_end(&page);
}
