/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_PIECES_H
#define MXG_REPORT_PIECES_H

#include "report/input.h"

/*
 * A stream, piece by piece. Reading it and counting are done in its order, one piece after another, by
 * whichever thread is free; taking lines apart is done by several threads at once. So what is counted does not
 * depend on how many there are.
 */
struct mxg_pieces;

/* latest: no line is of a later time. NULL: out of memory. */
struct mxg_pieces *mxg_pieces_new(struct mxg_report_input *input, int fd, int64_t latest);
void mxg_pieces_free(struct mxg_pieces *pieces);
/* Bytes of the stream that were read already. */
void mxg_pieces_begin(struct mxg_pieces *pieces, const char *bytes, size_t len);
/* From where the descriptor stands to its end. whole: what stands behind the last line feed is a line;
 * otherwise it is still being written, and kept. Returns 0 or errno. */
int mxg_pieces_read(struct mxg_pieces *pieces, bool whole);

#endif
