/* SPDX-License-Identifier: MIT */
#include "report/texts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "report/room.h"

#define CHUNK ((size_t)2 << 20)

static bool add_chunk(struct mxg_texts *t)
{
	char **chunks = reallocarray(t->chunks, t->count + 1, sizeof(*chunks));
	if (chunks == NULL)
		return false;
	t->chunks = chunks;
	chunks[t->count] = mxg_room_new(CHUNK);
	t->count += chunks[t->count] != NULL;
	return t->full < t->count;
}

char *mxg_text_room(struct mxg_texts *t, size_t size)
{
	if (t->full < t->count && t->used + size > CHUNK) {
		t->full++;
		t->used = 0;
	}
	if (t->full == t->count && !add_chunk(t))
		return NULL;
	char *text = t->chunks[t->full] + t->used;
	t->used += size;
	return text;
}

void mxg_texts_reset(struct mxg_texts *t)
{
	t->full = t->used = 0;
}

void mxg_texts_clear(struct mxg_texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		mxg_room_free(t->chunks[i], CHUNK);
	free(t->chunks);
	*t = (struct mxg_texts){ .count = 0 };
}
