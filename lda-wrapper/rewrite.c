/* SPDX-License-Identifier: MIT */
/* Header fields in, header fields out. */
#include "rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MAX 65536 /* what is looked at of one field; what makes it ours is at its beginning */

static int put(struct mxg_lda_rewrite *r, const char *bytes, size_t len)
{
	return len == 0 ? 0 : r->write(r->to, bytes, len);
}

/* With the line ends of the message itself. */
static int put_tag(struct mxg_lda_rewrite *r, bool crlf)
{
	int result = 0;
	for (const char *line = r->tag; line != NULL && *line != '\0' && result == 0;) {
		const char *end = strstr(line, "\r\n");
		size_t len = end == NULL ? strlen(line) : (size_t)(end - line);
		result = put(r, line, len);
		if (result == 0)
			result = crlf ? put(r, "\r\n", 2) : put(r, "\n", 1);
		line = end == NULL ? NULL : end + 2;
	}
	return result;
}

static bool is_mbox_line(const struct mxg_lda_rewrite *r)
{
	return r->len >= 5 && memcmp(r->field, "From ", 5) == 0;
}

/* Once the first line is whole: it says how lines end here, and whether it is an mbox's. */
static int begin(struct mxg_lda_rewrite *r, bool whole)
{
	bool crlf = r->len >= 2 && r->field[r->len - 2] == '\r' && r->field[r->len - 1] == '\n';
	r->begun = true;
	if (!whole || !is_mbox_line(r))
		return put_tag(r, crlf);
	if (put(r, r->field, r->len) != 0)
		return -1;
	r->len = r->line = 0;
	return put_tag(r, crlf);
}

/* The field is whole, or as much of it as is ever looked at. */
static int settle(struct mxg_lda_rewrite *r, size_t len)
{
	int removes = len == 0 ? 0 : mxguard_policy_removes_field(r->policy, r->field, len);
	if (removes == MXGUARD_ERROR_NOMEM) {
		errno = ENOMEM;
		return -1;
	}
	if (removes != 1)
		return put(r, r->field, len);
	r->removed++;
	r->mode = MXG_LDA_DROP;
	return 0;
}

/* A line that does not continue the field begins: the field before it is whole. */
static int end_field(struct mxg_lda_rewrite *r)
{
	int result = 0;
	if (r->mode == MXG_LDA_COLLECT)
		result = settle(r, r->len);
	r->mode = MXG_LDA_COLLECT;
	r->len = r->line = 0;
	return result;
}

static bool is_empty_line(const char *line, size_t len)
{
	return (len == 1 && line[0] == '\n') || (len == 2 && line[0] == '\r' && line[1] == '\n');
}

static int make_room(struct mxg_lda_rewrite *r, size_t len)
{
	if (r->len + len <= r->room)
		return 0;
	size_t room = r->room == 0 ? 4096 : r->room;
	while (room < r->len + len)
		room *= 2;
	char *bigger = realloc(r->field, room);
	if (bigger == NULL)
		return -1;
	r->field = bigger;
	r->room = room;
	return 0;
}

/* Longer than anything of ours: what it is, its beginning has said. */
static int overflow(struct mxg_lda_rewrite *r, bool line_ended)
{
	if (!r->begun && begin(r, false) != 0)
		return -1;
	if (settle(r, r->len) != 0)
		return -1;
	if (r->mode != MXG_LDA_DROP)
		r->mode = MXG_LDA_PASS;
	r->len = 0;
	r->line = line_ended;
	return 0;
}

static int collect(struct mxg_lda_rewrite *r, const char *bytes, size_t len, bool ends)
{
	if (make_room(r, len) != 0)
		return -1;
	memcpy(r->field + r->len, bytes, len);
	r->len += len;
	if (ends && !r->begun && begin(r, true) != 0)
		return -1;
	if (ends && r->len > r->line && is_empty_line(r->field + r->line, r->len - r->line)) {
		r->in_body = true;
		return put(r, r->field, r->len);
	}
	if (r->len > FIELD_MAX)
		return overflow(r, ends);
	if (ends)
		r->line = r->len;
	return 0;
}

/* A piece of a line; `ends`: with its line feed. Of an overlong field's rest only the line ends
 * count: `line` is 1 behind one, else 0. */
static int take_piece(struct mxg_lda_rewrite *r, const char *bytes, size_t len, bool ends)
{
	if (r->mode == MXG_LDA_COLLECT)
		return collect(r, bytes, len, ends);
	r->line = ends;
	return r->mode == MXG_LDA_PASS ? put(r, bytes, len) : 0;
}

static bool at_line_start(const struct mxg_lda_rewrite *r)
{
	return r->mode == MXG_LDA_COLLECT ? r->line == r->len : r->line == 1;
}

int mxg_lda_rewrite_feed(struct mxg_lda_rewrite *r, const char *bytes, size_t len)
{
	while (len > 0 && !r->in_body) {
		const char *feed = memchr(bytes, '\n', len);
		size_t piece = feed == NULL ? len : (size_t)(feed - bytes) + 1;
		if (piece > FIELD_MAX) {
			piece = FIELD_MAX;
			feed = NULL;
		}
		if (at_line_start(r) && bytes[0] != ' ' && bytes[0] != '\t' && end_field(r) != 0)
			return -1;
		if (take_piece(r, bytes, piece, feed != NULL) != 0)
			return -1;
		bytes += piece;
		len -= piece;
	}
	return put(r, bytes, len);
}

int mxg_lda_rewrite_end(struct mxg_lda_rewrite *r)
{
	if (r->in_body)
		return 0;
	if (!r->begun && begin(r, true) != 0)
		return -1;
	return end_field(r);
}

void mxg_lda_rewrite_free(struct mxg_lda_rewrite *r)
{
	free(r->field);
	r->field = NULL;
}
