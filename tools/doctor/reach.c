/* SPDX-License-Identifier: MIT */
/* By which domains Postfix, Exim and Dovecot let the same mailboxes be reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "program.h"

#define NEST_MAX 4 /* tables in files in tables */

/* ---- Postfix ------------------------------------------------------------------------------- */

struct list {
	struct mxg_names names;
	int depth;
};

static void take_word(void *to, const char *word);

/* The keys of a table, by postmap(1). Of an address, user@domain, the domain is not: only what
 * stands alone makes all of a domain local (virtual(5)). */
static void take_table(struct list *list, const char *table)
{
	const struct mxg_doctor *d = list->names.doctor;
	char *output = mxg_program_postfix(d->postfix, "postmap", (const char *const[]){ "-s", table, NULL }), *line;
	char *rest = output;
	while (output != NULL && (line = strsep(&rest, "\n")) != NULL) {
		line[strcspn(line, " \t")] = '\0';
		if (strchr(line, '@') == NULL)
			mxg_names_add(&list->names, line);
	}
	if (output == NULL)
		mxg_finding_add(&list->names.doctor->findings, MXG_FINDING_NOTE, "postfix-other-names",
				"postmap -s lists hash, btree, cdb, lmdb and texthash tables; look through it yourself",
				"the domains in %.200s are not known here", table);
	free(output);
}

static void take_file(struct list *list, const char *path)
{
	char line[1024];
	FILE *file = list->depth < NEST_MAX ? fopen(path, "re") : NULL;
	if (file == NULL)
		return;
	list->depth++;
	while (fgets(line, sizeof(line), file) != NULL)
		if (line[0] != '#')
			mxg_program_words(line, take_word, list);
	list->depth--;
	fclose(file);
}

/* A pattern of domain_list: a name, !name, /file, type:table (postconf(5)). */
static void take_word(void *to, const char *word)
{
	struct list *list = to;
	if (word[0] == '!')
		return;
	if (word[0] == '/')
		take_file(list, word);
	else if (strchr(word, ':') != NULL)
		take_table(list, word);
	else
		mxg_names_add(&list->names, word);
}

static void check_postfix(struct mxg_doctor *d, const char *setting)
{
	struct list list = { .names.doctor = d };
	char where[64];
	/* $myhostname and the like are put in */
	char *value = mxg_program_postfix(d->postfix, "postconf", (const char *const[]){ "-x", "-h", setting, NULL });
	if (value != NULL)
		mxg_program_words(value, take_word, &list);
	snprintf(where, sizeof(where), "Postfix (%s)", setting);
	mxg_names_tell(&list.names, "postfix-other-names", where);
	free(value);
}

/* ---- Exim ---------------------------------------------------------------------------------- */

struct exim_list {
	struct mxg_names names;
	char *hostname;
};

static void take_exim_item(struct exim_list *list, char *item)
{
	item += strspn(item, " \t");
	item[strcspn(item, " \t")] = '\0';
	if (strcmp(item, "@") == 0 && list->hostname != NULL)
		mxg_names_add(&list->names, list->hostname);
	else if (strcmp(item, "@[]") != 0 && item[0] != '!')
		mxg_names_add(&list->names, item); /* lookups and patterns are no names */
}

/* "domainlist local_domains = @ : localhost", or with another separator "<; @ ; localhost". */
static void check_exim(struct mxg_doctor *d)
{
	struct exim_list list = { .names.doctor = d };
	char *output = mxg_program_exim(d->exim, "+local_domains"), *name = NULL, *value = NULL, *item;
	char separator[2] = ":";
	if (output != NULL)
		value = mxg_program_setting(output, "domainlist local_domains");
	if (value != NULL && (name = mxg_program_exim(d->exim, "primary_hostname")) != NULL)
		list.hostname = mxg_program_setting(name, "primary_hostname");
	char *rest = value;
	if (value != NULL && value[0] == '<' && value[1] != '\0') {
		separator[0] = value[1];
		rest = value + 2;
	}
	while (value != NULL && (item = strsep(&rest, separator)) != NULL)
		take_exim_item(&list, item);
	mxg_names_tell(&list.names, "exim-other-names", "Exim (local_domains)");
	free(list.hostname);
	free(name);
	free(value);
	free(output);
}

/* ---- Dovecot ------------------------------------------------------------------------------- */

/* "user | lower" (2.4): what stands in front is the variable, then come its filters. */
static bool braced_keeps_domain(const char *inner, size_t len)
{
	char text[128];
	if (len >= sizeof(text))
		return true; /* nobody's mailbox is told by such a thing */
	memcpy(text, inner, len);
	text[len] = '\0';
	if (strstr(text, "domain") != NULL)
		return true;
	return strstr(text, "user") != NULL && strstr(text, "username") == NULL;
}

/* Dovecot 2.3: %u, %Lu, %{user}; %n and %{username} are the local part alone. */
static bool keeps_domain(const char *format)
{
	for (const char *at = format; (at = strchr(at, '%')) != NULL;) {
		at++;
		if (*at == '{') {
			size_t len = strcspn(++at, "}");
			if (braced_keeps_domain(at, len))
				return true;
			at += len;
			continue;
		}
		at += strspn(at, "LUEXRHNMDT0123456789.-");
		if (*at == 'u' || *at == 'd')
			return true;
	}
	return false;
}

static void tell_username_format(struct mxg_doctor *d, const char *format)
{
	const struct mxguard_policy *policy = d->policy;
	const char *stricter = mxg_names_stricter(policy, policy->rulesets[0].mode);
	if (stricter != NULL)
		mxg_finding_add(
			&d->findings, MXG_FINDING_ERROR, "dovecot-username-format",
			"let mode be the strictest one and give single domains a milder one, or keep the domain: "
			"auth_username_format = %Lu",
			"Dovecot's auth_username_format (%.60s) leaves the domain out: alice@ any domain is the "
			"mailbox of alice@%s too, and takes the mode of the whole, %s",
			format, stricter, mxguard_mode_name(policy->rulesets[0].mode));
	else if (policy->domains.count == 0 && policy->domains_file == NULL)
		mxg_finding_add(
			&d->findings, MXG_FINDING_WARNING, "dovecot-username-format",
			"list them: domains = [ … ]; others are then nobody's",
			"Dovecot's auth_username_format (%.60s) leaves the domain out: every domain is the same "
			"mailbox, and domains does not say which are yours",
			format);
	else
		mxg_finding_add(
			&d->findings, MXG_FINDING_NOTE, "dovecot-username-format", NULL,
			"Dovecot's auth_username_format (%.60s) leaves the domain out: every domain is the same "
			"mailbox",
			format);
}

static void check_dovecot(struct mxg_doctor *d)
{
	const char *const options[] = { "-h", "auth_username_format", NULL };
	char *format = mxg_program_dovecot(d->dovecot, options);
	if (format != NULL)
		format[strcspn(format, "\n")] = '\0';
	if (format != NULL && format[0] != '\0' && !keeps_domain(format))
		tell_username_format(d, format);
	free(format);
}

void mxg_doctor_reach(struct mxg_doctor *d)
{
	check_postfix(d, "mydestination");
	check_postfix(d, "virtual_alias_domains");
	check_exim(d);
	check_dovecot(d);
}
