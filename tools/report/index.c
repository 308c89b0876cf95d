/* SPDX-License-Identifier: MIT */
#include "report/index.h"

#include <string.h>

#include "report/room.h"

void mxg_index_free(struct mxg_index *index)
{
	mxg_room_free(index->slots, index->room * sizeof(*index->slots));
	*index = (struct mxg_index){ .room = 0 };
}

void mxg_index_empty(struct mxg_index *index)
{
	if (index->room > 0)
		memset(index->slots, 0, index->room * sizeof(*index->slots));
}

bool mxg_index_widen(struct mxg_index *index, size_t count)
{
	if ((count + 1) * 2 <= index->room)
		return true;
	struct mxg_index wider = { .room = index->room == 0 ? 1024 : index->room * 4 };
	wider.slots = mxg_room_new(wider.room * sizeof(*wider.slots));
	if (wider.slots == NULL)
		return false;
	for (size_t i = 0; i < index->room; i++) {
		size_t at = (index->slots[i] >> 32) & (wider.room - 1);
		if (index->slots[i] == 0)
			continue;
		while (wider.slots[at] != 0)
			at = (at + 1) & (wider.room - 1);
		wider.slots[at] = index->slots[i];
	}
	mxg_index_free(index);
	*index = wider;
	return true;
}
