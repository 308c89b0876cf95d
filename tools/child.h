/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHILD_H
#define MXG_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* Another program, run without a shell, whose output is read through a pipe. */

/* Its standard output to read from; its standard input is fd, or nothing (-1). -1 with errno: it cannot be run. */
int mxg_child_start(char *const *arguments, int fd, pid_t *pid);
/* Waits for it; its exit status, or 128 and the signal that ended it. */
int mxg_child_end(pid_t pid);

#endif
