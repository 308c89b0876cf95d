/* SPDX-License-Identifier: MIT */
#ifndef MXG_EVALUATE_H
#define MXG_EVALUATE_H

#include "dns/answers.h"
#include "spf/terms.h"
#include "base/text_list.h"

/*
 * RFC 7208's check_host(), for the receiving side: does this term cover the peer?
 * Pure and restartable: it reads the table, and where an answer is missing it says
 * PENDING and marks in the table all questions that it can foresee (WANTED); fill
 * them in and call it again, from the start. One walk does both: up to the first
 * missing answer it is the sequential evaluation that decides and counts; behind it
 * the walk goes on only to foresee questions (docs/design.md, "Core": never beyond the sequential
 * budget, past `all` or past a certain ip4/ip6 match, nor for client-chosen macros or
 * ptr; a/mx ask the peer's family only). The order of replies cannot change a result.
 */
struct mxg_eval_input {
	struct mxg_address peer;
	struct mxg_name domain; /* the recipient's: %{d} and <domain> of configured terms */
	const char *sender; /* envelope sender, "" for the null sender (then postmaster@helo) */
	const char *helo; /* "" where not known */
	const char *receiver; /* our own host name */
	struct mxg_view view;
	bool insecure_macros;
	const struct mxg_prefix *self; /* addresses of this server itself */
	size_t self_count;
	bool explicit_self; /* where the domain's MX says so: not by RFC 5321 §5.1's implicit one */
	/* Called for an entry that is not LOADED, before it is looked at, to put into the table what
	 * is known about it beforehand (the snapshot's versions). NULL: nothing is. It must set
	 * LOADED and may not make entries. */
	void (*load)(void *context, int entry);
	void *load_context;
};

enum mxg_term_result {
	MXG_TERM_NO_MATCH = 0,
	MXG_TERM_MATCH,
	MXG_TERM_PENDING, /* answers missing; see the table's WANTED entries */
	MXG_TERM_TEMPERROR, /* DNS trouble */
	MXG_TERM_PERMERROR, /* a published record is broken, missing, looping or over its limits */
	MXG_TERM_CLIENT_CHOSEN, /* a published target ends in a client-chosen macro */
	MXG_TERM_NOMEM
};

/* Why a published record cannot be used; for messages and reason codes. */
enum mxg_record_trouble {
	MXG_TROUBLE_NONE = 0,
	MXG_TROUBLE_MISSING, /* include: no v=spf1 record, or the name does not exist */
	MXG_TROUBLE_SEVERAL, /* more than one v=spf1 record (§4.5) */
	MXG_TROUBLE_SYNTAX,
	MXG_TROUBLE_LOOKUPS, /* more than 10 DNS-querying terms (§4.6.4) */
	MXG_TROUBLE_VOIDS, /* more than 2 void lookups */
	MXG_TROUBLE_MX_NAMES, /* more than 10 names in an mx */
	MXG_TROUBLE_LOOP,
	MXG_TROUBLE_NAME /* a target that is no domain name where one is needed */
};

struct mxg_term_outcome {
	enum mxg_term_result result;
	enum mxg_record_trouble trouble;
	enum mxg_dns_failure failure; /* TEMPERROR */
	struct mxg_question question; /* the one at fault (TEMPERROR, PERMERROR) */
	char detail[160]; /* what is wrong, printable ASCII, e.g. "unknown mechanism 'foo:bar'" */
	bool wide; /* MATCH, by what a published record makes of everybody: question and detail say where */
	bool addresses_seen; /* the term yielded some address or range, or asks per peer (exists, ptr) */
	bool mx_is_self; /* a bare mx term whose MX names an address of `self` */
	bool other_family_wanted; /* nothing seen, and a/mx was asked for the peer's family only */
	unsigned lookups, voids; /* of the largest record evaluation under it */
};

/*
 * Evaluates one configured term on its own, with its own budget: 10 DNS-querying terms
 * and 2 void lookups for each published record that the configured term reaches (the
 * configured term is not counted). Steps, where not NULL, takes one line for each thing
 * that the *sequential* evaluation found, in order; it is cut back where PENDING.
 * with_other_family: a/mx ask both families (only to learn whether a set is empty).
 */
void mxg_evaluate_term(struct mxg_answers *answers, const struct mxg_eval_input *input, const struct mxg_term *term,
		       bool with_other_family, struct mxg_text_list *steps, struct mxg_term_outcome *out);

#endif
