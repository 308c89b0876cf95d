/* SPDX-License-Identifier: MIT */
#ifndef MXG_TOKEN_H
#define MXG_TOKEN_H

#include "base/header_cutter.h"
#include "policy/policy.h"

/*
 * The second condition of a shared gateway: a header field with a secret. Reads a header
 * block in pieces of any size and remembers which of the policy's tokens stood in it. No
 * allocation; values are compared in constant time. Strict, since a token gives a right: what
 * is written in a strange way is none (and is removed all the same, see removed_field.h).
 */
#define MXG_TOKEN_FIELD_MAX 1024 /* a longer field holds no token of ours */

struct mxg_token_reader {
	const struct mxguard_policy *policy;
	bool any; /* the policy has tokens at all */
	bool ended;
	struct mxg_header_cutter cutter;
	char field[MXG_TOKEN_FIELD_MAX];
	size_t seen_count;
	const struct mxg_token *seen[16]; /* tokens whose value stood in the header */
};

void mxg_token_reader_init(struct mxg_token_reader *reader, const struct mxguard_policy *policy);
void mxg_token_reader_feed(struct mxg_token_reader *reader, const char *bytes, size_t len);
void mxg_token_reader_end(struct mxg_token_reader *reader);
bool mxg_token_reader_saw(const struct mxg_token_reader *reader, const struct mxg_token *token);

#endif
