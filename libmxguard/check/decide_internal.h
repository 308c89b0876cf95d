/* SPDX-License-Identifier: MIT */
#ifndef MXG_DECIDE_INTERNAL_H
#define MXG_DECIDE_INTERNAL_H

#include "check/internal.h"

/* Shared by decide*.c only. */

/* Their own marks in the table, beside enum mxg_entry_flag. */
#define MXG_ENTRY_TOUCHED (1u << 8) /* this domain's evaluation rested on it */
#define MXG_ENTRY_STALE_USED (1u << 9) /* … and it was stale */

/* ---- decide_pass.c: all DNS terms of a ruleset, evaluated in one view */

struct mxg_pass {
	const struct mxg_gateway_term *match;
	bool match_stale;
	bool pending, needs_header;
	bool token_missing; /* an address matched, its token did not */
	const struct mxg_gateway_term *token_term; /* the term that waits for it or lacks it */
	const struct mxg_gateway_term *certificate_term; /* an address matched or was not needed, its certificate … */
	const char *certificate_why; /* … did not; constant */
	enum mxg_reason certificate_reason;
	bool addresses_seen, other_family_wanted, mx_is_self;
	bool foreign; /* terms were passed over, since the recipient's domain is not known to be ours */
	const struct mxg_gateway_term *failed; /* the first one that failed */
	struct mxg_term_outcome failure;
	enum mxg_reason failure_reason;
};

void mxg_pass_init(struct mxg_pass *p);
/* The first failure counts. */
void mxg_pass_fail(struct mxg_pass *p, const struct mxg_gateway_term *term, enum mxg_reason reason);
/* What asks nothing: static terms, and certificates that need no address. */
void mxg_pass_fixed(struct mxguard_check *c, struct mxg_domain_check *d, struct mxg_pass *p);
/* as_of 0: the present. The table's marks are of this run then. */
void mxg_pass_run(struct mxguard_check *c, struct mxg_domain_check *d, int64_t as_of, bool both_families,
		  struct mxg_pass *p);
/* What the snapshot holds about an entry; context is the check. */
void mxg_pass_load(void *context, int entry);
const struct mxg_gateway *mxg_pass_gateway(const struct mxg_domain_check *d, const struct mxg_gateway_term *term);
struct mxg_text_list *mxg_pass_steps(const struct mxguard_check *c, struct mxg_domain_check *d);

/* ---- decide_certificate.c */

/* Whether the condition on the certificate holds in the term's entry, which has one. */
bool mxg_pass_certificate(const struct mxguard_check *c, const struct mxg_domain_check *d,
			  const struct mxg_gateway_term *term, struct mxg_pass *p);
/* A step for each entry that has one. */
void mxg_pass_tell_certificates(const struct mxguard_check *c, struct mxg_domain_check *d);

/* ---- decide_ask.c */

enum mxg_decide_progress {
	MXG_PROGRESS_ON,
	MXG_PROGRESS_WAIT, /* for replies */
	MXG_PROGRESS_AGAIN /* more is to be looked at: from the start */
};

/* Asks, live, all entries that have all of `marks`; false where none is left to wait for. */
bool mxg_decide_ask(struct mxguard_check *c, struct mxg_domain_check *d, unsigned marks);
/* A definite answer rests on fresh answers only: stale ones are asked for again. ON where all of
 * them have been, AGAIN where other replies are in already. */
enum mxg_decide_progress mxg_decide_ask_again(struct mxguard_check *c, struct mxg_domain_check *d);
bool mxg_decide_asked_again(const struct mxg_domain_check *d, int entry);
/* Whether the replies to all of them are in, or will not come any more. */
bool mxg_decide_again_is_in(struct mxguard_check *c, struct mxg_domain_check *d);
/* The first entry that has all of `marks`; -1: none. */
int mxg_decide_first(const struct mxguard_check *c, unsigned marks);

#endif
