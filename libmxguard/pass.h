/* SPDX-License-Identifier: MIT */
#ifndef MXG_PASS_H
#define MXG_PASS_H

#include "check_internal.h"

/* One pass over all terms of a ruleset, in one view of the answers: as things stand, or as
 * they stood. Used by decide.c and history.c only. */

/* Marks in the table of answers, beside enum mxg_entry_flag. */
#define MXG_ENTRY_TOUCHED (1u << 8) /* this domain's pass rested on it */
#define MXG_ENTRY_STALE_USED (1u << 9) /* … and it was stale */

struct mxg_pass {
	const struct mxg_gateway_term *match;
	bool match_stale;
	bool pending, needs_header;
	bool token_missing; /* an address matched, its token did not */
	const struct mxg_gateway_term *token_term; /* the term that waits for it or lacks it */
	bool addresses_seen, other_family_wanted, mx_is_self;
	const struct mxg_gateway_term *failed; /* the first one that failed */
	struct mxg_term_outcome failure;
	enum mxg_reason failure_reason;
};

void mxg_pass_init(struct mxg_pass *pass);

/* The first failure is kept. */
void mxg_pass_fail(struct mxg_pass *pass, const struct mxg_gateway_term *term, enum mxg_reason reason);

/* ip4 and ip6 terms. Nothing is asked, nothing allocated. */
void mxg_pass_prefixes(struct mxguard_check *check, struct mxg_domain_check *domain, struct mxg_pass *pass);

/* The other terms, as things stood at `as_of` (0: now), into the pass; the entries that they
 * want, touched or found stale are marked. both_families: addresses of the family that the
 * peer does not have are asked for as well. */
void mxg_pass_terms(struct mxguard_check *check, struct mxg_domain_check *domain, int64_t as_of, bool both_families,
		    struct mxg_pass *pass);

/* What the snapshot holds about an entry, before anybody looks at it. context: the check. */
void mxg_pass_load(void *context, int entry);

/* Where the domain's steps go; NULL: nobody wants them. */
struct mxg_text_list *mxg_pass_steps(const struct mxguard_check *check, struct mxg_domain_check *domain);

/* Whether the domain has had the entry's stale answer asked for again. */
bool mxg_pass_asked_again(const struct mxg_domain_check *domain, int entry);

const struct mxg_gateway *mxg_pass_gateway(const struct mxg_domain_check *domain, const struct mxg_gateway_term *term);

#endif
