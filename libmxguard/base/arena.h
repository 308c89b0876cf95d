/* SPDX-License-Identifier: MIT */
#ifndef MXG_ARENA_H
#define MXG_ARENA_H

#include <stddef.h>

/* Memory of one transaction: taken in pieces, given back at once. The first block stays
 * over a reset, so that a check that is used again allocates nothing. */
struct mxg_arena_block;

struct mxg_arena {
	struct mxg_arena_block *first, *last;
};

void *mxg_arena_take(struct mxg_arena *arena, size_t size); /* aligned, not zeroed; NULL: no memory */
char *mxg_arena_text(struct mxg_arena *arena, const char *text, size_t len); /* with a NUL */
void mxg_arena_reset(struct mxg_arena *arena);
void mxg_arena_free(struct mxg_arena *arena);

#endif
