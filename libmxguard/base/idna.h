/* SPDX-License-Identifier: MIT */
#ifndef MXG_IDNA_H
#define MXG_IDNA_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A domain name of UTF-8 text as DNS has it (RFC 5890 A-labels, lower case). False for
 * pure ASCII (there is nothing to do), for what is no name, and where libidn2 is missing:
 * it is loaded only when the first non-ASCII name comes, since hardly anyone needs it.
 */
bool mxg_idna_to_ascii(char out[256], const char *name, size_t len);

/* Whether libidn2 is installed: a message about a name that was refused says so. */
bool mxg_idna_present(void);

#endif
