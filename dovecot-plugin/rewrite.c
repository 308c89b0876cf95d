/* SPDX-License-Identifier: MIT */
#include "header.h"

#include "buffer.h"
#include "istream-concat.h"

#define COPIED_MOST 32768 /* a message that is copied; a larger one is read through slices */
#define COPIED_USUAL 4096

static void add_range(ARRAY_TYPE(istream_list) * parts, struct istream *input, uoff_t from, uoff_t size)
{
	struct istream *part;

	if (size == 0)
		return;
	part = i_stream_create_range(input, from, size);
	array_push_back(parts, &part);
}

/* Slices of the message itself between what is cut, so that nothing else can change. */
static struct istream *slice(struct istream *input, const char *field, const struct header_scan *scan)
{
	ARRAY_TYPE(istream_list) parts;
	const struct header_cut *cut;
	struct istream *part, *result;
	uoff_t at = input->v_offset;

	t_array_init(&parts, array_count(&scan->cuts) + 4);
	add_range(&parts, input, at, scan->top - at);
	at = scan->top;
	if (*field != '\0') {
		part = i_stream_create_copy_from_data(field, strlen(field));
		array_push_back(&parts, &part);
	}
	array_foreach(&scan->cuts, cut) {
		add_range(&parts, input, at, cut->from - at);
		at = cut->to;
	}
	add_range(&parts, input, at, UOFF_T_MAX);
	array_append_zero(&parts);
	result = i_stream_create_concat(array_front_modifiable(&parts));
	array_pop_back(&parts);
	array_foreach_elem(&parts, part)
		i_stream_unref(&part);
	return result;
}

/* What stays of DATA, which stands at offset AT of the message. */
static void add_kept(buffer_t *copy, const unsigned char *data, size_t size, uoff_t at, const struct header_scan *scan)
{
	const struct header_cut *cut;
	uoff_t end = at + size, from = at;

	array_foreach(&scan->cuts, cut) {
		if (cut->to <= from || cut->from >= end)
			continue;
		if (cut->from > from)
			buffer_append(copy, data + (from - at), (size_t)(cut->from - from));
		from = I_MIN(cut->to, end);
	}
	buffer_append(copy, data + (from - at), (size_t)(end - from));
}

/* Dovecot reads a message several times, and every layer of streams costs each time: a small
 * one is put together once. NULL where it is not small or cannot be read; then INPUT stands
 * where it stood. */
static struct istream *copy_small(struct istream *input, const char *field, const struct header_scan *scan)
{
	buffer_t *copy = buffer_create_dynamic(default_pool, COPIED_USUAL);
	uoff_t start = input->v_offset;
	struct istream *result = NULL;
	const unsigned char *data;
	size_t size;

	while (input->v_offset - start <= COPIED_MOST && i_stream_read_more(input, &data, &size) > 0) {
		add_kept(copy, data, size, input->v_offset, scan);
		i_stream_skip(input, size);
	}
	if (*field != '\0' && scan->top - start <= copy->used)
		buffer_insert(copy, (size_t)(scan->top - start), field, strlen(field));
	if (input->stream_errno == 0 && input->v_offset - start <= COPIED_MOST)
		result = i_stream_create_copy_from_data(copy->data, copy->used);
	else
		i_stream_seek(input, start);
	buffer_free(&copy);
	return result;
}

struct istream *header_rewrite(struct istream *input, const char *field, const struct header_scan *scan)
{
	struct istream *result;

	if (*field == '\0' && array_count(&scan->cuts) == 0) {
		i_stream_ref(input);
		return input;
	}
	result = copy_small(input, field, scan);
	if (result == NULL)
		result = slice(input, field, scan);
	i_stream_set_name(result, "(mxguard)");
	return result;
}
