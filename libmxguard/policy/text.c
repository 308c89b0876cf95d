/* SPDX-License-Identifier: MIT */
/*
 * The text before libconfig sees it. libconfig 1.5 joins strings that stand side by side, follows
 * @include (and calls exit(2) where it names a folder), cuts at a NUL, takes the end of the file
 * for the end of a comment or a string, reads octal and hexadecimal numbers, wraps long ones, and
 * refuses a comment in a last line without line end. This follows its scanner (strings, escapes,
 * three kinds of comments) just far enough to know what it is looking at.
 */
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#include "policy/build.h"

#define SHOWN 60 /* of what was found */
#define DIGITS_MOST 9 /* libconfig wraps what an int does not hold */

struct scan {
	struct mxg_policy_build *b;
	struct mxg_policy_text *out;
	const char *at, *end;
	unsigned line;
	const char *string; /* the token before, where it is one, without its quotes */
	size_t string_len;
	bool is_secret; /* what a `value` is */
};

static bool note_line(struct scan *s)
{
	struct mxg_policy_text *t = s->out;
	if (!mxg_grow(&t->lines, &t->line_room, t->line_count, sizeof(*t->lines)))
		return mxg_build_no_memory(s->b);
	t->lines[t->line_count++] = s->line;
	return true;
}

static bool begins(const struct scan *s, const char *what)
{
	size_t len = strlen(what);
	return (size_t)(s->end - s->at) >= len && memcmp(s->at, what, len) == 0;
}

static void skip_line(struct scan *s)
{
	while (s->at < s->end && *s->at != '\n')
		s->at++;
}

static bool skip_comment(struct scan *s)
{
	unsigned start = s->line;
	for (s->at += 2; s->at < s->end && !begins(s, "*/"); s->at++)
		s->line += *s->at == '\n';
	if (s->at == s->end)
		return mxg_build_fail_line(s->b, start, "found a comment that does not end; expected */");
	s->at += 2;
	return true;
}

/* libconfig makes one string of two: a list without a comma would hold one entry that is none. */
static bool refuse_neighbours(struct scan *s, const char *text, size_t len)
{
	if (s->is_secret)
		return mxg_build_fail_line(s->b, s->line, "found a value of two strings; expected one");
	int first = s->string_len > SHOWN ? SHOWN : (int)s->string_len, second = len > SHOWN ? SHOWN : (int)len;
	return mxg_build_fail_line(s->b, s->line,
				   "found \"%.*s\" and \"%.*s\" with nothing between them; expected a comma in a list, "
				   "a semicolon behind a value, or one string",
				   first, s->string, second, text);
}

static bool skip_string(struct scan *s)
{
	unsigned start = s->line;
	const char *text = s->at + 1;
	if (!note_line(s))
		return false;
	for (s->at++; s->at < s->end && *s->at != '"'; s->at++) {
		if (begins(s, "\\x00") || begins(s, "\\X00"))
			return mxg_build_fail_line(s->b, s->line, "found \\x00 in a string; expected text");
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		s->line += *s->at == '\n';
	}
	if (s->at >= s->end)
		return mxg_build_fail_line(s->b, start, "found a string that does not end; expected a closing \"");
	size_t len = (size_t)(s->at++ - text);
	if (s->string != NULL) {
		s->line = start;
		return refuse_neighbours(s, text, len);
	}
	s->string = text;
	s->string_len = len;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_in_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-' || c == '*' ||
	       c == '.' || c == '+';
}

/* libconfig reads 010 as ten and 0x1f as 31 and wraps what an int does not hold; no setting needs
 * any of that. */
static const char *wrong_number(const char *word, size_t len)
{
	size_t sign = *word == '-' || *word == '+', digits = strspn(word + sign, "0123456789");
	if (digits > 0 && strspn(word + sign, "0123456789.") < len - sign)
		return "a plain decimal number, or text in quotes";
	if (digits > 1 && word[sign] == '0')
		return "a decimal number without a zero in front";
	return digits > DIGITS_MOST ? "a number of at most 9 digits" : NULL;
}

/* A name, true or false, or a number. */
static bool skip_word(struct scan *s)
{
	const char *word = s->at;
	while (s->at < s->end && is_in_word(*s->at))
		s->at++;
	size_t len = (size_t)(s->at - word);
	const char *expected = wrong_number(word, len);
	s->is_secret = len == strlen("value") && memcmp(word, "value", len) == 0;
	if (expected == NULL)
		return true;
	return mxg_build_fail_line(s->b, s->line, "found \"%.*s\"; expected %s", len > SHOWN ? SHOWN : (int)len, word,
				   expected);
}

static bool step(struct scan *s)
{
	if (*s->at == '"')
		return skip_string(s);
	if (begins(s, "/*"))
		return skip_comment(s);
	if (*s->at == '#' || begins(s, "//")) {
		skip_line(s);
		return true;
	}
	if (begins(s, "@include"))
		return mxg_build_fail_line(s->b, s->line, "found @include; expected all settings in this file");
	s->line += *s->at == '\n';
	if (!is_blank(*s->at))
		s->string = NULL;
	if (is_in_word(*s->at))
		return skip_word(s);
	s->at++;
	return true;
}

static bool refuse_nul(struct mxg_policy_build *b, const char *text, size_t len)
{
	const char *nul = len == 0 ? NULL : memchr(text, '\0', len);
	unsigned line = 1;
	if (nul == NULL)
		return true;
	for (const char *p = text; p < nul; p++)
		line += *p == '\n';
	return mxg_build_fail_line(b, line, "found a NUL byte; expected text");
}

bool mxg_policy_text_read(struct mxg_policy_build *b, struct mxg_policy_text *out, const char *text, size_t len)
{
	*out = (struct mxg_policy_text){ 0 };
	if (!refuse_nul(b, text, len))
		return false;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3; /* a byte order mark */
		len -= 3;
	}
	out->text = malloc(len + 2);
	if (out->text == NULL)
		return mxg_build_no_memory(b);
	if (len > 0)
		memcpy(out->text, text, len);
	memcpy(out->text + len, "\n", 2);
	struct scan s = { .b = b, .out = out, .at = out->text, .end = out->text + len, .line = 1 };
	while (s.at < s.end)
		if (!step(&s))
			return false;
	return true;
}

void mxg_policy_text_clear(struct mxg_policy_text *text)
{
	free(text->text);
	free(text->lines);
	*text = (struct mxg_policy_text){ 0 };
}
