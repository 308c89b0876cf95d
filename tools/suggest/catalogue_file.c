/* SPDX-License-Identifier: MIT */
/* Where the catalogue of vendors comes from. */
#include "catalogue_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/trusted_file.h"
#include "vendors_text.h" /* data/vendors.conf as it is */

#define FILE_MOST (1024u * 1024u)
#define MESSAGE_MAX 1024

static struct mxg_catalogue *parse(const char *text, size_t len, const char *path)
{
	char message[MESSAGE_MAX];
	struct mxg_catalogue *c = mxg_catalogue_parse(text, len, path, message, sizeof(message));
	if (c == NULL)
		fprintf(stderr, "mxguard: %s\n", message);
	return c;
}

struct mxg_catalogue *mxg_catalogue_open(const char *path)
{
	char why[MXG_TRUSTED_WHY_MAX], *text = NULL;
	const char *from = path != NULL ? path : MXG_VENDORS_FILE;
	size_t len = 0;
	errno = 0;
	int error = mxg_trusted_read(from, 0, FILE_MOST, 0, &text, &len, why);
	if (error != MXGUARD_ERROR_NONE && path == NULL && (errno == ENOENT || errno == ENOTDIR))
		return parse(mxg_vendors_text, sizeof(mxg_vendors_text), "the built-in catalogue");
	struct mxg_catalogue *c = NULL;
	if (error == MXGUARD_ERROR_NONE)
		c = parse(text, len, from);
	else
		fprintf(stderr, "mxguard: %s: %s\n", from, why);
	free(text);
	return c;
}
