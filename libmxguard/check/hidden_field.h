/* SPDX-License-Identifier: MIT */
#ifndef MXG_HIDDEN_FIELD_H
#define MXG_HIDDEN_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/header_cutter.h"
#include "check/removed_field.h"

/*
 * A field inside another one. Lines end with LF here and in the mail system; but Python's email,
 * rspamd, Email::Simple and mail programs end one at a CR alone as well, and Python, where it
 * writes a message anew, at whatever str.splitlines() takes for a line's end: VT, FF, FS, GS, RS,
 * NEL, and U+2028 and U+2029. Behind such a break they see a field where we, and whoever reads by
 * the standard, see a part of the field around it.
 *
 * Looks for the names of fields that have to go behind such breaks. All of the header is to be
 * given, in pieces of any size.
 */
struct mxg_hidden_field {
	uint64_t offset; /* how many bytes have been looked at */
	uint64_t from, to; /* where one is found: the breaks before its name */
	bool found; /* until mxg_hidden_field_next() */
	size_t len; /* 0: no break is open */
	char text[MXG_HEADER_HEAD_MAX]; /* from the first break on, at `from` */
};

void mxg_hidden_field_init(struct mxg_hidden_field *hidden);

/* Looks at bytes until one is found or all are used. */
void mxg_hidden_field_look(struct mxg_hidden_field *hidden, const struct mxg_removed *what, const char *bytes,
			   size_t len);

/* What was found has been seen to; another one may end at the same byte. */
void mxg_hidden_field_next(struct mxg_hidden_field *hidden, const struct mxg_removed *what);

#endif
