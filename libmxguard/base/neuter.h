/* SPDX-License-Identifier: MIT */
#ifndef MXG_NEUTER_H
#define MXG_NEUTER_H

#include <stddef.h>

/*
 * Text from outside made harmless for logs, replies and terminals: printable ASCII stays,
 * everything else, and the bytes named in `also` (may be ""), becomes \xHH. Cut to fit;
 * always terminated where size > 0. Returns the length written.
 */
size_t mxg_neuter(char *buffer, size_t size, const char *text, size_t len, const char *also);

#endif
