/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_BEGINNING_H
#define MXG_REPORT_BEGINNING_H

#include <stdbool.h>
#include <stdio.h>

/* What a stream begins with tells what it holds; it may be a pipe, into which nothing can be put back. */
struct mxg_beginning {
	int fd;
	size_t len, used;
	char bytes[32];
};

/* Reads so much of it as is needed to tell; what was read for another text is looked at again. */
bool mxg_beginning_is(struct mxg_beginning *beginning, const char *text);
/* All of the stream. NULL: out of memory. */
FILE *mxg_beginning_open(struct mxg_beginning *beginning);

#endif
