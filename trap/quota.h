/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_QUOTA_H
#define MXG_TRAP_QUOTA_H

#include <stdint.h>

#include "trap/folder.h"

/*
 * How much the copies take, in one small file beside them: bytes are reserved before they are
 * written, by a slot whose lock is held as long as its writer lives. Who dies leaves too much
 * reserved, never too little; it is counted anew when the room seems to be used up, and by every
 * `mxguard trap purge`, and what living writers have reserved counts then, too.
 */
struct mxg_trap_quota {
	uint64_t share, max_total, per_hour;
};

/* Of one copy. fd: -1, none yet. */
struct mxg_trap_reservation {
	int fd;
	unsigned slot;
	uint64_t bytes;
};

/* Reserves so many more. False with a result. */
bool mxg_trap_reserve(const struct mxg_trap_folder *folder, const struct mxg_trap_quota *quota, uint64_t bytes,
		      struct mxg_trap_reservation *reservation, struct mxg_trap_result *result);
/* The reservation is over. keep: gives the copy its name, while nobody counts; then so many bytes stay
 * taken. NULL: there is none. Whether it is kept. */
bool mxg_trap_settle(const struct mxg_trap_folder *folder, struct mxg_trap_reservation *reservation, uint64_t bytes,
		     bool (*keep)(void *copy), void *copy);
/* Counts anew. */
void mxg_trap_recount(const struct mxg_trap_folder *folder);

#endif
