/* SPDX-License-Identifier: MIT */
/* The names of a message's fields. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/grow.h"

struct mxg_door_name {
	uint32_t hash, at; /* in the text; the hash only saves comparisons */
};

static bool make_room(struct mxg_door_names *n, size_t len)
{
	if (!mxg_grow(&n->all, &n->room, n->count, sizeof(*n->all)))
		return false;
	if (n->text_room - n->used < len) {
		size_t bigger = (n->text_room + len) * 2;
		char *grown = realloc(n->text, bigger);
		if (grown == NULL)
			return false;
		n->text = grown;
		n->text_room = bigger;
	}
	return true;
}

bool mxg_door_names_add(struct mxg_door_names *n, const char *name)
{
	size_t len = strlen(name) + 1;
	uint32_t hash = 2166136261u;
	if (n->count == MXG_DOOR_FIELDS_MAX || len > MXG_DOOR_NAMES_MAX - n->used || !make_room(n, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		n->text[n->used + i] = mxg_ascii_lower(name[i]);
		hash = (hash ^ (uint8_t)n->text[n->used + i]) * 16777619u;
	}
	n->all[n->count++] = (struct mxg_door_name){ hash, (uint32_t)n->used };
	n->used += len;
	return true;
}

unsigned mxg_door_names_number(const struct mxg_door_names *n, size_t index)
{
	const struct mxg_door_name *wanted = &n->all[index];
	unsigned number = 1;
	for (size_t i = 0; i < index; i++)
		number += n->all[i].hash == wanted->hash && strcmp(n->text + n->all[i].at, n->text + wanted->at) == 0;
	return number;
}

void mxg_door_names_free(struct mxg_door_names *n)
{
	free(n->all);
	free(n->text);
}
