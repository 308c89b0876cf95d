/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOOR_HEADER_H
#define MXG_DOOR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mxguard_check;
struct mxguard_policy;

/*
 * The header of one message on its way to the check, and what must not go on with it (RFC 8601 section
 * 5, secrets of shared gateways): by bytes, and by field, for MTAs that number fields by name.
 */
struct mxg_door_header;

/* The `number`th field of that name, counted from 1, names compared without case. It goes as a whole, or gets
 * another value: one that hides a field of ours loses what hides it (docs/attacks.md). */
struct mxg_door_removal {
	char *name, *value; /* NULL: it goes */
	unsigned number;
};

/* The message's bytes from `from` up to, but without, `to`; counted from 0. */
struct mxg_door_cut {
	uint64_t from, to;
};

/* check: where the header goes; policy: whose fields are removed. NULL: no memory. */
struct mxg_door_header *mxg_door_header_new(struct mxguard_policy *policy, struct mxguard_check *check,
					    bool keep_secrets);
/* NULL is allowed. */
void mxg_door_header_free(struct mxg_door_header *header);

/* Bytes as they come, in pieces of any size … */
void mxg_door_header_feed(struct mxg_door_header *header, const char *bytes, size_t length);
/* … or field by field: the name, and what stands behind its colon, folds included, without a line end. */
void mxg_door_header_field(struct mxg_door_header *header, const char *name, const char *value);
/* The header is over, or as much of it as is wanted. */
void mxg_door_header_close(struct mxg_door_header *header);

/* After the end: in the order in which they stand. */
const struct mxg_door_removal *mxg_door_header_removals(const struct mxg_door_header *header, size_t *count);
const struct mxg_door_cut *mxg_door_header_cuts(const struct mxg_door_header *header, size_t *count);
/* See mxguard_filter_message_id(). */
const char *mxg_door_header_message_id(const struct mxg_door_header *header);
/* More has to go than anybody sends in good faith, or it cannot be named: the message must not go on. */
bool mxg_door_header_is_excessive(const struct mxg_door_header *header);
bool mxg_door_header_is_short_of_memory(const struct mxg_door_header *header);

#endif
