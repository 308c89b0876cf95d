/* SPDX-License-Identifier: MIT */
#include "name_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

const char *mxg_names_get(const struct mxg_names *n, size_t number)
{
	return n->text + n->at[number];
}

static bool make_room(struct mxg_names *n, size_t len)
{
	if (!mxg_grow(&n->at, &n->room, n->count, sizeof(*n->at)))
		return false;
	if (n->text_room - n->used <= len) {
		size_t room = (n->text_room < 4096 ? 8192 : n->text_room + n->text_room / 2) + len;
		char *text = room > UINT32_MAX ? NULL : realloc(n->text, room);
		if (text == NULL)
			return false;
		n->text = text;
		n->text_room = room;
	}
	return true;
}

bool mxg_names_put(struct mxg_names *n, const char *name)
{
	size_t len = strlen(name);
	if (!make_room(n, len))
		return false;
	memcpy(n->text + n->used, name, len + 1);
	n->at[n->count++] = (uint32_t)n->used;
	n->used += len + 1;
	return true;
}

static int by_text(const void *a, const void *b, void *text)
{
	return strcmp((const char *)text + *(const uint32_t *)a, (const char *)text + *(const uint32_t *)b);
}

static bool is_sorted(const struct mxg_names *n)
{
	for (size_t i = 1; i < n->count; i++)
		if (strcmp(mxg_names_get(n, i - 1), mxg_names_get(n, i)) >= 0)
			return false;
	return true;
}

void mxg_names_sort(struct mxg_names *n)
{
	size_t kept = 0;
	if (n->count == 0 || is_sorted(n))
		return;
	qsort_r(n->at, n->count, sizeof(*n->at), by_text, n->text);
	for (size_t i = 0; i < n->count; i++)
		if (kept == 0 || strcmp(n->text + n->at[kept - 1], n->text + n->at[i]) != 0)
			n->at[kept++] = n->at[i];
	n->count = kept;
}

/* Of a text of that length against a name. */
static int compare(const char *text, size_t len, const char *name)
{
	int order = strncmp(text, name, len);
	return order != 0 || name[len] == '\0' ? order : -1;
}

bool mxg_names_find(const struct mxg_names *n, const char *name, size_t len, size_t *index)
{
	size_t low = 0, high = n->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, len, mxg_names_get(n, middle));
		if (order == 0) {
			if (index != NULL)
				*index = middle;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

void mxg_names_free(struct mxg_names *n)
{
	free(n->text);
	free(n->at);
	*n = (struct mxg_names){ 0 };
}
