/* SPDX-License-Identifier: MIT */
#ifndef MXG_NAME_LIST_H
#define MXG_NAME_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names, a million of them if need be. */
struct mxg_names {
	char *text; /* one behind the other, each with its NUL */
	size_t used, text_room;
	uint32_t *at;
	size_t count, room;
};
bool mxg_names_put(struct mxg_names *names, const char *name); /* false: out of memory */
void mxg_names_sort(struct mxg_names *names); /* each once */
/* In a list that is sorted. index may be NULL. */
bool mxg_names_find(const struct mxg_names *names, const char *name, size_t len, size_t *index);
const char *mxg_names_get(const struct mxg_names *names, size_t number);
void mxg_names_free(struct mxg_names *names);

#endif
