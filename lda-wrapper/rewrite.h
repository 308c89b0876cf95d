/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_REWRITE_H
#define MXG_LDA_REWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxguard.h"

/*
 * The message on its way to the spool: our field goes on top, fields that must not reach the
 * mailbox go, everything else stays byte for byte. Bytes come in pieces of any size; memory is
 * bounded by what is not final yet. What is written is gathered first: header
 * lines are short.
 */
#define MXG_LDA_GATHERED 65536

struct mxg_lda_rewrite {
	struct mxguard_filter *filter;
	const char *tag; /* with CRLF, as mxguard_check_tag() gives it; NULL: none, or written */
	int (*write)(void *to, const char *bytes, size_t len); /* 0, or -1 with errno */
	void *to;
	char *held; /* what is not final of the pieces before */
	size_t held_len, held_room;
	uint64_t at; /* bytes of the message below this are written or left out; held[0] is this one */
	uint64_t fed;
	bool in_body;
	char *out; /* gathered */
	size_t out_len;
};

/* Makes the filter. 0, or -1 with errno. */
int mxg_lda_rewrite_begin(struct mxg_lda_rewrite *rewrite, struct mxguard_policy *policy);
/* 0, or -1 with errno. */
int mxg_lda_rewrite_feed(struct mxg_lda_rewrite *rewrite, const char *bytes, size_t len);
int mxg_lda_rewrite_end(struct mxg_lda_rewrite *rewrite);
void mxg_lda_rewrite_free(struct mxg_lda_rewrite *rewrite);

#endif
