/* SPDX-License-Identifier: MIT */
#ifndef MXG_ADDRESS_H
#define MXG_ADDRESS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sockaddr;

/*
 * One host address, folded: IPv4-mapped IPv6 (::ffff:a.b.c.d) becomes IPv4 in
 * every constructor below, so that nothing behind them has to think of it.
 * family 0 is "no address" and matches nothing. A zeroed struct is valid.
 */
struct mxg_address {
	uint8_t family; /* 0, 4 or 6 */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest zero */
};

/* Its first 64 bits (half 0) or its last (half 1) as a number; IPv4 is in the upper half of the
 * first. */
static inline uint64_t mxg_address_half(const struct mxg_address *a, unsigned half)
{
	uint64_t word;
	memcpy(&word, a->bytes + (size_t)half * 8, sizeof(word));
	return be64toh(word);
}

/* An address range in CIDR terms; host bits in base are zero. */
struct mxg_prefix {
	struct mxg_address base;
	uint8_t bits; /* 0-32 or 0-128, of base's family */
};

enum mxg_address_form {
	MXG_ADDRESS_BARE = 1 << 0, /* 192.0.2.1, 2001:db8::1 */
	MXG_ADDRESS_TAGGED = 1 << 1, /* IPv6:2001:db8::1 (tag in any case) */
	MXG_ADDRESS_BRACKETED = 1 << 2, /* [192.0.2.1], [2001:db8::1]; with TAGGED also [IPv6:...] */
	MXG_ADDRESS_ANY = 7
};

#define MXG_ADDRESS_TEXT_MAX 46 /* with the terminating NUL */
#define MXG_PREFIX_TEXT_MAX 50

/* True and *out filled if text[0..len) is wholly one address in one of the
 * forms; false (and *out zeroed) for anything else: octal, hex, short forms,
 * leading zeros, zone ids, blanks, NUL. text needs no NUL at its end. */
bool mxg_address_parse(struct mxg_address *out, const char *text, size_t len, unsigned forms);

/* family 4 or 6; bytes 4 or 16 of them. */
void mxg_address_from_bytes(struct mxg_address *out, int family, const uint8_t *bytes);

/* AF_INET or AF_INET6; false (zeroed) for any other family. */
bool mxg_address_from_sockaddr(struct mxg_address *out, const struct sockaddr *sa);

bool mxg_address_equal(const struct mxg_address *a, const struct mxg_address *b);

/* Canonical text (RFC 5952); "" for no address. Returns buf. */
const char *mxg_address_format(const struct mxg_address *a, char buf[MXG_ADDRESS_TEXT_MAX]);

enum mxg_prefix_error {
	MXG_PREFIX_OK = 0,
	MXG_PREFIX_BAD_ADDRESS,
	MXG_PREFIX_BAD_LENGTH, /* not a plain decimal number in the family's range */
	MXG_PREFIX_HOST_BITS /* parsed, but host bits were set; *out has them cleared */
};

/* "192.0.2.0/24", "2001:db8::/32" or a bare address (full length). A mapped
 * prefix ::ffff:a.b.c.d/n, n >= 96, folds to IPv4 /(n-96); shorter is BAD_LENGTH. */
enum mxg_prefix_error mxg_prefix_parse(struct mxg_prefix *out, const char *text, size_t len);

bool mxg_prefix_contains(const struct mxg_prefix *p, const struct mxg_address *a);
bool mxg_prefixes_contain(const struct mxg_prefix *prefixes, size_t count,
			  const struct mxg_address *a); /* any of them */
const char *mxg_prefix_format(const struct mxg_prefix *p, char buf[MXG_PREFIX_TEXT_MAX]);

#endif
