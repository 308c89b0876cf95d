/* SPDX-License-Identifier: MIT */
/* The log line (docs/design.md, "Log line"): its fields, and the two ways to write them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/neuter.h"
#include "check/internal.h"
#include "check/line.h"
#include "snapshot/snapshot.h"

enum kind {
	WORD, /* of ours, an address or a name: without it "-" */
	NUMBER,
	TEXT, /* from outside: <…> */
	SENTENCE /* "…", in words of ours and of DNS */
};

/* In the line's order. Fields are only ever added, behind the others, and those behind `reason` stand
 * where they have a value. */
#define FIELDS(X) \
	X(VERDICT, "verdict", WORD) \
	X(ACTION, "action", WORD) \
	X(WOULD, "would", WORD) \
	X(MODE, "mode", WORD) \
	X(PLACE, "place", WORD) \
	X(PEER, "peer", WORD) \
	X(BOUNDARY, "boundary", WORD) \
	X(HOP, "hop", NUMBER) \
	X(GATEWAY, "gateway", WORD) \
	X(TERM, "term", WORD) \
	X(HELO, "helo", TEXT) \
	X(FROM, "from", TEXT) \
	X(RCPT, "rcpt", TEXT) \
	X(ID, "id", TEXT) \
	X(MSGID, "msgid", TEXT) \
	X(GEN, "gen", NUMBER) \
	X(ORIGIN, "origin", WORD) \
	X(REASON, "reason", WORD) \
	X(REAL, "real", WORD) \
	X(DETAIL, "detail", SENTENCE) \
	X(ORIGIN_HELO, "origin_helo", TEXT) \
	X(ORIGIN_HOP, "origin_hop", NUMBER)

enum field {
#define X(NAME, key, kind) NAME,
	FIELDS(X)
#undef X
		FIELD_COUNT
};

static const struct {
	const char *key;
	enum kind kind;
} fields[FIELD_COUNT] = {
#define X(NAME, key, kind) [NAME] = { key, kind },
	FIELDS(X)
#undef X
};

/* len 0: there is none */
struct values {
	struct {
		const char *at;
		size_t len;
	} of[FIELD_COUNT];
	char peer[MXG_ADDRESS_TEXT_MAX], boundary[MXG_ADDRESS_TEXT_MAX], real[MXG_ADDRESS_TEXT_MAX];
	char origin[MXG_ADDRESS_TEXT_MAX], hop[16], gen[16], origin_hop[16];
};

static void set_bytes(struct values *v, enum field field, const char *text, size_t len)
{
	v->of[field].at = text;
	v->of[field].len = len;
}

static void set(struct values *v, enum field field, const char *text)
{
	set_bytes(v, field, text, text == NULL ? 0 : strlen(text));
}

static void set_hosts(struct values *v, const struct mxguard_check *c, size_t index)
{
	set(v, PEER, mxg_address_format(&c->peer, v->peer));
	set(v, BOUNDARY, mxg_address_format(&c->boundary, v->boundary));
	if (c->real_peer.family != 0 && !mxg_address_equal(&c->real_peer, &c->peer))
		set(v, REAL, mxg_address_format(&c->real_peer, v->real));
	snprintf(v->hop, sizeof(v->hop), "%d", mxguard_check_hop(c, index));
	set(v, HOP, v->hop);
	set(v, HELO, c->boundary_helo != NULL ? c->boundary_helo : c->helo);
}

static void set_decision(struct values *v, const struct mxguard_check *c, const struct mxg_recipient *r)
{
	set(v, VERDICT, mxguard_verdict_name(r->outcome.verdict));
	set(v, ACTION, mxguard_action_name(r->action));
	set(v, WOULD, r->mode == MXGUARD_MODE_MONITOR ? mxguard_action_name(r->would) : NULL);
	set(v, MODE, mxguard_mode_name(r->mode));
	set(v, PLACE, mxguard_place_name(c->place));
	set(v, GATEWAY, r->outcome.gateway == NULL ? NULL : r->outcome.gateway->name);
	if (r->outcome.term != NULL)
		set_bytes(v, TERM, r->outcome.term->text, r->outcome.term->text_len);
	set(v, REASON, mxg_reason_code(r->outcome.reason));
	set(v, DETAIL, r->outcome.detail);
	if (c->snapshot != NULL) {
		snprintf(v->gen, sizeof(v->gen), "%" PRIu32, mxg_snapshot_generation(c->snapshot));
		set(v, GEN, v->gen);
	}
}

static void set_origin(struct values *v, const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_origin *o = mxg_origin_of(c, r);
	if (o == NULL)
		return;
	set(v, ORIGIN, mxg_address_format(&o->address, v->origin));
	set(v, ORIGIN_HELO, o->helo);
	snprintf(v->origin_hop, sizeof(v->origin_hop), "%u", o->hop);
	set(v, ORIGIN_HOP, v->origin_hop);
}

static void set_all(struct values *v, const struct mxguard_check *c, size_t index)
{
	const struct mxg_recipient *r = mxg_check_recipient(c, index);
	memset(v->of, 0, sizeof(v->of));
	set_decision(v, c, r);
	set_hosts(v, c, index);
	set_origin(v, c, r);
	set(v, FROM, c->sender);
	set_bytes(v, RCPT, r->address, r->address == NULL ? 0 : r->len);
	set(v, ID, c->id);
	set(v, MSGID, c->message_id);
}

/* ---- one value --------------------------------------------------------------------------------- */

/* With its end: the whole line is to fit into 4,096 bytes. */
static size_t room_of(enum field field)
{
	switch (field) {
	case FROM:
	case RCPT:
	case MSGID:
		return MXG_LINE_VALUE_MAX;
	case DETAIL:
		return 500;
	case TERM:
		return 400;
	case ID:
		return 200;
	default:
		return 280;
	}
}

/* What cannot stand as it is, beside what is not printable: what would end or begin a field of the text,
 * and the backslash, so that a reader gets the bytes back. A sentence was neutered piece by piece. */
static const char *unwanted(enum field field, bool text)
{
	if (fields[field].kind == SENTENCE)
		return "\"";
	if (!text)
		return "\\";
	return fields[field].kind == TEXT ? " \"'<>\\=" : " \"'<>\\";
}

static bool is_shown(const struct values *v, enum field field)
{
	return field <= REASON || v->of[field].len > 0;
}

static void put_text(struct mxg_line *line, const struct values *v, enum field field)
{
	enum kind kind = fields[field].kind;
	mxg_line_put_bytes(line, " ", 1);
	mxg_line_put(line, fields[field].key);
	mxg_line_put(line, kind == TEXT ? "=<" : kind == SENTENCE ? "=\"" : "=");
	if (v->of[field].len > 0)
		mxg_line_put_neutered(line, v->of[field].at, v->of[field].len, unwanted(field, true), room_of(field));
	else if (kind == WORD || kind == NUMBER)
		mxg_line_put_bytes(line, "-", 1);
	mxg_line_put(line, kind == TEXT ? ">" : kind == SENTENCE ? "\"" : "");
}

static void put_json(struct mxg_line *line, const struct values *v, enum field field)
{
	enum kind kind = fields[field].kind;
	mxg_line_put(line, field == 0 ? "{\"" : ",\"");
	mxg_line_put(line, fields[field].key);
	mxg_line_put(line, "\":");
	if (v->of[field].len == 0 && (kind == WORD || kind == NUMBER))
		mxg_line_put(line, "null");
	else if (kind == NUMBER)
		mxg_line_put_bytes(line, v->of[field].at, v->of[field].len);
	else
		mxg_line_put_json(line, v->of[field].at, v->of[field].len, unwanted(field, false), room_of(field));
}

/* ---- the line ------------------------------------------------------------------------------------ */

static size_t put_all(const struct mxguard_policy *policy, const struct values *v, char *buffer, size_t size)
{
	struct mxg_line line = { buffer, size, 0 };
	bool json = policy != NULL && policy->log_format == MXG_LOG_JSON;
	if (!json)
		mxg_line_put(&line, "mxguard:");
	for (enum field field = 0; field < FIELD_COUNT; field++)
		if (is_shown(v, field))
			(json ? put_json : put_text)(&line, v, field);
	if (json)
		mxg_line_put_bytes(&line, "}", 1);
	return line.used;
}

size_t mxguard_check_log_line(const struct mxguard_check *c, size_t index, char *buffer, size_t size)
{
	struct values v;
	if (size == 0)
		return 0;
	set_all(&v, c, index);
	return put_all(c->policy, &v, buffer, size);
}

const char *mxguard_check_log_field(const struct mxguard_check *c, size_t index, size_t number, const char **key)
{
	struct values v;
	char text[MXG_LINE_VALUE_MAX];
	if (number >= FIELD_COUNT)
		return NULL;
	set_all(&v, c, index);
	*key = fields[number].key;
	mxg_neuter(text, room_of((enum field)number), v.of[number].len == 0 ? "" : v.of[number].at, v.of[number].len,
		   unwanted((enum field)number, false));
	return mxg_check_keep_result(c, text);
}

size_t mxguard_policy_trouble_line(const struct mxguard_policy *policy, const char *reason, const char *peer,
				   const char *helo, const char *sender, const char *recipient, const char *id,
				   char *buffer, size_t size)
{
	struct values v;
	if (size == 0)
		return 0;
	memset(v.of, 0, sizeof(v.of));
	set(&v, VERDICT, mxguard_verdict_name(MXGUARD_VERDICT_UNDECIDED));
	set(&v, ACTION, mxguard_action_name(MXGUARD_ACTION_DEFER));
	set(&v, PEER, peer);
	set(&v, HOP, "0");
	set(&v, HELO, helo);
	set(&v, FROM, sender);
	set(&v, RCPT, recipient);
	set(&v, ID, id);
	set(&v, REASON, reason);
	return put_all(policy, &v, buffer, size);
}
