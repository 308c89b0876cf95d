/* SPDX-License-Identifier: MIT */
/*
 * A multibit trie in one array of words. What a lookup finds at each level is a value:
 * a list, a node, or a skip, each by its place.
 *   node: a bitmap of 64 slots, a bit set where a slot differs from the one before, and
 *         the values of these runs behind it: six bits of the address a step, and most
 *         nodes lie in one cache line.
 *   skip: bits in which all ranges below agree, compared at once; without it every IPv6
 *         host would hang on a chain of twenty nodes.
 *   list: the count, then the numbers. Ranges are pushed down to the leaves, so each list
 *         is complete; equal lists are kept once.
 * The first step is a plain table, as wide as the number of ranges is worth, but not so wide
 * that it takes the place of the nodes in the cache. What belongs
 * to one of its slots is built together and so lies together: on large sets a lookup costs
 * what its cache misses cost, and these are mostly two.
 */
#ifndef MXG_PREFIX_TRIE_H
#define MXG_PREFIX_TRIE_H

#include "base/prefix_set.h"

#define MXG_TRIE_STRIDE 6u
#define MXG_TRIE_SLOTS (1u << MXG_TRIE_STRIDE)
#define MXG_TRIE_ROOT_MOST 14u
#define MXG_TRIE_SKIP_MOST 32u

#define MXG_TRIE_IS_NODE 0x80000000u
#define MXG_TRIE_IS_SKIP 0x40000000u
#define MXG_TRIE_PLACE 0x3fffffffu

/* words of a skip behind its first, which is the number of bits */
enum { MXG_TRIE_SKIP_WANT = 1, MXG_TRIE_SKIP_MISS, MXG_TRIE_SKIP_HIT, MXG_TRIE_SKIP_WORDS };

struct mxg_trie_root {
	uint32_t *slots;
	unsigned bits; /* 1 to MXG_TRIE_ROOT_MOST of the address */
};

struct mxg_prefix_set {
	struct mxg_trie_root roots[2]; /* IPv4, IPv6 */
	uint32_t *words; /* the empty list is at 0 */
};

/* An address, its first bit on top; IPv4 is padded with zeros. */
struct mxg_bits {
	uint64_t high, low;
};

static inline struct mxg_bits mxg_bits_of(const struct mxg_address *a)
{
	return (struct mxg_bits){ mxg_address_half(a, 0), mxg_address_half(a, 1) };
}

/* Drops the first n bits, 1 to 63. */
static inline struct mxg_bits mxg_bits_drop(struct mxg_bits b, unsigned n)
{
	return (struct mxg_bits){ b.high << n | b.low >> (64 - n), b.low << n };
}

#endif
