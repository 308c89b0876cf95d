/* SPDX-License-Identifier: MIT */
/* The first look at a field, one pass: are its bytes fit to be believed, and
 * with which words do its physical lines begin? */
#include "received/clauses.h"

/* Length of the valid UTF-8 sequence at s (RFC 3629), 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* How many bytes at s are printable ASCII before the first that is not. */
static size_t plain_bytes(const char *s, size_t left)
{
	size_t i = 0;
	for (; left - i >= 16; i += 16) {
		mxg_block b = mxg_block_load(s + i);
		size_t n = mxg_block_first((mxg_block)(((mxg_signed_block)b < 0x20) | (b == 0x7f))); /* 8-bit is < 0 */
		if (n < 16)
			return i + n;
	}
	while (i < left && s[i] >= 0x20 && s[i] < 0x7f)
		i++;
	return i;
}

/* Returns where the line's words begin. */
static const char *look_at_line(struct mxg_lines *lines, const char *at, const char *end)
{
	lines->count++;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	size_t left = (size_t)(end - at);
	if (left >= 2 && at[0] == 'b' && at[1] == 'y' && (left == 2 || mxg_byte_is(at[2], MXG_BYTE_BLANK))) {
		if (lines->by++ == 0)
			lines->first_by = at;
	} else if (left > 4 && at[0] == 'f' && memcmp(at, "from", 4) == 0 && mxg_byte_is(at[4], MXG_BYTE_BLANK)) {
		lines->from++;
	}
	return at;
}

/* A line's end and the first words of the next, which must be folded; NULL where it is not fit. */
static const char *take_line_end(struct mxg_lines *lines, unsigned *crs, const char *at, const char *end)
{
	if (*at == '\r') {
		++*crs;
		if (++at == end || *at != '\n')
			return NULL;
	}
	if (*crs != 0 && *crs != lines->count) /* of one kind */
		return NULL;
	if (++at == end)
		return at;
	return *at == ' ' || *at == '\t' ? look_at_line(lines, at, end) : NULL;
}

/* SP, HTAB and line ends of one kind are the only control bytes that a field
 * may hold; every line end but the last must begin a folded line. */
bool mxg_lines_survey(struct mxg_lines *lines, const char *field, size_t len)
{
	const char *at = field, *end = field + len;
	unsigned crs = 0;
	*lines = (struct mxg_lines){ .count = 1 };
	while (at < end) {
		at += plain_bytes(at, (size_t)(end - at));
		if (at == end)
			break;
		if (*at == '\r' || *at == '\n') {
			at = take_line_end(lines, &crs, at, end);
			if (at == NULL)
				return false;
		} else if (*at == '\t') {
			at++;
		} else {
			size_t n = utf8_length((const unsigned char *)at, (size_t)(end - at));
			if (n == 0) /* so it is with every other control byte */
				return false;
			at += n;
		}
	}
	return true;
}
