/* SPDX-License-Identifier: MIT */
/* What Exim is set to. */
#include <stdlib.h>

#include "doctor/mta_domains.h"
#include "doctor/program.h"
#include "setup.h"

static void take_domain(void *to, const char *name)
{
	mxg_setup_add_domain(to, name, "Exim's local_domains");
}

void mxg_setup_exim(struct mxg_setup *s)
{
	const struct mxg_domain_sink sink = { take_domain, NULL, s };
	char *output = mxg_program_exim(s->options->exim, "primary_hostname");
	char *name = output == NULL ? NULL : mxg_program_setting(output, "primary_hostname");
	if (name != NULL) {
		s->has_exim = true;
		mxg_setup_add_name(s, name, "Exim's primary_hostname");
		mxg_exim_domains(s->options->exim, &sink);
	}
	free(name);
	free(output);
}
