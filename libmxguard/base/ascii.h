/* SPDX-License-Identifier: MIT */
#ifndef MXG_ASCII_H
#define MXG_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not ctype.h and strcasecmp(): the host's locale must have no say in what a record means
 * (in Turkish, "INCLUDE" and "include" differ). */
static inline char mxg_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool mxg_ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool mxg_ascii_is_alpha(char c)
{
	return mxg_ascii_lower(c) >= 'a' && mxg_ascii_lower(c) <= 'z';
}

/* The folding white space of mail (RFC 5322 §3.2.2), which is also that of our own text files. */
static inline bool mxg_ascii_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline int mxg_ascii_hex(char c) /* -1: no digit */
{
	char low = (char)(c | 0x20);
	return mxg_ascii_is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static inline bool mxg_ascii_is_all(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

/* text[0..len) and the lower-case word, in any case of text */
static inline bool mxg_ascii_is(const char *text, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] == '\0' || mxg_ascii_lower(text[i]) != word[i])
			return false;
	return word[len] == '\0';
}

#define MXG_ASCII_ONES ((uint64_t)0x0101010101010101u)
#define MXG_ASCII_HIGH (MXG_ASCII_ONES * 0x80)

/* text[0..len), which holds no control bytes, and a word of `len` lower-case letters, digits and '-',
 * in any case of text: eight bytes a step. */
static inline bool mxg_ascii_is_word(const char *text, const char *word, size_t len)
{
	size_t i = 0;
	for (uint64_t a, b; i + sizeof(a) <= len; i += sizeof(a)) {
		memcpy(&a, text + i, sizeof(a));
		memcpy(&b, word + i, sizeof(b));
		if ((a | MXG_ASCII_ONES * 0x20) != b)
			return false;
	}
	for (; i < len; i++)
		if ((text[i] | 0x20) != word[i])
			return false;
	return true;
}

#endif
