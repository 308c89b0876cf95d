/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_FEED_H
#define MXG_TRAP_FEED_H

#include "mxguard.h"
#include "teacher.h"

struct mxg_trap_feed {
	struct mxguard_session *session;
	const struct mxg_trap_folder *folder;
	struct mxg_trap_teacher teacher;
	bool again; /* what was handed over once without a result is handed over once more */
	long limit; /* copies; 0: all */
	int64_t oldest; /* what came before is not fed any more */
	/* what became of the copies */
	size_t fed, failed, held, later, doubtful, elsewhere, unreadable;
	bool broken; /* the program failed time after time, and is not called any more */
};

/* Feeds each copy once, the oldest first, until a signal comes. False: the trap cannot be read. */
bool mxg_trap_feed_all(struct mxg_trap_feed *feed);

#endif
