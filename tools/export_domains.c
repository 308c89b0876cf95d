/* SPDX-License-Identifier: MIT */
/* Lists of addresses for mail transport agents, one for each domain. */
#include "export_domains.h"

#include <cdb.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WILDCARD_MAX 260 /* "*" and a suffix of a domain */

static const char *text_of(const struct mxg_prefix *p, char text[MXG_PREFIX_TEXT_MAX])
{
	return mxg_prefix_format(p, text);
}

/* ---- in order ------------------------------------------------------------------------------- */

typedef void put_domain(void *to, const char *domain, size_t set, const struct mxg_prefixes *prefixes);

/* Those whose names are wildcards of this length; 0: those that are none. True: there are longer or
 * shorter ones. */
static bool put_some(const struct mxg_export *e, size_t wildcard, put_domain *put, void *to)
{
	bool others = false;
	for (size_t i = 0; i < e->set_count; i++) {
		const struct mxg_text_list *domains = &e->sets[i].domains;
		const char *domain = domains->count > 0 ? domains->text : "*";
		for (size_t d = 0; d == 0 || d < domains->count; d++, domain += strlen(domain) + 1) {
			if ((domain[0] == '*' ? strlen(domain) : 0) == wildcard)
				put(to, domain, i, &e->sets[i].prefixes);
			else
				others = true;
		}
	}
	return others;
}

/* Names first, then the longest wildcards, for readers that take the first that fits. */
static void put_all(const struct mxg_export *e, put_domain *put, void *to)
{
	bool wildcards = put_some(e, 0, put, to);
	for (size_t length = WILDCARD_MAX; wildcards && length > 0; length--)
		put_some(e, length, put, to);
}

/* ---- Exim ------------------------------------------------------------------------------------ */

/* A host list, parted by semicolons since IPv6 has colons. */
static void write_host_list(FILE *to, const struct mxg_prefixes *prefixes)
{
	char text[MXG_PREFIX_TEXT_MAX];
	fputc('<', to);
	for (size_t p = 0; p < prefixes->count; p++)
		fprintf(to, "; %s", text_of(&prefixes->items[p], text));
}

static void put_exim_line(void *to, const char *domain, size_t set, const struct mxg_prefixes *prefixes)
{
	(void)set;
	fprintf(to, "%s: ", domain);
	write_host_list(to, prefixes);
	fputc('\n', to);
}

bool mxg_export_exim_domains(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(
		e, to, '#',
		"In a RCPT ACL: deny !hosts = ${lookup{$domain}lsearch{FILE}{$value}} (nwildlsearch for keys "
		"with \"*\")");
	put_all(e, put_exim_line, to);
	return true;
}

struct database {
	struct cdb_make make;
	bool failed;
};

static void put_exim_record(void *to, const char *domain, size_t set, const struct mxg_prefixes *prefixes)
{
	struct database *d = to;
	char *list = NULL;
	size_t len = 0;
	FILE *text = open_memstream(&list, &len);
	(void)set;
	d->failed |= text == NULL;
	if (text == NULL)
		return;
	write_host_list(text, prefixes);
	d->failed |=
		fclose(text) != 0 || cdb_make_add(&d->make, domain, (unsigned)strlen(domain), list, (unsigned)len) != 0;
	free(list);
}

static bool copy_file(FILE *from, FILE *to)
{
	char bytes[65536];
	size_t n;
	rewind(from);
	while ((n = fread(bytes, 1, sizeof(bytes), from)) > 0)
		if (fwrite(bytes, 1, n, to) != n)
			return false;
	return !ferror(from);
}

/* Built beside, since the output may be a pipe. */
bool mxg_export_exim_cdb(const struct mxg_export *e, FILE *to)
{
	struct database d = { .failed = false };
	FILE *beside = tmpfile();
	if (beside == NULL)
		return false;
	d.failed = cdb_make_start(&d.make, fileno(beside)) != 0;
	put_all(e, put_exim_record, &d);
	d.failed |= cdb_make_finish(&d.make) != 0;
	bool good = !d.failed && copy_file(beside, to);
	int error = errno;
	fclose(beside);
	errno = error;
	return good;
}

/* ---- Postfix --------------------------------------------------------------------------------- */

/* Inline tables need no files, so that all of it changes in one step. DUNNO leaves the rest to the restrictions behind
 * this one: it permits nothing. */
static void write_class(FILE *to, size_t number, const struct mxg_prefixes *prefixes)
{
	char text[MXG_PREFIX_TEXT_MAX];
	fprintf(to, "mxguard_set_%zu = check_client_access cidr:{", number);
	for (size_t p = 0; p < prefixes->count; p++)
		fprintf(to, " {%s DUNNO}", text_of(&prefixes->items[p], text));
	fputs(" {0.0.0.0/0 REJECT not an authorized gateway} {::/0 REJECT not an authorized gateway} }\n", to);
}

/* The whole address is looked up: an exact name does not stand for names below it. main.cf writes $ twice. */
static void put_recipients(void *to, const char *domain, size_t set, const struct mxg_prefixes *prefixes)
{
	const char *c = domain + (domain[0] == '*');
	(void)prefixes;
	fputs(domain[0] == '*' ? " {/@.+" : " {/@", to);
	for (; *c != '\0'; c++)
		fprintf(to, *c == '.' ? "\\%c" : "%c", *c);
	fprintf(to, "$$/ mxguard_set_%zu}", set + 1);
}

/* What a class holds stands in main.cf alone: access tables cannot name other tables (RESTRICTION_CLASS_README). */
bool mxg_export_postfix_domains(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#',
			    "For main.cf, Postfix 3.7 or later: sed /^#/d FILE | tr '\\n' '\\0' | xargs -0 postconf "
			    "-e; there, once: "
			    "smtpd_restriction_classes = $mxguard_sets, and in smtpd_recipient_restrictions: "
			    "check_recipient_access $mxguard_recipients");
	fputs("mxguard_sets =", to);
	for (size_t i = 1; i <= e->set_count; i++)
		fprintf(to, " mxguard_set_%zu", i);
	fputc('\n', to);
	for (size_t i = 0; i < e->set_count; i++)
		write_class(to, i + 1, &e->sets[i].prefixes);
	fputs("mxguard_recipients = regexp:{", to);
	put_all(e, put_recipients, to);
	fputs(" }\n", to);
	return true;
}
