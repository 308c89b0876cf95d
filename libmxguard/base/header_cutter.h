/* SPDX-License-Identifier: MIT */
#ifndef MXG_HEADER_CUTTER_H
#define MXG_HEADER_CUTTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The one place that cuts a message's header into fields. Bytes go in in pieces of any size; what
 * comes out never depends on the pieces. No allocation, and a constant number of steps a byte.
 *
 * What is decided here, for everybody:
 * - Lines end with LF; a CR in front of it belongs to the line's end. A CR alone is a byte like
 *   others and never ends a line.
 * - The header ends with the first line that holds nothing: LF or CR LF and no other byte. A line
 *   that begins with a CR alone does not end it, nor does one without a colon, nor one of blanks.
 *   So whoever takes the header to be shorter sees a part of what is seen here.
 * - A line that begins with a space or a tab continues the field above, also where it holds
 *   nothing else. Where there is no field above, it is a broken line.
 * - A first line that begins with "From " is an mbox's, and so is a ">From " line wherever it
 *   stands: they are no fields, and nothing continues them.
 * - A field's name ends at the first colon; blanks in front of that are not part of it (RFC 5322
 *   section 4.5). A line whose name is empty, or holds blanks, controls or bytes above 0x7f, or
 *   that has no colon within MXG_HEADER_HEAD_MAX bytes, is broken. Its bytes can be had all the
 *   same, with the lines that continue it.
 * - What stands behind the last LF counts as a line when the input ends.
 */
#define MXG_HEADER_HEAD_MAX 128 /* no name of a field that matters is longer */

enum mxg_header_event {
	MXG_HEADER_MORE = 0, /* the piece is used up */
	MXG_HEADER_LINE, /* a line's beginning is known: `kind`, and bytes[0..len) as far as they are read */
	MXG_HEADER_TOO_LONG, /* bytes[0..len) are as much of a wanted field as there is room for */
	MXG_HEADER_FIELD, /* a wanted field is over: bytes[0..len), line end included, unless too_long */
	MXG_HEADER_END /* the header is over; the body begins at `offset` */
};

enum mxg_header_kind { MXG_HEADER_KIND_FIELD, MXG_HEADER_KIND_BROKEN, MXG_HEADER_KIND_ENVELOPE };

struct mxg_header_cutter {
	/* about the field at hand */
	const char *bytes; /* until the next call, and as long as the piece lives */
	size_t len;
	size_t name_len; /* of a FIELD: bytes[0..name_len) are its name */
	uint64_t from; /* where it begins in the input */
	uint64_t offset; /* how many bytes have been taken */
	enum mxg_header_kind kind;
	bool wanted; /* to be set at MXG_HEADER_LINE by those who want the whole field */
	bool too_long; /* at MXG_HEADER_FIELD: longer than the room */
	/* the cutter's own */
	char *room; /* the caller's: a field that comes in several pieces is put together here */
	size_t limit; /* at least MXG_HEADER_HEAD_MAX */
	size_t used;
	const char *start; /* the field's beginning in the piece at hand; NULL: in the room */
	enum {
		MXG_HEADER_AT_START,
		MXG_HEADER_IN_HEAD,
		MXG_HEADER_IN_LINE,
		MXG_HEADER_AFTER_LINE,
		MXG_HEADER_OVER
	} state;
	bool first_line;
};

/* A field longer than `limit` is "too long", in however many pieces it comes. */
void mxg_header_init(struct mxg_header_cutter *cutter, char *room, size_t limit);

/* Takes bytes from *bytes, of which *len are left, until there is something to tell. */
enum mxg_header_event mxg_header_next(struct mxg_header_cutter *cutter, const char **bytes, size_t *len);

/* No more bytes will come: to be called until it says MXG_HEADER_END. */
enum mxg_header_event mxg_header_finish(struct mxg_header_cutter *cutter);

/* Whether the field's name is this one, in any case; `name`: lower-case letters, digits and '-'. */
bool mxg_header_is(const struct mxg_header_cutter *cutter, const char *name, size_t len);

#endif
