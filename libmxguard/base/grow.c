/* SPDX-License-Identifier: MIT */
#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

#define FIRST 4

bool mxg_grow(void *items, size_t *room, size_t count, size_t size)
{
	void *old, *bigger;
	if (count < *room)
		return true;
	memcpy(&old, items, sizeof(old)); /* whatever its type */
	size_t more = *room == 0 ? FIRST : *room * 2;
	bigger = reallocarray(old, more, size);
	if (bigger == NULL)
		return false;
	memcpy(items, &bigger, sizeof(bigger));
	*room = more;
	return true;
}
