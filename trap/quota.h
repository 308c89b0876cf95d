/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_QUOTA_H
#define MXG_TRAP_QUOTA_H

#include <stdint.h>

#include "trap/folder.h"

/*
 * How much the copies take, in one small file beside them: bytes are reserved before they are
 * written. Who dies between the two leaves too much reserved, never too little; it is counted anew
 * when the room seems to be used up, and by every `mxguard trap purge`.
 */
struct mxg_trap_quota {
	uint64_t share, max_total, per_hour;
};

/* Reserves bytes; first: of a new copy. False with a result. */
bool mxg_trap_reserve(const struct mxg_trap_folder *folder, const struct mxg_trap_quota *quota, uint64_t bytes,
		      bool first, struct mxg_trap_result *result);
/* Takes bytes back that were not written, or that were removed. */
void mxg_trap_release(const struct mxg_trap_folder *folder, uint64_t bytes);
/* Counts anew. */
void mxg_trap_recount(const struct mxg_trap_folder *folder);

#endif
