/* SPDX-License-Identifier: MIT */
/* What a decided check tells: texts, the log line, the reply, the header field. */
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "base/neuter.h"

static const struct mxg_recipient *recipient_at(const struct mxguard_check *c, size_t index)
{
	static const struct mxg_recipient nobody = { .domain_check = -1 };
	return index >= c->recipient_count ? &nobody : &c->recipients[index];
}

enum mxguard_verdict mxguard_check_verdict(const struct mxguard_check *c, size_t index)
{
	return recipient_at(c, index)->outcome.verdict;
}

enum mxguard_action mxguard_check_action(const struct mxguard_check *c, size_t index)
{
	return recipient_at(c, index)->action;
}

enum mxguard_action mxguard_check_would(const struct mxguard_check *c, size_t index)
{
	return recipient_at(c, index)->would;
}

enum mxguard_mode mxguard_check_mode(const struct mxguard_check *c, size_t index)
{
	return recipient_at(c, index)->mode;
}

/* The hop counts where the boundary was looked for, not for an exempt recipient. */
int mxguard_check_hop(const struct mxguard_check *c, size_t index)
{
	const struct mxg_recipient *r = recipient_at(c, index);
	return r->outcome.reason == MXG_REASON_MODE_OFF || r->outcome.reason == MXG_REASON_RECIPIENT_EXEMPT ? 0
													    : c->hop;
}

int mxguard_check_reply_code(const struct mxguard_check *c, size_t index)
{
	switch (recipient_at(c, index)->action) {
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
	const struct mxg_recipient *r = recipient_at(c, index);
	if (step < c->steps.count)
		return mxg_text_list_get(&c->steps, step);
	if (r->domain_check < 0 || c->domains[r->domain_check].dirty)
		return NULL;
	return mxg_text_list_get(&c->domains[r->domain_check].steps, step - c->steps.count);
}

/* ---- texts -------------------------------------------------------------------- */

/* A result text, in the check's memory. The check is const for whoever reads results; its
 * memory is not part of what they see. */
static const char *keep(const struct mxguard_check *c, const char *text)
{
	struct mxg_arena *arena = &((struct mxguard_check *)(uintptr_t)c)->arena;
	const char *copy = mxg_arena_text(arena, text, strlen(text));
	return copy == NULL ? "" : copy;
}

static const char *address_text(const struct mxguard_check *c, const struct mxg_address *a)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	return keep(c, mxg_address_format(a, buf));
}

static const char *neutered(const struct mxguard_check *c, const char *text, size_t len)
{
	char buf[1024];
	mxg_neuter(buf, sizeof(buf), text, len, "");
	return keep(c, buf);
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
	return keep(c, buf);
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
	return keep(c, buf);
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
	const struct mxg_recipient *r = recipient_at(c, index);
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

/* ---- the log line --------------------------------------------------------------- */

struct line {
	char *text;
	size_t size, used;
};

static void put_bytes(struct line *line, const char *text, size_t len)
{
	size_t room = line->size - line->used - 1;
	if (len > room)
		len = room;
	memcpy(line->text + line->used, text, len);
	line->used += len;
	line->text[line->used] = '\0';
}

static void put(struct line *line, const char *text)
{
	put_bytes(line, text, strlen(text));
}

#define VALUE_MAX 600

/* A value in at most MOST bytes, its end included: the whole line is to fit into 4,096. */
static void put_neutered(struct line *line, const char *text, size_t len, const char *also, size_t most)
{
	char buf[VALUE_MAX];
	if (line->size - line->used >= most)
		line->used += mxg_neuter(line->text + line->used, most, text, len, also);
	else
		put_bytes(line, buf, mxg_neuter(buf, most, text, len, also));
}

static void put_key(struct line *line, const char *key)
{
	put_bytes(line, " ", 1);
	put(line, key);
	put_bytes(line, "=", 1);
}

static void put_name(struct line *line, const char *key, const char *name)
{
	put_key(line, key);
	put(line, name);
}

/* A value from outside: no blank, quote or bracket in it can start another field. */
static void put_foreign(struct line *line, const char *key, const char *text, size_t len)
{
	put_key(line, key);
	put_bytes(line, "<", 1);
	put_neutered(line, text, len, " \"'<>\\=", VALUE_MAX);
	put_bytes(line, ">", 1);
}

static void put_word(struct line *line, const char *key, const char *text)
{
	put_key(line, key);
	if (text[0] == '\0')
		put_bytes(line, "-", 1);
	else
		put_neutered(line, text, strlen(text), " \"'<>\\", 400);
}

/* Words of ours and what a domain published, in quotes that it cannot end. */
static void put_detail(struct line *line, const char *text)
{
	put_key(line, "detail");
	put_bytes(line, "\"", 1);
	put_neutered(line, text, strlen(text), "\"", 500);
	put_bytes(line, "\"", 1);
}

static void put_address(struct line *line, const char *key, const struct mxg_address *a)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	mxg_address_format(a, buf);
	put_name(line, key, buf[0] == '\0' ? "-" : buf);
}

static void put_number(struct line *line, const char *key, int number)
{
	char buf[16];
	snprintf(buf, sizeof(buf), "%d", number);
	put_name(line, key, buf);
}

size_t mxguard_check_log_line(const struct mxguard_check *c, size_t index, char *buffer, size_t size)
{
	const struct mxg_recipient *r = recipient_at(c, index);
	struct line line = { buffer, size, 0 };
	if (size == 0)
		return 0;
	put(&line, "mxguard:");
	put_name(&line, "verdict", mxguard_verdict_name(r->outcome.verdict));
	put_name(&line, "action", mxguard_action_name(r->action));
	put_name(&line, "would", r->mode == MXGUARD_MODE_MONITOR ? mxguard_action_name(r->would) : "-");
	put_name(&line, "mode", mxguard_mode_name(r->mode));
	put_name(&line, "place", mxguard_place_name(c->place));
	put_address(&line, "peer", &c->peer);
	put_address(&line, "boundary", &c->boundary);
	put_number(&line, "hop", mxguard_check_hop(c, index));
	put_word(&line, "gateway", r->outcome.gateway == NULL ? "" : r->outcome.gateway->name);
	put_word(&line, "term", term_text(c, r));
	put_foreign(&line, "from", c->sender, strlen(c->sender));
	put_foreign(&line, "rcpt", r->address == NULL ? "" : r->address, r->len);
	put_foreign(&line, "id", c->id, strlen(c->id));
	put_foreign(&line, "msgid", c->message_id, strlen(c->message_id));
	put_name(&line, "reason", mxg_reason_code(r->outcome.reason));
	if (c->real_peer.family != 0 && !mxg_address_equal(&c->real_peer, &c->peer))
		put_address(&line, "real", &c->real_peer);
	if (r->outcome.detail != NULL && r->outcome.detail[0] != '\0')
		put_detail(&line, r->outcome.detail);
	return line.used;
}

/* ---- Authentication-Results (RFC 8601) -------------------------------------------- */

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
		return r->would != MXGUARD_ACTION_ACCEPT;
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

int mxguard_check_tag(const struct mxguard_check *c, size_t index, char *buffer, size_t size)
{
	if (index == MXGUARD_ALL)
		index = worst_tagged(c);
	const struct mxg_recipient *r = recipient_at(c, index);
	struct line line = { buffer, size, 0 };
	if (size == 0 || r->ruleset == NULL || !wants_tag(c, r))
		return 0;
	char address[MXG_ADDRESS_TEXT_MAX];
	put(&line, "Authentication-Results: ");
	put(&line, c->policy->authserv_id);
	put(&line, ";\r\n\tx-mxguard=");
	put(&line, auth_result(r));
	put(&line, " reason=\"");
	put(&line, mxg_reason_code(r->outcome.reason));
	put(&line, "\"");
	if (has_boundary(c)) {
		put(&line, "\r\n\tpolicy.peer=\"");
		put(&line, mxg_address_format(&c->boundary, address));
		put(&line, "\"");
	}
	if (r->outcome.gateway != NULL) {
		put(&line, "\r\n\tpolicy.gateway=\"");
		put_neutered(&line, r->outcome.gateway->name, strlen(r->outcome.gateway->name), "\"\\", 200);
		put(&line, "\"");
	}
	put(&line, "\r\n");
	return 1;
}
