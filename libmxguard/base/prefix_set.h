/* SPDX-License-Identifier: MIT */
#ifndef MXG_PREFIX_SET_H
#define MXG_PREFIX_SET_H

#include "base/address.h"

/*
 * An immutable set of address ranges, each with a number. A lookup yields the
 * numbers of *every* range that covers the address, ascending and without
 * repeats: numbers are given in configuration order, and the longest match
 * alone would pick the wrong entry where a `header` condition fails.
 * The cost of a lookup is bounded by the address's length, not by the number of
 * ranges; it allocates nothing. Lookups are safe from any number of threads.
 */
struct mxg_prefix_set;

struct mxg_prefix_item {
	struct mxg_prefix prefix;
	uint32_t number; /* the caller's; several items may share one */
};

/* The items are copied. NULL only when out of memory; count may be 0. */
struct mxg_prefix_set *mxg_prefix_set_new(const struct mxg_prefix_item *items, size_t count);
void mxg_prefix_set_free(struct mxg_prefix_set *set); /* NULL is allowed */

/* Large sets lie in memory that is far away. Told of an address early, they bring its place near
 * while the caller does something else: first the slot of the first table, and in a second call
 * the node behind it. Either may be left out. */
void mxg_prefix_set_expect(const struct mxg_prefix_set *set, const struct mxg_address *address);
void mxg_prefix_set_expect_node(const struct mxg_prefix_set *set, const struct mxg_address *address);

/* The covering numbers; *count is 0 where nothing covers it (the result is then
 * not to be read). The array belongs to the set and lives as long. */
const uint32_t *mxg_prefix_set_lookup(const struct mxg_prefix_set *set, const struct mxg_address *address,
				      size_t *count);

#endif
