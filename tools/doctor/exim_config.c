/* SPDX-License-Identifier: MIT */
/* Exim's configuration, as exim -bP config prints it. */
#include "exim_config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

char *mxg_exim_setting(const char *config, const char *name)
{
	char *output = mxg_program_exim(config, name);
	char *value = output == NULL ? NULL : mxg_program_setting(output, name);
	free(output);
	return value;
}

const char *mxg_exim_part(const char *config, const char *name, size_t *len)
{
	char begin[40];
	int n = snprintf(begin, sizeof(begin), "begin %s\n", name);
	*len = 0;
	for (const char *line = config; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, begin, (size_t)n) != 0)
			continue;
		const char *end = strstr(line + n, "\nbegin ");
		*len = end == NULL ? strlen(line + n) : (size_t)(end - line - n);
		return line + n;
	}
	return "";
}

static bool has(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

#define ACL_DEPTH_MOST 8 /* ACLs that ask others */

static size_t word_length(const char *text, const char *end)
{
	size_t len = 0;
	while (text + len < end && (isalnum((unsigned char)text[len]) || text[len] == '_' || text[len] == '-'))
		len++;
	return len;
}

/* "NAME:" at a line's beginning. */
static bool begins_acl(const char *line, const char *end, const char *name, size_t name_len)
{
	line += strspn(line, " \t");
	size_t len = line < end ? word_length(line, end) : 0;
	return len > 0 && line + len < end && line[len] == ':' &&
	       (name == NULL || (len == name_len && memcmp(line, name, len) == 0));
}

static bool acl_asks(const char *text, size_t len, const char *name, size_t name_len, unsigned depth);

/* Behind "acl =" */
static const char *other_acl(const char *line, const char *end)
{
	const char *at = memmem(line, (size_t)(end - line), "acl", 3);
	if (at == NULL || at[3 + strspn(at + 3, " \t")] != '=')
		return NULL;
	at += 4 + strspn(at + 3, " \t");
	return at + strspn(at, " \t");
}

static bool line_asks(const char *text, size_t len, const char *line, const char *end, unsigned depth)
{
	const char *other = other_acl(line, end);
	if (line[strspn(line, " \t")] == '#')
		return false;
	if (has(line, (size_t)(end - line), "mxguard"))
		return true;
	return other != NULL && depth > 0 && acl_asks(text, len, other, word_length(other, end), depth - 1);
}

/* Whether the ACL of that name asks mxguard, or another one that does. */
static bool acl_asks(const char *text, size_t len, const char *name, size_t name_len, unsigned depth)
{
	const char *end = text + len;
	bool within = false;
	for (const char *line = text; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		next = next == NULL ? end : next + 1;
		if (begins_acl(line, next, NULL, 0))
			within = begins_acl(line, next, name, name_len);
		if (within && line_asks(text, len, line, next, depth))
			return true;
		line = next;
	}
	return false;
}

static bool has_acl(const char *text, size_t len, const char *name)
{
	const char *end = text + len;
	for (const char *line = text; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		next = next == NULL ? end : next + 1;
		if (begins_acl(line, next, name, strlen(name)))
			return true;
		line = next;
	}
	return false;
}

enum mxg_exim_asks mxg_exim_asks(const char *config, char *const *acls)
{
	size_t len;
	const char *text = mxg_exim_part(config, "acl", &len);
	bool perhaps = has(text, len, "mxguard") || has(text, len, "readsocket") || has(text, len, "${perl");
	for (size_t i = 0; i < MXG_EXIM_ACLS; i++) {
		const char *name = acls[i];
		if (name == NULL || name[0] == '\0')
			continue;
		if (acl_asks(text, len, name, strlen(name), ACL_DEPTH_MOST))
			return MXG_EXIM_ASKS;
		perhaps |= !has_acl(text, len, name);
	}
	return perhaps ? MXG_EXIM_ASKS_PERHAPS : MXG_EXIM_ASKS_NOT;
}

void mxg_exim_acls(const char *file, char *acls[MXG_EXIM_ACLS])
{
	acls[0] = mxg_exim_setting(file, "acl_smtp_rcpt");
	acls[1] = mxg_exim_setting(file, "acl_smtp_data");
}

enum mxg_exim_asks mxg_exim_of_file(const char *file)
{
	char *config = mxg_program_exim(file, "config"), *acls[MXG_EXIM_ACLS];
	if (config == NULL)
		return MXG_EXIM_UNREAD;
	mxg_exim_acls(file, acls);
	enum mxg_exim_asks asks = mxg_exim_asks(config, acls);
	for (size_t i = 0; i < MXG_EXIM_ACLS; i++)
		free(acls[i]);
	free(config);
	return asks;
}
