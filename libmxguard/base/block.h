/* SPDX-License-Identifier: MIT */
#ifndef MXG_BLOCK_H
#define MXG_BLOCK_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sixteen bytes at a time; the compiler makes vector instructions of it where there are any. What
 * is compared is all ones in the lanes that match. */
typedef unsigned char mxg_block __attribute__((vector_size(16)));
typedef signed char mxg_signed_block __attribute__((vector_size(16)));

static inline mxg_block mxg_block_load(const char *at)
{
	mxg_block b;
	memcpy(&b, at, sizeof(b));
	return b;
}

/* A bit for each lane, the first one lowest. */
static inline unsigned mxg_block_mask(mxg_block lanes)
{
#ifdef __SSE2__
	typedef char block_of_char __attribute__((vector_size(16)));
	return (unsigned)__builtin_ia32_pmovmskb128((block_of_char)lanes);
#else
	/* the bits of eight bytes move side by side into the topmost byte, none onto another */
	const uint64_t high = 0x8080808080808080u, gather = 0x0002040810204081u;
	uint64_t half[2];
	memcpy(half, &lanes, sizeof(half));
	return (unsigned)((le64toh(half[0]) & high) * gather >> 56) |
	       (unsigned)((le64toh(half[1]) & high) * gather >> 56) << 8;
#endif
}

/* The first lane that matches; 16 if none does. */
static inline size_t mxg_block_first(mxg_block lanes)
{
	return (size_t)__builtin_ctz(mxg_block_mask(lanes) | 1u << 16);
}

#endif
