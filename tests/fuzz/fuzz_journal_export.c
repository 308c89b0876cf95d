/* SPDX-License-Identifier: MIT */
/* An export of the journal. What holds for every input: what comes out is lines of printable bytes, each of them empty
 * or an object of JSON that the reader of lines can take, and no more of them than there are lines in the input, for an
 * entry ends with one. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/decision.h"
#include "report/journal_export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_of(const uint8_t *data, size_t size, uint8_t byte)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++)
		n += data[i] == byte;
	return n;
}

static bool is_text(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return false;
	return true;
}

static bool is_utf8(const char *line, size_t len)
{
	json_t *text = json_stringn(line, len);
	json_decref(text);
	return text != NULL;
}

static void check_line(const char *line, size_t len)
{
	struct mxg_line_clock clock = { .latest = 1795927627 };
	struct mxg_decision d;
	char *scratch = malloc(len + 1);
	json_t *o = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	if (!is_text(line, len) || scratch == NULL)
		abort();
	if (len > 0 && is_utf8(line, len) && !json_is_string(json_object_get(o, "MESSAGE")))
		abort();
	mxg_line_read(&d, line, len, &clock, scratch, len);
	json_decref(o);
	free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = NULL;
	size_t len = 0, lines = 0;
	FILE *to = open_memstream(&text, &len), *from = size == 0 ? NULL : fmemopen((void *)(uintptr_t)data, size, "r");
	if (from != NULL && to != NULL)
		mxg_journal_export_lines(from, to);
	if (from != NULL)
		fclose(from);
	if (to != NULL)
		fclose(to);
	for (size_t at = 0; at < len; lines++) {
		const char *stop = memchr(text + at, '\n', len - at);
		if (stop == NULL)
			abort();
		check_line(text + at, (size_t)(stop - text) - at);
		at = (size_t)(stop - text) + 1;
	}
	if (lines > count_of(data, size, '\n') + 1)
		abort();
	free(text);
	return 0;
}
