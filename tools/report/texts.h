/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_TEXTS_H
#define MXG_REPORT_TEXTS_H

#include <stddef.h>

/* Short texts, one behind the other; all of them go at once. */
struct mxg_texts {
	char **chunks;
	size_t count, used; /* used: of the last one */
};
char *mxg_text_room(struct mxg_texts *texts, size_t size); /* zeroed; NULL: out of memory */
void mxg_texts_clear(struct mxg_texts *texts);

#endif
