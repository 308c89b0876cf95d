/* SPDX-License-Identifier: MIT */
/* Threads that open and close in one table of files wait for each other. */
#ifndef MXG_OWN_FILES_H
#define MXG_OWN_FILES_H

#include <sched.h>

/* The calling thread gets a table of its own, where the system can. */
static inline void mxg_own_files(void)
{
#if defined(CLONE_FILES) && !defined(MXG_PORTABLE)
	unshare(CLONE_FILES);
#endif
}

#endif
