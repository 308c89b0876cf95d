/* SPDX-License-Identifier: MIT */
/* libconfig is asked here; its syntax errors become sentences. */
#include <libconfig.h>
#include <locale.h>
#include <string.h>

#include "policy/build.h"

/* Strings come in the file's order, and so do their lines. */
static void note_lines(config_setting_t *setting, const struct mxg_policy_text *text, size_t *next)
{
	if (config_setting_type(setting) == CONFIG_TYPE_STRING) {
		if (config_setting_name(setting) == NULL && *next < text->line_count)
			config_setting_set_hook(setting, (void *)(size_t)text->lines[*next]);
		++*next;
		return;
	}
	if (!config_setting_is_aggregate(setting))
		return;
	for (unsigned i = 0; i < (unsigned)config_setting_length(setting); i++)
		note_lines(config_setting_get_elem(setting, i), text, next);
}

static bool refuse_syntax(struct mxg_policy_build *b, const config_t *config)
{
	const char *what = config_error_text(config);
	unsigned line = (unsigned)config_error_line(config);
	const char *p = b->text;
	for (unsigned i = 1; i < line && p != NULL; i++)
		p = strchr(p, '\n') == NULL ? NULL : strchr(p, '\n') + 1;
	p = p == NULL ? "" : p + strspn(p, " \t");
	int len = (int)strcspn(p, "\r\n");
	const char *dots = len > 60 ? "..." : "";
	len = len > 60 ? 60 : len;
	if (what != NULL && strstr(what, "duplicate") != NULL)
		return mxg_build_fail_line(
			b, line, "found \"%.*s%s\", a setting for the second time; expected each once", len, p, dots);
	if (what != NULL && strstr(what, "array") != NULL)
		return mxg_build_fail_line(b, line,
					   "found values of different types in one list; expected strings only");
	return mxg_build_fail_line(b, line,
				   "found a syntax error in or before \"%.*s%s\"; expected name = value; with text in "
				   "quotes and no comma at the end of a list",
				   len, p, dots);
}

/* libconfig leaves the thread in the global locale, whatever it was in. */
static bool read_config(config_t *config, const char *text)
{
	locale_t before = uselocale((locale_t)0);
	int read = config_read_string(config, text);
	uselocale(before);
	return read == CONFIG_TRUE;
}

bool mxg_build_syntax(struct mxg_policy_build *b, const struct mxg_policy_text *text, config_t *config)
{
	size_t next = 0;
	b->text = text->text;
	if (!read_config(config, text->text))
		return refuse_syntax(b, config);
	b->root = config_root_setting(config);
	note_lines(config_root_setting(config), text, &next);
	return true;
}
