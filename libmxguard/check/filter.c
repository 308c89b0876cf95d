/* SPDX-License-Identifier: MIT */
/* What a message loses and gains on its way to the mailbox: the public filter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/header_cutter.h"
#include "check/hidden_field.h"
#include "check/removed_field.h"

#define FIELD_MAX 16384 /* of a field, until it must be clear whose it is */
#define LOOK_MAX 4096 /* at a time */
#define MESSAGE_ID_MAX 998 /* RFC 5322 section 2.1.1 */

struct mxguard_filter {
	struct mxguard_policy *policy;
	struct mxg_removed what;
	struct mxg_header_cutter cutter;
	struct mxg_hidden_field hidden;
	bool judged, going; /* the field at hand: whose it is is known; it has to go */
	bool is_message_id, holds_hidden; /* the field at hand */
	bool over;
	uint64_t cut_from, cut_to; /* the cut told last */
	uint64_t top; /* UINT64_MAX: not known yet */
	bool line_seen, crlf, open_line; /* the first line's end; the line above the top has none */
	bool lf_only; /* so ended the first line, however long it was */
	bool lf_seen;
	char last; /* byte of the piece before */
	bool has_message_id;
	char message_id[MESSAGE_ID_MAX + 1];
	char field[FIELD_MAX];
};

int mxguard_filter_new(struct mxguard_filter **filter, struct mxguard_policy *policy, unsigned flags)
{
	*filter = NULL;
	if (policy == NULL || (flags & ~(unsigned)MXGUARD_FILTER_FLAG_KEEP_SECRETS) != 0)
		return MXGUARD_ERROR_INVALID;
	*filter = malloc(sizeof(**filter));
	if (*filter == NULL)
		return MXGUARD_ERROR_NOMEM;
	(*filter)->policy = mxguard_policy_ref(policy);
	(*filter)->what = (struct mxg_removed){ policy, (flags & MXGUARD_FILTER_FLAG_KEEP_SECRETS) != 0 };
	mxguard_filter_reset(*filter);
	return MXGUARD_ERROR_NONE;
}

void mxguard_filter_free(struct mxguard_filter *filter)
{
	if (filter == NULL)
		return;
	mxguard_policy_unref(filter->policy);
	free(filter);
}

void mxguard_filter_reset(struct mxguard_filter *f)
{
	mxg_header_init(&f->cutter, f->field, sizeof(f->field));
	mxg_hidden_field_init(&f->hidden);
	f->judged = f->going = f->is_message_id = f->holds_hidden = f->over = false;
	f->cut_from = f->cut_to = 0;
	f->top = UINT64_MAX;
	f->line_seen = f->crlf = f->open_line = f->has_message_id = f->lf_only = f->lf_seen = false;
	f->last = 0;
	f->message_id[0] = '\0';
}

static void note_message_id(struct mxguard_filter *f)
{
	const char *at = f->cutter.bytes, *end = at + f->cutter.len;
	f->has_message_id = true;
	at = memchr(at, ':', f->cutter.len);
	if (at == NULL)
		return;
	for (at++; at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n');)
		at++;
	while (end > at && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	/* the log line puts its own brackets around it */
	bool brackets = end - at >= 2 && *at == '<' && end[-1] == '>';
	size_t len = (size_t)(end - at) - 2 * (size_t)brackets;
	if (len > MESSAGE_ID_MAX)
		len = MESSAGE_ID_MAX;
	memcpy(f->message_id, at + brackets, len);
	f->message_id[len] = '\0';
}

static void begin_line(struct mxguard_filter *f)
{
	struct mxg_header_cutter *c = &f->cutter;
	f->going = f->is_message_id = f->holds_hidden = false;
	f->judged = c->kind == MXG_HEADER_KIND_ENVELOPE;
	if (f->judged)
		return;
	if (f->top == UINT64_MAX)
		f->top = c->from;
	f->is_message_id = !f->has_message_id && mxg_header_is(c, "message-id", 10);
	f->judged = !mxg_removed_field_may_be(&f->what, c->bytes, c->len, false);
	c->wanted = f->is_message_id || !f->judged;
}

static void judge(struct mxguard_filter *f, bool too_long)
{
	if (f->is_message_id && !f->has_message_id)
		note_message_id(f);
	if (f->judged)
		return;
	f->judged = true;
	f->going = f->holds_hidden || mxg_removed_field_is(&f->what, f->cutter.bytes, f->cutter.len, too_long);
}

/* Of the field that goes, what has come since the last cut. */
static bool cut(struct mxguard_filter *f)
{
	uint64_t from = f->cut_to > f->cutter.from ? f->cut_to : f->cutter.from;
	if (!f->going || from == f->cutter.offset)
		return false;
	f->cut_from = from;
	f->cut_to = f->cutter.offset;
	return true;
}

/* 0: go on. */
static int take(struct mxguard_filter *f, enum mxg_header_event event)
{
	bool more;
	switch (event) {
	case MXG_HEADER_LINE:
		begin_line(f);
		return 0;
	case MXG_HEADER_TOO_LONG:
		judge(f, true);
		return 0;
	case MXG_HEADER_FIELD:
		judge(f, false);
		more = cut(f);
		f->going = false;
		return more ? MXGUARD_FILTER_RESULT_CUT : 0;
	case MXG_HEADER_MORE:
		return cut(f) ? MXGUARD_FILTER_RESULT_CUT : MXGUARD_FILTER_RESULT_MORE;
	case MXG_HEADER_END:
		break;
	}
	f->over = f->line_seen = true; /* an end is a line's end, too */
	return MXGUARD_FILTER_RESULT_BODY;
}

/* How lines end here, the first one tells. */
static void look_for_line_end(struct mxguard_filter *f, const char *bytes, size_t len)
{
	if (f->lf_seen || len == 0)
		return;
	const char *lf = memchr(bytes, '\n', len);
	uint64_t length = f->cutter.offset + (lf == NULL ? len : (size_t)(lf - bytes));
	f->lf_seen = lf != NULL;
	f->line_seen = lf != NULL || length > FIELD_MAX;
	if (lf != NULL) {
		bool crlf = lf > bytes ? lf[-1] == '\r' : f->last == '\r';
		f->crlf = crlf && length <= FIELD_MAX;
		f->lf_only = !crlf;
	}
	f->last = bytes[len - 1];
}

/* A hidden field is shown for what it is, a part of the one around it, by taking away the breaks before it; where that
 * is one which may have to go itself, it goes as a whole. */
static int uncover(struct mxguard_filter *f)
{
	const struct mxg_hidden_field *h = &f->hidden;
	bool inside = h->from > f->cutter.from, show = inside && f->judged && !f->going;
	f->holds_hidden |= inside && !f->judged;
	if (show) {
		f->cut_from = h->from;
		f->cut_to = h->to;
	}
	mxg_hidden_field_next(&f->hidden, &f->what);
	return show ? MXGUARD_FILTER_RESULT_CUT : 0;
}

/* SpamAssassin's header ends with an empty line that ends like the first line, or the last; to be sure, a CR LF in a
 * message whose lines end with LF is not its end for us either. */
static bool goes_on(struct mxguard_filter *f)
{
	struct mxg_header_cutter *c = &f->cutter;
	if (!f->lf_only || c->len != 2)
		return false;
	c->state = MXG_HEADER_AT_START;
	return true;
}

/* The cutter gets no more than what has been looked at, and of the body not much is. */
static int feed_some(struct mxguard_filter *f, const char **at, size_t *left)
{
	struct mxg_hidden_field *h = &f->hidden;
	size_t ahead = (size_t)(h->offset - f->cutter.offset);
	if (ahead == 0 && h->found)
		return uncover(f);
	if (!h->found && ahead < *left) {
		mxg_hidden_field_look(h, &f->what, *at + ahead, *left - ahead < LOOK_MAX ? *left - ahead : LOOK_MAX);
		ahead = (size_t)(h->offset - f->cutter.offset);
	}
	size_t some = ahead;
	enum mxg_header_event event = mxg_header_next(&f->cutter, at, &some);
	*left -= ahead - some;
	if (event == MXG_HEADER_END && f->top == UINT64_MAX)
		f->top = f->cutter.from;
	int result = event == MXG_HEADER_END && goes_on(f) ? 0 : take(f, event);
	return result == MXGUARD_FILTER_RESULT_MORE && (*left > 0 || h->found) ? 0 : result;
}

int mxguard_filter_feed(struct mxguard_filter *f, const void *bytes, size_t length, size_t *used)
{
	const char *at = bytes;
	size_t left = length;
	int result = f->over ? MXGUARD_FILTER_RESULT_BODY : 0;
	if ((bytes == NULL && length > 0) || used == NULL)
		return MXGUARD_ERROR_INVALID;
	if (!f->over)
		look_for_line_end(f, at, left);
	while (result == 0)
		result = feed_some(f, &at, &left);
	*used = length - left;
	return result;
}

int mxguard_filter_end(struct mxguard_filter *f)
{
	int result = f->over ? MXGUARD_FILTER_RESULT_BODY : 0;
	bool in_line = false, in_head = false;
	while (result == 0) {
		in_line = f->cutter.state == MXG_HEADER_IN_LINE;
		in_head = f->cutter.state == MXG_HEADER_IN_HEAD;
		result = take(f, mxg_header_finish(&f->cutter));
	}
	if (result == MXGUARD_FILTER_RESULT_BODY && f->top == UINT64_MAX) {
		f->top = in_head ? f->cutter.from : f->cutter.offset;
		f->open_line = in_line;
	}
	return result;
}

void mxguard_filter_cut(const struct mxguard_filter *f, uint64_t *from, uint64_t *to)
{
	*from = f->cut_from;
	*to = f->cut_to;
}

uint64_t mxguard_filter_final(const struct mxguard_filter *f)
{
	const struct mxg_header_cutter *c = &f->cutter;
	if (f->over)
		return UINT64_MAX;
	bool open = c->state == MXG_HEADER_IN_HEAD ||
		    (c->state != MXG_HEADER_AT_START && !f->judged && c->kind != MXG_HEADER_KIND_ENVELOPE);
	uint64_t final = open ? c->from : c->offset;
	if (f->hidden.len > 0 && f->hidden.from < final)
		final = f->hidden.from;
	return !f->line_seen && f->top < final ? f->top : final;
}

int mxguard_filter_top(const struct mxguard_filter *f, uint64_t *offset)
{
	*offset = f->top;
	return f->line_seen && f->top != UINT64_MAX;
}

int mxguard_filter_on_top(const struct mxguard_filter *f, const char *field, char *buffer, size_t size)
{
	size_t len = 0;
	if (field == NULL || strlen(field) + 3 > size || size > INT32_MAX)
		return MXGUARD_ERROR_INVALID;
	if (f->open_line)
		buffer[len++] = '\n';
	for (; *field != '\0'; field++)
		if (*field != '\r' || field[1] != '\n' || f->crlf)
			buffer[len++] = *field;
	buffer[len] = '\0';
	return (int)len;
}

const char *mxguard_filter_message_id(const struct mxguard_filter *f)
{
	return f->has_message_id ? f->message_id : NULL;
}
