/* SPDX-License-Identifier: MIT */
#ifndef MXG_PAST_H
#define MXG_PAST_H

#include "mxguard.h"
#include "snapshot/history.h"

/*
 * Old mail is judged as of its own time (docs/history.md): answers come from the history in the place of
 * the snapshot, and mxguard_check_run() gets that time. What the history has never heard of is asked
 * like everything else; whoever drives the check is told by mxg_check_past().
 */
enum mxg_past {
	MXG_PAST_NOT_ASKED = 0, /* no answer of DNS was wanted at all */
	MXG_PAST_KNOWN, /* every answer is of that time */
	MXG_PAST_UNHEARD, /* some question never was in the history, or there is none: the answer is today's */
	MXG_PAST_UNCOVERED /* some answer is known, but not for that time */
};

/* Whatever time mxguard_check_run() is given, it is `at` then. Until the next one or NULL; it outlives a
 * reset. The history stays the caller's. */
void mxg_check_set_past(struct mxguard_check *check, const struct mxg_history *history, int64_t at);
enum mxg_past mxg_check_past(const struct mxguard_check *check);
/* The anchored `for <…>` of the boundary hop; "" where there is none. */
const char *mxg_check_for(const struct mxguard_check *check);

#endif
