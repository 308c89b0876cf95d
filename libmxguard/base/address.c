/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t mapped_head[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped_head, sizeof(mapped_head)) == 0;
}

/* Strict dotted quad: four decimal octets without leading zeros, since some
 * readers take 010 as octal and an attacker picks the reader. */
static bool parse_quad(uint8_t out[4], const char *s, size_t len)
{
	size_t at = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0 && (at >= len || s[at++] != '.'))
			return false;
		size_t start = at;
		unsigned value = 0;
		for (; at < len && at - start < 3 && s[at] >= '0' && s[at] <= '9'; at++)
			value = value * 10 + (unsigned)(s[at] - '0');
		if (at == start || value > 255 || (s[start] == '0' && at - start > 1))
			return false;
		out[i] = (uint8_t)value;
	}
	return at == len;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One group of one to four hex digits at s[*at]. */
static bool parse_group(uint8_t out[2], const char *s, size_t len, size_t *at)
{
	size_t start = *at;
	unsigned value = 0;
	for (; *at < len && *at - start < 4 && hex_value(s[*at]) >= 0; ++*at)
		value = value << 4 | (unsigned)hex_value(s[*at]);
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return *at > start;
}

/* Opens the "::" at byte `gap` of the first `used` bytes. It stands for at
 * least one group (RFC 4291 section 2.2). */
static bool spread_gap(uint8_t out[16], size_t used, size_t gap)
{
	if (used >= 16)
		return false;
	memmove(out + 16 - (used - gap), out + gap, used - gap);
	memset(out + gap, 0, 16 - used);
	return true;
}

static bool parse_groups(uint8_t out[16], const char *s, size_t len)
{
	size_t at = 0, used = 0, gap = SIZE_MAX;
	if (len >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < len) {
		size_t start = at;
		if (used > 14 || !parse_group(out + used, s, len, &at))
			return false;
		if (at < len && s[at] == '.') {
			if (used > 12 || !parse_quad(out + used, s + start, len - start))
				return false;
			used += 4;
			break;
		}
		used += 2;
		if (at == len)
			break;
		if (s[at++] != ':' || at == len)
			return false;
		if (s[at] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = used;
			at++;
		}
	}
	return gap == SIZE_MAX ? used == 16 : spread_gap(out, used, gap);
}

static bool has_tag(const char *s, size_t len)
{
	return len > 5 && (s[0] | 0x20) == 'i' && (s[1] | 0x20) == 'p' && (s[2] | 0x20) == 'v' && s[3] == '6' &&
	       s[4] == ':';
}

static bool parse_unbracketed(struct mxg_address *out, const char *s, size_t len, bool bare, bool tagged)
{
	uint8_t bytes[16];
	if (has_tag(s, len)) {
		if (!tagged || !parse_groups(bytes, s + 5, len - 5))
			return false;
		mxg_address_from_bytes(out, 6, bytes);
		return true;
	}
	if (!bare)
		return false;
	if (parse_quad(bytes, s, len))
		mxg_address_from_bytes(out, 4, bytes);
	else if (parse_groups(bytes, s, len))
		mxg_address_from_bytes(out, 6, bytes);
	else
		return false;
	return true;
}

bool mxg_address_parse(struct mxg_address *out, const char *text, size_t len, unsigned forms)
{
	memset(out, 0, sizeof(*out));
	/* the longest is [IPv6:] around 45 characters: nothing longer need be read */
	if (len == 0 || len > 64)
		return false;
	if (text[0] != '[')
		return parse_unbracketed(out, text, len, (forms & MXG_ADDRESS_BARE) != 0,
					 (forms & MXG_ADDRESS_TAGGED) != 0);
	if ((forms & MXG_ADDRESS_BRACKETED) == 0 || text[len - 1] != ']' || len < 3)
		return false;
	return parse_unbracketed(out, text + 1, len - 2, true, (forms & MXG_ADDRESS_TAGGED) != 0);
}

void mxg_address_from_bytes(struct mxg_address *out, int family, const uint8_t *bytes)
{
	memset(out, 0, sizeof(*out));
	if (family == 4) {
		out->family = 4;
		memcpy(out->bytes, bytes, 4);
	} else if (family == 6 && is_mapped(bytes)) {
		out->family = 4;
		memcpy(out->bytes, bytes + 12, 4);
	} else if (family == 6) {
		out->family = 6;
		memcpy(out->bytes, bytes, 16);
	}
}

bool mxg_address_from_sockaddr(struct mxg_address *out, const struct sockaddr *sa)
{
	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in; /* copied: sa may stand unaligned in a foreign buffer */
		memcpy(&in, sa, sizeof(in));
		mxg_address_from_bytes(out, 4, (const uint8_t *)&in.sin_addr);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		mxg_address_from_bytes(out, 6, in6.sin6_addr.s6_addr);
		return true;
	}
	return false;
}

bool mxg_address_equal(const struct mxg_address *a, const struct mxg_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The first of the longest runs of two or more zero groups (RFC 5952 section
 * 4.2); returns its length in groups, 0 if there is none. */
static unsigned longest_zeros(const uint8_t bytes[16], unsigned *start)
{
	unsigned best = 0;
	for (unsigned i = 0; i < 8;) {
		unsigned n = 0;
		while (i + n < 8 && bytes[2 * (i + n)] == 0 && bytes[2 * (i + n) + 1] == 0)
			n++;
		if (n >= 2 && n > best) {
			best = n;
			*start = i;
		}
		i += n + 1;
	}
	return best;
}

static void format_groups(const uint8_t bytes[16], char *at)
{
	unsigned start = 8;
	unsigned zeros = longest_zeros(bytes, &start);
	for (unsigned i = 0; i < 8;) {
		if (zeros > 0 && i == start) {
			*at++ = ':';
			*at++ = ':';
			i += zeros;
			continue;
		}
		if (i > 0 && (zeros == 0 || i != start + zeros))
			*at++ = ':';
		at += sprintf(at, "%x", (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1]);
		i++;
	}
	*at = '\0';
}

/* Addresses are written several times for each message, and printf takes its time. */
static char *format_octet(char *at, unsigned octet)
{
	if (octet >= 100)
		*at++ = (char)('0' + octet / 100);
	if (octet >= 10)
		*at++ = (char)('0' + octet / 10 % 10);
	*at++ = (char)('0' + octet % 10);
	return at;
}

static void format_octets(const uint8_t bytes[4], char *at)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = format_octet(at, bytes[i]);
	}
	*at = '\0';
}

const char *mxg_address_format(const struct mxg_address *a, char buf[MXG_ADDRESS_TEXT_MAX])
{
	buf[0] = '\0';
	if (a->family == 4)
		format_octets(a->bytes, buf);
	else if (a->family == 6)
		format_groups(a->bytes, buf);
	return buf;
}

static bool parse_bits(unsigned *out, const char *s, size_t len, unsigned max)
{
	unsigned value = 0;
	if (len == 0 || len > 3 || (s[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		value = value * 10 + (unsigned)(s[i] - '0');
	}
	*out = value;
	return value <= max;
}

/* True if a host bit was set. */
static bool clear_host_bits(struct mxg_prefix *p)
{
	bool any = false;
	for (unsigned i = 0; i < sizeof(p->base.bytes); i++) {
		unsigned kept = p->bits > 8 * i ? p->bits - 8 * i : 0;
		uint8_t mask = (uint8_t)(kept >= 8 ? 0xff : 0xff00u >> kept);
		any = any || (p->base.bytes[i] & ~mask & 0xff) != 0;
		p->base.bytes[i] &= mask;
	}
	return any;
}

enum mxg_prefix_error mxg_prefix_parse(struct mxg_prefix *out, const char *text, size_t len)
{
	memset(out, 0, sizeof(*out));
	const char *slash = len == 0 ? NULL : memchr(text, '/', len);
	size_t head = slash == NULL ? len : (size_t)(slash - text);
	if (!mxg_address_parse(&out->base, text, head, MXG_ADDRESS_BARE))
		return MXG_PREFIX_BAD_ADDRESS;
	/* written as IPv6 but folded: the length counts from the mapped head on */
	bool folded = out->base.family == 4 && memchr(text, ':', head) != NULL;
	unsigned max = out->base.family == 4 && !folded ? 32 : 128;
	unsigned bits = max;
	bool good = slash == NULL || parse_bits(&bits, slash + 1, len - head - 1, max);
	if (!good || (folded && bits < 96)) {
		memset(out, 0, sizeof(*out));
		return MXG_PREFIX_BAD_LENGTH;
	}
	out->bits = (uint8_t)(folded ? bits - 96 : bits);
	return clear_host_bits(out) ? MXG_PREFIX_HOST_BITS : MXG_PREFIX_OK;
}

bool mxg_prefix_contains(const struct mxg_prefix *p, const struct mxg_address *a)
{
	if (p->base.family == 0 || p->base.family != a->family)
		return false;
	uint64_t high = mxg_address_half(&p->base, 0) ^ mxg_address_half(a, 0);
	if (p->bits <= 64)
		return p->bits == 0 || high >> (64 - p->bits) == 0;
	uint64_t low = mxg_address_half(&p->base, 1) ^ mxg_address_half(a, 1);
	return high == 0 && low >> (128 - p->bits) == 0;
}

bool mxg_prefixes_contain(const struct mxg_prefix *prefixes, size_t count, const struct mxg_address *a)
{
	for (size_t i = 0; i < count; i++)
		if (mxg_prefix_contains(&prefixes[i], a))
			return true;
	return false;
}

const char *mxg_prefix_format(const struct mxg_prefix *p, char buf[MXG_PREFIX_TEXT_MAX])
{
	char text[MXG_ADDRESS_TEXT_MAX];
	buf[0] = '\0';
	if (p->base.family != 0)
		snprintf(buf, MXG_PREFIX_TEXT_MAX, "%s/%u", mxg_address_format(&p->base, text), (unsigned)p->bits);
	return buf;
}
