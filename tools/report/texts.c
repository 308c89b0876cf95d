/* SPDX-License-Identifier: MIT */
#include "report/texts.h"

#include <stdlib.h>

#include "report/room.h"

#define CHUNK ((size_t)2 << 20)

char *mxg_text_room(struct mxg_texts *t, size_t size)
{
	if (t->count == 0 || t->used + size > CHUNK) {
		char **chunks = reallocarray(t->chunks, t->count + 1, sizeof(*chunks));
		if (chunks == NULL)
			return NULL;
		t->chunks = chunks;
		chunks[t->count] = mxg_room_new(CHUNK);
		if (chunks[t->count] == NULL)
			return NULL;
		t->count++;
		t->used = 0;
	}
	char *text = t->chunks[t->count - 1] + t->used;
	t->used += size;
	return text;
}

void mxg_texts_clear(struct mxg_texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		mxg_room_free(t->chunks[i], CHUNK);
	free(t->chunks);
	*t = (struct mxg_texts){ .count = 0 };
}
