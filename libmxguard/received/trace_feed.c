/* SPDX-License-Identifier: MIT */
/* Takes the Received fields out of a header block, in whatever pieces it comes. */
#include "received/trace_walk.h"

static bool is_done(const struct mxg_trace *t)
{
	bool answered = t->outcome != MXG_TRACE_PENDING && !t->rules.all_hops && t->rules.on_field == NULL;
	return t->closed || answered || t->hops > MXG_TRACE_HOPS_MAX;
}

static void take(struct mxg_trace *t, enum mxg_header_event event)
{
	switch (event) {
	case MXG_HEADER_LINE:
		if (t->cutter.kind == MXG_HEADER_KIND_BROKEN) {
			t->rules.on_field = NULL; /* where the header ends, nobody can tell */
			mxg_trace_take_trouble(t, MXG_TRACE_UNREADABLE, MXG_TRACE_BROKEN_HEADER);
		}
		t->cutter.wanted = mxg_header_is(&t->cutter, "received", 8);
		break;
	case MXG_HEADER_FIELD:
		mxg_trace_take_field(t, t->cutter.bytes, t->cutter.len, t->cutter.too_long);
		break;
	case MXG_HEADER_END:
		t->closed = true;
		mxg_trace_take_end(t);
		break;
	case MXG_HEADER_MORE:
	case MXG_HEADER_TOO_LONG: /* told again when the field is over */
		break;
	}
}

enum mxg_trace_feed mxg_trace_feed(struct mxg_trace *t, const char *bytes, size_t n)
{
	size_t room = (size_t)(MXG_TRACE_BYTES_MAX - t->cutter.offset);
	bool cut = n > room;
	enum mxg_header_event event = MXG_HEADER_LINE;
	if (cut)
		n = room;
	while (event != MXG_HEADER_MORE && !is_done(t)) {
		event = mxg_header_next(&t->cutter, &bytes, &n);
		take(t, event);
	}
	if (cut && !is_done(t)) {
		mxg_trace_take_trouble(t, MXG_TRACE_TOO_LONG, MXG_TRACE_MANY_BYTES);
		t->closed = true;
	}
	return is_done(t) ? MXG_TRACE_DONE : MXG_TRACE_MORE;
}

/* A line that breaks off before its colon is not known to be a broken one. */
void mxg_trace_end(struct mxg_trace *t)
{
	while (!is_done(t)) {
		enum mxg_header_event event = mxg_header_finish(&t->cutter);
		if (event != MXG_HEADER_LINE)
			take(t, event);
	}
}
