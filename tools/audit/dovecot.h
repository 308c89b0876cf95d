/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_DOVECOT_H
#define MXG_AUDIT_DOVECOT_H

#include "audit/guard.h"

/* What the other servers need to know of it. */
struct mxg_dovecot {
	char *settings; /* doveconf -n */
	enum mxg_guard lmtp, lda;
};

#endif
