/* SPDX-License-Identifier: MIT */
#include "base/text_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct mxg_text_list *list, size_t more)
{
	if (list->room - list->used >= more)
		return true;
	size_t room = list->room * 2 + more + 256;
	char *text = realloc(list->text, room);
	if (text == NULL)
		return false;
	list->text = text;
	list->room = room;
	return true;
}

void mxg_text_list_add(struct mxg_text_list *list, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char line[1400];
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1;
	if (n < 0 || !reserve(list, len + 1)) {
		list->lost = true;
		return;
	}
	memcpy(list->text + list->used, line, len);
	list->text[list->used + len] = '\0';
	list->used += len + 1;
	list->count++;
}

struct mxg_text_mark mxg_text_list_mark(const struct mxg_text_list *list)
{
	return (struct mxg_text_mark){ .used = list->used, .count = list->count };
}

void mxg_text_list_cut(struct mxg_text_list *list, struct mxg_text_mark mark)
{
	list->used = mark.used;
	list->count = mark.count;
}

const char *mxg_text_list_get(const struct mxg_text_list *list, size_t index)
{
	if (index >= list->count)
		return NULL;
	const char *p = list->text;
	while (index-- > 0)
		p += strlen(p) + 1;
	return p;
}

void mxg_text_list_clear(struct mxg_text_list *list)
{
	free(list->text);
	*list = (struct mxg_text_list){ 0 };
}
