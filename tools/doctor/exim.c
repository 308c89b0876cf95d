/* SPDX-License-Identifier: MIT */
/* Whether Exim asks at its door. */
#include "doctor.h"
#include "exim_config.h"

void mxg_doctor_exim(struct mxg_doctor *d)
{
	enum mxg_exim_asks asks = mxg_exim_of_file(d->exim);
	if (asks == MXG_EXIM_ASKS)
		mxg_finding_add(&d->findings, MXG_FINDING_OK, "exim-door", NULL, "Exim asks mxguard-policy(8)");
	else if (asks == MXG_EXIM_ASKS_NOT)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "exim-door",
				"mxguard-policy(8): refuse before anything is queued",
				"Exim does not ask mxguard-policy(8) in the ACL that acl_smtp_rcpt names");
}
