/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_H
#define MXG_FILTER_H

#include "../service/desk.h"
#include "mxguard.h"

/* Serves smtpd on descriptors 0 and 1 until it closes them or SIGTERM comes; the exit status. Takes
 * the desk over. SIGHUP reads the configuration again. */
int mxg_filter_run(struct mxg_desk *desk, enum mxguard_place relayed);

#endif
