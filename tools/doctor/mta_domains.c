/* SPDX-License-Identifier: MIT */
/* Lists of domains in the configurations of Postfix and Exim. */
#include "mta_domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define NEST_MAX 4 /* tables in files in tables */

/* ---- Postfix ------------------------------------------------------------------------------- */

struct list {
	const struct mxg_domain_sink *sink;
	const char *folder;
	int depth;
};

static void take_word(void *to, const char *word);

/* The keys of a table, by postmap(1). Of an address, user@domain, the domain is not: only what
 * stands alone makes all of a domain local (virtual(5)). */
static void take_table(struct list *list, const char *table)
{
	const char *const options[] = { "-s", table, NULL };
	char *output = mxg_program_postfix(list->folder, "postmap", options), *rest = output, *line;
	while (output != NULL && (line = strsep(&rest, "\n")) != NULL) {
		line[strcspn(line, " \t")] = '\0';
		if (line[0] != '\0' && strchr(line, '@') == NULL)
			list->sink->name(list->sink->to, line);
	}
	if (output == NULL && list->sink->unread != NULL)
		list->sink->unread(list->sink->to, table);
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
		list->sink->name(list->sink->to, word);
}

void mxg_postfix_domains(const char *folder, const char *setting, const struct mxg_domain_sink *sink)
{
	struct list list = { .sink = sink, .folder = folder };
	char *value = mxg_program_postfix_value(folder, setting);
	if (value != NULL)
		mxg_program_words(value, take_word, &list);
	free(value);
}

bool mxg_postfix_network(const char *word, struct mxg_prefix *out)
{
	char text[64];
	size_t len = 0;
	for (; *word != '\0' && len < sizeof(text) - 1; word++)
		if (*word != '[' && *word != ']')
			text[len++] = *word;
	text[len] = '\0';
	enum mxg_prefix_error error = mxg_prefix_parse(out, text, len);
	return error == MXG_PREFIX_OK || error == MXG_PREFIX_HOST_BITS;
}

/* ---- Exim ---------------------------------------------------------------------------------- */

static void take_exim_item(const struct mxg_domain_sink *sink, const char *hostname, char *item)
{
	item += strspn(item, " \t");
	item[strcspn(item, " \t")] = '\0';
	if (strcmp(item, "@") == 0 && hostname != NULL)
		sink->name(sink->to, hostname);
	else if (item[0] != '\0' && strcmp(item, "@[]") != 0 && item[0] != '!')
		sink->name(sink->to, item);
}

/* "domainlist local_domains = @ : localhost", or with another separator "<; @ ; localhost". */
void mxg_exim_domains(const char *config, const struct mxg_domain_sink *sink)
{
	char *output = mxg_program_exim(config, "+local_domains"), *name = NULL, *hostname = NULL, *value = NULL, *item;
	char separator[2] = ":";
	if (output != NULL)
		value = mxg_program_setting(output, "domainlist local_domains");
	if (value != NULL && (name = mxg_program_exim(config, "primary_hostname")) != NULL)
		hostname = mxg_program_setting(name, "primary_hostname");
	char *rest = value;
	if (value != NULL && value[0] == '<' && value[1] != '\0') {
		separator[0] = value[1];
		rest = value + 2;
	}
	while (value != NULL && (item = strsep(&rest, separator)) != NULL)
		take_exim_item(sink, hostname, item);
	free(hostname);
	free(name);
	free(value);
	free(output);
}
