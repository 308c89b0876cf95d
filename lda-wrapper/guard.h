/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_GUARD_H
#define MXG_LDA_GUARD_H

#include <stdbool.h>

/*
 * --signal-exit, for MTAs that bounce where a command dies by a signal: from here on a child
 * goes on with the work, and this process waits for it. Returns true in the child; in the
 * parent false, with *status for exit(3).
 */
bool mxg_lda_guard(int signal_status, int *status);

#endif
