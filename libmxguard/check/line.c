/* SPDX-License-Identifier: MIT */
#include "check/line.h"

#include <string.h>

#include "base/neuter.h"

void mxg_line_put_bytes(struct mxg_line *line, const char *text, size_t len)
{
	size_t room = line->size - line->used - 1;
	if (len > room)
		len = room;
	memcpy(line->text + line->used, text, len);
	line->used += len;
	line->text[line->used] = '\0';
}

void mxg_line_put(struct mxg_line *line, const char *text)
{
	mxg_line_put_bytes(line, text, strlen(text));
}

void mxg_line_put_neutered(struct mxg_line *line, const char *text, size_t len, const char *also, size_t most)
{
	char buf[MXG_LINE_VALUE_MAX];
	if (line->size - line->used >= most)
		line->used += mxg_neuter(line->text + line->used, most, text, len, also);
	else
		mxg_line_put_bytes(line, buf, mxg_neuter(buf, most, text, len, also));
}

/* What is neutered is printable ASCII: RFC 8259 section 7 wants two of its characters escaped. */
void mxg_line_put_json(struct mxg_line *line, const char *text, size_t len, const char *also, size_t most)
{
	char buf[MXG_LINE_VALUE_MAX], out[MXG_LINE_VALUE_MAX + 8];
	size_t n = mxg_neuter(buf, most, text, len, also), used = 0;
	for (size_t i = 0; i < n && used + 6 < most; i++) {
		if (buf[i] == '\\' || buf[i] == '"')
			out[used++] = '\\';
		out[used++] = buf[i];
		for (int digits = buf[i] == '\\' && i + 3 < n ? 3 : 0; digits > 0; digits--)
			out[used++] = buf[++i];
	}
	mxg_line_put_bytes(line, "\"", 1);
	mxg_line_put_bytes(line, out, used);
	mxg_line_put_bytes(line, "\"", 1);
}
