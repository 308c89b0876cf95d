/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRACE_HOPS_H
#define MXG_TRACE_HOPS_H

#include <jansson.h>
#include <stdbool.h>

#include "received/trace.h"
#include "table.h"

/* The hops of one message: an array for --json, or a table. */
struct mxg_trace_hops {
	json_t *json;
	struct mxg_table *table;
	unsigned ended; /* the hop behind which belief ends; 0: not yet */
};

bool mxg_trace_hops_init(struct mxg_trace_hops *hops, bool json); /* false: no memory */
void mxg_trace_hops_add(struct mxg_trace_hops *hops, const struct mxg_trace_hop *hop);
void mxg_trace_hops_clear(struct mxg_trace_hops *hops);

/* What is not known is null. */
json_t *mxg_trace_text(const char *text, size_t len);
json_t *mxg_trace_address(const struct mxg_address *address);

#endif
