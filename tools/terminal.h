/* SPDX-License-Identifier: MIT */
#ifndef MXG_TERMINAL_H
#define MXG_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the output goes to: colours, columns and the progress bar are for terminals only. */

enum mxg_colour { MXG_PLAIN = 0, MXG_RED, MXG_GREEN, MXG_YELLOW, MXG_BOLD, MXG_FAINT };

bool mxg_is_terminal(FILE *stream);
size_t mxg_terminal_width(FILE *stream); /* 80 where it cannot be known */

/* --color: "auto" (on a terminal, unless NO_COLOR is set), "always", "never". False: another word. */
bool mxg_colour_when(const char *word);
/* Escape sequences, "" where the stream is to have no colour. */
const char *mxg_colour_begin(FILE *stream, enum mxg_colour colour);
const char *mxg_colour_end(FILE *stream);

/*
 * A line at the foot of stderr that is drawn over and over: how much is done, how fast, how
 * long it will still take. On anything but a terminal every call does nothing.
 */
struct mxg_progress {
	const char *label, *unit;
	size_t total; /* may grow */
	bool on;
	int64_t started, drawn; /* milliseconds */
};
void mxg_progress_begin(struct mxg_progress *progress, const char *label, const char *unit, size_t total);
void mxg_progress_show(struct mxg_progress *progress, size_t done); /* draws ten times a second at most */
void mxg_progress_clear(struct mxg_progress *progress); /* before other output, and at the end */
void mxg_progress_aside(void); /* the same for whoever does not know the line, in any thread; it is drawn again */

#endif
