/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_COPY_H
#define MXG_FILTER_COPY_H

#include <stddef.h>

#include "mxguard.h"

/*
 * Copies for the trap. The only thread that speaks with smtpd takes them in memory, another one puts
 * them on disk: a disk that is slow, or a trap that others have locked, holds up no session. What
 * becomes of a copy goes to the log.
 */
struct mxg_filter_copy;

/* field: as mxguard_check_trap() gave it. NULL: no memory. */
struct mxg_filter_copy *mxg_filter_copy_begin(struct mxguard_policy *policy, const char *field);
/* A line, without its end, which becomes CRLF. NULL is allowed here and below. */
void mxg_filter_copy_line(struct mxg_filter_copy *copy, const char *line, size_t length);
/* The message is complete: to the other thread. */
void mxg_filter_copy_finish(struct mxg_filter_copy *copy);
void mxg_filter_copy_discard(struct mxg_filter_copy *copy);

/* Waits for those that are under way, a limited time. */
void mxg_filter_copies_end(void);

#endif
