/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_ROWS_H
#define MXG_SCAN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What `doveadm -f json fetch` prints: an array of flat objects of strings, which may be of any length. Of doveadm's
 * forms it is the one that no message can break: whatever stands in a header, its quotes are escaped. What is in the
 * strings need not be UTF-8. Memory is bounded: what a string has more than there is room for is dropped.
 */
struct mxg_row_field {
	const char *name;
	char *value; /* room + 1 bytes; ends in NUL, and may hold others */
	size_t room, len;
};

struct mxg_rows {
	int fd;
	struct mxg_row_field *fields; /* those that are wanted */
	size_t count;
	bool begun, ended, broken; /* ended: the array was closed */
	size_t at, len;
	char buffer[65536];
};

/* The next object; false at the end of the array (ended), or where the text is not that form or stops (broken). */
bool mxg_rows_next(struct mxg_rows *rows);

#endif
