/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPORT_SETS_H
#define MXG_EXPORT_SETS_H

#include <stdbool.h>

#include "base/address.h"
#include "base/text_list.h"

/* The sets of addresses of an export, each once, with the domains that it is for. */
struct mxg_prefixes {
	struct mxg_prefix *items;
	size_t count, room;
};

struct mxg_export_set {
	struct mxg_prefixes prefixes; /* merged */
	struct mxg_text_list domains; /* none: it is for whatever domain */
};

struct mxg_export_sets {
	struct mxg_export_set *items;
	size_t count, room;
	bool nomem;
};

bool mxg_prefixes_add(struct mxg_prefixes *to, const struct mxg_prefix *items, size_t count); /* false: no memory */

/* Takes the prefixes over. domain NULL: none. */
void mxg_export_sets_add(struct mxg_export_sets *sets, struct mxg_prefixes *prefixes, const char *domain);
void mxg_export_sets_merge(struct mxg_export_sets *sets); /* into one */
void mxg_export_sets_drop(struct mxg_export_sets *sets, size_t number);
void mxg_export_sets_clear(struct mxg_export_sets *sets);

#endif
