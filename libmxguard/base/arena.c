/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 4096u
#define ALIGN 16u

struct mxg_arena_block {
	struct mxg_arena_block *next;
	size_t used, size;
	_Alignas(ALIGN) unsigned char bytes[];
};

static struct mxg_arena_block *add_block(struct mxg_arena *arena, size_t least)
{
	size_t size = least > BLOCK_SIZE ? least : BLOCK_SIZE;
	struct mxg_arena_block *block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return NULL;
	*block = (struct mxg_arena_block){ .size = size };
	if (arena->first == NULL)
		arena->first = block;
	else
		arena->last->next = block;
	arena->last = block;
	return block;
}

void *mxg_arena_take(struct mxg_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	struct mxg_arena_block *block = arena->last;
	if (block == NULL || block->size - block->used < size)
		block = add_block(arena, size);
	if (block == NULL)
		return NULL;
	void *piece = block->bytes + block->used;
	block->used += size;
	return piece;
}

char *mxg_arena_text(struct mxg_arena *arena, const char *text, size_t len)
{
	char *copy = mxg_arena_take(arena, len + 1);
	if (copy == NULL)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static void free_from(struct mxg_arena_block *block)
{
	while (block != NULL) {
		struct mxg_arena_block *next = block->next;
		free(block);
		block = next;
	}
}

void mxg_arena_reset(struct mxg_arena *arena)
{
	if (arena->first == NULL)
		return;
	free_from(arena->first->next);
	arena->first->next = NULL;
	arena->first->used = 0;
	arena->last = arena->first;
}

void mxg_arena_free(struct mxg_arena *arena)
{
	free_from(arena->first);
	*arena = (struct mxg_arena){ 0 };
}
