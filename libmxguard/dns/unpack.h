/* SPDX-License-Identifier: MIT */
#ifndef MXG_UNPACK_H
#define MXG_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/* As ns_name_unpack(3), for systems that have none: the name at AT in the message, which ends at END, without
 * compression. How many bytes it takes at AT; -1: it is none, or does not fit. */
int mxg_name_unpack(const uint8_t *message, const uint8_t *end, const uint8_t *at, uint8_t *out, size_t room);

#endif
