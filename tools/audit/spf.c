/* SPDX-License-Identifier: MIT */
/* What a domain's own SPF record says of where its mail is sent from: often the mailboxes' host. */
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "spf/terms.h"

#define DEPTH_MOST 5 /* redirects, and includes below the domain */

static bool target_of(struct mxg_name *out, const struct mxg_name *owner, const char *target, size_t len)
{
	if (target == NULL)
		*out = *owner;
	return target == NULL || (memchr(target, '%', len) == NULL && mxg_name_from_text(out, target, len));
}

/* An address of ours that the range holds stands in the record for all to read. */
static void take_range(struct mxg_audit_job *job, const struct mxg_prefix *range)
{
	const struct mxg_self *self = &job->audit->self;
	struct mxg_address a;
	for (size_t i = 0; i < mxg_self_each(self, i, &a); i++) {
		char text[MXG_ADDRESS_TEXT_MAX];
		struct mxg_name name;
		if (!mxg_prefix_contains(range, &a))
			continue;
		mxg_address_format(&a, text);
		struct mxg_audit_name *n = mxg_name_from_text(&name, text, strlen(text))
						   ? mxg_audit_name_add(job, &name, MXG_LEAK_SPF)
						   : NULL;
		if (n == NULL || n->literal)
			continue;
		n->literal = true;
		n->ours[n->count++] = a;
	}
}

static void take_term(struct mxg_audit_job *job, const struct mxg_name *owner, const struct mxg_term *term,
		      unsigned depth)
{
	struct mxg_name target;
	if (term->mechanism == MXG_MECHANISM_IP4 || term->mechanism == MXG_MECHANISM_IP6) {
		take_range(job, &term->prefix);
		return;
	}
	if (!target_of(&target, owner, term->target, term->target_len))
		return;
	if (term->mechanism == MXG_MECHANISM_A)
		mxg_audit_name_add(job, &target, MXG_LEAK_SPF);
	if (depth == DEPTH_MOST)
		return;
	/* that of the domain itself has been asked for */
	if (term->mechanism == MXG_MECHANISM_MX && !mxg_name_equal(&target, &job->name))
		mxg_audit_ask_record(job, &target, MXG_DNS_MX, depth + 1);
	if (term->mechanism == MXG_MECHANISM_INCLUDE && mxg_name_within(&target, &job->name))
		mxg_audit_ask_record(job, &target, MXG_DNS_TXT, depth + 1);
}

void mxg_audit_spf(struct mxg_audit_job *job, const struct mxg_name *owner, const char *text, size_t len,
		   unsigned depth)
{
	struct mxg_record record;
	struct mxg_term_error error;
	struct mxg_name target;
	enum mxg_record_result result = mxg_record_parse(&record, text, len, &error);
	if (result == MXG_RECORD_NOMEM)
		job->audit->nomem = true;
	if (result != MXG_RECORD_OK)
		return; /* nobody can use it */
	for (size_t i = 0; i < record.count; i++)
		take_term(job, owner, &record.terms[i], depth);
	if (record.redirect != NULL && depth < DEPTH_MOST &&
	    target_of(&target, owner, record.redirect, record.redirect_len))
		mxg_audit_ask_record(job, &target, MXG_DNS_TXT, depth + 1);
	mxg_record_clear(&record);
}
