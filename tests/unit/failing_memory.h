/* SPDX-License-Identifier: MIT */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stdbool.h>

/* Allocations that fail one by one. The linker puts these functions in the place of libc's
 * (-Wl,--wrap=malloc and so on), for all that is linked statically. */
extern bool memory_failed; /* since memory_fail_at() */

/* The `which`th from now on fails, 1 being the next, and every one after it where it is lasting. */
void memory_fail_at(unsigned long which, bool lasting);
void memory_suffices(void); /* none fails any more; memory_failed stays */

#endif
