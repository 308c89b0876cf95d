/* SPDX-License-Identifier: MIT */
#ifndef TEST_HISTORIES_H
#define TEST_HISTORIES_H

#include "naive_decision.h"
#include "snapshot_write.h"

/* Histories made at random, always the same ones for the same state: what refreshes saw at random
 * times of the names that a domain's gateways rest on, and what DNS says now. */
void history_make(struct history *h, unsigned number, int64_t begin, uint64_t *random);
/* A moment at which the history is to be judged: mostly beside a boundary of something in it. */
int64_t history_moment(const struct history *h, const struct naive_policy *policy, int64_t begin, uint64_t *random);
/* An address, mostly one that the history knows. */
void history_peer(struct mxg_address *out, uint64_t *random);

/* Its versions, into a snapshot. */
void history_write(const struct history *h, struct mxg_writer *w);
/* The raw reply that DNS gives now; 0: none. */
size_t history_reply(const struct history_question *q, const uint8_t *query, uint8_t reply[4096]);
void history_show(const struct history *h, int64_t now); /* to stderr */

extern const char history_self[]; /* an address of this server itself */

#endif
