/* SPDX-License-Identifier: MIT */
#ifndef MXG_TAGGED_H
#define MXG_TAGGED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Which messages have got which field already. An MTA asks once a recipient, but a field that
 * it puts in front is for the message; Postfix's `instance` says what belongs together, over
 * connections and over several requests. A small table of hashes: what is crowded out is at
 * worst added twice.
 */
#define MXG_TAGGED_SLOTS 8192

struct mxg_tagged {
	uint64_t seed;
	uint64_t slots[MXG_TAGGED_SLOTS];
};

void mxg_tagged_init(struct mxg_tagged *tagged);
/* True the first time; always true without an instance. */
bool mxg_tagged_first(struct mxg_tagged *tagged, const char *instance, const char *field);

#endif
