/* SPDX-License-Identifier: MIT */
/* Cuts a header block into fields, in whatever pieces it comes. */
#include "received/trace_walk.h"

#include <string.h>

enum state {
	NOTHING = 0, /* no field yet */
	NAME, /* in the first bytes of a line: t->field[0..used) */
	RECEIVED, /* in a Received field, which is kept */
	OTHER, /* in any other field, which is not */
	ENVELOPE /* in an mbox "From " line */
};

/* No name of a field that matters is longer. */
#define NAME_MAX_BYTES 128

static void keep(struct mxg_trace *t, const char *bytes, size_t n)
{
	if (n > sizeof(t->field) - t->used) {
		t->overlong = true;
		n = sizeof(t->field) - t->used;
	}
	memcpy(t->field + t->used, bytes, n);
	t->used += n;
}

static void finish_field(struct mxg_trace *t)
{
	if (t->state == RECEIVED)
		mxg_trace_take_field(t);
	t->used = 0;
	t->overlong = false;
}

static void close_header(struct mxg_trace *t)
{
	t->closed = true;
	mxg_trace_take_end(t);
}

static void broken(struct mxg_trace *t)
{
	mxg_trace_take_trouble(t, MXG_TRACE_UNREADABLE, MXG_TRACE_BROKEN_HEADER);
	t->state = OTHER;
}

/* A colon, or the end of the line, has been reached (RFC 5322 section 2.2;
 * blanks before the colon are section 4.5's). */
static void judge_name(struct mxg_trace *t, bool colon)
{
	const char *s = t->field;
	size_t n = t->used;
	static const char received[] = "received";
	if (!colon && (n == 0 || (n == 1 && s[0] == '\r'))) {
		close_header(t);
		return;
	}
	if ((t->first_line && n >= 5 && memcmp(s, "From ", 5) == 0) || (n >= 6 && memcmp(s, ">From ", 6) == 0)) {
		t->state = ENVELOPE;
		return;
	}
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	size_t same = 0;
	for (; same < n && s[same] > ' ' && s[same] != 0x7f; same++)
		;
	if (!colon || n == 0 || same < n) {
		broken(t);
		return;
	}
	for (same = 0; same < n && n == sizeof(received) - 1 && (s[same] | 0x20) == received[same]; same++)
		;
	t->state = same == sizeof(received) - 1 ? RECEIVED : OTHER;
}

/* Takes the bytes of a line up to its colon; returns how many. */
static size_t take_name(struct mxg_trace *t, const char *bytes, size_t n)
{
	size_t i = 0;
	/* the name as every MTA writes it, in one piece */
	if (t->used == 0 && n >= 9 && memcmp(bytes, "Received:", 9) == 0) {
		t->state = RECEIVED;
		keep(t, bytes, 9);
		return 9;
	}
	for (; i < n && t->state == NAME; i++) {
		if (bytes[i] == ':' || bytes[i] == '\n') {
			judge_name(t, bytes[i] == ':');
			if (bytes[i] == '\n') {
				t->line_start = true;
				t->first_line = false;
				return i + 1;
			}
			if (t->state == RECEIVED)
				keep(t, ":", 1);
		} else if (t->used == NAME_MAX_BYTES) {
			t->state = OTHER;
		} else {
			t->field[t->used++] = bytes[i];
		}
	}
	return i;
}

static bool is_fold(char c)
{
	return c == ' ' || c == '\t';
}

/* And the folded lines behind it, as far as they are at hand. */
static size_t take_rest_of_line(struct mxg_trace *t, const char *bytes, size_t n)
{
	const char *lf;
	size_t len = 0;
	do {
		lf = memchr(bytes + len, '\n', n - len);
		len = lf == NULL ? n : (size_t)(lf + 1 - bytes);
	} while (len < n && is_fold(bytes[len]) && t->state != ENVELOPE);
	if (t->state == RECEIVED)
		keep(t, bytes, len);
	if (lf != NULL) {
		t->line_start = true;
		t->first_line = false;
	}
	return len;
}

/* Only a line without a single byte ends a header: one of blanks belongs to
 * the field above it, as for those MTAs that let a client write one. */
static void begin_line(struct mxg_trace *t, char first)
{
	t->line_start = false;
	if (!is_fold(first)) {
		finish_field(t);
		t->state = NAME;
	} else if (t->state == NOTHING || t->state == ENVELOPE) {
		broken(t);
	}
}

static bool is_done(const struct mxg_trace *t)
{
	return t->closed || (t->outcome != MXG_TRACE_PENDING && !t->rules.all_hops) || t->hops > MXG_TRACE_HOPS_MAX;
}

enum mxg_trace_feed mxg_trace_feed(struct mxg_trace *t, const char *bytes, size_t n)
{
	size_t room = MXG_TRACE_BYTES_MAX - t->bytes;
	bool cut = n > room;
	if (cut)
		n = room;
	while (n > 0 && !is_done(t)) {
		if (t->line_start)
			begin_line(t, *bytes);
		if (is_done(t))
			break;
		size_t took = t->state == NAME ? take_name(t, bytes, n) : take_rest_of_line(t, bytes, n);
		bytes += took;
		n -= took;
		t->bytes += took;
	}
	if (cut && !is_done(t)) {
		mxg_trace_take_trouble(t, MXG_TRACE_TOO_LONG, MXG_TRACE_MANY_BYTES);
		t->closed = true;
	}
	return is_done(t) ? MXG_TRACE_DONE : MXG_TRACE_MORE;
}

void mxg_trace_end(struct mxg_trace *t)
{
	if (is_done(t))
		return;
	finish_field(t);
	if (!is_done(t))
		close_header(t);
}
