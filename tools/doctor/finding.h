/* SPDX-License-Identifier: MIT */
#ifndef MXG_FINDING_H
#define MXG_FINDING_H

#include <stdbool.h>
#include <stddef.h>

/* What the doctor found: where, what, and what to do about it. */
enum mxg_finding_level { MXG_FINDING_OK = 0, MXG_FINDING_NOTE, MXG_FINDING_WARNING, MXG_FINDING_ERROR };

struct mxg_finding {
	enum mxg_finding_level level;
	const char *check; /* stable word, for scripts */
	char *text, *advice;
};

struct mxg_findings {
	struct mxg_finding *items;
	size_t count, room;
	bool lost; /* memory ran out */
};

/* advice may be NULL; text is a format. */
void mxg_finding_add(struct mxg_findings *findings, enum mxg_finding_level level, const char *check, const char *advice,
		     const char *format, ...) __attribute__((format(printf, 5, 6)));
enum mxg_finding_level mxg_findings_worst(const struct mxg_findings *findings);
const char *mxg_finding_level_name(enum mxg_finding_level level);
void mxg_findings_clear(struct mxg_findings *findings);

#endif
