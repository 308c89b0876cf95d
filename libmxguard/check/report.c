/* SPDX-License-Identifier: MIT */
/* What a decided check tells, one thing at a time. log_line.c and tag.c put it together. */
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "base/neuter.h"

const struct mxg_recipient *mxg_check_recipient(const struct mxguard_check *c, size_t index)
{
	static const struct mxg_recipient nobody = { .domain_check = -1 };
	return index >= c->recipient_count ? &nobody : &c->recipients[index];
}

enum mxguard_verdict mxguard_check_verdict(const struct mxguard_check *c, size_t index)
{
	return mxg_check_recipient(c, index)->outcome.verdict;
}

enum mxguard_action mxguard_check_action(const struct mxguard_check *c, size_t index)
{
	return mxg_check_recipient(c, index)->action;
}

enum mxguard_action mxguard_check_would(const struct mxguard_check *c, size_t index)
{
	return mxg_check_recipient(c, index)->would;
}

enum mxguard_mode mxguard_check_mode(const struct mxguard_check *c, size_t index)
{
	return mxg_check_recipient(c, index)->mode;
}

enum mxg_reason_kind mxg_check_reason_kind(const struct mxguard_check *c, size_t index)
{
	return mxg_reason_kind(mxg_check_recipient(c, index)->outcome.reason);
}

/* The hop counts where the boundary was looked for, not for an exempt recipient. */
int mxguard_check_hop(const struct mxguard_check *c, size_t index)
{
	const struct mxg_recipient *r = mxg_check_recipient(c, index);
	return r->outcome.reason == MXG_REASON_MODE_OFF || r->outcome.reason == MXG_REASON_RECIPIENT_EXEMPT ? 0
													    : c->hop;
}

int mxguard_check_reply_code(const struct mxguard_check *c, size_t index)
{
	switch (mxg_check_recipient(c, index)->action) {
	case MXGUARD_ACTION_REJECT:
		return 550;
	case MXGUARD_ACTION_DEFER:
		return 451;
	default:
		return 250;
	}
}

const char *mxguard_check_step(const struct mxguard_check *c, size_t index, size_t step)
{
	const struct mxg_recipient *r = mxg_check_recipient(c, index);
	if (step < c->steps.count)
		return mxg_text_list_get(&c->steps, step);
	if (r->domain_check < 0 || c->domains[r->domain_check].dirty)
		return NULL;
	return mxg_text_list_get(&c->domains[r->domain_check].steps, step - c->steps.count);
}

/* ---- texts -------------------------------------------------------------------- */

/* A result text, in the check's memory. The check is const for whoever reads results; its
 * memory is not part of what they see. */
const char *mxg_check_keep_result(const struct mxguard_check *c, const char *text)
{
	struct mxg_arena *arena = &((struct mxguard_check *)(uintptr_t)c)->arena;
	const char *copy = mxg_arena_text(arena, text, strlen(text));
	return copy == NULL ? "" : copy;
}

static const char *address_text(const struct mxguard_check *c, const struct mxg_address *a)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	return mxg_check_keep_result(c, mxg_address_format(a, buf));
}

static const char *neutered(const struct mxguard_check *c, const char *text, size_t len)
{
	char buf[1024];
	mxg_neuter(buf, sizeof(buf), text, len, "");
	return mxg_check_keep_result(c, buf);
}

static bool has_boundary(const struct mxguard_check *c)
{
	return c->boundary.family != 0;
}

static const char *explanation(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	char address[MXG_ADDRESS_TEXT_MAX], buf[1400], domain[300];
	const char *detail = r->outcome.detail;
	mxg_address_format(&c->boundary, address);
	mxg_neuter(domain, sizeof(domain), r->domain == NULL ? "" : r->domain, r->domain_len, "");
	if (r->outcome.verdict == MXGUARD_VERDICT_DIRECT && has_boundary(c))
		snprintf(buf, sizeof(buf), "%s is not an authorized gateway for %s%s%s", address, domain,
			 r->outcome.reason == MXG_REASON_TOKEN_MISSING ? ": its header field with the secret is missing"
			 : detail != NULL                              ? ": "
								       : "",
			 detail != NULL ? detail : "");
	else if (r->outcome.verdict == MXGUARD_VERDICT_AUTHORIZED)
		snprintf(buf, sizeof(buf), "%s is an authorized gateway for %s%s%s", address, domain,
			 detail != NULL && detail[0] != '\0' ? ", " : "", detail != NULL ? detail : "");
	else
		snprintf(buf, sizeof(buf), "%s%s%s", mxg_reason_sentence(r->outcome.reason),
			 detail != NULL && detail[0] != '\0' ? ": " : "", detail != NULL ? detail : "");
	return mxg_check_keep_result(c, buf);
}

static bool settling(const struct mxg_recipient *r)
{
	return r->outcome.verdict == MXGUARD_VERDICT_DIRECT && r->action == MXGUARD_ACTION_DEFER;
}

static const char *reply_text(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	char buf[512];
	if (r->action != MXGUARD_ACTION_REJECT && r->action != MXGUARD_ACTION_DEFER)
		return "Ok";
	if (r->ruleset != NULL && r->ruleset->reply_text != NULL && r->outcome.verdict == MXGUARD_VERDICT_DIRECT)
		return r->ruleset->reply_text;
	if (r->action == MXGUARD_ACTION_REJECT)
		snprintf(buf, sizeof(buf), "Refused: %s; deliver to the hosts in the domain's MX record",
			 explanation(c, r));
	else
		snprintf(buf, sizeof(buf), "Try again later: %s", explanation(c, r));
	return mxg_check_keep_result(c, buf);
}

static const char *status(const struct mxg_recipient *r)
{
	if (r->action == MXGUARD_ACTION_REJECT)
		return "5.7.1";
	if (r->action == MXGUARD_ACTION_DEFER)
		return settling(r) ? "4.7.1" : mxg_reason_status(r->outcome.reason);
	return "2.0.0";
}

static const char *quarantine_mailbox(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_override *o = mxg_check_override_for(c, r, MXG_OVERRIDE_QUARANTINE_MAILBOX);
	if (o != NULL)
		return o->rules.quarantine_mailbox;
	return r->ruleset == NULL ? "Junk" : r->ruleset->quarantine_mailbox;
}

static const char *term_text(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_term *term = r->outcome.term;
	return term == NULL ? "" : neutered(c, term->text, term->text_len);
}

const char *mxguard_check_text(const struct mxguard_check *c, size_t index, enum mxguard_text what)
{
	const struct mxg_recipient *r = mxg_check_recipient(c, index);
	switch (what) {
	case MXGUARD_TEXT_REASON:
		return mxg_reason_code(r->outcome.reason);
	case MXGUARD_TEXT_EXPLANATION:
		return explanation(c, r);
	case MXGUARD_TEXT_RECIPIENT:
		return r->address == NULL ? "" : neutered(c, r->address, r->len);
	case MXGUARD_TEXT_PEER:
		return address_text(c, &c->peer);
	case MXGUARD_TEXT_BOUNDARY_PEER:
		return address_text(c, &c->boundary);
	case MXGUARD_TEXT_GATEWAY:
		return r->outcome.gateway == NULL ? "" : r->outcome.gateway->name;
	case MXGUARD_TEXT_TERM:
		return term_text(c, r);
	case MXGUARD_TEXT_STATUS:
		return status(r);
	case MXGUARD_TEXT_REPLY:
		return reply_text(c, r);
	case MXGUARD_TEXT_QUARANTINE_MAILBOX:
		return quarantine_mailbox(c, r);
	}
	return "";
}
