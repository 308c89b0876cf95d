/* SPDX-License-Identifier: MIT */
/* The fields of a decision: " key=value" in text, or a flat JSON object. */
#include "mxguard.h"
#include "report/decision.h"

/* ---- words of ours ------------------------------------------------------------------------------------ */

__attribute__((always_inline)) static inline bool is(struct mxg_slice s, const char *word, size_t len)
{
	return s.len == len && mxg_same(s.at, word, len);
}
#define IS(SLICE, WORD) is(SLICE, WORD, sizeof(WORD) - 1)

static bool read_verdict(struct mxg_slice s, uint8_t *out)
{
	static const enum mxguard_verdict all[] = {
		MXGUARD_VERDICT_UNKNOWN,       MXGUARD_VERDICT_INTERNAL,  MXGUARD_VERDICT_EXEMPT,
		MXGUARD_VERDICT_AUTHENTICATED, MXGUARD_VERDICT_UNDECIDED,
	};
	if (IS(s, "authorized") || IS(s, "direct")) { /* nearly all of them */
		*out = s.len == 10 ? MXGUARD_VERDICT_AUTHORIZED : MXGUARD_VERDICT_DIRECT;
		return true;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *name = mxguard_verdict_name(all[i]);
		if (is(s, name, strlen(name))) {
			*out = (uint8_t)all[i];
			return true;
		}
	}
	return false;
}

static bool read_action(struct mxg_slice s, uint8_t *out)
{
	if (IS(s, "accept"))
		*out = MXGUARD_ACTION_ACCEPT;
	else if (IS(s, "reject"))
		*out = MXGUARD_ACTION_REJECT;
	else if (IS(s, "quarantine"))
		*out = MXGUARD_ACTION_QUARANTINE;
	else if (IS(s, "defer"))
		*out = MXGUARD_ACTION_DEFER;
	else if (IS(s, "tag"))
		*out = MXGUARD_ACTION_TAG;
	else
		return false;
	return true;
}

static bool read_would(struct mxg_slice s, uint8_t *out)
{
	return IS(s, "-") || s.len == 0 || read_action(s, out);
}

/* ---- a field ------------------------------------------------------------------------------------------- */

/* Codes are of these alone; what is damaged must not become a name of its own. */
static bool is_code(struct mxg_slice s)
{
	static const bool good[256] = { ['a' ... 'z'] = true, ['0' ... '9'] = true, ['-'] = true };
	for (size_t i = 0; i < s.len; i++)
		if (!good[(uint8_t)s.at[i]])
			return false;
	return s.len > 0 && s.len < 64;
}

enum { SEEN_VERDICT = 1, SEEN_ACTION = 2, SEEN_REASON = 4, SEEN_ALL = 7 };

/* Keys that are not known are passed over: fields are only ever added. False: a value that no mxguard
 * writes. */
static bool take_field(struct mxg_decision *d, unsigned *seen, struct mxg_slice key, struct mxg_slice value)
{
	switch (key.len) {
	case 2:
		if (IS(key, "id"))
			d->id = value;
		return true;
	case 4:
		if (IS(key, "rcpt"))
			d->rcpt = value;
		else if (IS(key, "from"))
			d->from = value;
		return true;
	case 5:
		if (IS(key, "would"))
			return read_would(value, &d->would);
		if (IS(key, "msgid"))
			d->msgid = value;
		return true;
	case 6:
		if (IS(key, "action")) {
			*seen |= SEEN_ACTION;
			return read_action(value, &d->action);
		}
		if (IS(key, "reason")) {
			*seen |= SEEN_REASON;
			d->reason = value;
			return is_code(value);
		}
		if (IS(key, "origin"))
			d->origin = value;
		return true;
	case 7:
		if (IS(key, "verdict")) {
			*seen |= SEEN_VERDICT;
			return read_verdict(value, &d->verdict);
		}
		return true;
	case 8:
		if (IS(key, "boundary"))
			d->boundary = value;
		return true;
	default:
		return true;
	}
}

/* ---- text ------------------------------------------------------------------------------------------------- */

/* "<…>", "\"…\"" or up to the blank; NULL: it is cut. */
__attribute__((always_inline)) static inline const char *read_value(const char *at, const char *end,
								    struct mxg_slice *out)
{
	char close = *at == '<' ? '>' : *at == '"' ? '"' : ' ';
	at += close != ' ';
	const char *stop = mxg_find(at, end, close);
	*out = (struct mxg_slice){ at, (size_t)(stop - at) };
	return close == ' ' ? stop : stop < end ? stop + 1 : NULL;
}

/* The keys of today in their order, so that most of a line is read without a search for what it is. What
 * is otherwise is read one by one, from where the order ends. */
static bool read_in_order(struct mxg_decision *d, unsigned *seen, const char **at, const char *end)
{
	struct mxg_slice passed;
#define NEXT(NAME, SLICE, GOOD) \
	do { \
		if (!mxg_begins(*at, end, " " NAME "=", sizeof(NAME) + 1) || *at + sizeof(NAME) + 1 == end) \
			return true; \
		const char *behind = read_value(*at + sizeof(NAME) + 1, end, &(SLICE)); \
		if (behind == NULL || !(GOOD)) \
			return false; \
		*at = behind; \
	} while (0)
	NEXT("verdict", passed, read_verdict(passed, &d->verdict));
	*seen |= SEEN_VERDICT;
	NEXT("action", passed, read_action(passed, &d->action));
	*seen |= SEEN_ACTION;
	NEXT("would", passed, read_would(passed, &d->would));
	NEXT("mode", passed, true);
	NEXT("place", passed, true);
	NEXT("peer", passed, true);
	NEXT("boundary", d->boundary, true);
	NEXT("hop", passed, true);
	NEXT("gateway", passed, true);
	NEXT("term", passed, true);
	NEXT("helo", passed, true);
	NEXT("from", d->from, true);
	NEXT("rcpt", d->rcpt, true);
	NEXT("id", d->id, true);
	NEXT("msgid", d->msgid, true);
	NEXT("gen", passed, true);
	NEXT("origin", d->origin, true);
	NEXT("reason", d->reason, is_code(d->reason));
	*seen |= SEEN_REASON;
#undef NEXT
	return true;
}

static bool read_text(struct mxg_decision *d, unsigned *seen, const char *at, const char *end)
{
	if (!read_in_order(d, seen, &at, end))
		return false;
	while (at < end) {
		struct mxg_slice key = { .at = at + 1 }, value;
		if (*at != ' ')
			return false;
		at++;
		while (at < end && ((*at >= 'a' && *at <= 'z') || *at == '_'))
			at++;
		key.len = (size_t)(at - key.at);
		if (key.len == 0 || at + 1 >= end || *at != '=')
			return *seen == SEEN_ALL && at == end && key.len == 0;
		at = read_value(at + 1, end, &value);
		if (at == NULL || !take_field(d, seen, key, value))
			return false;
	}
	return true;
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

/* Behind the opening quote; escapes stay as they are. */
static const char *read_string(const char *at, const char *end, struct mxg_slice *out)
{
	out->at = at;
	for (; at < end && *at != '"'; at++)
		at += *at == '\\';
	if (at >= end)
		return NULL;
	out->len = (size_t)(at - out->at);
	return at + 1;
}

static const char *read_json_value(const char *at, const char *end, struct mxg_slice *out)
{
	if (at < end && *at == '"')
		return read_string(at + 1, end, out);
	out->at = at;
	while (at < end && *at != ',' && *at != '}' && *at != ' ')
		at++;
	out->len = (size_t)(at - out->at);
	if (is(*out, "null", 4))
		out->len = 0;
	return at < end ? at : NULL;
}

static bool read_json(struct mxg_decision *d, unsigned *seen, const char *at, const char *end)
{
	while (at != NULL && at < end && *at != '}') {
		struct mxg_slice key, value;
		at++; /* the brace or a comma */
		while (at < end && *at == ' ')
			at++;
		if (at >= end || *at != '"' || (at = read_string(at + 1, end, &key)) == NULL)
			return false;
		while (at < end && (*at == ':' || *at == ' '))
			at++;
		at = read_json_value(at, end, &value);
		if (at == NULL || !take_field(d, seen, key, value))
			return false;
		while (at < end && *at == ' ')
			at++;
		if (at >= end || (*at != ',' && *at != '}'))
			return false;
	}
	return at != NULL && at < end;
}

/* Cut so early that no more than this is left. */
static bool is_beginning(const char *at, const char *end)
{
	static const char text[] = "mxguard: verdict=", json[] = "{\"verdict\":";
	size_t len = (size_t)(end - at);
	return (len > 9 && len < sizeof(text) - 1 && memcmp(at, text, len) == 0) ||
	       (len > 2 && len < sizeof(json) - 1 && memcmp(at, json, len) == 0);
}

enum mxg_line_kind mxg_line_fields(struct mxg_decision *d, const char *at, const char *end)
{
	static const struct mxg_slice none = { "", 0 };
	unsigned seen = 0;
	bool good;
	d->would = MXG_NO_WOULD;
	d->reason = d->boundary = d->from = d->rcpt = d->id = d->msgid = d->origin = none;
	if (d->repeat > 1 && end > at && end[-1] == ']') /* around all of "message repeated 3 times: [ …]" */
		end--;
	if (mxg_begins(at, end, "mxguard: verdict=", 17))
		good = read_text(d, &seen, at + 8, end);
	else if (mxg_begins(at, end, "{\"verdict\":", 11))
		good = read_json(d, &seen, at, end);
	else
		return is_beginning(at, end) ? MXG_LINE_UNREAD : MXG_LINE_OTHER;
	return good && seen == SEEN_ALL ? MXG_LINE_DECISION : MXG_LINE_UNREAD;
}
