/* SPDX-License-Identifier: MIT */
#ifndef MXG_REACH_H
#define MXG_REACH_H

#include "dns/answers.h"
#include "base/arena.h"
#include "policy/policy.h"

/*
 * Everything that a configuration reaches for one domain, for whatever peer: which questions
 * `refresh` has to ask, which addresses `gateways` and `export` show, and what is amiss with
 * the records on the way. Pull-style like the evaluator: where answers are missing, the walk
 * marks them WANTED, says so, and is run again.
 *
 * The walk only *collects*: every range that some term names, and where it came from. What of
 * it really authorizes is the evaluator's to say (mxg_reach_flatten): the ranges' ends cut the
 * address space into pieces in which all peers fare alike, and one peer of each piece is
 * evaluated. So qualifiers, budgets and errors can never be understood in two ways.
 */
struct mxg_reach_input {
	const struct mxguard_policy *policy;
	const struct mxg_ruleset *ruleset;
	struct mxg_name domain; /* the recipient's */
	struct mxg_view view;
	bool only_own; /* leave out terms that reach the same for every domain */
	bool only_shared; /* only those; `domain` is then of no importance */
	bool with_mx; /* the domain's MX and its hosts' addresses as well, whatever the terms say */
};

struct mxg_reach_range {
	struct mxg_prefix prefix;
	uint32_t term; /* its number in the ruleset */
	bool pass; /* every qualifier on the way is '+' */
	const char *via; /* the terms above it, " > " between them; "" for a term of the configuration */
	const char *text; /* the term itself, and for mx the host: "mx:example.org (gw.example.org)" */
	int64_t learned; /* when the youngest answer it rests on was first seen; 0: configured */
	int64_t expires; /* when the first of them passes its TTL; 0: never */
	bool stale; /* … and that is past */
	bool wide; /* the term's own range, of which this may be a part, is shorter than a narrow one */
};

/* What is no set of addresses. */
struct mxg_reach_gap {
	uint32_t term;
	char qualifier; /* where not '+', the term may take away from what stands behind it */
	const char *via, *text;
	const char *why;
};

/* A published record that a term of the configuration reaches by itself, or a set of MX hosts that no
 * mx term can use. */
struct mxg_reach_record {
	struct mxg_name name;
	bool too_many_hosts; /* its MX: more than 10 (RFC 7208 §4.6.4) */
	unsigned lookups; /* DNS-querying terms under it (RFC 7208 §4.6.4 allows 10) */
};

struct mxg_reach {
	struct mxg_arena arena; /* the strings */
	struct mxg_reach_range *ranges;
	size_t range_count, range_room;
	struct mxg_reach_gap *gaps;
	size_t gap_count, gap_room;
	struct mxg_reach_record *records;
	size_t record_count, record_room;
	bool mx_is_self; /* with_mx: the domain's MX names an address of this server */
	char wide[256]; /* flatten: the first published range that is too wide to authorize; "": none */
	bool incomplete; /* flatten: some term failed for some peers; see `trouble` */
	char trouble[256]; /* the first failure, printable */
};

enum mxg_reach_result { MXG_REACH_DONE, MXG_REACH_PENDING, MXG_REACH_NOMEM };

/* `out` is cleared first, with its memory kept; it must be zeroed before the first use. DONE:
 * every answer that can be had in advance is in (failures count as such). */
enum mxg_reach_result mxg_reach_walk(struct mxg_reach *out, struct mxg_answers *answers,
				     const struct mxg_reach_input *input);

/* After DONE: replaces the collected ranges by exactly those that authorize, term by term, in
 * the order of the configuration. Peers for which a gap would have to be asked are judged as
 * if it did not cover them. False: out of memory. */
bool mxg_reach_flatten(struct mxg_reach *reach, const struct mxg_answers *answers, const struct mxg_reach_input *input);

void mxg_reach_clear(struct mxg_reach *reach); /* frees */

/* Whether the term reaches the same questions for every domain. */
bool mxg_reach_term_shared(const struct mxg_term *term);
bool mxg_reach_wants_term(const struct mxg_reach_input *input, const struct mxg_term *term);

/* Ranges sorted, overlapping and neighbouring ones put together, as few prefixes as can be.
 * In place; returns the new count. */
size_t mxg_prefixes_merge(struct mxg_prefix *prefixes, size_t count);

#endif
