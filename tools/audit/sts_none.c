/* SPDX-License-Identifier: MIT */
/* Built without libcurl: that there is a policy is told, and that it was not read. */
#include <stdlib.h>

#include "audit/sts.h"

struct mxg_policies {
	char nothing;
};

struct mxg_policies *mxg_policies_new(struct mxg_audit *audit)
{
	(void)audit;
	return calloc(1, sizeof(struct mxg_policies));
}

void mxg_policies_free(struct mxg_policies *policies)
{
	free(policies);
}

void mxg_policies_want(struct mxg_policies *policies, struct mxg_audit_job *job)
{
	(void)policies;
	mxg_audit_failed_text(job->audit, "the MTA-STS policy of %s: this mxguard was built without libcurl",
			      job->domain);
}

bool mxg_policies_step(struct mxg_policies *policies, int wait_ms)
{
	(void)policies;
	(void)wait_ms;
	return false;
}
