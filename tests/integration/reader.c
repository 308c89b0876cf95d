/* SPDX-License-Identifier: MIT */
/* reader CONF RECIPIENT PEER: a long-lived reader of the snapshot, as a delivery process is. It
 * decides over and over, from the snapshot alone, until its input ends, and takes a new
 * snapshot where there is one. Prints each verdict that is not the one before, and at the end how
 * often it said what; anything else than a decision is an error, and the end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mxguard.h"

static unsigned long counts[16];
static unsigned long opened;

static void renew(struct mxguard_snapshot **snapshot, struct mxguard_policy *policy)
{
	char message[512] = "";
	if (*snapshot != NULL && mxguard_snapshot_changed(*snapshot, policy) == 0)
		return;
	mxguard_snapshot_unref(*snapshot);
	if (mxguard_snapshot_open(snapshot, policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE ||
	    message[0] != '\0') {
		printf("snapshot: %s\n", message);
		exit(1);
	}
	opened++;
}

static void count(enum mxguard_verdict verdict)
{
	static enum mxguard_verdict before = MXGUARD_VERDICT_UNDECIDED;
	counts[verdict]++;
	if (verdict == before)
		return;
	before = verdict;
	printf("%s\n", mxguard_verdict_name(verdict));
	fflush(stdout);
}

static void decide(struct mxguard_policy *policy, struct mxguard_snapshot *snapshot, char **words)
{
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, policy, snapshot, 0);
	mxguard_check_set_peer_text(check, words[3]);
	mxguard_check_add_recipient(check, words[2], NULL);
	if (mxguard_check_run(check, (int64_t)time(NULL)) != MXGUARD_PROGRESS_DONE) {
		printf("no decision without DNS\n");
		exit(1);
	}
	count(mxguard_check_verdict(check, 0));
	mxguard_check_free(check);
}

int main(int argc, char **argv)
{
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot = NULL;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char message[512];
	if (argc != 4 || mxguard_policy_load(&policy, argv[1], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		return 64;
	while (poll(&input, 1, 20) == 0) {
		renew(&snapshot, policy);
		for (int i = 0; i < 5; i++)
			decide(policy, snapshot, argv);
	}
	printf("authorized %lu direct %lu unknown %lu opened %lu\n", counts[MXGUARD_VERDICT_AUTHORIZED],
	       counts[MXGUARD_VERDICT_DIRECT], counts[MXGUARD_VERDICT_UNKNOWN], opened);
	mxguard_snapshot_unref(snapshot);
	mxguard_policy_unref(policy);
	return 0;
}
