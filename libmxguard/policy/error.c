/* SPDX-License-Identifier: MIT */
/* Messages for the administrator: where, which setting, what was found, what would be right. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/neuter.h"
#include "policy/build.h"

#define LINE_MOST 900u
#define VALUE_MOST 60

unsigned mxg_build_line(const config_setting_t *setting)
{
	/* libconfig gives a list's string the line of what follows it; see policy_text.c */
	unsigned line = (unsigned)(size_t)config_setting_get_hook(setting);
	return line != 0 ? line : config_setting_source_line(setting);
}

/* "policies.gateways.allow"; list elements have no names of their own. */
static size_t put_path(char *out, size_t size, const config_setting_t *setting)
{
	size_t at = 0;
	const config_setting_t *parent = config_setting_parent(setting);
	if (parent != NULL)
		at = put_path(out, size, parent);
	const char *name = config_setting_name(setting);
	if (name == NULL || at >= size)
		return at;
	int n = snprintf(out + at, size - at, "%s%s", at > 0 ? "." : "", name);
	return n < 0 ? at : at + (size_t)n;
}

static void compose(char line[LINE_MOST], const struct mxg_policy_build *b, const config_setting_t *setting,
		    unsigned number, const char *format, va_list args) __attribute__((format(printf, 5, 0)));
static bool fail(struct mxg_policy_build *b, const config_setting_t *setting, unsigned number, const char *format,
		 va_list args) __attribute__((format(printf, 4, 0)));

static void compose(char line[LINE_MOST], const struct mxg_policy_build *b, const config_setting_t *setting,
		    unsigned number, const char *format, va_list args)
{
	char raw[LINE_MOST], path[200] = "";
	if (setting != NULL)
		put_path(path, sizeof(path), setting);
	int n = number == 0 ? snprintf(raw, sizeof(raw), "%s: ", b->name)
			    : snprintf(raw, sizeof(raw), "%s:%u: ", b->name, number);
	size_t at = n < 0 ? 0 : (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1;
	n = path[0] == '\0' ? 0 : snprintf(raw + at, sizeof(raw) - at, "%s: ", path);
	at += n < 0 ? 0 : (size_t)n;
	if (at < sizeof(raw))
		vsnprintf(raw + at, sizeof(raw) - at, format, args);
	mxg_neuter(line, LINE_MOST, raw, strlen(raw), "");
}

static bool fail(struct mxg_policy_build *b, const config_setting_t *setting, unsigned number, const char *format,
		 va_list args)
{
	char line[LINE_MOST];
	if (b->error != MXGUARD_ERROR_NONE)
		return false;
	b->error = MXGUARD_ERROR_CONFIG;
	compose(line, b, setting, number, format, args);
	if (b->size > 0)
		snprintf(b->message, b->size, "%s", line);
	return false;
}

bool mxg_build_fail(struct mxg_policy_build *b, const config_setting_t *setting, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fail(b, setting, setting == NULL ? 0 : mxg_build_line(setting), format, args);
	va_end(args);
	return false;
}

bool mxg_build_fail_line(struct mxg_policy_build *b, unsigned line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fail(b, NULL, line, format, args);
	va_end(args);
	return false;
}

bool mxg_build_no_memory(struct mxg_policy_build *b)
{
	b->error = MXGUARD_ERROR_NOMEM;
	if (b->size > 0)
		snprintf(b->message, b->size, "out of memory");
	return false;
}

bool mxg_build_unexpected(struct mxg_policy_build *b, const config_setting_t *setting, const char *expected)
{
	const char *text = config_setting_get_string(setting);
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_STRING:
		return mxg_build_fail(b, setting, "found \"%.*s%s\"; expected %s", VALUE_MOST, text,
				      strlen(text) > VALUE_MOST ? "..." : "", expected);
	case CONFIG_TYPE_INT: /* its value may have wrapped, so it is not shown */
	case CONFIG_TYPE_INT64:
		return mxg_build_fail(b, setting, "found an integer; expected %s", expected);
	case CONFIG_TYPE_FLOAT:
		return mxg_build_fail(b, setting, "found a decimal number; expected %s", expected);
	case CONFIG_TYPE_BOOL:
		return mxg_build_fail(b, setting, "found %s; expected %s",
				      config_setting_get_bool(setting) ? "true" : "false", expected);
	case CONFIG_TYPE_GROUP:
		return mxg_build_fail(b, setting, "found a group { }; expected %s", expected);
	default:
		return mxg_build_fail(b, setting, "found a list; expected %s", expected);
	}
}

void mxg_build_warn(struct mxg_policy_build *b, const config_setting_t *setting, const char *format, ...)
{
	char line[LINE_MOST];
	va_list args;
	va_start(args, format);
	compose(line, b, setting, setting == NULL ? 0 : mxg_build_line(setting), format, args);
	va_end(args);
	struct mxg_policy_warning *warning = mxg_build_take(b, 1, sizeof(*warning));
	if (warning == NULL || (warning->text = mxg_build_copy(b, line, strlen(line))) == NULL)
		return;
	*b->last_warning = warning;
	b->last_warning = &warning->next;
	b->warning_count++;
}
