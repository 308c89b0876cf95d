/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_CERTIFICATE_H
#define MXG_AUDIT_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

/* The DNS names in the first certificate of a PEM file: its common name and its alternative ones. A name
 * that holds a NUL is none. False: it cannot be read; `why` says what is wrong. certificate_openssl.c, or
 * certificate_none.c where there is no library that reads them. */
bool mxg_certificate_names(const char *path, void (*name)(void *to, const char *text), void *to, char *why,
			   size_t size);

#endif
