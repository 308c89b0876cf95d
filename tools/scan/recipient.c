/* SPDX-License-Identifier: MIT */
#include "scan/recipient.h"

#include <stdbool.h>
#include <string.h>

#include "base/ascii.h"
#include "base/header_cutter.h"

/* The fields that name the recipient, the surest first. */
static const struct {
	const char *name;
	size_t len;
} recipient_fields[] = { { "x-original-to", 13 }, { "delivered-to", 12 }, { "envelope-to", 11 } };
#define RECIPIENT_FIELDS (sizeof(recipient_fields) / sizeof(recipient_fields[0]))

/* Whether the field is one of the first `below` of these; its number. */
static size_t recipient_field(const struct mxg_header_cutter *c, size_t below)
{
	size_t i = 0;
	while (i < below && !mxg_header_is(c, recipient_fields[i].name, recipient_fields[i].len))
		i++;
	return i;
}

/* A field's value, where it is one word with an @; else "". */
static void copy_address(char out[MXG_SCAN_RECIPIENT_MAX], const char *value, const char *last)
{
	while (value < last && mxg_ascii_is_blank(*value))
		value++;
	while (last > value && mxg_ascii_is_blank(last[-1]))
		last--;
	size_t n = (size_t)(last - value);
	if (n >= MXG_SCAN_RECIPIENT_MAX || memchr(value, ' ', n) != NULL || memchr(value, '@', n) == NULL)
		n = 0;
	memcpy(out, value, n);
	out[n] = '\0';
}

struct recipients {
	char values[RECIPIENT_FIELDS][MXG_SCAN_RECIPIENT_MAX]; /* of those that are seen */
	bool seen[RECIPIENT_FIELDS];
	size_t below; /* the surest that has a value; those before it are still looked for */
	bool over;
};

static void take(struct recipients *found, struct mxg_header_cutter *c, enum mxg_header_event event)
{
	bool at_field = event == MXG_HEADER_LINE || event == MXG_HEADER_FIELD;
	size_t i = at_field ? recipient_field(c, found->below) : RECIPIENT_FIELDS;
	if (event == MXG_HEADER_LINE) {
		c->wanted = i < found->below && !found->seen[i];
		found->over = found->below < RECIPIENT_FIELDS && mxg_header_is(c, "received", 8);
	} else if (event == MXG_HEADER_FIELD) {
		found->seen[i] = true;
		const char *colon = memchr(c->bytes, ':', c->len), *end = c->bytes + c->len;
		copy_address(found->values[i], colon == NULL || c->too_long ? end : colon + 1, end);
		found->below = found->values[i][0] != '\0' ? i : found->below;
	}
	found->over = found->over || event == MXG_HEADER_END || found->below == 0;
}

/* The first field of each name counts. Those above the trace are the delivery's own; what stands
 * below it anybody may have written, and it is asked only where there is none above. */
const char *mxg_scan_recipient(const char *header, size_t len, char buf[MXG_SCAN_RECIPIENT_MAX])
{
	struct recipients found = { .below = RECIPIENT_FIELDS };
	struct mxg_header_cutter cutter;
	char room[1024];
	enum mxg_header_event event = MXG_HEADER_LINE;
	mxg_header_init(&cutter, room, sizeof(room));
	while (!found.over && event != MXG_HEADER_MORE) {
		event = mxg_header_next(&cutter, &header, &len);
		take(&found, &cutter, event);
	}
	while (!found.over)
		take(&found, &cutter, mxg_header_finish(&cutter));
	if (found.below < RECIPIENT_FIELDS)
		return strcpy(buf, found.values[found.below]);
	return NULL;
}
