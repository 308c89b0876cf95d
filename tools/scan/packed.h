/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_PACKED_H
#define MXG_SCAN_PACKED_H

#include <stddef.h>

/* Compressed mail, as Dovecot keeps it in Maildirs, known by its first bytes. */

/* The program that unpacks it; NULL: it is not compressed, or *why says why it cannot be read (else NULL). */
const char *mxg_packed_program(const char *start, size_t len, const char **why);

#endif
