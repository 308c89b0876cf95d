/* SPDX-License-Identifier: MIT */
/* What the grammars share. */
#include "received/clauses.h"

#include <string.h>
#include <strings.h>

#define H MXG_BYTE_HOST
#define HOSTS(first, last) [first... last] = H
const uint8_t mxg_byte_classes[256] = {
	[' '] = MXG_BYTE_BLANK | MXG_BYTE_SPECIAL,
	['\t'] = MXG_BYTE_BLANK | MXG_BYTE_SPECIAL,
	['\r'] = MXG_BYTE_BLANK | MXG_BYTE_SPECIAL,
	['\n'] = MXG_BYTE_BLANK | MXG_BYTE_SPECIAL | MXG_BYTE_NEST,
	['('] = MXG_BYTE_SPECIAL | MXG_BYTE_NEST,
	[')'] = MXG_BYTE_SPECIAL | MXG_BYTE_NEST,
	['<'] = MXG_BYTE_SPECIAL,
	['>'] = MXG_BYTE_SPECIAL,
	['@'] = MXG_BYTE_SPECIAL,
	['\\'] = MXG_BYTE_SPECIAL,
	[';'] = MXG_BYTE_SPECIAL,
	['"'] = MXG_BYTE_SPECIAL,
	['.'] = H,
	['-'] = H,
	['_'] = H,
	HOSTS('0', '9'),
	HOSTS('A', 'Z'),
	HOSTS('a', 'z'),
};
#undef HOSTS
#undef H

const char *mxg_slice_find(struct mxg_slice s, char c)
{
	return s.len == 0 ? NULL : memchr(s.at, c, s.len); /* an empty one may point nowhere */
}

struct mxg_slice mxg_slice_skip(struct mxg_slice s, size_t n)
{
	return (struct mxg_slice){ s.at + n, s.len - n };
}

bool mxg_slice_digits(struct mxg_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	}
	return s.len > 0;
}

bool mxg_slice_is_host(struct mxg_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!mxg_byte_is(s.at[i], MXG_BYTE_HOST))
			return false;
	}
	return s.len > 0;
}

bool mxg_slice_is_helo(struct mxg_slice s)
{
	if (s.len > 2 && s.at[0] == '[' && s.at[s.len - 1] == ']') {
		for (size_t i = 1; i < s.len - 1; i++) {
			if (!mxg_byte_is(s.at[i], MXG_BYTE_HOST) && s.at[i] != ':')
				return false;
		}
		return true;
	}
	return mxg_slice_is_host(s);
}

bool mxg_slice_is_word(struct mxg_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (mxg_byte_is(s.at[i], MXG_BYTE_SPECIAL))
			return false;
	}
	return s.len > 0;
}

bool mxg_host_read(struct mxg_slice text, struct mxg_slice *name, struct mxg_address *address, struct mxg_slice *rest)
{
	const char *open = mxg_slice_find(text, '[');
	if (open == NULL)
		return false;
	const char *close = memchr(open, ']', text.len - (size_t)(open - text.at));
	if (close == NULL)
		return false;
	*name = (struct mxg_slice){ text.at, (size_t)(open - text.at) };
	while (name->len > 0 && mxg_byte_is(name->at[name->len - 1], MXG_BYTE_BLANK))
		name->len--;
	if (name->len == 0 && open != text.at)
		return false;
	*rest = mxg_slice_skip(text, (size_t)(close + 1 - text.at));
	return mxg_address_parse(address, open, (size_t)(close + 1 - open), MXG_ADDRESS_BRACKETED | MXG_ADDRESS_TAGGED);
}

bool mxg_protocol_has_login(struct mxg_slice protocol)
{
	static const char *const names[] = { "ESMTPA",  "ESMTPSA",    "UTF8SMTPA",   "UTF8SMTPSA", "esmtpa",
					     "esmtpsa", "utf8esmtpa", "utf8esmtpsa", "asmtp" };
	/* all end with an A, or begin with one: most protocols are out at once */
	if (protocol.len < 5 || ((protocol.at[protocol.len - 1] | 0x20) != 'a' && protocol.at[0] != 'a'))
		return false;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (protocol.at[0] == names[i][0] && mxg_slice_is(protocol, names[i]))
			return true;
	}
	return false;
}

bool mxg_address_comment(const struct mxg_clauses *c, unsigned index)
{
	if (c->from.count <= index || !c->from.item[index].comment || c->from.item[index].line != 0)
		return false;
	for (unsigned i = index + 1; i < c->from.count; i++) {
		const struct mxg_item *item = &c->from.item[i];
		if (!item->comment || (c->folded && !item->fresh))
			return false;
	}
	return true;
}

bool mxg_only_address_comment(const struct mxg_clauses *c)
{
	for (unsigned i = 1; i < c->from.count; i++) {
		if (mxg_slice_find(c->from.item[i].text, '[') != NULL)
			return false;
	}
	return mxg_address_comment(c, 0);
}

const struct mxg_item *mxg_own_line(const struct mxg_clauses *c, const char *text)
{
	for (unsigned i = 1; i < c->from.count && c->folded; i++) {
		const struct mxg_item *item = &c->from.item[i];
		if (item->comment && item->fresh && mxg_slice_begins(item->text, text))
			return item;
	}
	return NULL;
}

bool mxg_slice_is_label(struct mxg_slice s)
{
	return s.len == 4 && (s.at[0] | 0x20) >= 'e' && (s.at[0] | 0x20) <= 'l' && (s.at[2] | 0x20) == 'l' &&
	       (strncasecmp(s.at, "helo", 4) == 0 || strncasecmp(s.at, "ehlo", 4) == 0 ||
		strncasecmp(s.at, "lhlo", 4) == 0);
}

/* One run of letters, digits and ".-_:", as an address: tagged, or with a port. */
static bool is_address(struct mxg_slice s, struct mxg_address *address)
{
	if (s.len > 5 && strncasecmp(s.at, "ipv6:", 5) == 0)
		s = mxg_slice_skip(s, 5);
	const char *colon = mxg_slice_find(s, ':');
	if (colon != NULL && memrchr(s.at, ':', s.len) == colon)
		s.len = (size_t)(colon - s.at);
	while (s.len > 0 && s.at[s.len - 1] == '.')
		s.len--;
	return mxg_address_parse(address, s.at, s.len, MXG_ADDRESS_BARE);
}

bool mxg_other_address(const struct mxg_clauses *c, const struct mxg_address *address)
{
	const char *end = c->by.len > 0 ? c->by.at : c->end;
	for (const char *at = c->value; at < end;) {
		struct mxg_slice run = { at, 0 };
		struct mxg_address one;
		while (at + run.len < end && (mxg_byte_is(at[run.len], MXG_BYTE_HOST) || at[run.len] == ':'))
			run.len++;
		if (run.len > 1 && is_address(run, &one) && !mxg_address_equal(&one, address))
			return true;
		at += run.len + 1;
	}
	return false;
}

bool mxg_address_behind(const struct mxg_clauses *c)
{
	if (c->form != MXG_FORM_FROM || c->folded)
		return false;
	const char *at = c->protocol.len > 0 ? c->after_protocol.at : c->by.at + c->by.len, *open;
	for (; (open = memchr(at, '[', (size_t)(c->end - at))) != NULL; at = open + 1) {
		struct mxg_slice text = { open, (size_t)(c->end - open) }, name, rest;
		struct mxg_address address;
		if (mxg_host_read(text, &name, &address, &rest))
			return true;
	}
	const struct mxg_items *items = c->protocol.len > 0 ? &c->tail : &c->after_by;
	for (unsigned i = 0; i < items->count; i++) {
		struct mxg_slice text = items->item[i].text;
		struct mxg_address address;
		if (mxg_address_parse(&address, text.at, text.len, MXG_ADDRESS_BARE))
			return true;
	}
	return false;
}

/* MTAs that found no name write a word of their own in its place. */
static bool is_no_name(struct mxg_slice name)
{
	static const char *const words[] = { "unknown",  "<unknown>", "Unknown",    "UNKNOWN",
					     "NXDOMAIN", "DNSERROR",  "unverified", "softdnserr" };
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (name.len > 0 && name.at[0] == words[i][0] && mxg_slice_is(name, words[i]))
			return true;
	}
	return false;
}

bool mxg_peer_from_comment(struct mxg_received *out, const struct mxg_clauses *c, const char *suffix)
{
	struct mxg_slice name, rest;
	if (!mxg_host_read(c->from.item[0].text, &name, &out->address, &rest))
		return false;
	/* what relays fold anew may break a suffix at its blank */
	bool clean = rest.len == 0;
	if (!clean && suffix != NULL && rest.len >= strlen(suffix)) {
		size_t n = strlen(suffix);
		const char *last_word = strrchr(suffix, ' ');
		size_t head = (size_t)(last_word - suffix), tail = n - head - 1;
		clean = memcmp(rest.at, suffix, head) == 0 &&
			memcmp(rest.at + rest.len - tail, last_word + 1, tail) == 0;
		for (size_t i = head; clean && i < rest.len - tail; i++)
			clean = mxg_byte_is(rest.at[i], MXG_BYTE_BLANK);
	}
	if (!clean || mxg_slice_is_label(name) || (name.len > 0 && !is_no_name(name) && !mxg_slice_is_host(name)))
		return false;
	if (name.len > 0 && !is_no_name(name))
		out->hostname = name;
	out->helo = c->helo;
	out->kind = MXG_RECEIVED_PEER;
	return true;
}
