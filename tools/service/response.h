/* SPDX-License-Identifier: MIT */
#ifndef MXG_RESPONSE_H
#define MXG_RESPONSE_H

#include <stddef.h>

#include "request.h"

/* What the MTA is told. */
enum mxg_response_kind {
	MXG_RESPONSE_NOTHING = 0, /* trouble of our own: no reply, the connection ends */
	MXG_RESPONSE_PASS, /* we have nothing against it: DUNNO */
	MXG_RESPONSE_REFUSE, /* text: "550 5.7.1 …" or "451 4.4.3 …" */
	MXG_RESPONSE_ADD /* text: a header field for the message */
};

#define MXG_RESPONSE_TEXT_MAX 2304

struct mxg_response {
	enum mxg_response_kind kind;
	char text[MXG_RESPONSE_TEXT_MAX];
};

#define MXG_RESPONSE_MAX (MXG_RESPONSE_TEXT_MAX + 32)

/* A field as mxguard_check_tag() gives it, folded, becomes one line of text (Postfix's PREPEND
 * takes no more; RFC 5322 §2.2.3). */
void mxg_response_add(struct mxg_response *reply, const char *field);
void mxg_response_refuse(struct mxg_response *reply, int code, const char *status, const char *text);

/* The reply in the form of the request. Whatever stands in the text, it stays one line of
 * printable ASCII: nothing can begin another attribute or header field. Returns its length; 0
 * for MXG_RESPONSE_NOTHING. */
size_t mxg_response_write(char buffer[MXG_RESPONSE_MAX], const struct mxg_response *reply, enum mxg_request_form form);

#endif
