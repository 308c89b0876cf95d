/* SPDX-License-Identifier: MIT */
/* What Exim is set to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/mta_domains.h"
#include "doctor/exim_config.h"
#include "setup.h"

static void take_domain(void *to, const char *name)
{
	mxg_setup_add_domain(to, name, "Exim's local_domains");
}

/* Debian's configuration is put together from parts, unless there is a whole one. */
static enum mxg_exim_place place(void)
{
	enum mxg_exim_place place = MXG_EXIM_PLACE_DEBIAN;
	char line[200];
	FILE *file =
		access("/etc/exim4/exim4.conf", F_OK) == 0 ? NULL : fopen("/etc/exim4/update-exim4.conf.conf", "re");
	if (file == NULL)
		return MXG_EXIM_PLACE_ACL;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "dc_use_split_config=", 20) == 0 && strstr(line, "true") != NULL)
			place = MXG_EXIM_PLACE_DEBIAN_SPLIT;
	fclose(file);
	return place;
}

void mxg_setup_exim(struct mxg_setup *s)
{
	const struct mxg_domain_sink sink = { take_domain, NULL, s };
	char *name = mxg_exim_setting(s->options->exim, "primary_hostname");
	if (name != NULL) {
		s->has_exim = true;
		s->exim_asks = mxg_exim_of_file(s->options->exim) == MXG_EXIM_ASKS;
		s->exim_place = s->options->exim == NULL ? place() : MXG_EXIM_PLACE_ACL;
		mxg_setup_add_name(s, name, "Exim's primary_hostname");
		mxg_exim_domains(s->options->exim, &sink);
	}
	free(name);
}
