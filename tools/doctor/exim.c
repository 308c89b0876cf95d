/* SPDX-License-Identifier: MIT */
/* Whether Exim asks at its door. */
#include <stdlib.h>

#include "doctor.h"
#include "exim_config.h"
#include "program.h"

void mxg_doctor_exim(struct mxg_doctor *d)
{
	char *config = mxg_program_exim(d->exim, "config"), *acls[MXG_EXIM_ACLS];
	if (config == NULL)
		return;
	acls[0] = mxg_exim_setting(d->exim, "acl_smtp_rcpt");
	acls[1] = mxg_exim_setting(d->exim, "acl_smtp_data");
	enum mxg_exim_asks asks = mxg_exim_asks(config, acls);
	if (asks == MXG_EXIM_ASKS)
		mxg_finding_add(&d->findings, MXG_FINDING_OK, "exim-door", NULL, "Exim asks mxguard-policy(8)");
	else if (asks == MXG_EXIM_ASKS_NOT)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "exim-door",
				"mxguard-policy(8): refuse before anything is queued",
				"Exim does not ask mxguard-policy(8) in the ACL that acl_smtp_rcpt names");
	free(acls[0]);
	free(acls[1]);
	free(config);
}
