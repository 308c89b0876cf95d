/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 1024

/* Who has none yet shall not have to read a manual first. */
static void tell_how_to_begin(const char *path)
{
	if (access(path, F_OK) != 0)
		fprintf(stderr, "mxguard: a file with these lines is enough to begin with, and refuses nothing:\n"
				"  domains = [ \"example.com\" ];\n"
				"  gateways = ( { name = \"current-mx\"; allow = \"mx\"; } );\n");
}

static void tell_notices(struct mxguard_session *session)
{
	enum mxguard_level level;
	const char *text;
	while ((text = mxguard_session_notice(session, &level)) != NULL)
		fprintf(stderr, "mxguard: %s: %s\n", level == MXGUARD_LEVEL_INFO ? "note" : "warning", text);
}

int mxg_open_session(struct mxguard_session **session, const char *path, unsigned flags)
{
	char message[MESSAGE_MAX];
	int result = mxguard_session_open(session, path, flags, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE) {
		tell_notices(*session);
		return 0;
	}
	fprintf(stderr, "mxguard: %s\n", message);
	tell_how_to_begin(path);
	return result == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
}

int64_t mxg_wall_clock(void)
{
	return (int64_t)time(NULL);
}
