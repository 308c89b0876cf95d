/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_TEXTS_H
#define MXG_REPORT_TEXTS_H

#include <stddef.h>

/* Short texts, one behind the other; all of them go at once. */
struct mxg_texts {
	char **chunks;
	size_t count, full, used; /* full: chunks in front of that which is being filled; used: of that */
};
char *mxg_text_room(struct mxg_texts *texts, size_t size); /* NULL: out of memory */
void mxg_texts_reset(struct mxg_texts *texts); /* begins anew, and keeps its memory */
void mxg_texts_clear(struct mxg_texts *texts);

#endif
