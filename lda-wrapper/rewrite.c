/* SPDX-License-Identifier: MIT */
/* Header fields in, header fields out. */
#include "rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAG_MAX 4096 /* with the line ends of the message itself */

/* The piece at hand, and where in the message it begins. */
struct piece {
	const char *bytes;
	uint64_t begin, end;
};

int mxg_lda_rewrite_begin(struct mxg_lda_rewrite *r, struct mxguard_policy *policy)
{
	r->out = malloc(MXG_LDA_GATHERED);
	if (r->out != NULL && mxguard_filter_new(&r->filter, policy, 0) == MXGUARD_ERROR_NONE)
		return 0;
	errno = ENOMEM;
	return -1;
}

static int flush(struct mxg_lda_rewrite *r)
{
	size_t len = r->out_len;
	r->out_len = 0;
	return len == 0 ? 0 : r->write(r->to, r->out, len);
}

static int put(struct mxg_lda_rewrite *r, const char *bytes, size_t len)
{
	if (len > MXG_LDA_GATHERED - r->out_len && flush(r) != 0)
		return -1;
	if (len > MXG_LDA_GATHERED)
		return r->write(r->to, bytes, len);
	if (len > 0)
		memcpy(r->out + r->out_len, bytes, len);
	r->out_len += len;
	return 0;
}

/* Takes `len` bytes out of what is held. */
static void let_go(struct mxg_lda_rewrite *r, size_t len)
{
	r->held_len -= len;
	if (r->held_len > 0)
		memmove(r->held, r->held + len, r->held_len);
	r->at += len;
}

/* Everything below `until` has been seen to, by writing it or by leaving it out. */
static int pass(struct mxg_lda_rewrite *r, const struct piece *p, uint64_t until, bool keep)
{
	int result = 0;
	if (until <= r->at)
		return 0;
	size_t held = until - r->at < r->held_len ? (size_t)(until - r->at) : r->held_len;
	if (held > 0) {
		if (keep)
			result = put(r, r->held, held);
		let_go(r, held);
	}
	if (result == 0 && keep && until > r->at)
		result = put(r, p->bytes + (r->at - p->begin), (size_t)(until - r->at));
	r->at = until;
	return result;
}

/* Our field, once it is known where it goes. */
static int put_tag(struct mxg_lda_rewrite *r, const struct piece *p)
{
	char field[TAG_MAX];
	uint64_t top;
	if (r->tag == NULL || !mxguard_filter_top(r->filter, &top))
		return 0;
	int len = mxguard_filter_on_top(r->filter, r->tag, field, sizeof(field));
	r->tag = NULL;
	if (len < 0) {
		errno = EMSGSIZE;
		return -1;
	}
	return pass(r, p, top, true) == 0 ? put(r, field, (size_t)len) : -1;
}

static int write_final(struct mxg_lda_rewrite *r, const struct piece *p)
{
	uint64_t final = mxguard_filter_final(r->filter);
	return pass(r, p, final < p->end ? final : p->end, true);
}

static int leave_out(struct mxg_lda_rewrite *r, const struct piece *p)
{
	uint64_t from, to;
	mxguard_filter_cut(r->filter, &from, &to);
	return pass(r, p, from, true) == 0 ? pass(r, p, to, false) : -1;
}

/* What is not final of the piece. */
static int hold(struct mxg_lda_rewrite *r, const struct piece *p)
{
	uint64_t from = r->at + r->held_len;
	size_t len = (size_t)(p->end - from);
	if (len == 0)
		return 0;
	if (r->held_len + len > r->held_room) {
		size_t room = r->held_len + len + 4096;
		char *bigger = realloc(r->held, room);
		if (bigger == NULL)
			return -1;
		r->held = bigger;
		r->held_room = room;
	}
	memcpy(r->held + r->held_len, p->bytes + (from - p->begin), len);
	r->held_len += len;
	return 0;
}

int mxg_lda_rewrite_feed(struct mxg_lda_rewrite *r, const char *bytes, size_t len)
{
	struct piece p = { .bytes = bytes, .begin = r->fed, .end = r->fed + len };
	int result = MXGUARD_FILTER_RESULT_CUT;
	size_t at = 0, used;
	r->fed = p.end;
	if (r->in_body)
		return pass(r, &p, p.end, true);
	while (result == MXGUARD_FILTER_RESULT_CUT) {
		result = mxguard_filter_feed(r->filter, bytes + at, len - at, &used);
		at += used;
		if (put_tag(r, &p) != 0 || (result == MXGUARD_FILTER_RESULT_CUT && leave_out(r, &p) != 0))
			return -1;
	}
	r->in_body = result == MXGUARD_FILTER_RESULT_BODY;
	return write_final(r, &p) == 0 ? hold(r, &p) : -1;
}

int mxg_lda_rewrite_end(struct mxg_lda_rewrite *r)
{
	struct piece p = { .bytes = NULL, .begin = r->fed, .end = r->fed };
	int result;
	while ((result = mxguard_filter_end(r->filter)) == MXGUARD_FILTER_RESULT_CUT)
		if (leave_out(r, &p) != 0)
			return -1;
	if (put_tag(r, &p) != 0 || write_final(r, &p) != 0)
		return -1;
	return flush(r);
}

void mxg_lda_rewrite_free(struct mxg_lda_rewrite *r)
{
	mxguard_filter_free(r->filter);
	free(r->held);
	free(r->out);
	r->filter = NULL;
	r->held = r->out = NULL;
}
