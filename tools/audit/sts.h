/* SPDX-License-Identifier: MIT */
#ifndef MXG_STS_H
#define MXG_STS_H

#include "audit/audit.h"

/* MTA-STS policies (RFC 8461), fetched where the domain says that there is one. */
struct mxg_policies *mxg_policies_new(struct mxg_audit *audit); /* NULL: out of memory */
void mxg_policies_free(struct mxg_policies *policies); /* NULL is allowed */
void mxg_policies_want(struct mxg_policies *policies, struct mxg_audit_job *job); /* the job waits for it */
/* Goes on with what is under way, and waits for it so long. True: something is. */
bool mxg_policies_step(struct mxg_policies *policies, int wait_ms);

/* sts_text.c: what a policy says of the domain's MX hosts. False: it is none. */
bool mxg_sts_take(struct mxg_audit_job *job, const char *text, size_t len);
/* Whether a pattern of the policy (§4.1) covers the name. */
bool mxg_sts_covers(const struct mxg_audit_job *job, const struct mxg_name *name);

#endif
