/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_REWRITE_H
#define MXG_LDA_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "mxguard.h"

/*
 * The message on its way to the spool: our field goes on top (behind an mbox "From " line),
 * fields that must not reach the mailbox go, everything else stays byte for byte. Bytes come in
 * pieces of any size; memory is bounded by one field.
 */
struct mxg_lda_rewrite {
	const struct mxguard_policy *policy;
	const char *tag; /* with CRLF, as mxguard_check_tag() gives it; NULL: none */
	int (*write)(void *to, const char *bytes, size_t len); /* 0, or -1 with errno */
	void *to;
	char *field;
	size_t len, room, line; /* the field so far, and where its last line begins */
	bool begun; /* the tag has been written */
	bool in_body;
	enum { MXG_LDA_COLLECT, MXG_LDA_PASS, MXG_LDA_DROP } mode; /* the rest of an overlong field */
	size_t removed;
};

/* 0, or -1 with errno. */
int mxg_lda_rewrite_feed(struct mxg_lda_rewrite *rewrite, const char *bytes, size_t len);
int mxg_lda_rewrite_end(struct mxg_lda_rewrite *rewrite);
void mxg_lda_rewrite_free(struct mxg_lda_rewrite *rewrite);

#endif
