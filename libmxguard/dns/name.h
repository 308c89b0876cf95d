/* SPDX-License-Identifier: MIT */
#ifndef MXG_NAME_H
#define MXG_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A domain name as DNS has it on the wire (RFC 1035 §3.1), uncompressed, ASCII
 * letters folded to lower case, with the root label at its end: bytes compare
 * equal exactly when the names are equal. A zeroed struct is "no name".
 */
struct mxg_name {
	uint8_t len; /* 1 (root) to 255; 0 is no name */
	uint8_t wire[255];
};

#define MXG_NAME_TEXT_MAX 1017 /* every byte as \DDD, dots, NUL */

/* Labels between dots, one trailing dot allowed, any byte but a dot inside a
 * label (macros may make any byte, RFC 7208 §7.3). False for an empty label, a
 * label over 63 bytes, a name over 255, the empty string. */
bool mxg_name_from_text(struct mxg_name *out, const char *text, size_t len);
/* Uncompressed wire bytes with the root label at the end; false for damaged ones. */
bool mxg_name_from_wire(struct mxg_name *out, const uint8_t *wire, size_t len);
bool mxg_name_equal(const struct mxg_name *a, const struct mxg_name *b);
/* name equals parent or stands below it */
bool mxg_name_within(const struct mxg_name *name, const struct mxg_name *parent);
unsigned mxg_name_labels(const struct mxg_name *name); /* without the root */
uint32_t mxg_name_hash(const struct mxg_name *name);
/* Without the trailing dot ("." for the root); bytes that are not printable
 * ASCII, dots in labels and backslashes as \DDD: safe to log. Returns buf. */
const char *mxg_name_format(const struct mxg_name *name, char buf[MXG_NAME_TEXT_MAX]);
/* Without the trailing dot, its bytes as they are, for macros (RFC 7208 §7.3). Labels that hold dots
 * look like several. */
void mxg_name_plain(const struct mxg_name *name, char text[256]);

#endif
