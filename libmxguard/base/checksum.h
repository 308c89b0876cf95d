/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHECKSUM_H
#define MXG_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * 32 bytes that tell one thing from another: four FNV-1a lanes of 64 bits. A change of one byte always
 * shows. It guards against accidents, not against forgers.
 */
#define MXG_CHECKSUM_BYTES 32

struct mxg_checksum {
	uint64_t lanes[4];
};

void mxg_checksum_begin(struct mxg_checksum *sum);
void mxg_checksum_bytes(struct mxg_checksum *sum, const void *bytes, size_t len);
void mxg_checksum_number(struct mxg_checksum *sum, uint64_t number);
/* With its length, so that two texts never look like one; text NULL is "". */
void mxg_checksum_text(struct mxg_checksum *sum, const char *text, size_t len);
void mxg_checksum_string(struct mxg_checksum *sum, const char *text);
/* One more of a set whose order does not count; it starts as zeros. */
void mxg_checksum_join(struct mxg_checksum *set, const struct mxg_checksum *one);
void mxg_checksum_set(struct mxg_checksum *sum, const struct mxg_checksum *set);
void mxg_checksum_end(const struct mxg_checksum *sum, uint8_t out[MXG_CHECKSUM_BYTES]);

#endif
