/* SPDX-License-Identifier: MIT */
/* The Authentication-Results field (RFC 8601). */
#include <string.h>

#include "check/internal.h"
#include "check/line.h"

static const char *auth_result(const struct mxg_recipient *r)
{
	switch (r->outcome.verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
		return "pass";
	case MXGUARD_VERDICT_DIRECT:
		return "fail";
	case MXGUARD_VERDICT_UNKNOWN:
		return mxg_reason_kind(r->outcome.reason) == MXG_KIND_LASTING ? "permerror" : "temperror";
	default:
		return "none";
	}
}

static const struct mxg_origin *tagged_origin(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	return c->policy->origin_tag ? mxg_origin_of(c, r) : NULL;
}

static bool wants_tag(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	if (!r->decided || r->mode == MXGUARD_MODE_OFF)
		return false;
	if (r->would == MXGUARD_ACTION_TAG)
		return true;
	const struct mxg_override *o = mxg_check_override_for(c, r, MXG_OVERRIDE_TAG);
	switch (o != NULL ? o->rules.tag : r->ruleset->tag) {
	case MXG_TAG_ALWAYS:
		return true;
	case MXG_TAG_NOT_ACCEPTED:
		return r->would != MXGUARD_ACTION_ACCEPT || tagged_origin(c, r) != NULL;
	case MXG_TAG_NEVER:
		break;
	}
	return false;
}

/* Higher is worse. */
static int rank(enum mxguard_verdict verdict)
{
	switch (verdict) {
	case MXGUARD_VERDICT_DIRECT:
		return 6;
	case MXGUARD_VERDICT_UNKNOWN:
		return 5;
	case MXGUARD_VERDICT_AUTHORIZED:
		return 4;
	case MXGUARD_VERDICT_INTERNAL:
		return 3;
	case MXGUARD_VERDICT_AUTHENTICATED:
		return 2;
	case MXGUARD_VERDICT_EXEMPT:
		return 1;
	case MXGUARD_VERDICT_UNDECIDED:
		break;
	}
	return 0;
}

/* The recipient whose outcome a field for all of them shows: the worst one. */
static size_t worst_tagged(const struct mxguard_check *c)
{
	size_t worst = MXGUARD_ALL; /* none */
	for (size_t i = 0; i < c->recipient_count; i++) {
		const struct mxg_recipient *r = &c->recipients[i];
		if (wants_tag(c, r) &&
		    (worst == MXGUARD_ALL || rank(r->outcome.verdict) > rank(c->recipients[worst].outcome.verdict)))
			worst = i;
	}
	return worst;
}

/* Names and literals; what else a client may say has no business in a field of ours. */
static bool is_plain_helo(const char *helo)
{
	size_t len = strspn(helo, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]");
	return len > 0 && len <= 255 && helo[len] == '\0';
}

/* RFC 8601 section 2.3: what the gateway's own SMTP session was told. */
static void put_origin(struct mxg_line *line, const struct mxg_origin *o)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	mxg_line_put(line, "\r\n\tsmtp.remote-ip=\"");
	mxg_line_put(line, mxg_address_format(&o->address, address));
	mxg_line_put(line, "\"");
	if (!is_plain_helo(o->helo))
		return;
	mxg_line_put(line, "\r\n\tsmtp.helo=\"");
	mxg_line_put(line, o->helo);
	mxg_line_put(line, "\"");
}

int mxguard_check_tag(const struct mxguard_check *c, size_t index, char *buffer, size_t size)
{
	if (index == MXGUARD_ALL)
		index = worst_tagged(c);
	const struct mxg_recipient *r = mxg_check_recipient(c, index);
	struct mxg_line line = { buffer, size, 0 };
	if (size == 0 || r->ruleset == NULL || !wants_tag(c, r))
		return 0;
	char address[MXG_ADDRESS_TEXT_MAX];
	mxg_line_put(&line, "Authentication-Results: ");
	mxg_line_put(&line, c->policy->authserv_id);
	mxg_line_put(&line, ";\r\n\tx-mxguard=");
	mxg_line_put(&line, auth_result(r));
	mxg_line_put(&line, " reason=\"");
	mxg_line_put(&line, mxg_reason_code(r->outcome.reason));
	mxg_line_put(&line, "\"");
	if (c->boundary.family != 0) {
		mxg_line_put(&line, "\r\n\tpolicy.peer=\"");
		mxg_line_put(&line, mxg_address_format(&c->boundary, address));
		mxg_line_put(&line, "\"");
	}
	if (r->outcome.gateway != NULL) {
		mxg_line_put(&line, "\r\n\tpolicy.gateway=\"");
		mxg_line_put_neutered(&line, r->outcome.gateway->name, strlen(r->outcome.gateway->name), "\"\\", 200);
		mxg_line_put(&line, "\"");
	}
	if (tagged_origin(c, r) != NULL)
		put_origin(&line, tagged_origin(c, r));
	mxg_line_put(&line, "\r\n");
	return 1;
}
