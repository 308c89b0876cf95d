/* SPDX-License-Identifier: MIT */
/*
 * A multibit trie, eight bits a level, its nodes squeezed by population count: a lookup
 * visits at most one node for each byte of the address. Ranges are pushed down to the
 * leaves, where each leaf names an interned list of all the numbers that cover it.
 */
#include "prefix_set.h"

#include <stdlib.h>
#include <string.h>

struct node {
	uint64_t child[4]; /* a bit for each byte value that goes on to another node */
	uint64_t leaf[4]; /* a bit where a leaf begins that differs from the one before */
	uint32_t child_base, leaf_base;
};

struct list {
	uint32_t offset, count;
};

struct mxg_prefix_set {
	struct node *nodes;
	uint32_t *leaves; /* list numbers */
	struct list *lists; /* [0] is the empty one */
	uint32_t *numbers;
	uint32_t root[2]; /* IPv4, IPv6 */
};

/* ---- lookup ---------------------------------------------------------------------- */

/* Bits set below position `at`. */
static uint32_t rank(const uint64_t bits[4], unsigned at)
{
	uint32_t count = 0;
	for (unsigned w = 0; w < at / 64; w++)
		count += (uint32_t)__builtin_popcountll(bits[w]);
	uint64_t below = at % 64 == 0 ? 0 : bits[at / 64] << (64 - at % 64);
	return count + (uint32_t)__builtin_popcountll(below);
}

static bool has(const uint64_t bits[4], unsigned at)
{
	return (bits[at / 64] >> (at % 64) & 1) != 0;
}

const uint32_t *mxg_prefix_set_lookup(const struct mxg_prefix_set *set, const struct mxg_address *a,
				      size_t *count)
{
	*count = 0;
	if (a->family != 4 && a->family != 6)
		return set->numbers;
	const struct node *node = &set->nodes[set->root[a->family == 6]];
	const uint8_t *byte = a->bytes;
	/* a node below the last byte is never made, so this ends within the address */
	while (has(node->child, *byte)) {
		node = &set->nodes[node->child_base + rank(node->child, *byte)];
		byte++;
	}
	uint32_t leaf = rank(node->leaf, *byte) + has(node->leaf, *byte) - 1;
	const struct list *list = &set->lists[set->leaves[node->leaf_base + leaf]];
	*count = list->count;
	return set->numbers + list->offset;
}

/* ---- building -------------------------------------------------------------------- */

struct builder {
	struct mxg_prefix_set *set;
	size_t node_count, node_room, leaf_count, leaf_room, list_count, list_room, number_count, number_room;
	uint32_t *table; /* list numbers + 1 by content, open addressing */
	size_t table_size;
	bool failed;
};

static bool reserve(struct builder *b, void **items, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return true;
	size_t more = *room * 2 > need ? *room * 2 : need + 16;
	void *bigger = more > UINT32_MAX ? NULL : reallocarray(*items, more, size);
	if (bigger == NULL) {
		b->failed = true;
		return false;
	}
	*items = bigger;
	*room = more;
	return true;
}

static uint32_t hash_numbers(const uint32_t *numbers, size_t count)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ numbers[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static size_t find_slot(const struct builder *b, const uint32_t *numbers, size_t count)
{
	size_t at = hash_numbers(numbers, count) & (b->table_size - 1);
	while (b->table[at] != 0) {
		const struct list *list = &b->set->lists[b->table[at] - 1];
		if (list->count == count &&
		    memcmp(b->set->numbers + list->offset, numbers, count * sizeof(*numbers)) == 0)
			break;
		at = (at + 1) & (b->table_size - 1);
	}
	return at;
}

static bool grow_table(struct builder *b)
{
	if (b->list_count * 2 < b->table_size)
		return true;
	size_t size = b->table_size == 0 ? 64 : b->table_size * 2;
	uint32_t *table = calloc(size, sizeof(*table));
	if (table == NULL) {
		b->failed = true;
		return false;
	}
	free(b->table);
	b->table = table;
	b->table_size = size;
	for (size_t i = 0; i < b->list_count; i++) {
		const struct list *list = &b->set->lists[i];
		b->table[find_slot(b, b->set->numbers + list->offset, list->count)] = (uint32_t)i + 1;
	}
	return true;
}

/* The list that holds the numbers of `list` and `number`: at the pool's end first, and kept
 * there only if it is new. */
static uint32_t extended_list(struct builder *b, uint32_t list, uint32_t number)
{
	size_t count = b->set->lists[list].count;
	if (!reserve(b, (void **)&b->set->numbers, &b->number_room, b->number_count + count + 1, sizeof(uint32_t)) ||
	    !reserve(b, (void **)&b->set->lists, &b->list_room, b->list_count + 1, sizeof(struct list)) ||
	    !grow_table(b))
		return 0;
	const uint32_t *old = b->set->numbers + b->set->lists[list].offset;
	uint32_t *new = b->set->numbers + b->number_count;
	size_t before = 0;
	while (before < count && old[before] < number)
		before++;
	if (before < count && old[before] == number)
		return list;
	memcpy(new, old, before * sizeof(*new));
	new[before] = number;
	memcpy(new + before + 1, old + before, (count - before) * sizeof(*new));
	size_t slot = find_slot(b, new, count + 1);
	if (b->table[slot] == 0) {
		b->set->lists[b->list_count] = (struct list){ (uint32_t)b->number_count, (uint32_t)count + 1 };
		b->table[slot] = (uint32_t)++b->list_count;
		b->number_count += count + 1;
	}
	return b->table[slot] - 1;
}

/* Marks the byte values of this level that a range covers wholly. */
static void spread(struct builder *b, uint32_t lists[256], const struct mxg_prefix_item *item, unsigned level)
{
	unsigned bits = item->prefix.bits - level * 8u; /* 0 to 8 of this byte */
	unsigned first = item->prefix.base.bytes[level] & (0xff00u >> bits & 0xff);
	uint32_t from = UINT32_MAX, to = 0;
	for (unsigned v = first; v < first + (256u >> bits); v++) {
		if (lists[v] != from) {
			from = lists[v];
			to = extended_list(b, from, item->number);
		}
		lists[v] = to;
	}
}

static void put_leaves(struct builder *b, struct node *node, const uint32_t lists[256])
{
	node->leaf_base = (uint32_t)b->leaf_count;
	if (!reserve(b, (void **)&b->set->leaves, &b->leaf_room, b->leaf_count + 256, sizeof(uint32_t)))
		return;
	for (unsigned v = 0; v < 256; v++) {
		if (v > 0 && lists[v] == lists[v - 1])
			continue;
		node->leaf[v / 64] |= (uint64_t)1 << (v % 64);
		b->set->leaves[b->leaf_count++] = lists[v];
	}
}

/* Fills node number `at` with the items (sorted, all below it); those that end at or above
 * this level's first bit are in `inherited` already. Recursion is as deep as an address is long. */
static void fill(struct builder *b, uint32_t at, const struct mxg_prefix_item *items, size_t count, unsigned level,
		 uint32_t inherited)
{
	uint32_t lists[256];
	struct node node = { 0 };
	for (unsigned v = 0; v < 256; v++)
		lists[v] = inherited;
	for (size_t i = 0; i < count; i++) {
		unsigned bits = items[i].prefix.bits;
		if (bits > (level + 1) * 8u)
			node.child[items[i].prefix.base.bytes[level] / 64] |=
				(uint64_t)1 << (items[i].prefix.base.bytes[level] % 64);
		else if (bits > level * 8u || level == 0)
			spread(b, lists, &items[i], level);
	}
	put_leaves(b, &node, lists);
	uint32_t children = rank(node.child, 255) + has(node.child, 255);
	node.child_base = (uint32_t)b->node_count;
	if (b->failed || !reserve(b, (void **)&b->set->nodes, &b->node_room, b->node_count + children, sizeof(node)))
		return;
	b->node_count += children;
	b->set->nodes[at] = node;
	for (size_t i = 0, end; i < count; i = end) {
		uint8_t v = items[i].prefix.base.bytes[level];
		for (end = i; end < count && items[end].prefix.base.bytes[level] == v;)
			end++;
		if (has(node.child, v))
			fill(b, node.child_base + rank(node.child, v), items + i, end - i, level + 1, lists[v]);
	}
}

static int compare_items(const void *x, const void *y)
{
	const struct mxg_prefix_item *a = x, *b = y;
	if (a->prefix.base.family != b->prefix.base.family)
		return a->prefix.base.family - b->prefix.base.family;
	int order = memcmp(a->prefix.base.bytes, b->prefix.base.bytes, 16);
	return order != 0 ? order : a->prefix.bits - b->prefix.bits;
}

static void build(struct builder *b, const struct mxg_prefix_item *items, size_t count)
{
	size_t ipv4 = 0;
	while (ipv4 < count && items[ipv4].prefix.base.family == 4)
		ipv4++;
	if (!reserve(b, (void **)&b->set->lists, &b->list_room, 1, sizeof(struct list)) ||
	    !reserve(b, (void **)&b->set->numbers, &b->number_room, 1, sizeof(uint32_t)) ||
	    !reserve(b, (void **)&b->set->nodes, &b->node_room, 2, sizeof(struct node)))
		return;
	b->set->lists[0] = (struct list){ 0, 0 };
	b->list_count = 1;
	b->node_count = 2;
	b->set->root[1] = 1;
	memset(b->set->nodes, 0, 2 * sizeof(struct node));
	fill(b, 0, items, ipv4, 0, 0);
	fill(b, 1, items + ipv4, count - ipv4, 0, 0);
}

struct mxg_prefix_set *mxg_prefix_set_new(const struct mxg_prefix_item *items, size_t count)
{
	struct builder b = { .set = calloc(1, sizeof(struct mxg_prefix_set)) };
	struct mxg_prefix_item *sorted = reallocarray(NULL, count + 1, sizeof(*sorted));
	b.failed = b.set == NULL || sorted == NULL;
	if (!b.failed) {
		if (count > 0)
			memcpy(sorted, items, count * sizeof(*items));
		qsort(sorted, count, sizeof(*sorted), compare_items);
		build(&b, sorted, count);
	}
	free(sorted);
	free(b.table);
	if (b.failed) {
		mxg_prefix_set_free(b.set);
		return NULL;
	}
	return b.set;
}

void mxg_prefix_set_free(struct mxg_prefix_set *set)
{
	if (set == NULL)
		return;
	free(set->nodes);
	free(set->leaves);
	free(set->lists);
	free(set->numbers);
	free(set);
}
