/* SPDX-License-Identifier: MIT */
/* A milter that is told everything and accepts everything: what libmilter and the MTA cost by themselves. */
#include <libmilter/mfapi.h>
#include <stdbool.h>

static sfsistat go_on(SMFICTX *ctx, char **arguments)
{
	return SMFIS_CONTINUE;
}

static sfsistat take_field(SMFICTX *ctx, char *name, char *value)
{
	return SMFIS_CONTINUE;
}

static sfsistat end_header(SMFICTX *ctx)
{
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = { .xxfi_name = argv[0],
				   .xxfi_version = SMFI_VERSION,
				   .xxfi_envfrom = go_on,
				   .xxfi_envrcpt = go_on,
				   .xxfi_header = take_field,
				   .xxfi_eoh = end_header,
				   .xxfi_eom = end_header };
	if (argc != 2 || smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 1;
	return smfi_main();
}
