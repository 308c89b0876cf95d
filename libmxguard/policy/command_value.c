/* SPDX-License-Identifier: MIT */
/* A command that is run without a shell: its words, which no shell will look at again. */
#include <string.h>

#include "base/ascii.h"
#include "policy/build.h"

#define WORDS_MOST 64
#define LINE_MOST 4000

struct words {
	const char *items[WORDS_MOST + 1]; /* NULL behind the last */
	size_t count;
};

/* One word at *at, written over itself: '…' as it stands, "…" and what is bare with \ before a character. False: a
 * quote is not closed. */
static bool cut_word(char **at, char **word)
{
	char *from = *at, *to = *at, quote = '\0';
	*word = to;
	for (; *from != '\0' && (quote != '\0' || !mxg_ascii_is_blank(*from)); from++) {
		if (*from == quote)
			quote = '\0';
		else if (quote == '\0' && (*from == '\'' || *from == '"'))
			quote = *from;
		else if (*from == '\\' && quote != '\'' && from[1] != '\0')
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*at = *from == '\0' ? from : from + 1;
	*to = '\0';
	return quote == '\0';
}

static bool cut(struct words *w, char *line)
{
	for (;;) {
		char *word;
		while (mxg_ascii_is_blank(*line))
			line++;
		if (*line == '\0')
			return w->count > 0;
		if (w->count == WORDS_MOST || !cut_word(&line, &word))
			return false;
		w->items[w->count++] = word;
	}
}

/* Of a folder that the caller happens to stand in nobody says who writes to it. */
static bool is_program(const char *name)
{
	return name[0] == '/' || (name[0] != '\0' && strchr(name, '/') == NULL);
}

static bool from_line(struct mxg_policy_build *b, const config_setting_t *s, const char *expected, struct words *w)
{
	const char *text = mxg_build_string(b, s, expected);
	if (text == NULL)
		return false;
	if (strlen(text) > LINE_MOST)
		return mxg_build_unexpected(b, s, expected);
	char *line = mxg_build_take(b, strlen(text) + 1, 1);
	if (line == NULL)
		return false;
	memcpy(line, text, strlen(text));
	return cut(w, line) || mxg_build_unexpected(b, s, expected);
}

static bool from_list(struct mxg_policy_build *b, const config_setting_t *s, const char *expected, struct words *w)
{
	w->count = (size_t)config_setting_length(s);
	if (w->count == 0 || w->count > WORDS_MOST)
		return mxg_build_unexpected(b, s, expected);
	for (size_t i = 0; i < w->count; i++) {
		const char *text = mxg_build_string(b, config_setting_get_elem(s, (unsigned)i), "a word in quotes");
		w->items[i] = text == NULL ? NULL : mxg_build_copy(b, text, strlen(text));
		if (w->items[i] == NULL)
			return false;
	}
	return true;
}

bool mxg_take_command(struct mxg_policy_build *b, const struct mxg_setting *row, void *field, const config_setting_t *s)
{
	struct words w = { .count = 0 };
	if (!(mxg_build_is_list(s) ? from_list : from_line)(b, s, row->expected, &w))
		return false;
	if (!is_program(w.items[0]))
		return mxg_build_unexpected(b, s, row->expected);
	const char **items = mxg_build_take(b, w.count + 1, sizeof(*items));
	if (items == NULL)
		return false;
	memcpy(items, w.items, w.count * sizeof(*items));
	*(struct mxg_string_list *)field = (struct mxg_string_list){ items, w.count };
	return true;
}
