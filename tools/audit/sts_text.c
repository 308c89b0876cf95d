/* SPDX-License-Identifier: MIT */
/* The text of an MTA-STS policy (RFC 8461 §3.2). */
#include <stdlib.h>
#include <string.h>

#include "audit/sts.h"
#include "base/ascii.h"

#define PATTERNS_MOST 100

static void keep_pattern(struct mxg_audit_job *job, const char *suffix, size_t len)
{
	struct mxg_text *pattern = malloc(sizeof(*pattern) + len + 1);
	if (pattern == NULL) {
		job->audit->nomem = true;
		return;
	}
	for (size_t i = 0; i < len; i++)
		pattern->text[i] = mxg_ascii_lower(suffix[i]);
	pattern->text[len] = '\0';
	pattern->next = job->patterns;
	job->patterns = pattern;
}

static void take_mx(struct mxg_audit_job *job, const char *value, size_t len)
{
	struct mxg_name name;
	if (len > 2 && value[0] == '*' && value[1] == '.')
		keep_pattern(job, value + 1, len - 1);
	else if (len > 0 && mxg_name_from_text(&name, value, len))
		mxg_audit_name_add(job, &name, MXG_LEAK_MTA_STS);
}

/* "key: value", with blanks at both ends of the value. */
static bool is_field(const char *line, size_t len, const char *key, const char **value, size_t *value_len)
{
	size_t n = strlen(key);
	if (len <= n || memcmp(line, key, n) != 0 || line[n] != ':')
		return false;
	for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
		;
	for (*value = line + n, len -= n; len > 0 && strchr(" \t\r", line[n + len - 1]) != NULL; len--)
		;
	*value_len = len;
	return true;
}

bool mxg_sts_take(struct mxg_audit_job *job, const char *text, size_t len)
{
	const char *value;
	size_t value_len, patterns = 0;
	bool version = false;
	for (size_t at = 0; at < len;) {
		const char *line = text + at, *end = memchr(line, '\n', len - at);
		size_t line_len = end == NULL ? len - at : (size_t)(end - line);
		at += line_len + 1;
		if (is_field(line, line_len, "version", &value, &value_len))
			version = value_len == 5 && memcmp(value, "STSv1", 5) == 0;
		else if (is_field(line, line_len, "mx", &value, &value_len) && patterns++ < PATTERNS_MOST)
			take_mx(job, value, value_len);
	}
	return version;
}

bool mxg_sts_covers(const struct mxg_audit_job *job, const struct mxg_name *name)
{
	char text[MXG_NAME_TEXT_MAX];
	mxg_name_format(name, text);
	const char *rest = strchr(text, '.');
	for (const struct mxg_text *p = job->patterns; p != NULL && rest != NULL; p = p->next)
		if (strcmp(p->text, rest) == 0)
			return true;
	return false;
}
