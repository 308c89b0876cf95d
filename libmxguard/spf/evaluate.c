/* SPDX-License-Identifier: MIT */
/*
 * RFC 7208 §4.6 and §5 over a table of answers. The walk is sequential until an answer is
 * missing (walk->pending); behind that point its results mean nothing any more, and it goes
 * on only to foresee questions.
 */
#include "spf/evaluate.h"

#include <stdio.h>
#include <string.h>

#include "base/neuter.h"
#include "spf/walk.h"

#define LOOKUPS_MAX 10 /* §4.6.4 */
#define VOIDS_MAX 2

/* ---- asking the table ------------------------------------------------------------------ */

enum mxg_got mxg_walk_lookup(struct mxg_walk *w, const struct mxg_name *name, uint16_t type, bool foreseeable,
			     struct mxg_answer *a)
{
	*a = (struct mxg_answer){ 0 };
	if (w->pending && !foreseeable)
		return MXG_GOT_MISSING;
	int entry = mxg_answers_entry(w->answers, name, type);
	if (entry < 0) {
		w->exhausted = true;
		return MXG_GOT_FAILURE;
	}
	if (w->in->load != NULL && (mxg_answers_flags(w->answers, entry) & MXG_ENTRY_LOADED) == 0)
		w->in->load(w->in->load_context, entry);
	mxg_answers_lookup(w->answers, entry, &w->in->view, a);
	if (!w->pending)
		mxg_answers_set_flags(w->answers, entry, MXG_ENTRY_CONSULTED | (a->stale ? MXG_ENTRY_STALE : 0), 0);
	switch (a->kind) {
	case MXG_ANSWER_RECORDS:
		if (a->stale)
			mxg_walk_tell_stale(w, name, a);
		return MXG_GOT_RECORDS;
	case MXG_ANSWER_NODATA:
	case MXG_ANSWER_NXDOMAIN:
		return MXG_GOT_NOTHING;
	case MXG_ANSWER_FAILED:
		if (!w->pending) {
			w->out->failure = a->failure;
			mxg_walk_blame(w, name, type, MXG_TROUBLE_NONE, "", 0);
		}
		return MXG_GOT_FAILURE;
	case MXG_ANSWER_NONE:
		break;
	}
	mxg_answers_set_flags(w->answers, entry, MXG_ENTRY_WANTED, 0);
	w->pending = true;
	return MXG_GOT_MISSING;
}

/* One more DNS-querying term (§4.6.4); the configured term itself is not counted. */
static bool count_lookup(struct mxg_walk *w)
{
	if (w->depth == 0)
		return true;
	if (++w->lookups > w->out->lookups && !w->pending)
		w->out->lookups = w->lookups;
	return w->lookups <= LOOKUPS_MAX;
}

bool mxg_walk_count_void(struct mxg_walk *w)
{
	if (w->depth == 0)
		return true;
	if (++w->voids > w->out->voids && !w->pending)
		w->out->voids = w->voids;
	return w->voids <= VOIDS_MAX;
}

/* ---- targets ------------------------------------------------------------------------------ */

/* What the values of macros are made of. */
struct value_texts {
	char local[321], domain[256];
};

static void split_sender(const struct mxg_eval_input *in, char local[321], struct mxg_macro_values *v)
{
	const char *sender = in->sender == NULL ? "" : in->sender;
	const char *at = strrchr(sender, '@');
	size_t len = at == NULL ? 0 : (size_t)(at - sender);
	v->sender_domain = at == NULL ? sender : at + 1;
	if (v->sender_domain[0] == '\0')
		v->sender_domain = v->helo;
	if (len == 0 || len > 320) { /* §4.3: no local part */
		strcpy(local, "postmaster");
	} else {
		memcpy(local, sender, len);
		local[len] = '\0';
	}
	v->sender_local = local;
}

static struct mxg_macro_values values_of(const struct mxg_eval_input *in, const struct mxg_name *domain,
					 struct value_texts *texts)
{
	struct mxg_macro_values v = { .peer = in->peer, .domain = texts->domain, .validated = "unknown" };
	mxg_name_plain(domain, texts->domain);
	v.helo = in->helo == NULL || in->helo[0] == '\0' ? "unknown" : in->helo;
	split_sender(in, texts->local, &v);
	return v;
}

static void blame_macro(struct mxg_walk *w, const struct mxg_name *domain, const char *target, size_t len)
{
	char detail[160];
	int n = snprintf(detail, sizeof(detail), "the client would choose whose DNS is asked: '%.*s'",
			 (int)(len > 100 ? 100 : len), target);
	mxg_walk_blame(w, domain, MXG_DNS_TXT, MXG_TROUBLE_NONE, detail, n < 0 ? 0 : strlen(detail));
}

enum mxg_target mxg_walk_target(struct mxg_walk *w, const struct mxg_name *domain, const char *target, size_t len,
				struct mxg_name *out)
{
	char validated[256] = "unknown", expanded[254];
	struct value_texts texts;
	size_t expanded_len;
	if (target == NULL) {
		*out = *domain;
		return out->len > 1 ? MXG_TARGET_NAME : MXG_TARGET_NO_NAME;
	}
	if (w->depth > 0 && !w->in->insecure_macros && mxg_target_ends_client_chosen(target, len)) {
		blame_macro(w, domain, target, len);
		return MXG_TARGET_CLIENT_CHOSEN;
	}
	if (mxg_macro_uses(target, len, "p") && !mxg_walk_validated_name(w, domain, validated))
		return MXG_TARGET_MISSING;
	struct mxg_macro_values v = values_of(w->in, domain, &texts);
	v.validated = validated;
	if (!mxg_macro_expand(expanded, &expanded_len, target, len, &v) ||
	    !mxg_name_from_text(out, expanded, expanded_len))
		return MXG_TARGET_NO_NAME;
	return MXG_TARGET_NAME;
}

/* Whether the target names as many bits of the peer's address as a narrow range. */
static bool names_peer(const struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	struct value_texts texts;
	/* %{p} stays unknown: whose name it validates, the client chooses */
	struct mxg_macro_values v = values_of(w->in, domain, &texts);
	return mxg_macro_peer_bits(term->target, term->target_len, &v) >=
	       (w->in->peer.family == 6 ? MXG_NARROW_IPV6 : MXG_NARROW_IPV4);
}

/* Whether a question for this target may be asked before the evaluation has come to it. */
bool mxg_walk_foreseeable(const struct mxg_term *term)
{
	return term->target == NULL || !mxg_macro_uses(term->target, term->target_len, "slohp");
}

/* ---- records --------------------------------------------------------------------------------- */

static enum mxg_spf qualified(char qualifier)
{
	switch (qualifier) {
	case '-':
		return MXG_SPF_FAIL;
	case '~':
		return MXG_SPF_SOFTFAIL;
	case '?':
		return MXG_SPF_NEUTRAL;
	default:
		return MXG_SPF_PASS;
	}
}

static bool queries_dns(const struct mxg_term *term)
{
	return term->mechanism != MXG_MECHANISM_ALL && term->mechanism != MXG_MECHANISM_IP4 &&
	       term->mechanism != MXG_MECHANISM_IP6;
}

/* §5.2's table: what the included record's result makes of the include. */
static enum mxg_match include_match(struct mxg_walk *w, const struct mxg_name *name, enum mxg_spf result)
{
	switch (result) {
	case MXG_SPF_PASS:
		return MXG_MATCH_YES;
	case MXG_SPF_FAIL:
	case MXG_SPF_SOFTFAIL:
	case MXG_SPF_NEUTRAL:
		return MXG_MATCH_NO;
	case MXG_SPF_NONE:
		mxg_walk_permerror(w, name, MXG_TROUBLE_MISSING, "there is no v=spf1 record");
		return MXG_MATCH_PERMERROR;
	case MXG_SPF_TEMPERROR:
		return MXG_MATCH_TEMPERROR;
	case MXG_SPF_CLIENT_CHOSEN:
		return MXG_MATCH_CLIENT_CHOSEN;
	case MXG_SPF_MISSING:
		return MXG_MATCH_MISSING;
	case MXG_SPF_STOP:
		return MXG_MATCH_YES;
	case MXG_SPF_PERMERROR:
		break;
	}
	return MXG_MATCH_PERMERROR;
}

static enum mxg_match match_include(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	struct mxg_name name;
	switch (mxg_walk_target(w, domain, term->target, term->target_len, &name)) {
	case MXG_TARGET_NO_NAME:
		mxg_walk_permerror(w, domain, MXG_TROUBLE_NAME, "include: the target is no domain name");
		return MXG_MATCH_PERMERROR;
	case MXG_TARGET_CLIENT_CHOSEN:
		return MXG_MATCH_CLIENT_CHOSEN;
	case MXG_TARGET_MISSING:
		return MXG_MATCH_MISSING;
	case MXG_TARGET_NAME:
		break;
	}
	bool seen = w->out->addresses_seen;
	enum mxg_spf result = mxg_walk_record(w, &name, mxg_walk_foreseeable(term));
	if (term->qualifier != '+') /* what it lists is not authorized by it */
		w->out->addresses_seen = seen;
	return include_match(w, &name, result);
}

/* What the administrator wrote himself he has meant. */
static void note_width(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	w->wide = w->depth > 0 && (mxg_term_is_wide(term, w->in->peer.family) ||
				   (term->mechanism == MXG_MECHANISM_EXISTS && !names_peer(w, domain, term)));
	if (!w->wide)
		return;
	w->wide_record = *domain;
	mxg_neuter(w->wide_text, sizeof(w->wide_text), term->text, term->text_len, "");
}

enum mxg_match mxg_walk_term(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	if (queries_dns(term) && !count_lookup(w)) {
		mxg_walk_permerror(w, domain, MXG_TROUBLE_LOOKUPS, "more than 10 DNS-querying terms");
		return MXG_MATCH_PERMERROR;
	}
	if (term->mechanism == MXG_MECHANISM_INCLUDE)
		return match_include(w, domain, term);
	enum mxg_match match = mxg_walk_mechanism(w, domain, term);
	if (match == MXG_MATCH_YES && !w->pending)
		note_width(w, domain, term);
	return match;
}

static enum mxg_spf follow_redirect(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_record *r)
{
	struct mxg_name name;
	if (!count_lookup(w))
		return mxg_walk_permerror(w, domain, MXG_TROUBLE_LOOKUPS, "more than 10 DNS-querying terms");
	switch (mxg_walk_target(w, domain, r->redirect, r->redirect_len, &name)) {
	case MXG_TARGET_NO_NAME:
		return mxg_walk_permerror(w, domain, MXG_TROUBLE_NAME, "redirect=: the target is no domain name");
	case MXG_TARGET_CLIENT_CHOSEN:
		return MXG_SPF_CLIENT_CHOSEN;
	case MXG_TARGET_MISSING:
		return MXG_SPF_MISSING;
	case MXG_TARGET_NAME:
		break;
	}
	bool foreseeable = !mxg_macro_uses(r->redirect, r->redirect_len, "slohp");
	enum mxg_spf result = mxg_walk_record(w, &name, foreseeable);
	if (result == MXG_SPF_NONE) /* §6.1 */
		return mxg_walk_permerror(w, &name, MXG_TROUBLE_MISSING, "redirect=: there is no v=spf1 record");
	return result;
}

static bool has_all(const struct mxg_record *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->terms[i].mechanism == MXG_MECHANISM_ALL)
			return true;
	return false;
}

/* While answers are missing: whether a term with another qualifier than '+' may turn out to
 * match, so that the record is a "no" for the one that includes it, and the budget that
 * would have been used by then, the least with which the walk could go on behind it. */
struct denial {
	bool possible;
	unsigned lookups, voids;
};

static void note_possible_denial(struct mxg_walk *w, const struct mxg_term *term, unsigned lookups, unsigned voids,
				 struct denial *d)
{
	if (d->possible || term->qualifier == '+' || !w->pending)
		return;
	bool nested = term->mechanism == MXG_MECHANISM_INCLUDE; /* may match before all of it is walked */
	*d = (struct denial){ true, nested ? lookups + 1 : w->lookups, nested ? voids : w->voids };
}

/* What this record can still become for the one that includes it. */
static enum mxg_spf foresee(struct mxg_walk *w, enum mxg_spf result, const struct denial *d)
{
	if (!w->pending)
		return result;
	if (d->possible) {
		w->lookups = d->lookups;
		w->voids = d->voids;
		return MXG_SPF_MISSING;
	}
	switch (result) {
	case MXG_SPF_NEUTRAL:
	case MXG_SPF_FAIL:
	case MXG_SPF_SOFTFAIL:
	case MXG_SPF_MISSING:
		return MXG_SPF_MISSING;
	default:
		return MXG_SPF_STOP;
	}
}

static enum mxg_spf spf_of_error(enum mxg_match match)
{
	return match == MXG_MATCH_TEMPERROR   ? MXG_SPF_TEMPERROR
	       : match == MXG_MATCH_PERMERROR ? MXG_SPF_PERMERROR
					      : MXG_SPF_CLIENT_CHOSEN;
}

/* A record that denies this very peer has said something about it, though it stopped there. */
static void note_denial(struct mxg_walk *w, const struct mxg_term *term)
{
	if (term->qualifier != '+' && term->mechanism != MXG_MECHANISM_ALL)
		w->out->addresses_seen = true;
}

/* §4.6.2: the first mechanism that matches decides. */
static enum mxg_spf walk_terms(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_record *r)
{
	struct denial denial = { 0 };
	for (size_t i = 0; i < r->count; i++) {
		const struct mxg_term *term = &r->terms[i];
		unsigned lookups = w->lookups, voids = w->voids;
		enum mxg_match match = mxg_walk_term(w, domain, term);
		if (match == MXG_MATCH_NO)
			continue;
		if (match == MXG_MATCH_YES || match == MXG_MATCH_MISSING)
			note_possible_denial(w, term, lookups, voids, &denial);
		if (match == MXG_MATCH_MISSING)
			continue;
		if (match != MXG_MATCH_YES)
			return foresee(w, spf_of_error(match), &denial);
		note_denial(w, term);
		mxg_walk_tell_match(w, domain, term);
		return foresee(w, qualified(term->qualifier), &denial);
	}
	if (r->redirect != NULL && !has_all(r))
		return foresee(w, follow_redirect(w, domain, r), &denial);
	mxg_walk_tell_end(w, domain);
	return foresee(w, MXG_SPF_NEUTRAL, &denial);
}

static enum mxg_spf parse_and_walk(struct mxg_walk *w, const struct mxg_name *domain, const char *text, size_t len)
{
	struct mxg_record record;
	struct mxg_term_error error;
	char detail[300];
	enum mxg_spf result;
	switch (mxg_record_parse(&record, text, len, &error)) {
	case MXG_RECORD_OK:
		result = walk_terms(w, domain, &record);
		break;
	case MXG_RECORD_SYNTAX:
		snprintf(detail, sizeof(detail), "%s: '%.*s'", error.what, (int)(error.at_len > 60 ? 60 : error.at_len),
			 error.at);
		result = mxg_walk_permerror(w, domain, MXG_TROUBLE_SYNTAX, detail);
		break;
	default:
		w->exhausted = true;
		result = MXG_SPF_TEMPERROR;
	}
	mxg_record_clear(&record);
	return result;
}

/* §4.5: exactly one record. The table holds only those that begin with v=spf1. */
static enum mxg_spf select_record(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_answer *a)
{
	const uint8_t *item;
	size_t at = 0, len;
	if (a->count == 0 || !mxg_rrset_next(a->data, a->size, &at, &item, &len) || len < 6)
		return MXG_SPF_NONE;
	if (a->count > 1)
		return mxg_walk_permerror(w, domain, MXG_TROUBLE_SEVERAL, "there is more than one v=spf1 record");
	return parse_and_walk(w, domain, (const char *)item, len);
}

/* A record that includes itself, directly or not, never comes to an end: it would run into
 * the limit of lookups, so it is a permerror all the same. */
static bool is_loop(const struct mxg_walk *w, const struct mxg_name *name)
{
	for (unsigned i = 0; i < w->depth; i++)
		if (mxg_name_equal(w->open[i], name))
			return true;
	return false;
}

enum mxg_spf mxg_walk_record(struct mxg_walk *w, const struct mxg_name *name, bool foreseeable)
{
	struct mxg_answer a;
	enum mxg_spf result;
	if (mxg_name_labels(name) < 2) /* §4.3: not multi-label */
		return MXG_SPF_NONE;
	if (is_loop(w, name) || w->depth >= MXG_WALK_DEPTH_MAX)
		return mxg_walk_permerror(w, name, MXG_TROUBLE_LOOP, "the record includes itself");
	switch (mxg_walk_lookup(w, name, MXG_DNS_TXT, foreseeable, &a)) {
	case MXG_GOT_NOTHING:
		return MXG_SPF_NONE;
	case MXG_GOT_FAILURE:
		return MXG_SPF_TEMPERROR;
	case MXG_GOT_MISSING:
		return MXG_SPF_MISSING;
	case MXG_GOT_RECORDS:
		break;
	}
	w->open[w->depth++] = name;
	result = select_record(w, name, &a);
	w->depth--;
	return result;
}

/* ---- the configured term ------------------------------------------------------------------------ */

static enum mxg_term_result result_of(enum mxg_match match)
{
	switch (match) {
	case MXG_MATCH_YES:
		return MXG_TERM_MATCH;
	case MXG_MATCH_NO:
		return MXG_TERM_NO_MATCH;
	case MXG_MATCH_TEMPERROR:
		return MXG_TERM_TEMPERROR;
	case MXG_MATCH_PERMERROR:
		return MXG_TERM_PERMERROR;
	case MXG_MATCH_CLIENT_CHOSEN:
		return MXG_TERM_CLIENT_CHOSEN;
	case MXG_MATCH_MISSING:
		break;
	}
	return MXG_TERM_PENDING;
}

/* Trouble that did not matter in the end is not told. */
static void clear_trouble(struct mxg_term_outcome *o)
{
	o->trouble = MXG_TROUBLE_NONE;
	o->failure = MXG_DNS_OK;
	o->question = (struct mxg_question){ 0 };
	o->detail[0] = '\0';
}

static void finish(struct mxg_walk *w, enum mxg_match match)
{
	struct mxg_term_outcome *o = w->out;
	o->result = w->exhausted ? MXG_TERM_NOMEM : w->pending ? MXG_TERM_PENDING : result_of(match);
	/* the set may be empty, and it cannot be known: no definite answer  */
	if (o->result == MXG_TERM_NO_MATCH && w->other_failed && !o->addresses_seen) {
		o->result = MXG_TERM_TEMPERROR;
		return;
	}
	/* "no peer" is covered by nothing, not even by `all` */
	if (o->result == MXG_TERM_MATCH && w->in->peer.family == 0)
		o->result = MXG_TERM_NO_MATCH;
	if (o->result == MXG_TERM_MATCH || o->addresses_seen)
		o->other_family_wanted = false;
	if (o->result == MXG_TERM_MATCH)
		o->mx_is_self = false;
	if (o->result == MXG_TERM_MATCH || o->result == MXG_TERM_NO_MATCH || o->result == MXG_TERM_PENDING)
		clear_trouble(o);
	o->wide = o->result == MXG_TERM_MATCH && w->wide;
	if (o->wide) {
		o->question = (struct mxg_question){ .name = w->wide_record, .type = MXG_DNS_TXT };
		strcpy(o->detail, w->wide_text);
	}
}

void mxg_evaluate_term(struct mxg_answers *answers, const struct mxg_eval_input *input, const struct mxg_term *term,
		       bool with_other_family, struct mxg_text_list *steps, struct mxg_term_outcome *out)
{
	struct mxg_walk w = {
		.answers = answers, .in = input, .steps = steps, .both_families = with_other_family, .out = out
	};
	struct mxg_text_mark mark = { 0 };
	*out = (struct mxg_term_outcome){ 0 };
	if (steps != NULL)
		mark = mxg_text_list_mark(steps);
	finish(&w, mxg_walk_term(&w, &input->domain, term));
	if (out->result == MXG_TERM_PENDING && steps != NULL)
		mxg_text_list_cut(steps, mark);
	mxg_walk_tell_outcome(&w, term);
}
