/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHECK_LINE_H
#define MXG_CHECK_LINE_H

#include <stddef.h>

/* A text in the making, in a buffer of at least one byte: always terminated, and cut where it is full. */
struct mxg_line {
	char *text;
	size_t size, used;
};

void mxg_line_put_bytes(struct mxg_line *line, const char *text, size_t len);
void mxg_line_put(struct mxg_line *line, const char *text);
/* As mxg_neuter() has it, in at most MOST bytes with its end. MOST is MXG_LINE_VALUE_MAX or less. */
void mxg_line_put_neutered(struct mxg_line *line, const char *text, size_t len, const char *also, size_t most);
/* The same as a JSON string (RFC 8259), quotes beside MOST. */
void mxg_line_put_json(struct mxg_line *line, const char *text, size_t len, const char *also, size_t most);
#define MXG_LINE_VALUE_MAX 520

#endif
