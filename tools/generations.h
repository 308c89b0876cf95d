/* SPDX-License-Identifier: MIT */
#ifndef MXG_GENERATIONS_H
#define MXG_GENERATIONS_H

#include "flatten.h"
#include "snapshot/history.h"

/* The generations of a domain: for how long which gateways were in force, as the history tells. */
struct mxg_generation {
	int64_t from, until; /* from 0: it rests on nothing that ever changed; until 0: it is in force */
	bool known; /* false: for this time the history does not say all of it */
	struct mxg_prefix *gateways;
	size_t count;
};

struct mxg_generations {
	struct mxg_generation *items; /* the oldest first */
	size_t count;
	bool cut; /* there are more than MXG_GENERATIONS_MAX changes; the newest are here */
};
#define MXG_GENERATIONS_MAX 512

/* f->history is set, f->now is the end. False: out of memory. */
bool mxg_generations_of(struct mxg_flattener *f, const struct mxg_ruleset *ruleset, const struct mxg_name *domain,
			struct mxg_generations *out);
void mxg_generations_clear(struct mxg_generations *g);
/* The one that covers the moment; NULL: none does. */
const struct mxg_generation *mxg_generation_at(const struct mxg_generations *g, int64_t at);
bool mxg_generation_has(const struct mxg_generation *g, const struct mxg_address *peer);
/* "192.0.2.10" where it is one address. */
const char *mxg_gateway_text(const struct mxg_prefix *prefix, char text[MXG_PREFIX_TEXT_MAX]);

#endif
