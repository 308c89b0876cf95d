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

int mxg_load_policy(struct mxguard_policy **policy, const char *path)
{
	char message[MESSAGE_MAX] = "";
	int result = mxguard_policy_load(policy, path, 0, message, sizeof(message));
	if (result != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard: %s\n", message[0] != '\0' ? message : "the configuration cannot be read");
		tell_how_to_begin(path);
		return result == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
	}
	const char *warning;
	for (size_t i = 0; (warning = mxguard_policy_warning(*policy, i)) != NULL; i++)
		fprintf(stderr, "mxguard: warning: %s\n", warning);
	return 0;
}

struct mxguard_snapshot *mxg_load_snapshot(const struct mxguard_policy *policy)
{
	char message[MESSAGE_MAX] = "";
	struct mxguard_snapshot *snapshot = NULL;
	if (mxguard_snapshot_open(&snapshot, policy, 0, message, sizeof(message)) == MXGUARD_ERROR_NONE) {
		if (message[0] != '\0')
			fprintf(stderr, "mxguard: warning: %s\n", message);
		return snapshot;
	}
	fprintf(stderr, "mxguard: note: %s; DNS is asked for everything\n", message);
	return NULL;
}

int64_t mxg_wall_clock(void)
{
	return (int64_t)time(NULL);
}
