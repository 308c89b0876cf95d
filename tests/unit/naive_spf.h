/* SPDX-License-Identifier: MIT */
#ifndef TEST_NAIVE_SPF_H
#define TEST_NAIVE_SPF_H

#include "spf/evaluate.h"
#include "zone.h"

/*
 * RFC 7208 once more, for comparing: recursive, straight from the zone, without a table,
 * without foresight, with its own grammar (regular expressions) and its own macros.
 * It shares no code with what it judges but addresses and wire names.
 */
enum { NAIVE_LOG_MAX = 600 };

struct naive_query {
	char name[256]; /* lower case */
	uint16_t type;
	unsigned round; /* the earliest at which it could have been asked */
};

struct naive {
	const struct zone *zone;
	struct mxg_address peer;
	const char *sender, *helo, *domain;
	bool both_families; /* where a host has no address of the peer's family, ask for the other */
	/* what came of it: */
	unsigned terms, voids;
	bool wide; /* what matched last stands in a published record, and is no narrow range */
	bool seen; /* some address is authorized, or this very peer is refused by name */
	bool other_failed; /* an authorized host's other family could not be learned */
	bool unforeseeable; /* ptr or a macro of the client's stood in the way */
	size_t count;
	struct naive_query log[NAIVE_LOG_MAX];
};

/* The configured term's result: MATCH, NO_MATCH, TEMPERROR or PERMERROR. */
enum mxg_term_result naive_term(struct naive *n, const char *term);
/* The rounds that answering everything foreseeable at once takes. */
unsigned naive_rounds(const struct naive *n);
/* "v=spf1 …": whether its syntax is right. */
bool naive_syntax(const char *record, size_t len);

#endif
