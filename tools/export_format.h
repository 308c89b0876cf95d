/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPORT_FORMAT_H
#define MXG_EXPORT_FORMAT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/address.h"
#include "base/text_list.h"

/* What is exported, whatever the format: merged ranges, and remarks, one printable line each. */
struct mxg_export {
	const struct mxg_prefix *prefixes;
	size_t count;
	const struct mxg_text_list *remarks;
	const struct mxg_text_list *domains; /* that it was made for */
	int64_t now;
	const char *config;
};

typedef void mxg_export_writer(const struct mxg_export *what, FILE *to);
/* NULL: there is no such format. */
mxg_export_writer *mxg_export_format(const char *name);
const char *const *mxg_export_format_names(void); /* ends with NULL */

#endif
