/* SPDX-License-Identifier: MIT */
/* The header block as raw bytes: what is not removed must stay as it came, to the byte. */
#include "header.h"

#include "buffer.h"

#define FIELD_MAX (1024 * 1024) /* of one field that is kept in memory to be judged */
#define MESSAGE_ID_MAX 998 /* RFC 5322 §2.1.1 */

struct scanner {
	const struct mxguard_policy *policy;
	struct mxguard_check *check; /* NULL: it wants no more */
	pool_t pool;
	struct header_scan *out;
	buffer_t *field; /* the field up to here, cut at FIELD_MAX */
	uoff_t field_start, offset;
	bool line_start, done;
	bool held_cr; /* a CR at the start of a line, not counted yet */
};

static bool has_name(const buffer_t *field, const char *name)
{
	size_t len = strlen(name);
	const char *data = field->data;

	return field->used > len && strncasecmp(data, name, len) == 0 &&
	       (data[len] == ':' || data[len] == ' ' || data[len] == '\t');
}

static void note_message_id(struct scanner *s)
{
	const char *data = s->field->data, *colon;
	size_t len;

	if (s->out->message_id != NULL || !has_name(s->field, "Message-ID"))
		return;
	colon = memchr(data, ':', s->field->used);
	if (colon == NULL)
		return;
	colon++;
	len = s->field->used - (size_t)(colon - data);
	while (len > 0 && (*colon == ' ' || *colon == '\t' || *colon == '\r' || *colon == '\n')) {
		colon++;
		len--;
	}
	while (len > 0 && (colon[len - 1] == '\n' || colon[len - 1] == '\r' || colon[len - 1] == ' '))
		len--;
	/* the log line puts its own brackets around it */
	if (len >= 2 && colon[0] == '<' && colon[len - 1] == '>') {
		colon++;
		len -= 2;
	}
	s->out->message_id = p_strndup(s->pool, colon, I_MIN(len, MESSAGE_ID_MAX));
}

/* A field that is too long to be judged is hostile if it is of the kind that is removed. */
static bool must_go(const struct scanner *s)
{
	if (s->field->used >= FIELD_MAX && has_name(s->field, "Authentication-Results"))
		return TRUE;
	return mxguard_policy_removes_field(s->policy, s->field->data, s->field->used) == 1;
}

static void end_field(struct scanner *s)
{
	if (s->field->used > 0 && must_go(s)) {
		struct header_cut cut = { .from = s->field_start, .to = s->offset };

		array_push_back(&s->out->cuts, &cut);
	}
	if (s->field->used > 0)
		note_message_id(s);
	buffer_set_used_size(s->field, 0);
	s->field_start = s->offset;
}

static void add_bytes(struct scanner *s, const unsigned char *data, size_t size)
{
	size_t room = s->field->used < FIELD_MAX ? FIELD_MAX - s->field->used : 0;

	buffer_append(s->field, data, I_MIN(size, room));
	s->offset += size;
	s->line_start = data[size - 1] == '\n';
}

/* A line that begins with a CR: with LF behind it the header is over. */
static size_t after_cr(struct scanner *s, unsigned char next)
{
	s->held_cr = FALSE;
	end_field(s);
	if (next == '\n') {
		s->done = TRUE;
		return 1;
	}
	add_bytes(s, (const unsigned char *)"\r", 1);
	return 0;
}

/* One line, or the piece of one that is there; returns how much was taken. */
static size_t take_line(struct scanner *s, const unsigned char *data, size_t size)
{
	const unsigned char *end;
	size_t len;

	if (s->held_cr)
		return after_cr(s, data[0]);
	if (s->line_start && data[0] == '\r') {
		s->held_cr = TRUE;
		return 1;
	}
	if (s->line_start && data[0] != ' ' && data[0] != '\t')
		end_field(s);
	if (s->line_start && data[0] == '\n') {
		s->done = TRUE;
		return 1;
	}
	end = memchr(data, '\n', size);
	len = end == NULL ? size : (size_t)(end - data) + 1;
	add_bytes(s, data, len);
	return len;
}

static void feed_check(struct scanner *s, const unsigned char *data, size_t size)
{
	if (s->check != NULL && mxguard_check_header(s->check, data, size) != 1)
		s->check = NULL;
}

static void scan_stream(struct scanner *s, struct istream *input)
{
	const unsigned char *data;
	size_t size;

	while (!s->done && i_stream_read_more(input, &data, &size) > 0) {
		size_t used = 0;

		while (!s->done && used < size)
			used += take_line(s, data + used, size - used);
		feed_check(s, data, used);
		i_stream_skip(input, used);
	}
	if (!s->done)
		end_field(s);
}

int header_scan(struct istream *input, const struct mxguard_policy *policy, struct mxguard_check *check, pool_t pool,
		struct header_scan *scan_r)
{
	struct scanner s = { .policy = policy, .check = check, .pool = pool, .out = scan_r, .line_start = TRUE };
	uoff_t start = input->v_offset;
	int ret;

	i_zero(scan_r);
	p_array_init(&scan_r->cuts, pool, 4);
	s.offset = s.field_start = start;
	s.field = buffer_create_dynamic(default_pool, 4096);
	scan_stream(&s, input);
	buffer_free(&s.field);
	ret = input->stream_errno == 0 ? 0 : -1;
	i_stream_seek(input, start);
	return ret;
}
