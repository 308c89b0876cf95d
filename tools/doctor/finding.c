/* SPDX-License-Identifier: MIT */
/* The list of what was found. */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

void mxg_finding_add(struct mxg_findings *f, enum mxg_finding_level level, const char *check, const char *advice,
		     const char *format, ...)
{
	struct mxg_finding item = { .level = level, .check = check };
	va_list args;
	va_start(args, format);
	int n = vasprintf(&item.text, format, args);
	va_end(args);
	item.advice = strdup(advice == NULL ? "" : advice);
	if (n < 0 || item.advice == NULL || !mxg_grow(&f->items, &f->room, f->count, sizeof(*f->items))) {
		free(n < 0 ? NULL : item.text);
		free(item.advice);
		f->lost = true;
		return;
	}
	f->items[f->count++] = item;
}

enum mxg_finding_level mxg_findings_worst(const struct mxg_findings *f)
{
	enum mxg_finding_level worst = MXG_FINDING_OK;
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].level > worst)
			worst = f->items[i].level;
	return f->lost ? MXG_FINDING_ERROR : worst;
}

const char *mxg_finding_level_name(enum mxg_finding_level level)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };
	return names[level];
}

void mxg_findings_clear(struct mxg_findings *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].text);
		free(f->items[i].advice);
	}
	free(f->items);
	*f = (struct mxg_findings){ 0 };
}
