/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOMAIN_TEXT_H
#define MXG_DOMAIN_TEXT_H

#include <stddef.h>

/*
 * A domain name as an administrator writes it, in the form in which recipients' domains
 * are compared: lower case, A-labels, no trailing dot, at most 253 bytes. NULL where it is
 * one; otherwise what is expected instead, for a message.
 */
const char *mxg_domain_text(char out[256], const char *text, size_t len);

/* The same for ".suffix", which keeps its dot, and for names. */
const char *mxg_domain_or_suffix_text(char out[256], const char *text, size_t len);

#endif
