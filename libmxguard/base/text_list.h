/* SPDX-License-Identifier: MIT */
#ifndef MXG_TEXT_LIST_H
#define MXG_TEXT_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Lines of text, appended and cut back; what a decision tells of its steps. Running
 * out of memory drops lines and is remembered in `lost`: steps never fail a decision. */
struct mxg_text_list {
	char *text; /* NUL-terminated lines one behind the other */
	size_t used, room;
	size_t count;
	bool lost;
};

void mxg_text_list_add(struct mxg_text_list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A mark to cut back to. */
struct mxg_text_mark {
	size_t used, count;
};
struct mxg_text_mark mxg_text_list_mark(const struct mxg_text_list *list);
void mxg_text_list_cut(struct mxg_text_list *list, struct mxg_text_mark mark);
const char *mxg_text_list_get(const struct mxg_text_list *list, size_t index); /* NULL past the end */
void mxg_text_list_clear(struct mxg_text_list *list); /* frees */

#endif
