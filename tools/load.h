/* SPDX-License-Identifier: MIT */
#ifndef MXG_LOAD_H
#define MXG_LOAD_H

#include <stdint.h>

#include "mxguard.h"

#define MXG_DEFAULT_CONFIG "/etc/mxguard/mxguard.conf"

/* 0, or the exit status after a message on stderr (EX_CONFIG, EX_TEMPFAIL for no memory).
 * flags: enum mxguard_session_flag. What the session has to say is printed there as well. */
int mxg_open_session(struct mxguard_session **session, const char *path, unsigned flags);

int64_t mxg_wall_clock(void); /* seconds since the epoch */

#endif
