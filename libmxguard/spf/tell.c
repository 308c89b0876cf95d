/* SPDX-License-Identifier: MIT */
/* What an evaluation tells the administrator: steps, and whose record is at fault. */
#include <stdio.h>
#include <string.h>

#include "spf/walk.h"
#include "base/neuter.h"

#define SHOWN_MAX 4 /* addresses of one name in a step */

static bool is_silent(const struct mxg_walk *w)
{
	return w->steps == NULL || w->pending;
}

/* "example.test: mx: gw.example.test: …"; the configured term itself stands in no record. */
static void tell(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term, const char *what)
{
	char name[MXG_NAME_TEXT_MAX], text[200];
	if (is_silent(w))
		return;
	mxg_neuter(text, sizeof(text), term->text, term->text_len, "");
	if (w->depth == 0)
		mxg_text_list_add(w->steps, "%s: %s", text, what);
	else
		mxg_text_list_add(w->steps, "%s: %s: %s", mxg_name_format(domain, name), text, what);
}

void mxg_walk_tell_match(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term)
{
	char line[100], peer[MXG_ADDRESS_TEXT_MAX];
	if (is_silent(w))
		return;
	mxg_address_format(&w->in->peer, peer);
	snprintf(line, sizeof(line), term->qualifier == '+' ? "covers %s" : "excludes %s", peer);
	tell(w, domain, term, line);
}

void mxg_walk_tell_end(struct mxg_walk *w, const struct mxg_name *domain)
{
	char name[MXG_NAME_TEXT_MAX], peer[MXG_ADDRESS_TEXT_MAX];
	if (!is_silent(w))
		mxg_text_list_add(w->steps, "%s: nothing in its record covers %s", mxg_name_format(domain, name),
				  mxg_address_format(&w->in->peer, peer));
}

/* The addresses of an answer, or why there are none. */
static void describe(char *out, size_t room, const struct mxg_answer *a)
{
	const uint8_t *item;
	size_t at = 0, len, used = 0;
	unsigned shown = 0;
	out[0] = '\0';
	for (; shown < SHOWN_MAX && mxg_rrset_next(a->data, a->size, &at, &item, &len); shown++) {
		struct mxg_address address;
		char text[MXG_ADDRESS_TEXT_MAX];
		mxg_address_from_bytes(&address, len == 16 ? 6 : 4, item);
		used += (size_t)snprintf(out + used, room - used, "%s%s", shown > 0 ? " " : "",
					 mxg_address_format(&address, text));
	}
	if (a->count > shown)
		snprintf(out + used, room - used, " and %u more", (unsigned)a->count - shown);
}

static const char *failure_text(enum mxg_dns_failure failure)
{
	switch (failure) {
	case MXG_DNS_TIMEOUT:
		return "no answer in time";
	case MXG_DNS_SERVFAIL:
		return "the DNS server failed";
	case MXG_DNS_REFUSED:
		return "the DNS server refused";
	case MXG_DNS_INSECURE:
		return "the answer is not validated by DNSSEC";
	case MXG_DNS_CANCELLED:
		return "the lookup was cancelled";
	case MXG_DNS_LOCAL:
		return "the lookup could not be made";
	case MXG_DNS_NOT_RECORDED:
		return "what was answered then is not known";
	default:
		return "the answer cannot be believed";
	}
}

void mxg_walk_tell_host(struct mxg_walk *w, const struct mxg_name *domain, const struct mxg_term *term,
			const struct mxg_name *host, const struct mxg_answer *a, const char *verdict)
{
	char name[MXG_NAME_TEXT_MAX], addresses[SHOWN_MAX * MXG_ADDRESS_TEXT_MAX + 32], line[1300];
	if (is_silent(w))
		return;
	describe(addresses, sizeof(addresses), a);
	const char *what = a->kind == MXG_ANSWER_FAILED     ? failure_text(a->failure)
			   : a->kind == MXG_ANSWER_NXDOMAIN ? "the name does not exist"
			   : a->count == 0                  ? "nothing of this kind"
							    : addresses;
	snprintf(line, sizeof(line), "%s %s, %s", mxg_name_format(host, name), what, verdict);
	tell(w, domain, term, line);
}

void mxg_walk_tell_stale(struct mxg_walk *w, const struct mxg_name *name, const struct mxg_answer *a)
{
	char text[MXG_NAME_TEXT_MAX];
	if (!is_silent(w))
		mxg_text_list_add(w->steps, "%s: answer stale by %lld s", mxg_name_format(name, text),
				  (long long)(w->in->view.now - a->confirmed - (int64_t)a->ttl));
}

void mxg_walk_blame(struct mxg_walk *w, const struct mxg_name *name, uint16_t type, enum mxg_record_trouble trouble,
		    const char *detail, size_t detail_len)
{
	if (w->pending)
		return;
	w->out->trouble = trouble;
	w->out->question.name = *name;
	w->out->question.type = type;
	mxg_neuter(w->out->detail, sizeof(w->out->detail), detail, detail_len, "");
}

enum mxg_spf mxg_walk_permerror(struct mxg_walk *w, const struct mxg_name *name, enum mxg_record_trouble trouble,
				const char *detail)
{
	mxg_walk_blame(w, name, MXG_DNS_TXT, trouble, detail, strlen(detail));
	return MXG_SPF_PERMERROR;
}

static const char *outcome_text(const struct mxg_term_outcome *o)
{
	switch (o->result) {
	case MXG_TERM_MATCH:
		return "covers the peer";
	case MXG_TERM_NO_MATCH:
		return o->mx_is_self ? "does not cover the peer; names this server itself" : "does not cover the peer";
	case MXG_TERM_TEMPERROR:
		return failure_text(o->failure);
	case MXG_TERM_NOMEM:
		return "out of memory";
	default:
		return o->detail;
	}
}

void mxg_walk_tell_outcome(struct mxg_walk *w, const struct mxg_term *term)
{
	char name[MXG_NAME_TEXT_MAX], line[1300];
	const struct mxg_term_outcome *o = w->out;
	bool named = o->question.name.len > 0;
	snprintf(line, sizeof(line), "%s%s%s", outcome_text(o), named ? ": " : "",
		 named ? mxg_name_format(&o->question.name, name) : "");
	tell(w, &w->in->domain, term, line);
}
