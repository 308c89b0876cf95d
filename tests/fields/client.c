/* SPDX-License-Identifier: MIT */
/* What MTAs do with the words of a client. */
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void put(struct made *m, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(m->field + m->len, sizeof(m->field) - m->len, format, args);
	va_end(args);
	m->len += n > 0 ? (size_t)n : 0;
	if (m->len >= sizeof(m->field))
		m->len = sizeof(m->field) - 1;
}

const char *with(const struct client *c, bool login)
{
	static const char *const names[] = { "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA" };
	return names[(c->tls ? 1 : 0) + (login ? 2 : 0)];
}

char *only(char *out, const char *word, const char *also, char instead)
{
	char *to = out;
	for (; *word != '\0'; word++)
		*to++ = is_host_char(*word) || strchr(also, *word) != NULL ? *word : instead;
	*to = '\0';
	return out;
}

char *without(char *out, const char *word, const char *bad, char instead)
{
	char *to = out;
	for (; *word != '\0'; word++)
		*to++ = strchr(bad, *word) != NULL || (unsigned char)*word < 32 || *word == 127 ? instead : *word;
	*to = '\0';
	return out;
}

char *first_word(char *out, const char *word, const char *blanks)
{
	word += strspn(word, blanks);
	size_t n = strcspn(word, blanks);
	memcpy(out, word, n);
	out[n] = '\0';
	if (n == 0)
		strcpy(out, "x");
	return out;
}

char *balanced(char *out, const char *word)
{
	int depth = 0;
	bool good = true;
	without(out, word, "", '?');
	for (const char *p = out; *p != '\0'; p++) {
		depth += (*p == '(') - (*p == ')');
		good = good && depth >= 0;
	}
	for (char *p = out; *p != '\0' && (!good || depth != 0); p++)
		*p = *p == '(' || *p == ')' ? '?' : *p;
	return out;
}

bool is_checked_helo(const char *helo)
{
	size_t n = strlen(helo);
	if (n > 2 && helo[0] == '[' && helo[n - 1] == ']')
		return strspn(helo + 1, "0123456789abcdefABCDEFIPv:.") == n - 2;
	return is_host_name(helo);
}
