/* SPDX-License-Identifier: MIT */
#ifndef MXG_XTEXT_H
#define MXG_XTEXT_H

#include <stdbool.h>

/* Decodes xtext (RFC 3461 §4: "+20" is a blank) in place, as MTAs write what a certificate says.
 * False, and the text is then empty, where it is none, or where a control character comes out of it. */
bool mxg_xtext_decode(char *text);

#endif
