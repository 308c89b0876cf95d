/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_PIECE_H
#define MXG_REPORT_PIECE_H

#include "report/input.h"

/* Some whole lines of a log, and the decisions that stand in them. */
#define MXG_PIECE_BYTES (1u << 17) /* as much as stays in the cache of a core with what is made of it */
#define MXG_LINE_MOST 65536u /* a longer line is none of ours */

struct mxg_piece {
	char *text; /* room for MXG_LINE_MOST + MXG_PIECE_BYTES */
	size_t len;
	struct mxg_decision *items;
	size_t count, room;
	uint64_t lines, skipped, unread; /* skipped: lines that were too long, and are not in the text */
	char *scratch; /* of lines that are JSON in JSON */
	size_t scratch_used;
	struct mxg_line_clock clock; /* before it is read, and afterwards */
	bool last, parsed, nomem;
};

bool mxg_piece_room(struct mxg_piece *piece); /* false: out of memory */
void mxg_piece_clear(struct mxg_piece *piece);
/* Fills `items` with what is wanted; any thread may. */
void mxg_piece_parse(struct mxg_piece *piece, const struct mxg_report_input *input);
/* In the order of the input, one after another. */
void mxg_piece_count(const struct mxg_piece *piece, struct mxg_report_input *input);

#endif
