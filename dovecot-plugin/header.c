/* SPDX-License-Identifier: MIT */
/* The header block as raw bytes: what is not removed must stay as it came, to the byte. */
#include "header.h"

struct scanner {
	struct mxguard_filter *filter;
	struct mxguard_check *check; /* NULL: it wants no more */
	struct header_scan *out;
	uoff_t start; /* of the message in the stream */
};

/* A long field comes as several cuts that touch. */
static void add_cut(struct scanner *s)
{
	uint64_t from, to;
	struct header_cut *last;

	mxguard_filter_cut(s->filter, &from, &to);
	last = array_count(&s->out->cuts) == 0 ? NULL : array_back_modifiable(&s->out->cuts);
	if (last == NULL || last->to != s->start + from) {
		last = array_append_space(&s->out->cuts);
		last->from = s->start + from;
	}
	last->to = s->start + to;
}

static void feed_check(struct scanner *s, const unsigned char *data, size_t size)
{
	if (s->check != NULL && mxguard_check_header(s->check, data, size) != 1)
		s->check = NULL;
}

static void scan_stream(struct scanner *s, struct istream *input)
{
	int result = MXGUARD_FILTER_RESULT_MORE;
	const unsigned char *data;
	size_t size, used;

	while (result != MXGUARD_FILTER_RESULT_BODY && i_stream_read_more(input, &data, &size) > 0) {
		result = mxguard_filter_feed(s->filter, data, size, &used);
		if (result == MXGUARD_FILTER_RESULT_CUT)
			add_cut(s);
		feed_check(s, data, used);
		i_stream_skip(input, used);
	}
	while (mxguard_filter_end(s->filter) == MXGUARD_FILTER_RESULT_CUT)
		add_cut(s);
}

static void take_results(struct scanner *s, pool_t pool)
{
	const char *message_id = mxguard_filter_message_id(s->filter);
	uint64_t top;

	(void)mxguard_filter_top(s->filter, &top); /* known, behind the end */
	s->out->top = s->start + top;
	s->out->message_id = message_id == NULL ? NULL : p_strdup(pool, message_id);
}

int header_scan(struct istream *input, struct mxguard_policy *policy, struct mxguard_check *check, pool_t pool,
		struct header_scan *scan_r)
{
	struct scanner s = { .check = check, .out = scan_r, .start = input->v_offset };
	int ret;

	i_zero(scan_r);
	p_array_init(&scan_r->cuts, pool, 4);
	if (mxguard_filter_new(&s.filter, policy, 0) != MXGUARD_ERROR_NONE)
		return -1;
	scan_stream(&s, input);
	take_results(&s, pool);
	mxguard_filter_free(s.filter);
	ret = input->stream_errno == 0 ? 0 : -1;
	i_stream_seek(input, s.start);
	return ret;
}
