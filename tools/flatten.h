/* SPDX-License-Identifier: MIT */
#ifndef MXG_FLATTEN_H
#define MXG_FLATTEN_H

#include "resolver/driver.h"
#include "snapshot/grace.h"
#include "reach/reach.h"
#include "snapshot/history.h"
#include "snapshot/snapshot.h"

/* Who is authorized for a domain, now and in grace: from the snapshot, and from DNS what is
 * not in it. */
struct mxg_flattener {
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot; /* NULL: none */
	struct mxg_driver *driver; /* made at the first question */
	size_t open; /* questions that are out */
	struct mxg_answers *table;
	int64_t now;
	const struct mxg_history *history; /* not NULL: `now` is past, and all answers come from there */
	bool no_dns; /* ask nothing: what is not in the snapshot is not known */
};

struct mxg_flat_range {
	struct mxg_reach_range range; /* its strings belong to the reach it came from */
	int64_t grace_until; /* 0: authorized as things stand now */
};

/* What the last refresh found odd, and is still so. */
struct mxg_flat_alarm {
	const char *name;
	uint16_t type;
	unsigned alarms;
	bool held; /* DNS says something that is not taken */
};

struct mxg_flat {
	struct mxg_reach present, past[MXG_GRACE_MOMENTS]; /* what cannot be flattened is in present.gaps */
	struct mxg_flat_range *ranges; /* the present ones first */
	size_t count, room;
	struct mxg_flat_alarm *alarms;
	size_t alarm_count;
	bool incomplete; /* some answer could not be had, or a record cannot be used */
	char trouble[256];
};

bool mxg_flattener_init(struct mxg_flattener *f, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot);
void mxg_flattener_clear(struct mxg_flattener *f); /* policy and snapshot stay the caller's */

/* out is cleared first; zeroed before the first use. domain NULL: the terms that are the same for
 * all; only_own: the others. False: out of memory. */
bool mxg_flatten(struct mxg_flattener *f, struct mxg_flat *out, const struct mxg_ruleset *ruleset,
		 const struct mxg_name *domain, bool only_own);
void mxg_flat_clear(struct mxg_flat *flat);

#endif
