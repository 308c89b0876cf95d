/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../door/header.h"
#include "../service/log.h"

#define HEADER_MOST (1u << 20) /* bytes of a header that anybody writes in good faith */
#define HELD_MOST (4u << 20) /* of a message whose header is not decided yet */
#define ALL_HELD_MOST (256u << 20) /* of all messages */

static size_t all_held; /* by the only thread */

static const char too_large[] = "552 5.3.4 Message header too large";
static const char our_trouble[] = "451 4.3.0 Temporary internal failure";
static const char no_room[] = "451 4.3.1 Try again later: too many messages at one time";

/* ---- answers ------------------------------------------------------------------------------------- */

static void begin_answer(const struct mxg_filter_session *s, struct mxg_filter_output *out, const char *kind)
{
	mxg_filter_output_text(out, kind);
	mxg_filter_output_text(out, s->token_first ? s->token : s->id);
	mxg_filter_output_text(out, "|");
	mxg_filter_output_text(out, s->token_first ? s->id : s->token);
	mxg_filter_output_text(out, "|");
}

void mxg_filter_answer(const struct mxg_filter_session *s, struct mxg_filter_output *out, const char *refusal)
{
	begin_answer(s, out, "filter-result|");
	mxg_filter_output_text(out, refusal[0] == '\0' ? "proceed" : "reject|");
	mxg_filter_output_text(out, refusal);
	mxg_filter_output_text(out, "\n");
}

void mxg_filter_refusal(char text[MXG_FILTER_REPLY_MAX], const struct mxg_door_reply *reply)
{
	text[0] = '\0';
	if (reply->code == 250)
		return;
	snprintf(text, MXG_FILTER_REPLY_MAX, "%d %s %s", reply->code, reply->status, reply->text);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

static void pass_line(const struct mxg_filter_session *s, struct mxg_filter_output *out, const char *line,
		      size_t length)
{
	begin_answer(s, out, "filter-dataline|");
	mxg_filter_output_add(out, line, length);
	mxg_filter_output_text(out, "\n");
}

/* Without its dot it was kept; with it it goes on. */
static void pass_text(const struct mxg_filter_session *s, struct mxg_filter_output *out, const char *line,
		      size_t length)
{
	begin_answer(s, out, "filter-dataline|");
	if (length > 0 && line[0] == '.')
		mxg_filter_output_text(out, ".");
	mxg_filter_output_add(out, line, length);
	mxg_filter_output_text(out, "\n");
}

/* ---- keeping ------------------------------------------------------------------------------------- */

static void let_go(struct mxg_filter_session *s)
{
	all_held -= s->held_room;
	free(s->held);
	s->held = NULL;
	s->held_length = s->held_room = s->header_length = 0;
}

static void refuse(struct mxg_filter_session *s, const char *why)
{
	snprintf(s->refusal, sizeof(s->refusal), "%s", why);
	s->stage = MXG_FILTER_REFUSED;
	let_go(s);
}

static bool make_room(struct mxg_filter_session *s, size_t length)
{
	size_t room = s->held_room == 0 ? 4096 : s->held_room;
	while (room - s->held_length < length)
		room *= 2;
	if (room == s->held_room)
		return true;
	char *bytes = all_held + room > ALL_HELD_MOST ? NULL : realloc(s->held, room);
	if (bytes == NULL)
		return false;
	all_held += room - s->held_room;
	s->held = bytes;
	s->held_room = room;
	return true;
}

/* False: it is refused. */
static bool hold(struct mxg_filter_session *s, const char *line, size_t length, size_t most)
{
	if (s->held_length + length + 1 > most) {
		refuse(s, s->stage == MXG_FILTER_HEADER ? too_large : no_room);
		return false;
	}
	if (!make_room(s, length + 1)) {
		mxg_log_error("mxguard: smtpd-filter: no room for a message: the client is to try again later");
		refuse(s, no_room);
		return false;
	}
	memcpy(s->held + s->held_length, line, length);
	s->held[s->held_length + length] = '\n';
	s->held_length += length + 1;
	return true;
}

/* ---- letting go ---------------------------------------------------------------------------------- */

/* The field's own line ends are CRLF. */
static void pass_field(const struct mxg_filter_session *s, struct mxg_filter_output *out, const char *field)
{
	for (const char *line = field, *end; (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		pass_text(s, out, line, (size_t)(end - line));
}

/* What is cut may be a break within a line: what stands around it is one line then. */
static void cut_out(struct mxg_filter_session *s, const struct mxg_door_message *m)
{
	size_t count, kept = 0, from = 0;
	const struct mxg_door_cut *cuts = mxg_door_header_cuts(m->header, &count);
	for (size_t i = 0; i < count && cuts[i].to <= s->held_length; i++) {
		memmove(s->held + kept, s->held + from, cuts[i].from - from);
		kept += cuts[i].from - from;
		from = cuts[i].to;
	}
	memmove(s->held + kept, s->held + from, s->held_length - from);
	s->held_length = kept + s->held_length - from;
}

static void pass_held(struct mxg_filter_session *s, struct mxg_filter_output *out, const struct mxg_door_message *m)
{
	cut_out(s, m);
	for (size_t at = 0; at < s->held_length;) {
		const char *line = s->held + at, *end = memchr(line, '\n', s->held_length - at);
		size_t length = end == NULL ? s->held_length - at : (size_t)(end - line);
		pass_text(s, out, line, length);
		at += length + 1;
	}
}

/* Nobody sees smtpd's quarantine: what its own filters call junk is told by this field. */
static const char junk_field[] = "X-Spam: yes\r\n";

/* smtpd has put its own field on top of what came: behind it. */
static size_t behind_own_field(const struct mxg_filter_session *s)
{
	size_t at = 0;
	if (s->held_length < 9 || strncasecmp(s->held, "Received:", 9) != 0)
		return 0;
	do {
		const char *end = memchr(s->held + at, '\n', s->held_length - at);
		at = (size_t)(end - s->held) + 1;
	} while (at < s->held_length && (s->held[at] == ' ' || s->held[at] == '\t'));
	return at;
}

static void keep_copy(struct mxg_filter_session *s, const struct mxg_door_message *m)
{
	mxg_filter_copy_discard(s->copy);
	s->copy = mxg_filter_copy_begin(mxg_door_policy(s->door), m->trap);
	for (size_t at = behind_own_field(s); at < s->held_length;) {
		const char *line = s->held + at, *end = memchr(line, '\n', s->held_length - at);
		mxg_filter_copy_line(s->copy, line, (size_t)(end - line));
		at += (size_t)(end - line) + 1;
	}
}

static void finish(struct mxg_filter_session *s, struct mxg_filter_output *out)
{
	if (!s->ended)
		return;
	mxg_filter_copy_finish(s->copy);
	s->copy = NULL;
	pass_line(s, out, ".", 1);
}

void mxg_filter_message_decided(struct mxg_filter_session *s, struct mxg_filter_output *out)
{
	const struct mxg_door_message *m = mxg_door_message(s->door);
	if (s->stage == MXG_FILTER_REFUSED)
		return;
	mxg_filter_refusal(s->refusal, &m->reply);
	if (s->refusal[0] == '\0' && m->header == NULL)
		refuse(s, our_trouble);
	if (s->refusal[0] != '\0') {
		if (m->trap[0] != '\0')
			keep_copy(s, m);
		s->stage = MXG_FILTER_REFUSED;
		let_go(s);
	} else {
		if (m->quarantine)
			pass_field(s, out, junk_field);
		pass_field(s, out, m->field);
		pass_held(s, out, m);
		s->stage = MXG_FILTER_PASSING;
		let_go(s);
	}
	finish(s, out);
}

/* ---- lines --------------------------------------------------------------------------------------- */

static void end_header(struct mxg_filter_session *s, struct mxg_filter_output *out)
{
	s->header_length = s->held_length;
	s->stage = MXG_FILTER_UNDECIDED;
	if (mxg_door_header_end(s->door) == MXG_DOOR_READY)
		mxg_filter_message_decided(s, out);
}

static void take_end(struct mxg_filter_session *s, struct mxg_filter_output *out)
{
	s->ended = true;
	if (s->stage == MXG_FILTER_HEADER)
		end_header(s, out);
	else if (s->stage != MXG_FILTER_UNDECIDED)
		finish(s, out);
}

static void take_header_line(struct mxg_filter_session *s, struct mxg_filter_output *out, const char *line,
			     size_t length)
{
	if (!hold(s, line, length, HEADER_MOST))
		return;
	mxg_door_bytes(s->door, line, length);
	mxg_door_bytes(s->door, "\n", 1);
	if (length == 0 || (length == 1 && line[0] == '\r'))
		end_header(s, out);
}

void mxg_filter_message_line(struct mxg_filter_session *s, struct mxg_filter_output *out, const char *line,
			     size_t length)
{
	const char *raw = line;
	size_t raw_length = length;
	if (s->stage == MXG_FILTER_IDLE)
		s->stage = MXG_FILTER_HEADER;
	if (length == 1 && line[0] == '.') {
		take_end(s, out);
		return;
	}
	if (length > 0 && line[0] == '.') {
		line++;
		length--;
	}
	switch (s->stage) {
	case MXG_FILTER_HEADER:
		take_header_line(s, out, line, length);
		break;
	case MXG_FILTER_UNDECIDED:
		(void)hold(s, line, length, HELD_MOST);
		break;
	case MXG_FILTER_PASSING:
		pass_line(s, out, raw, raw_length);
		break;
	default:
		mxg_filter_copy_line(s->copy, line, length);
	}
}

void mxg_filter_message_commit(struct mxg_filter_session *s, struct mxg_filter_output *out)
{
	bool good = s->stage == MXG_FILTER_PASSING && s->ended;
	mxg_filter_answer(s, out,
			  s->refusal[0] != '\0' ? s->refusal
			  : good                ? ""
						: "451 4.3.0 Temporary internal failure");
}

void mxg_filter_message_reset(struct mxg_filter_session *s)
{
	let_go(s);
	mxg_filter_copy_discard(s->copy);
	s->copy = NULL;
	s->stage = MXG_FILTER_IDLE;
	s->ended = false;
	s->refusal[0] = '\0';
}
