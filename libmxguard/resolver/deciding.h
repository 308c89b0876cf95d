/* SPDX-License-Identifier: MIT */
#ifndef MXG_DECIDING_H
#define MXG_DECIDING_H

#include "mxguard.h"

/* What a session can do for the command beside mxguard.h. */

/* A session for another thread under what is in force in this one: policy and snapshot are shared, and the file
 * is not read again. _NONE or _NOMEM. */
int mxg_session_beside(struct mxguard_session **session, const struct mxguard_session *other);

/* What mxguard_session_decide() is given, and what stands in its way to DNS. */
struct mxg_deciding {
	mxguard_read_header read_header; /* may be NULL */
	/* What the caller knows already need not be asked for. MXGUARD_ERROR_NONE: ask, or a negative number that
	 * ends the decision. NULL: there is nothing that could be known. */
	int (*before_dns)(void *context, struct mxguard_check *check);
	void *context;
	int timeout_ms;
};
int mxg_session_decide(struct mxguard_session *session, struct mxguard_check *check,
		       const struct mxg_deciding *deciding);

#endif
