/* SPDX-License-Identifier: MIT */
#ifndef MXG_HISTORY_IMPORT_H
#define MXG_HISTORY_IMPORT_H

#include <stdio.h>

#include "history_write.h"

/*
 * States from before, into the history: lines of text (DATE NAME TYPE VALUE…) and of JSON (Passive DNS,
 * Common Output Format), in whatever mixture. What refresh has seen itself is never overruled: imported
 * lines end where its own begin.
 */
struct mxg_import {
	size_t lines, wrong; /* read; that say nothing that can be understood */
	size_t unused; /* of types that no gateway rests on */
	size_t dropped; /* beyond a bound */
	size_t written, names; /* lines of the history, questions */
	size_t first_wrong; /* its number */
	const char *why;
};

#define MXG_IMPORT_LINE_MAX 65536
#define MXG_IMPORT_SEEN_MAX 2000000 /* records */
#define MXG_IMPORT_NAME_MAX 512 /* records of one question */
#define MXG_IMPORT_GAP (INT64_C(7) * 86400) /* that long nobody need have seen a record that is seen again */

/* Reads all of it, then writes. False: out of memory; w->error tells of writing. */
bool mxg_import_run(struct mxg_import *import, FILE *from, const struct mxg_history *before,
		    struct mxg_history_writer *w, int64_t now);

#endif
