/* SPDX-License-Identifier: MIT */
#include "header.h"

#include "istream-concat.h"

static void add_range(ARRAY_TYPE(istream_list) *parts, struct istream *input, uoff_t from, uoff_t size)
{
	struct istream *part;

	if (size == 0)
		return;
	part = i_stream_create_range(input, from, size);
	array_push_back(parts, &part);
}

/* Slices of the message itself between what is cut, so that nothing else can change. */
struct istream *header_rewrite(struct istream *input, const char *field, const struct header_scan *scan)
{
	ARRAY_TYPE(istream_list) parts;
	const struct header_cut *cut;
	struct istream *part, *result;
	uoff_t at = input->v_offset;

	if (*field == '\0' && array_count(&scan->cuts) == 0) {
		i_stream_ref(input);
		return input;
	}
	t_array_init(&parts, array_count(&scan->cuts) + 3);
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
	i_stream_set_name(result, "(mxguard)");
	array_pop_back(&parts);
	array_foreach_elem(&parts, part)
		i_stream_unref(&part);
	return result;
}
