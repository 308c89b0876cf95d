/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_PURGE_H
#define MXG_TRAP_PURGE_H

#include "entry.h"

struct mxg_trap_purge {
	const struct mxg_trap_folder *folder;
	int64_t oldest; /* what came before goes */
	bool fed, all; /* also what was fed; everything */
	size_t removed, left, failed;
	uint64_t bytes;
};

/* Removes, and counts anew what stays. False: the trap cannot be read. */
bool mxg_trap_purge(struct mxg_trap_purge *purge);

#endif
