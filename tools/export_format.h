/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPORT_FORMAT_H
#define MXG_EXPORT_FORMAT_H

#include <stdbool.h>
#include <stdio.h>

#include "export_sets.h"

struct mxg_export_zone;

/* What is exported, whatever the format: merged ranges, and remarks, one printable line each. */
struct mxg_export {
	const struct mxg_export_set *sets; /* more than one only where the format keeps domains apart */
	size_t set_count;
	const struct mxg_text_list *remarks;
	bool wide; /* something covers very many hosts: the remarks say what */
	int64_t now;
	const char *config;
	struct mxg_export_zone *zone; /* NULL: the format is none */
};

struct mxg_export_format {
	bool (*write)(const struct mxg_export *what, FILE *to); /* false: errno says why */
	bool by_domain;
	bool is_zone; /* it says of itself which version it is */
};
const struct mxg_export_format *mxg_export_format(const char *name); /* NULL: there is none */
const char *const *mxg_export_format_names(void); /* ends with NULL */

/* Lines that begin with the mark: when and from what, which alone changes from run to run; what for; the remarks. */
void mxg_export_comments(const struct mxg_export *what, FILE *to, char mark, const char *use);

#endif
