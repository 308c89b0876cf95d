/* SPDX-License-Identifier: MIT */
#include "base/prefix_trie.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists ----------------------------------------------------------------------- */

struct item {
	struct mxg_bits base;
	uint32_t number;
	uint8_t bits, family;
};

struct builder {
	uint32_t *words;
	size_t used, room;
	uint32_t *table; /* lists by content, open addressing; 0: free */
	size_t table_size, list_count;
	bool failed;
};

static bool reserve(struct builder *b, size_t more)
{
	size_t need = b->used + more;
	if (need <= b->room || b->failed)
		return !b->failed;
	size_t room = need + b->room + 64;
	uint32_t *words = room > MXG_TRIE_PLACE ? NULL : reallocarray(b->words, room, sizeof(*words));
	if (words == NULL) {
		b->failed = true;
		return false;
	}
	b->words = words;
	b->room = room;
	return true;
}

static size_t find_slot(const struct builder *b, const uint32_t *list)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i <= list[0]; i++)
		hash = (hash ^ list[i]) * 16777619u;
	size_t at = (hash ^ hash >> 15) & (b->table_size - 1);
	while (b->table[at] != 0 && memcmp(b->words + b->table[at], list, ((size_t)list[0] + 1) * sizeof(*list)) != 0)
		at = (at + 1) & (b->table_size - 1);
	return at;
}

static bool grow_table(struct builder *b)
{
	if ((b->list_count + 1) * 2 < b->table_size)
		return true;
	uint32_t *old = b->table;
	size_t old_size = b->table_size, size = old_size == 0 ? 64 : old_size * 2;
	uint32_t *table = calloc(size, sizeof(*table));
	if (table == NULL) {
		b->failed = true;
		return false;
	}
	b->table = table;
	b->table_size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i] != 0)
			b->table[find_slot(b, b->words + old[i])] = old[i];
	free(old);
	return true;
}

/* Merges the numbers of `list` and of the items (ascending) into out; returns how many. */
static uint32_t merge(uint32_t *out, const uint32_t *list, const struct item *items, size_t count)
{
	size_t i = 0, j = 0;
	uint32_t n = 0;
	while (i < list[0] || j < count) {
		bool first = j == count || (i < list[0] && list[1 + i] <= items[j].number);
		uint32_t number = first ? list[1 + i++] : items[j++].number;
		if (n == 0 || out[n - 1] != number)
			out[n++] = number;
	}
	return n;
}

/* The list that holds the numbers of `list` and of the items: made at the end, and kept
 * there only if it is new. */
static uint32_t extended(struct builder *b, uint32_t list, const struct item *items, size_t count)
{
	if (!grow_table(b) || !reserve(b, b->words[list] + count + 1))
		return 0;
	uint32_t *made = b->words + b->used;
	made[0] = merge(made + 1, b->words + list, items, count);
	size_t slot = find_slot(b, made);
	if (b->table[slot] == 0) {
		b->table[slot] = (uint32_t)b->used;
		b->used += (size_t)made[0] + 1;
		b->list_count++;
	}
	return b->table[slot];
}

/* ---- building -------------------------------------------------------------------- */

static unsigned bits_from(const struct item *item, unsigned at, unsigned n)
{
	struct mxg_bits rest = item->base;
	for (; at > 63; at -= 63)
		rest = mxg_bits_drop(rest, 63);
	if (at > 0)
		rest = mxg_bits_drop(rest, at);
	return (unsigned)(rest.high >> (64 - n));
}

/* How many items from the first on are the very same range. */
static size_t same_range(const struct item *items, size_t count)
{
	size_t n = 1;
	while (n < count && items[n].bits == items[0].bits && items[n].base.high == items[0].base.high &&
	       items[n].base.low == items[0].base.low)
		n++;
	return n;
}

/* The number of leading bits that all ranges have in common. */
static unsigned common_bits(const struct item *items, size_t count)
{
	uint64_t high = items[0].base.high ^ items[count - 1].base.high;
	uint64_t low = items[0].base.low ^ items[count - 1].base.low;
	unsigned common = high != 0  ? (unsigned)__builtin_clzll(high)
			  : low != 0 ? 64 + (unsigned)__builtin_clzll(low)
				     : 128;
	for (size_t i = 0; i < count; i++)
		if (items[i].bits < common)
			common = items[i].bits;
	return common;
}

static uint32_t build(struct builder *b, const struct item *items, size_t count, unsigned at, uint32_t inherited);

/* Gives one level's slots their values. All items agree in the first `at` bits and are
 * longer than that; they are sorted, so those of a slot stand together, and what ends
 * in this level before what goes on below. */
static void fill(struct builder *b, uint32_t *slots, unsigned stride, const struct item *items, size_t count,
		 unsigned at)
{
	for (size_t i = 0, n; i < count && !b->failed; i += n) {
		unsigned first = bits_from(&items[i], at, stride);
		n = same_range(items + i, count - i);
		if (items[i].bits <= at + stride) {
			uint32_t from = UINT32_MAX, to = 0;
			unsigned span = 1u << (at + stride - items[i].bits);
			for (unsigned s = first; s < first + span; s++) {
				if (slots[s] != from) {
					from = slots[s];
					to = extended(b, from, items + i, n);
				}
				slots[s] = to;
			}
			continue;
		}
		while (i + n < count && bits_from(&items[i + n], at, stride) == first)
			n++;
		slots[first] = build(b, items + i, n, at + stride, slots[first]);
	}
}

static uint32_t put_node(struct builder *b, const struct item *items, size_t count, unsigned at, uint32_t inherited)
{
	uint32_t slots[MXG_TRIE_SLOTS], values[MXG_TRIE_SLOTS];
	uint64_t map = 0;
	unsigned runs = 0;
	for (unsigned s = 0; s < MXG_TRIE_SLOTS; s++)
		slots[s] = inherited;
	fill(b, slots, MXG_TRIE_STRIDE, items, count, at);
	for (unsigned s = 0; s < MXG_TRIE_SLOTS; s++) {
		if (s > 0 && slots[s] == slots[s - 1])
			continue;
		map |= (uint64_t)1 << s;
		values[runs++] = slots[s];
	}
	if (!reserve(b, 2 + MXG_TRIE_SLOTS))
		return 0;
	uint32_t place = (uint32_t)b->used;
	uint32_t *word = b->words + place;
	word[0] = (uint32_t)(map >> 32);
	word[1] = (uint32_t)map;
	memcpy(word + 2, values, runs * sizeof(*values));
	b->used += 2 + runs;
	return place | MXG_TRIE_IS_NODE;
}

static uint32_t put_skip(struct builder *b, const struct item *items, size_t count, unsigned at, unsigned bits,
			 uint32_t inherited)
{
	if (bits > MXG_TRIE_SKIP_MOST)
		bits = MXG_TRIE_SKIP_MOST;
	uint32_t hit = build(b, items, count, at + bits, inherited);
	if (!reserve(b, MXG_TRIE_SKIP_WORDS))
		return 0;
	uint32_t place = (uint32_t)b->used;
	uint32_t *word = b->words + place;
	word[0] = bits;
	word[MXG_TRIE_SKIP_WANT] = bits_from(&items[0], at, bits);
	word[MXG_TRIE_SKIP_MISS] = inherited;
	word[MXG_TRIE_SKIP_HIT] = hit;
	b->used += MXG_TRIE_SKIP_WORDS;
	return place | MXG_TRIE_IS_SKIP;
}

/* The value for sorted items that agree in the first `at` bits, below a list that covers
 * them all. Recursion is as deep as an address is long. */
static uint32_t build(struct builder *b, const struct item *items, size_t count, unsigned at, uint32_t inherited)
{
	if (count > 0 && items[0].bits == at) {
		size_t n = same_range(items, count);
		inherited = extended(b, inherited, items, n);
		items += n;
		count -= n;
	}
	if (count == 0 || b->failed)
		return inherited;
	unsigned common = common_bits(items, count);
	if (common > at + MXG_TRIE_STRIDE)
		return put_skip(b, items, count, at, common - at, inherited);
	return put_node(b, items, count, at, inherited);
}

static void build_root(struct builder *b, struct mxg_trie_root *root, const struct item *items, size_t count)
{
	uint32_t all = 0;
	root->bits = 1;
	while (root->bits < MXG_TRIE_ROOT_MOST && (size_t)1 << root->bits < count * 2)
		root->bits++;
	root->slots = calloc((size_t)1 << root->bits, sizeof(*root->slots));
	if (root->slots == NULL)
		b->failed = true;
	if (b->failed)
		return;
	if (count > 0 && items[0].bits == 0) {
		size_t n = same_range(items, count);
		all = extended(b, 0, items, n);
		items += n;
		count -= n;
	}
	for (size_t s = 0; s < (size_t)1 << root->bits; s++)
		root->slots[s] = all;
	fill(b, root->slots, root->bits, items, count, 0);
}

static int compare_items(const void *x, const void *y)
{
	const struct item *a = x, *b = y;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->base.high != b->base.high)
		return a->base.high < b->base.high ? -1 : 1;
	if (a->base.low != b->base.low)
		return a->base.low < b->base.low ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static struct item *sorted_items(const struct mxg_prefix_item *items, size_t count)
{
	struct item *sorted = reallocarray(NULL, count + 1, sizeof(*sorted));
	if (sorted == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct item){ .base = mxg_bits_of(&items[i].prefix.base),
					   .number = items[i].number,
					   .bits = items[i].prefix.bits,
					   .family = items[i].prefix.base.family };
	qsort(sorted, count, sizeof(*sorted), compare_items);
	return sorted;
}

static void build_set(struct mxg_prefix_set *set, struct builder *b, const struct item *items, size_t count)
{
	size_t ipv4 = 0;
	while (ipv4 < count && items[ipv4].family == 4)
		ipv4++;
	if (!reserve(b, 1))
		return;
	b->words[b->used++] = 0;
	build_root(b, &set->roots[0], items, ipv4);
	build_root(b, &set->roots[1], items + ipv4, count - ipv4);
}

/* Gives back what growing took in advance; a failure to shrink changes nothing. */
static uint32_t *trimmed(const struct builder *b)
{
	uint32_t *words = reallocarray(b->words, b->used + 1, sizeof(*words));
	return words == NULL ? b->words : words;
}

struct mxg_prefix_set *mxg_prefix_set_new(const struct mxg_prefix_item *items, size_t count)
{
	struct builder b = { 0 };
	struct mxg_prefix_set *set = calloc(1, sizeof(*set));
	struct item *sorted = sorted_items(items, count);
	b.failed = set == NULL || sorted == NULL;
	if (!b.failed)
		build_set(set, &b, sorted, count);
	free(sorted);
	free(b.table);
	if (b.failed) {
		free(b.words);
		mxg_prefix_set_free(set);
		return NULL;
	}
	set->words = trimmed(&b);
	return set;
}

void mxg_prefix_set_free(struct mxg_prefix_set *set)
{
	if (set == NULL)
		return;
	free(set->roots[0].slots);
	free(set->roots[1].slots);
	free(set->words);
	free(set);
}
