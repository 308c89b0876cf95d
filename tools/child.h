/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHILD_H
#define MXG_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Other programs: run without a shell, their output read through a pipe; and what all that are started need. */

/* Its standard output to read from; its standard input is fd, or nothing (-1). -1 with errno: it cannot be run. */
int mxg_child_start(char *const *arguments, int fd, pid_t *pid);
/* Waits for it; its exit status, or 128 and the signal that ended it. */
int mxg_child_end(pid_t pid);
/* Waits until `end` (mxg_monotonic_ms()). True: it has ended, with this status; else it is killed. */
bool mxg_child_wait(pid_t pid, int64_t end, int *status);
void mxg_child_kill(pid_t pid); /* with all of its process group */

#endif
