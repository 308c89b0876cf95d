/* SPDX-License-Identifier: MIT */
#ifndef MXG_EVALUATE_WALK_H
#define MXG_EVALUATE_WALK_H

#include "spf/evaluate.h"
#include "spf/macro.h"

/* Shared by this folder only: records, includes and budgets in evaluate.c. */

#define MXG_WALK_DEPTH_MAX 12 /* more than 10 lookups cannot be open */
#define MXG_WALK_NAMES_MAX 10 /* §4.6.4: of an mx (more: permerror) and of a ptr (the rest is ignored) */

enum mxg_spf { /* RFC 7208 §2.6, and what may stand in its way */
	       MXG_SPF_NONE,
	       MXG_SPF_NEUTRAL,
	       MXG_SPF_PASS,
	       MXG_SPF_FAIL,
	       MXG_SPF_SOFTFAIL,
	       MXG_SPF_TEMPERROR,
	       MXG_SPF_PERMERROR,
	       MXG_SPF_CLIENT_CHOSEN,
	       /* only while answers are missing: */
	       MXG_SPF_MISSING, /* may become a "no" for who includes this */
	       MXG_SPF_STOP /* whatever they say, a pass or an error: nothing behind it will be asked */
};

enum mxg_match {
	MXG_MATCH_NO,
	MXG_MATCH_YES, /* while answers are missing: or an error; nothing behind it will be asked */
	MXG_MATCH_MISSING, /* an answer is missing; the walk is pending */
	MXG_MATCH_TEMPERROR,
	MXG_MATCH_PERMERROR,
	MXG_MATCH_CLIENT_CHOSEN
};

enum mxg_got { MXG_GOT_RECORDS, MXG_GOT_NOTHING, MXG_GOT_FAILURE, MXG_GOT_MISSING };

enum mxg_target { MXG_TARGET_NAME, MXG_TARGET_NO_NAME, MXG_TARGET_CLIENT_CHOSEN, MXG_TARGET_MISSING };

struct mxg_walk {
	struct mxg_answers *answers;
	const struct mxg_eval_input *in;
	struct mxg_text_list *steps;
	struct mxg_term_outcome *out;
	bool both_families;
	bool pending; /* an answer is missing: results are void, questions are being foreseen */
	bool other_failed; /* a question for the family that the peer has not got failed */
	bool exhausted; /* memory, or the table's limit */
	bool wide; /* the last term that matched stands in a record and covers everybody, or nearly so: */
	struct mxg_name wide_record;
	char wide_text[100]; /* printable */
	unsigned lookups, voids;
	unsigned depth; /* 0: the configured term; else records that are open */
	const struct mxg_name *open[MXG_WALK_DEPTH_MAX]; /* whose records are being walked */
};

enum mxg_got mxg_walk_lookup(struct mxg_walk *w, const struct mxg_name *name, uint16_t type, bool foreseeable,
			     struct mxg_answer *answer);
bool mxg_walk_count_void(struct mxg_walk *w);
enum mxg_target mxg_walk_target(struct mxg_walk *w, const struct mxg_name *domain, const char *target, size_t len,
				struct mxg_name *out);
bool mxg_walk_foreseeable(const struct mxg_term *term);
enum mxg_match mxg_walk_term(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term);
enum mxg_spf mxg_walk_record(struct mxg_walk *w, const struct mxg_name *name, bool foreseeable);
/* tell.c: silent while answers are missing */
void mxg_walk_blame(struct mxg_walk *w, const struct mxg_name *name, uint16_t type, enum mxg_record_trouble trouble,
		    const char *detail, size_t detail_len);
enum mxg_spf mxg_walk_permerror(struct mxg_walk *w, const struct mxg_name *name, enum mxg_record_trouble trouble,
				const char *detail);
void mxg_walk_tell_match(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term);
void mxg_walk_tell_end(struct mxg_walk *w, const struct mxg_name *domain);
void mxg_walk_tell_host(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term,
			const struct mxg_name *host, const struct mxg_answer *a, const char *verdict);
void mxg_walk_tell_stale(struct mxg_walk *w, const struct mxg_name *name, const struct mxg_answer *a);
void mxg_walk_tell_outcome(struct mxg_walk *w, const struct mxg_term *term);

/* mechanism.c: everything but include */
enum mxg_match mxg_walk_mechanism(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term);
/* Whether the peer is one of the name's addresses, nothing being told of it. */
enum mxg_match mxg_walk_search_peer(struct mxg_walk *w, const struct mxg_name *name);
/* After an answer that holds nothing: NO, or PERMERROR where that was one too many. */
enum mxg_match mxg_walk_void(struct mxg_walk *w, const struct mxg_name *name);

/* ptr.c */
enum mxg_match mxg_walk_match_ptr(struct mxg_walk *w, const struct mxg_name *name, const struct mxg_term *term);
/* %{p} (§7.3): "unknown" where no name is validated. False while answers are missing. */
bool mxg_walk_validated_name(struct mxg_walk *w, const struct mxg_name *domain, char out[256]);

#endif
