/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAPPED_H
#define MXG_TRAPPED_H

#include <stddef.h>

#include "trap/store.h"

/* The copy of a message that a door refuses, while the message comes; what becomes of it goes to the
 * log, and nowhere else. */
struct mxg_trapped {
	struct mxg_trap_copy *copy; /* NULL: none is kept */
	char *head; /* what came before it was known whether one is wanted */
	size_t head_length, head_room;
	bool head_lost; /* it is too long, or there is no memory */
};

/* A field of the header, for MTAs that hand on fields: what stands behind the colon, its folds with LF,
 * and the blank before it where the MTA keeps that to itself. It goes into the copy that is begun
 * afterwards, and the empty line behind all of them. */
void mxg_trapped_field(struct mxg_trapped *trapped, const char *name, const char *blank, const char *value);

void mxg_trapped_begin(struct mxg_trapped *trapped, const struct mxguard_policy *policy, const char *field,
		       const char *who);
void mxg_trapped_bytes(struct mxg_trapped *trapped, const char *bytes, size_t length);
/* A line, without its end, which becomes CRLF. */
void mxg_trapped_line(struct mxg_trapped *trapped, const char *line, size_t length);
/* The message is complete. */
void mxg_trapped_finish(struct mxg_trapped *trapped, const char *who);
void mxg_trapped_discard(struct mxg_trapped *trapped);

#endif
