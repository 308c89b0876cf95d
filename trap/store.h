/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_STORE_H
#define MXG_TRAP_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "mxguard.h"

/*
 * Copies of refused messages, kept as docs/design.md, "Trap", says: in a folder in the form of a
 * Maildir, each whole or not at all. Whoever refuses a message writes it here while he has it;
 * whatever goes wrong, he only learns that there is no copy. May be used by several threads and
 * processes at once, and by several users where one of them is root.
 */
struct mxg_trap_copy;

enum mxg_trap_trouble {
	MXG_TRAP_NO_TROUBLE = 0,
	MXG_TRAP_FULL, /* a quota is reached, or others hold the lock: it will pass */
	MXG_TRAP_BROKEN /* somebody should look */
};

#define MXG_TRAP_WHY_MAX 512
struct mxg_trap_result {
	enum mxg_trap_trouble trouble;
	char why[MXG_TRAP_WHY_MAX]; /* a sentence without a full stop; of what was kept, the file's name */
};

/* Larger messages are not kept: no filter learns from them. */
#define MXG_TRAP_COPY_MOST (16u * 1024 * 1024)

/* field: as mxguard_check_trap() gave it. NULL: no copy can be kept, and the result says why. */
struct mxg_trap_copy *mxg_trap_begin(const struct mxguard_policy *policy, const char *field,
				     struct mxg_trap_result *result);
/* The message in pieces of any size. After a failure, and after more than MXG_TRAP_COPY_MOST, the
 * rest is not wanted: false. */
bool mxg_trap_write(struct mxg_trap_copy *copy, const void *bytes, size_t length);
/* The message is complete: it lies in the trap now, or the result says why not. Frees the copy. */
void mxg_trap_finish(struct mxg_trap_copy *copy, struct mxg_trap_result *result);
/* The message did not come to its end: nothing is left of it. NULL is allowed. */
void mxg_trap_discard(struct mxg_trap_copy *copy);

#endif
