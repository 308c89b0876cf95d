/* SPDX-License-Identifier: MIT */
#ifndef MXG_SIGNALS_H
#define MXG_SIGNALS_H

#include <signal.h>

/* Signals, which must be blocked already, as something to poll. At one place of a program at a time. -1: errno
 * says why. */
int mxg_signals_open(const sigset_t *wanted);
int mxg_signals_next(int fd); /* 0: none any more */
void mxg_signals_close(int fd);

#endif
