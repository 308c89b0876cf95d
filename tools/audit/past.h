/* SPDX-License-Identifier: MIT */
#ifndef MXG_PAST_H
#define MXG_PAST_H

#include "audit/audit.h"

/* What the history knows of the domains' MX hosts. */
struct mxg_past;

/* NULL, after a message: out of memory, or the history cannot be read; then *failed is set. Where there is
 * no history yet, it says so and knows nothing. */
struct mxg_past *mxg_past_read(struct mxg_audit *audit);
void mxg_past_free(struct mxg_past *past); /* NULL is allowed */
/* Adds the domain's MX hosts of all times, with theirs. */
void mxg_past_names(const struct mxg_past *past, struct mxg_audit_job *job);
/* Where an MX host of before led when it was one: hosts that have not heard of the change still go there. */
void mxg_past_addresses(const struct mxg_past *past, struct mxg_audit_name *name);

#endif
