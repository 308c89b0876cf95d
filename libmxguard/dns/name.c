/* SPDX-License-Identifier: MIT */
#include "dns/name.h"

#include <string.h>

static uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* One label and its length; false where it or the name becomes too long. */
static bool put_label(struct mxg_name *out, size_t *at, const char *label, size_t len)
{
	if (len == 0 || len > 63 || *at + 1 + len + 1 > sizeof(out->wire))
		return false;
	out->wire[(*at)++] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		out->wire[(*at)++] = fold((uint8_t)label[i]);
	return true;
}

bool mxg_name_from_text(struct mxg_name *out, const char *text, size_t len)
{
	size_t at = 0, start = 0;
	out->len = 0;
	if (len > 1 && text[len - 1] == '.')
		len--;
	if (len == 0)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.')
			continue;
		if (!put_label(out, &at, text + start, i - start))
			return false;
		start = i + 1;
	}
	out->wire[at++] = 0;
	out->len = (uint8_t)at;
	return true;
}

bool mxg_name_from_wire(struct mxg_name *out, const uint8_t *wire, size_t len)
{
	size_t at = 0;
	out->len = 0;
	while (at < len && wire[at] != 0)
		if (!put_label(out, &at, (const char *)wire + at + 1, wire[at] < len - at ? wire[at] : 0))
			return false;
	if (len == 0 || at + 1 != len)
		return false;
	out->wire[at] = 0;
	out->len = (uint8_t)len;
	return true;
}

bool mxg_name_equal(const struct mxg_name *a, const struct mxg_name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

bool mxg_name_within(const struct mxg_name *name, const struct mxg_name *parent)
{
	size_t at = 0;
	if (name->len == 0 || parent->len == 0)
		return false;
	while (at < name->len && (size_t)(name->len - at) > parent->len)
		at += 1u + name->wire[at];
	return at < name->len && (size_t)(name->len - at) == parent->len &&
	       memcmp(name->wire + at, parent->wire, parent->len) == 0;
}

unsigned mxg_name_labels(const struct mxg_name *name)
{
	unsigned count = 0;
	for (size_t at = 0; at < name->len && name->wire[at] != 0; at += 1u + name->wire[at])
		count++;
	return count;
}

uint32_t mxg_name_hash(const struct mxg_name *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < name->len; i++)
		hash = (hash ^ name->wire[i]) * 16777619u;
	return hash;
}

static size_t put_byte(char *buf, uint8_t c)
{
	if (c > 0x20 && c < 0x7f && c != '.' && c != '\\') {
		buf[0] = (char)c;
		return 1;
	}
	buf[0] = '\\';
	buf[1] = (char)('0' + c / 100);
	buf[2] = (char)('0' + c / 10 % 10);
	buf[3] = (char)('0' + c % 10);
	return 4;
}

const char *mxg_name_format(const struct mxg_name *name, char buf[MXG_NAME_TEXT_MAX])
{
	size_t out = 0, at = 0;
	while (at < name->len && name->wire[at] != 0) {
		size_t end = at + 1u + name->wire[at];
		if (out > 0)
			buf[out++] = '.';
		for (at++; at < end && at < name->len; at++)
			out += put_byte(buf + out, name->wire[at]);
	}
	if (out == 0 && name->len == 1)
		buf[out++] = '.';
	buf[out] = '\0';
	return buf;
}

void mxg_name_plain(const struct mxg_name *name, char text[256])
{
	size_t out = 0;
	for (size_t at = 0; at < name->len && name->wire[at] != 0; at += 1u + name->wire[at]) {
		if (out > 0)
			text[out++] = '.';
		memcpy(text + out, name->wire + at + 1, name->wire[at]);
		out += name->wire[at];
	}
	text[out] = '\0';
}
