/* SPDX-License-Identifier: MIT */
#include "base/prefix_trie.h"

/* The builtin is a function call on CPUs that are not known to have the instruction. */
static unsigned count_bits(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (unsigned)(x * 0x0101010101010101u >> 56);
}

static uint32_t find(const struct mxg_prefix_set *set, const struct mxg_trie_root *root, struct mxg_bits at)
{
	uint32_t value = root->slots[at.high >> (64 - root->bits)];
	at = mxg_bits_drop(at, root->bits);
	while (value > MXG_TRIE_PLACE) {
		const uint32_t *word = set->words + (value & MXG_TRIE_PLACE);
		if ((value & MXG_TRIE_IS_NODE) != 0) {
			unsigned slot = (unsigned)(at.high >> (64 - MXG_TRIE_STRIDE));
			uint64_t map = (uint64_t)word[0] << 32 | word[1];
			value = word[1 + count_bits(map << (MXG_TRIE_SLOTS - 1 - slot))];
			at = mxg_bits_drop(at, MXG_TRIE_STRIDE);
		} else {
			bool hit = at.high >> (64 - word[0]) == word[MXG_TRIE_SKIP_WANT];
			value = word[hit ? MXG_TRIE_SKIP_HIT : MXG_TRIE_SKIP_MISS];
			at = mxg_bits_drop(at, word[0]);
		}
	}
	return value;
}

static const uint32_t *slot_of(const struct mxg_prefix_set *set, const struct mxg_address *a)
{
	const struct mxg_trie_root *root = &set->roots[a->family == 6];
	return &root->slots[mxg_address_half(a, 0) >> (64 - root->bits)];
}

void mxg_prefix_set_expect(const struct mxg_prefix_set *set, const struct mxg_address *a)
{
	__builtin_prefetch(slot_of(set, a));
}

void mxg_prefix_set_expect_node(const struct mxg_prefix_set *set, const struct mxg_address *a)
{
	__builtin_prefetch(set->words + (*slot_of(set, a) & MXG_TRIE_PLACE));
}

const uint32_t *mxg_prefix_set_lookup(const struct mxg_prefix_set *set, const struct mxg_address *a, size_t *count)
{
	uint32_t list = 0;
	if (a->family == 4 || a->family == 6)
		list = find(set, &set->roots[a->family == 6], mxg_bits_of(a));
	*count = list == 0 ? 0 : set->words[list];
	return set->words + list + 1;
}
