/* SPDX-License-Identifier: MIT */
/*
 * RFC 7208 §4.6 and §5 over a table of answers. The walk is sequential until an answer is
 * missing (walk->pending); behind that point its results mean nothing any more, and it goes
 * on only to foresee questions.
 */
#include "evaluate.h"

#include <stdio.h>
#include <string.h>

#include "evaluate_walk.h"
#include "neuter.h"

#define LOOKUPS_MAX 10 /* §4.6.4 */
#define VOIDS_MAX 2

/* ---- telling ------------------------------------------------------------------------ */

void mxg_walk_step(struct mxg_walk *w, const struct mxg_term *term, const char *what)
{
	char text[200];
	if (w->steps == NULL || w->pending)
		return;
	mxg_neuter(text, sizeof(text), term->text, term->text_len, "");
	mxg_text_list_add(w->steps, "%*s%s: %s", (int)w->depth * 2, "", text, what);
}

static void blame(struct mxg_walk *w, const struct mxg_name *name, uint16_t type,
		  enum mxg_record_trouble trouble, const char *detail, size_t detail_len)
{
	if (w->pending)
		return;
	w->out->trouble = trouble;
	w->out->question.name = *name;
	w->out->question.type = type;
	mxg_neuter(w->out->detail, sizeof(w->out->detail), detail, detail_len, "");
}

enum mxg_spf mxg_walk_permerror(struct mxg_walk *w, const struct mxg_name *name,
				enum mxg_record_trouble trouble, const char *detail)
{
	blame(w, name, MXG_DNS_TXT, trouble, detail, strlen(detail));
	return MXG_SPF_PERMERROR;
}

/* ---- asking the table ------------------------------------------------------------------ */

static void note_stale(struct mxg_walk *w, const struct mxg_name *name, const struct mxg_answer *a)
{
	char text[MXG_NAME_TEXT_MAX];
	if (w->steps != NULL && !w->pending)
		mxg_text_list_add(w->steps, "%*sthe answer for %s is stale by %lld s", (int)w->depth * 2, "",
				  mxg_name_format(name, text),
				  (long long)(w->in->view.now - a->confirmed - (int64_t)a->ttl));
}

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
	mxg_answers_lookup(w->answers, entry, &w->in->view, a);
	if (!w->pending)
		mxg_answers_set_flags(w->answers, entry, MXG_ENTRY_CONSULTED | (a->stale ? MXG_ENTRY_STALE : 0), 0);
	switch (a->kind) {
	case MXG_ANSWER_RECORDS:
		if (a->stale)
			note_stale(w, name, a);
		return MXG_GOT_RECORDS;
	case MXG_ANSWER_NODATA:
	case MXG_ANSWER_NXDOMAIN:
		return MXG_GOT_NOTHING;
	case MXG_ANSWER_FAILED:
		if (!w->pending) {
			w->out->failure = a->failure;
			blame(w, name, type, MXG_TROUBLE_NONE, "", 0);
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

/* The domain of this level as text; labels cannot hold dots, macros put them between. */
static void domain_text(const struct mxg_name *name, char text[256])
{
	size_t out = 0;
	for (size_t at = 0; at < name->len && name->wire[at] != 0; at += 1u + name->wire[at]) {
		if (out > 0)
			text[out++] = '.';
		memcpy(text + out, name->wire + at + 1, name->wire[at]);
		out += name->wire[at];
	}
	text[out] = '\0';
}

enum mxg_target mxg_walk_target(struct mxg_walk *w, const struct mxg_name *domain, const char *target, size_t len,
				struct mxg_name *out)
{
	char local[321], domain_buf[256], validated[256] = "unknown", expanded[254];
	size_t expanded_len;
	if (target == NULL) {
		*out = *domain;
		return out->len > 1 ? MXG_TARGET_NAME : MXG_TARGET_NO_NAME;
	}
	if (w->depth > 0 && !w->in->insecure_macros && mxg_target_ends_client_chosen(target, len))
		return MXG_TARGET_CLIENT_CHOSEN;
	domain_text(domain, domain_buf);
	if (mxg_macro_uses(target, len, "p") && !mxg_walk_validated_name(w, domain, validated))
		return MXG_TARGET_MISSING;
	struct mxg_macro_values v = { .peer = w->in->peer, .domain = domain_buf, .validated = validated };
	v.helo = w->in->helo == NULL || w->in->helo[0] == '\0' ? "unknown" : w->in->helo;
	split_sender(w->in, local, &v);
	if (!mxg_macro_expand(expanded, &expanded_len, target, len, &v) ||
	    !mxg_name_from_text(out, expanded, expanded_len))
		return MXG_TARGET_NO_NAME;
	return MXG_TARGET_NAME;
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
	return include_match(w, &name, mxg_walk_record(w, &name, mxg_walk_foreseeable(term)));
}

enum mxg_match mxg_walk_term(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	if (queries_dns(term) && !count_lookup(w)) {
		mxg_walk_permerror(w, domain, MXG_TROUBLE_LOOKUPS, "more than 10 DNS-querying terms");
		return MXG_MATCH_PERMERROR;
	}
	if (term->mechanism == MXG_MECHANISM_INCLUDE)
		return match_include(w, domain, term);
	return mxg_walk_mechanism(w, domain, term);
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

/* §4.6.2: the first mechanism that matches decides. */
static enum mxg_spf walk_terms(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_record *r)
{
	for (size_t i = 0; i < r->count; i++) {
		switch (mxg_walk_term(w, domain, &r->terms[i])) {
		case MXG_MATCH_YES:
			mxg_walk_step(w, &r->terms[i], "covers the peer");
			return w->pending ? MXG_SPF_MISSING : qualified(r->terms[i].qualifier);
		case MXG_MATCH_NO:
		case MXG_MATCH_MISSING:
			break;
		case MXG_MATCH_TEMPERROR:
			return MXG_SPF_TEMPERROR;
		case MXG_MATCH_PERMERROR:
			return MXG_SPF_PERMERROR;
		case MXG_MATCH_CLIENT_CHOSEN:
			return MXG_SPF_CLIENT_CHOSEN;
		}
	}
	if (r->redirect != NULL && !has_all(r))
		return follow_redirect(w, domain, r);
	return w->pending ? MXG_SPF_MISSING : MXG_SPF_NEUTRAL;
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
		snprintf(detail, sizeof(detail), "%s: '%.*s'", error.what,
			 (int)(error.at_len > 60 ? 60 : error.at_len), error.at);
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
		if (mxg_name_equal(&w->open[i], name))
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
	w->open[w->depth++] = *name;
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

static const char *result_text(const struct mxg_term_outcome *o)
{
	switch (o->result) {
	case MXG_TERM_MATCH:
		return "covers the peer";
	case MXG_TERM_NO_MATCH:
		return o->mx_is_self ? "does not cover the peer; names this server itself" : "does not cover the peer";
	case MXG_TERM_TEMPERROR:
		return "DNS trouble";
	case MXG_TERM_CLIENT_CHOSEN:
		return "a published target is the client's to choose";
	case MXG_TERM_PERMERROR:
		return o->detail;
	default:
		return "out of memory";
	}
}

static void tell_outcome(struct mxg_walk *w, const struct mxg_term *term)
{
	char name[MXG_NAME_TEXT_MAX], line[1300];
	const struct mxg_term_outcome *o = w->out;
	bool named = (o->result == MXG_TERM_TEMPERROR || o->result == MXG_TERM_PERMERROR) && o->question.name.len > 0;
	snprintf(line, sizeof(line), "%s%s%s", result_text(o), named ? ": " : "",
		 named ? mxg_name_format(&o->question.name, name) : "");
	mxg_walk_step(w, term, line);
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
	out->result = result_of(mxg_walk_term(&w, &input->domain, term));
	if (w.pending)
		out->result = MXG_TERM_PENDING;
	if (w.exhausted)
		out->result = MXG_TERM_NOMEM;
	if (out->result == MXG_TERM_PENDING && steps != NULL)
		mxg_text_list_cut(steps, mark);
	tell_outcome(&w, term);
}
