/* SPDX-License-Identifier: MIT */
#ifndef MXG_CALLS_H
#define MXG_CALLS_H

#include <stdbool.h>
#include <sys/types.h>

#include "resolver/channel.h"

/*
 * The calls of a channel that are out, by their questions: to whom a message belongs that leaves or
 * comes in.
 */
#define MXG_CALL_BUCKETS 256

struct mxg_calls {
	struct mxg_call *buckets[MXG_CALL_BUCKETS];
};

void mxg_calls_add(struct mxg_calls *calls, struct mxg_call *call);
void mxg_calls_remove(struct mxg_calls *calls, struct mxg_call *call);
/* A message leaves. */
void mxg_calls_note_id(struct mxg_calls *calls, const uint8_t *message, size_t len);
/* Whose reply it is, or NULL. */
struct mxg_call *mxg_calls_find(struct mxg_calls *calls, const uint8_t *message, size_t len);
/* Keeps the reply for our own reader, and returns how many bytes of what is left in `message` are for
 * c-ares. `over_tcp`: it is not asked for again where it is truncated. */
size_t mxg_call_take(struct mxg_call *call, uint8_t *message, size_t len, bool over_tcp);

#endif
