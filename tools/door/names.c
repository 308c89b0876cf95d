/* SPDX-License-Identifier: MIT */
/* The names of a message's fields. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/grow.h"

bool mxg_door_names_add(struct mxg_door_names *n, const char *name)
{
	size_t at = n->list.used, index = n->list.count;
	uint32_t hash = 2166136261u;
	if (index == MXG_DOOR_FIELDS_MAX || strlen(name) >= MXG_DOOR_NAMES_MAX - at ||
	    !mxg_grow(&n->hashes, &n->room, index, sizeof(*n->hashes)) || !mxg_names_put(&n->list, name))
		return false;
	for (char *c = n->list.text + at; *c != '\0'; c++) {
		*c = mxg_ascii_lower(*c);
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	}
	n->hashes[index] = hash;
	return true;
}

unsigned mxg_door_names_number(const struct mxg_door_names *n, size_t index)
{
	const char *wanted = mxg_names_get(&n->list, index);
	unsigned number = 1;
	for (size_t i = 0; i < index; i++)
		number += n->hashes[i] == n->hashes[index] && strcmp(mxg_names_get(&n->list, i), wanted) == 0;
	return number;
}

void mxg_door_names_free(struct mxg_door_names *n)
{
	mxg_names_free(&n->list);
	free(n->hashes);
}
