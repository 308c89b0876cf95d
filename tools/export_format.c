/* SPDX-License-Identifier: MIT */
/* The forms in which other programs read lists of addresses. */
#include "export_domains.h"
#include "export_format.h"
#include "export_zone.h"

#include <string.h>

#include "json.h"
#include "text.h"

static const char *text_of(const struct mxg_prefix *p, char text[MXG_PREFIX_TEXT_MAX])
{
	return mxg_prefix_format(p, text);
}

void mxg_export_comments(const struct mxg_export *e, FILE *to, char mark, const char *use)
{
	char time[MXG_TIME_MAX];
	fprintf(to, "%c Written by mxguard export at %s from %s: do not edit.\n%c %s\n", mark,
		mxg_time_format(e->now, time), e->config, mark, use);
	for (size_t i = 0; i < e->remarks->count; i++)
		fprintf(to, "%c %s\n", mark, mxg_text_list_get(e->remarks, i));
}

static void lines(const struct mxg_export *e, FILE *to, const char *before, const char *behind)
{
	char text[MXG_PREFIX_TEXT_MAX];
	for (size_t i = 0; i < e->sets->prefixes.count; i++)
		fprintf(to, "%s%s%s\n", before, text_of(&e->sets->prefixes.items[i], text), behind);
}

static bool write_plain(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#', "One address range a line.");
	lines(e, to, "", "");
	return true;
}

static bool write_postfix(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#',
			    "cidr_table(5): smtpd_client_restrictions = check_client_access cidr:FILE, reject");
	lines(e, to, "", "\tOK");
	return true;
}

static bool write_exim(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#', "hostlist mxguard_gateways = /path/of/this/file");
	lines(e, to, "", "");
	return true;
}

static bool write_rspamd(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#', "A map of type \"ip\" (radix) of rspamd.");
	lines(e, to, "", "");
	return true;
}

static bool write_spamassassin(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#', "For SpamAssassin's local.cf; internal hosts have to be added there.");
	lines(e, to, "trusted_networks ", "");
	return true;
}

/* The file can be loaded again and again, and replaces the sets in one transaction. */
static void write_set(const struct mxg_export *e, FILE *to, int family)
{
	char text[MXG_PREFIX_TEXT_MAX];
	size_t n = 0;
	fprintf(to, "add set inet mxguard gateways%d { type ipv%d_addr; flags interval; }\n", family, family);
	fprintf(to, "flush set inet mxguard gateways%d\n", family);
	for (size_t i = 0; i < e->sets->prefixes.count; i++) {
		if (e->sets->prefixes.items[i].base.family != family)
			continue;
		if (n++ == 0)
			fprintf(to, "add element inet mxguard gateways%d {", family);
		fprintf(to, "%s\n\t%s", n > 1 ? "," : "", text_of(&e->sets->prefixes.items[i], text));
	}
	if (n > 0)
		fputs("\n}\n", to);
}

static bool write_nftables(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#',
			    "nft -f FILE; in a rule: ip saddr @gateways4 accept, ip6 saddr @gateways6 accept");
	fputs("add table inet mxguard\n", to);
	write_set(e, to, 4);
	write_set(e, to, 6);
	return true;
}

static json_t *text_array(const struct mxg_text_list *list)
{
	json_t *array = json_array();
	const char *text = list->text;
	for (size_t i = 0; i < list->count; i++, text += strlen(text) + 1)
		json_array_append_new(array, mxg_json_text(text));
	return array;
}

static json_t *prefix_array(const struct mxg_prefixes *prefixes)
{
	char text[MXG_PREFIX_TEXT_MAX];
	json_t *array = json_array();
	for (size_t i = 0; i < prefixes->count; i++)
		json_array_append_new(array, json_string(text_of(&prefixes->items[i], text)));
	return array;
}

/* One set: as it is. Several: each with its domains. */
static bool write_json(const struct mxg_export *e, FILE *to)
{
	json_t *o = json_object(), *sets = json_array();
	for (size_t i = 0; i < e->set_count; i++)
		json_array_append_new(sets, json_pack("{s:o, s:o}", "domains", text_array(&e->sets[i].domains),
						      "prefixes", prefix_array(&e->sets[i].prefixes)));
	if (e->set_count == 1) {
		json_object_set_new(o, "prefixes", prefix_array(&e->sets->prefixes));
		json_object_set_new(o, "domains", text_array(&e->sets->domains));
	}
	json_object_set_new(o, "sets", sets);
	json_object_set_new(o, "wide", json_boolean(e->wide));
	json_object_set_new(o, "remarks", text_array(e->remarks));
	json_object_set_new(o, "written", mxg_json_time(e->now));
	json_dumpf(o, to, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(o);
	fputc('\n', to);
	return true;
}

static const struct mxg_export_format formats[] = {
	{ .write = write_postfix },
	{ .write = mxg_export_postfix_domains, .by_domain = true },
	{ .write = write_nftables },
	{ .write = write_exim },
	{ .write = mxg_export_exim_domains, .by_domain = true },
	{ .write = mxg_export_exim_cdb, .by_domain = true },
	{ .write = mxg_export_zone, .is_zone = true },
	{ .write = mxg_export_rbldnsd, .is_zone = true },
	{ .write = write_rspamd },
	{ .write = write_spamassassin },
	{ .write = write_plain },
	{ .write = write_json, .by_domain = true },
};
static const char *const names[] = {
	"postfix", "postfix-domains", "nftables",     "exim",  "exim-domains", "exim-cdb", "zone",
	"rbldnsd", "rspamd",          "spamassassin", "plain", "json",         NULL
};

const char *const *mxg_export_format_names(void)
{
	return names;
}

const struct mxg_export_format *mxg_export_format(const char *name)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return &formats[i];
	return NULL;
}
