/* SPDX-License-Identifier: MIT */
#ifndef MXG_DISTINGUISHED_NAME_H
#define MXG_DISTINGUISHED_NAME_H

#include <stdbool.h>

/*
 * The common name in a distinguished name of RFC 4514 ("CN=mail.example.com,O=Example"), as GnuTLS
 * writes it. False where there is none, more than one, one with control characters in it or longer
 * than 255 bytes, or where the text leaves any doubt: OpenSSL's "/O=Example/CN=mail.example.com" is
 * all doubt, since a slash within a value looks like the one between two.
 */
#define MXG_COMMON_NAME_MAX 256

bool mxg_common_name(char name[MXG_COMMON_NAME_MAX], const char *distinguished_name);

#endif
