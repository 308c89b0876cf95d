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
/*
 * c-ares 1.34, unlike 1.18, sends no name with other bytes in it than a host's has, though a label may hold any
 * (RFC 2181 §11) and the local part of an address does (RFC 7208 §7, %{l}). It is told another name of the same
 * length, and the true one stands in the message while it is on its way. Masks the question of `message`, which is
 * the query's own but for upper and lower case; returns whether there was something to mask.
 */
bool mxg_question_mask(const uint8_t *query, size_t len, uint8_t *message);
/* A message leaves: the call whose it is, or NULL. */
struct mxg_call *mxg_calls_note_id(struct mxg_calls *calls, const uint8_t *message, size_t len);
/* Puts the call's own question in its place again, letters as they are. */
void mxg_call_unmask(const struct mxg_call *call, uint8_t *message);
/* Whose reply it is, or NULL. */
struct mxg_call *mxg_calls_find(struct mxg_calls *calls, const uint8_t *message, size_t len);
/* Keeps the reply for our own reader, and returns how many bytes of what is left in `message` are for
 * c-ares. `over_tcp`: it is not asked for again where it is truncated. */
size_t mxg_call_take(struct mxg_call *call, uint8_t *message, size_t len, bool over_tcp);

#endif
