/* SPDX-License-Identifier: MIT */
#ifndef MXG_PAGE_WORDS_H
#define MXG_PAGE_WORDS_H

#include <jansson.h>

#include "mxguard.h"

/* What the words on a page mean, so that nobody needs the manual to read it. */
enum mxg_words { MXG_WORDS_SCAN = 1, MXG_WORDS_REPORT = 2, MXG_WORDS_AUDIT = 4 };

json_t *mxg_page_words(enum mxg_words page); /* the part "words" */
const char *mxg_page_reason(const char *code); /* what a reason means; "" where it is none of ours */
const char *mxg_page_place(enum mxguard_place place); /* what enforce mode does there */

#endif
