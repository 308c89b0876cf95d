/* SPDX-License-Identifier: MIT */
#include "base/domain_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/ascii.h"
#include "base/idna.h"

#define NAME_MOST 253u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* RFC 1123 §2.1 labels; underscores are no host's, but stand in domains all the same. */
static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_digit(label[i]) && !(label[i] >= 'a' && label[i] <= 'z') && label[i] != '-' && label[i] != '_')
			return false;
	return true;
}

static bool all_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_digit(text[i]))
			return false;
	return true;
}

static bool is_name(const char *name, size_t len)
{
	size_t start = 0;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && name[i] != '.')
			continue;
		if (!is_label(name + start, i - start))
			return false;
		if (i == len && all_digits(name + start, i - start))
			return false; /* an address, not a name */
		start = i + 1;
	}
	return len > 0;
}

const char *mxg_domain_text(char out[256], const char *text, size_t len)
{
	out[0] = '\0';
	if (len > 1 && text[len - 1] == '.')
		len--;
	if (!mxg_ascii_is_all(text, len)) {
		if (!mxg_idna_present())
			return "a domain name in ASCII: libidn2, which would convert others, is not installed";
		if (!mxg_idna_to_ascii(out, text, len))
			return "a domain name";
		text = out;
		len = strlen(out);
	}
	if (len > NAME_MOST) {
		out[0] = '\0';
		return "a domain name of at most 253 bytes";
	}
	for (size_t i = 0; i < len; i++)
		out[i] = folded(text[i]);
	out[len] = '\0';
	if (is_name(out, len))
		return NULL;
	out[0] = '\0';
	return "a domain name";
}

const char *mxg_domain_or_suffix_text(char out[256], const char *text, size_t len)
{
	bool suffix = len > 0 && text[0] == '.';
	char name[256];
	const char *expected = mxg_domain_text(name, text + suffix, len - suffix);
	out[0] = '\0';
	if (expected != NULL)
		return strcmp(expected, "a domain name") == 0 ? "a domain name or .suffix" : expected;
	size_t at = 0;
	if (suffix)
		out[at++] = '.';
	memcpy(out + at, name, strlen(name) + 1);
	return NULL;
}
