/* SPDX-License-Identifier: MIT */
#ifndef MXG_HISTORY_WRITE_H
#define MXG_HISTORY_WRITE_H

#include <stdio.h>

#include "snapshot/history.h"

/*
 * Appending to state_dir/history, and compaction. The caller holds the lock (mxg_state_lock). What is
 * appended is on the disk before the snapshot that knows of it takes its place, so that no change is
 * lost: whoever is killed between the two writes it once more, which readers do not mind.
 */
struct mxg_history_writer {
	int folder;
	FILE *file; /* opened at the first line */
	bool whole; /* there is no history yet, or a line of it was lost: everything is to be put */
	bool new; /* there was no file */
	int64_t now;
	size_t lines;
	int error; /* errno of the first failure */
	char text[MXG_HISTORY_LINE_MAX];
};

void mxg_history_begin(struct mxg_history_writer *w, int folder, int64_t now);
void mxg_history_put(struct mxg_history_writer *w, const struct mxg_question *question, const struct mxg_answer *answer,
		     int64_t time);
/* Nothing is known of it from then on. */
void mxg_history_put_end(struct mxg_history_writer *w, const struct mxg_question *question, int64_t time);
void mxg_history_put_line(struct mxg_history_writer *w, const struct mxg_history_line *line);
/* To the disk. False with w->error: the next refresh will put everything. */
bool mxg_history_commit(struct mxg_history_writer *w);
void mxg_history_want_all(int folder); /* of the next refresh */

#define MXG_HISTORY_KEPT (INT64_C(731) * 86400) /* two years */
#define MXG_HISTORY_NAME_LINES 2048 /* of one question: three changes a day for two years */

/* Rewrites the file where it has doubled since the last time, or is a month older: what is older than
 * two years goes, but for what still stood then, and lines that say nothing new. False with errno: it
 * stays as it was. */
bool mxg_history_compact(int folder, const char *state_dir, int64_t now, bool force);

#endif
