/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static size_t width(const struct mxg_address *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

void mxg_address_from_bytes(struct mxg_address *out, int family, const uint8_t *bytes)
{
	*out = (struct mxg_address){ 0 };
	if (family == 6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		family = 4;
		bytes += sizeof(mapped);
	}
	out->family = (uint8_t)family;
	memcpy(out->bytes, bytes, width(out));
}

bool mxg_address_from_sockaddr(struct mxg_address *out, const struct sockaddr *sa)
{
	*out = (struct mxg_address){ 0 };
	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		mxg_address_from_bytes(out, 4, (const uint8_t *)&in.sin_addr);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof(in6));
		mxg_address_from_bytes(out, 6, (const uint8_t *)&in6.sin6_addr);
	}
	return out->family != 0;
}

/* inet_pton() is as strict as we want: four plain decimal parts, no octal, hex, short forms
 * or zone ids. It needs a string, so an embedded NUL is refused here. */
static bool parse_bare(struct mxg_address *out, const char *text, size_t len, bool only6)
{
	char copy[MXG_ADDRESS_TEXT_MAX];
	uint8_t bytes[16];
	if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!only6 && inet_pton(AF_INET, copy, bytes) == 1)
		mxg_address_from_bytes(out, 4, bytes);
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		mxg_address_from_bytes(out, 6, bytes);
	else
		return false;
	return true;
}

bool mxg_address_parse(struct mxg_address *out, const char *text, size_t len, unsigned forms)
{
	unsigned bare = MXG_ADDRESS_BARE;
	bool only6 = false;
	*out = (struct mxg_address){ 0 };
	if ((forms & MXG_ADDRESS_BRACKETED) != 0 && len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
		forms |= bare;
	}
	if ((forms & MXG_ADDRESS_TAGGED) != 0 && len > 5 && strncasecmp(text, "IPv6:", 5) == 0) {
		text += 5;
		len -= 5;
		forms |= bare;
		only6 = true;
	}
	return (forms & bare) != 0 && parse_bare(out, text, len, only6);
}

bool mxg_address_equal(const struct mxg_address *a, const struct mxg_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

const char *mxg_address_format(const struct mxg_address *a, char buf[MXG_ADDRESS_TEXT_MAX])
{
	buf[0] = '\0';
	if (a->family != 0)
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, buf, MXG_ADDRESS_TEXT_MAX);
	return buf;
}

/* ---- prefixes --------------------------------------------------------------- */

static bool parse_length(unsigned *out, const char *text, size_t len, unsigned most)
{
	unsigned value = 0;
	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	*out = value;
	return value <= most;
}

/* Clears what stands behind the prefix; false where something did. */
static bool clear_host_bits(struct mxg_prefix *p)
{
	bool clean = true;
	for (unsigned i = 0; i < width(&p->base); i++) {
		unsigned kept = p->bits >= (i + 1) * 8 ? 8 : p->bits > i * 8 ? p->bits - i * 8 : 0;
		uint8_t mask = (uint8_t)(0xff00u >> kept);
		if ((p->base.bytes[i] & ~mask) != 0)
			clean = false;
		p->base.bytes[i] &= mask;
	}
	return clean;
}

enum mxg_prefix_error mxg_prefix_parse(struct mxg_prefix *out, const char *text, size_t len)
{
	const char *slash = len == 0 ? NULL : memchr(text, '/', len);
	size_t address_len = slash == NULL ? len : (size_t)(slash - text);
	*out = (struct mxg_prefix){ 0 };
	if (!mxg_address_parse(&out->base, text, address_len, MXG_ADDRESS_BARE))
		return MXG_PREFIX_BAD_ADDRESS;
	/* ::ffff:a.b.c.d was written in IPv6 and folded: its length counts 96 bits more */
	bool folded = out->base.family == 4 && memchr(text, ':', address_len) != NULL;
	unsigned most = out->base.family == 4 && !folded ? 32 : 128, bits = most;
	if (slash != NULL && !parse_length(&bits, slash + 1, len - address_len - 1, most))
		return MXG_PREFIX_BAD_LENGTH;
	if (folded && bits < 96)
		return MXG_PREFIX_BAD_LENGTH;
	out->bits = (uint8_t)(folded ? bits - 96 : bits);
	return clear_host_bits(out) ? MXG_PREFIX_OK : MXG_PREFIX_HOST_BITS;
}

bool mxg_prefix_contains(const struct mxg_prefix *p, const struct mxg_address *a)
{
	if (a->family == 0 || a->family != p->base.family)
		return false;
	unsigned whole = p->bits / 8, rest = p->bits % 8;
	if (memcmp(p->base.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || ((p->base.bytes[whole] ^ a->bytes[whole]) & (uint8_t)(0xff00u >> rest)) == 0;
}

const char *mxg_prefix_format(const struct mxg_prefix *p, char buf[MXG_PREFIX_TEXT_MAX])
{
	char address[MXG_ADDRESS_TEXT_MAX];
	unsigned full = p->base.family == 4 ? 32 : 128;
	mxg_address_format(&p->base, address);
	size_t n = strlen(address);
	memcpy(buf, address, n + 1);
	if (p->base.family != 0 && p->bits < full) {
		buf[n++] = '/';
		if (p->bits >= 100)
			buf[n++] = (char)('0' + p->bits / 100);
		if (p->bits >= 10)
			buf[n++] = (char)('0' + p->bits / 10 % 10);
		buf[n++] = (char)('0' + p->bits % 10);
		buf[n] = '\0';
	}
	return buf;
}
