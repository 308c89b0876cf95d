/* SPDX-License-Identifier: MIT */
/* The forms in which other programs read lists of addresses. */
#include "export_format.h"

#include <string.h>

#include "json.h"
#include "text.h"

static const char *text_of(const struct mxg_prefix *p, char text[MXG_PREFIX_TEXT_MAX])
{
	return mxg_prefix_format(p, text);
}

static void comments(const struct mxg_export *e, FILE *to, const char *use)
{
	char time[MXG_TIME_MAX];
	fprintf(to, "# Written by mxguard export at %s from %s: do not edit.\n# %s\n", mxg_time_format(e->now, time),
		e->config, use);
	for (size_t i = 0; i < e->remarks->count; i++)
		fprintf(to, "# %s\n", mxg_text_list_get(e->remarks, i));
}

static void lines(const struct mxg_export *e, FILE *to, const char *before, const char *behind)
{
	char text[MXG_PREFIX_TEXT_MAX];
	for (size_t i = 0; i < e->count; i++)
		fprintf(to, "%s%s%s\n", before, text_of(&e->prefixes[i], text), behind);
}

static void write_plain(const struct mxg_export *e, FILE *to)
{
	comments(e, to, "One address range a line.");
	lines(e, to, "", "");
}

static void write_postfix(const struct mxg_export *e, FILE *to)
{
	comments(e, to, "cidr_table(5): smtpd_client_restrictions = check_client_access cidr:FILE, reject");
	lines(e, to, "", "\tOK");
}

static void write_exim(const struct mxg_export *e, FILE *to)
{
	comments(e, to, "hostlist mxguard_gateways = /path/of/this/file");
	lines(e, to, "", "");
}

static void write_rspamd(const struct mxg_export *e, FILE *to)
{
	comments(e, to, "A map of type \"ip\" (radix) of rspamd.");
	lines(e, to, "", "");
}

static void write_spamassassin(const struct mxg_export *e, FILE *to)
{
	comments(e, to, "For SpamAssassin's local.cf; internal hosts have to be added there.");
	lines(e, to, "trusted_networks ", "");
}

/* The file can be loaded again and again, and replaces the sets in one transaction. */
static void write_set(const struct mxg_export *e, FILE *to, int family)
{
	char text[MXG_PREFIX_TEXT_MAX];
	size_t n = 0;
	fprintf(to, "add set inet mxguard gateways%d { type ipv%d_addr; flags interval; }\n", family, family);
	fprintf(to, "flush set inet mxguard gateways%d\n", family);
	for (size_t i = 0; i < e->count; i++) {
		if (e->prefixes[i].base.family != family)
			continue;
		if (n++ == 0)
			fprintf(to, "add element inet mxguard gateways%d {", family);
		fprintf(to, "%s\n\t%s", n > 1 ? "," : "", text_of(&e->prefixes[i], text));
	}
	if (n > 0)
		fputs("\n}\n", to);
}

static void write_nftables(const struct mxg_export *e, FILE *to)
{
	comments(e, to, "nft -f FILE; in a rule: ip saddr @gateways4 accept, ip6 saddr @gateways6 accept");
	fputs("add table inet mxguard\n", to);
	write_set(e, to, 4);
	write_set(e, to, 6);
}

static json_t *text_array(const struct mxg_text_list *list)
{
	json_t *array = json_array();
	const char *text = list->text;
	for (size_t i = 0; i < list->count; i++, text += strlen(text) + 1)
		json_array_append_new(array, mxg_json_text(text));
	return array;
}

static void write_json(const struct mxg_export *e, FILE *to)
{
	char text[MXG_PREFIX_TEXT_MAX];
	json_t *prefixes = json_array();
	for (size_t i = 0; i < e->count; i++)
		json_array_append_new(prefixes, json_string(text_of(&e->prefixes[i], text)));
	json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "prefixes", prefixes, "remarks", text_array(e->remarks),
			      "domains", text_array(e->domains), "written", mxg_json_time(e->now));
	json_dumpf(o, to, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(o);
	fputc('\n', to);
}

static const char *const names[] = { "postfix", "nftables", "exim", "rspamd", "spamassassin", "plain", "json", NULL };
static mxg_export_writer *const writers[] = { write_postfix,      write_nftables, write_exim, write_rspamd,
					      write_spamassassin, write_plain,    write_json };

const char *const *mxg_export_format_names(void)
{
	return names;
}

mxg_export_writer *mxg_export_format(const char *name)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return writers[i];
	return NULL;
}
