/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_INDEX_H
#define MXG_REPORT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open table of numbers + 1. Above the number stand 32 bits of the hash: they are also the place, so that a
 * table can be made wider without a look at what it leads to. */
struct mxg_index {
	uint64_t *slots;
	size_t room;
};

bool mxg_index_widen(struct mxg_index *index, size_t count); /* room for one more than that; false: no memory */
void mxg_index_empty(struct mxg_index *index); /* and keeps its memory */
void mxg_index_free(struct mxg_index *index);

static inline uint64_t mxg_index_tag(uint64_t hash)
{
	return (hash ^ hash >> 32) << 32;
}

static inline size_t mxg_index_place(const struct mxg_index *index, uint64_t hash)
{
	return (mxg_index_tag(hash) >> 32) & (index->room - 1);
}

/* Where to look, from `at` on: the next slot with the tag of the hash, or a free one, where *number is
 * UINT32_MAX. */
static inline size_t mxg_index_look(const struct mxg_index *index, uint64_t hash, size_t at, uint32_t *number)
{
	uint64_t tag = mxg_index_tag(hash);
	for (;; at++) {
		uint64_t slot = index->slots[at & (index->room - 1)];
		*number = (uint32_t)slot - 1;
		if (slot == 0 || (slot ^ tag) >> 32 == 0)
			return at & (index->room - 1);
	}
}

static inline void mxg_index_set(struct mxg_index *index, size_t at, uint64_t hash, size_t number)
{
	index->slots[at] = mxg_index_tag(hash) | (number + 1);
}

/* It will be looked for soon. */
static inline void mxg_index_expect(const struct mxg_index *index, uint64_t hash)
{
	if (index->room > 0)
		__builtin_prefetch(&index->slots[mxg_index_place(index, hash)]);
}

/* Most often it is there; UINT32_MAX: it is not. */
static inline uint32_t mxg_index_first(const struct mxg_index *index, uint64_t hash)
{
	return index->room == 0 ? UINT32_MAX : (uint32_t)index->slots[mxg_index_place(index, hash)] - 1;
}

#endif
