/* SPDX-License-Identifier: MIT */
/* A line of a log, after another one. What holds for every input: what is read of a line lies inside it, a
 * decision has a verdict, an action and a reason, and it was mxguard's own words that were read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mxguard.h"
#include "report/decision.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slice(struct mxg_slice s, const char *line, size_t len, const char *scratch, size_t room)
{
	if (s.len == 0)
		return;
	bool inside = s.at >= line && s.at + s.len <= line + len;
	bool aside = s.at >= scratch && s.at + s.len <= scratch + room;
	if (!inside && !aside)
		abort();
}

static void check_decision(const struct mxg_decision *d, const char *line, size_t len, const char *scratch, size_t room)
{
	const struct mxg_slice all[] = { d->reason, d->boundary, d->from, d->rcpt, d->id, d->msgid, d->origin };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_slice(all[i], line, len, scratch, room);
	if (d->verdict > MXGUARD_VERDICT_UNKNOWN || d->action > MXGUARD_ACTION_REJECT || d->reason.len == 0 ||
	    d->repeat == 0 || d->domain.len == 0)
		abort();
	if (memmem(line, len, "mxguard", 7) == NULL && memmem(line, len, "verdict", 7) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mxg_line_clock clock = { .latest = 1795927627 };
	struct mxg_decision d;
	char scratch[4096], *text = malloc(size + 1); /* of just that size, so that reading on is seen */
	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	for (size_t at = 0, turn = 0; at <= size && turn < 64; turn++) {
		const char *stop = memchr(text + at, '\n', size - at);
		size_t len = stop == NULL ? size - at : (size_t)(stop - text) - at;
		char *line = malloc(len == 0 ? 1 : len);
		if (line == NULL)
			break;
		memcpy(line, text + at, len);
		if (mxg_line_read(&d, line, len, &clock, scratch, sizeof(scratch)) == MXG_LINE_DECISION)
			check_decision(&d, line, len, scratch, sizeof(scratch));
		free(line);
		at += len + 1;
	}
	free(text);
	return 0;
}
