/* SPDX-License-Identifier: MIT */
/* What a look into the snapshot costs: bench_snapshot CONF DOMAIN PEER [ROUNDS]; a %d in DOMAIN
 * becomes 0, 1, 2 … 9999, so that each decision is about another domain. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mxguard.h"

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One decision; false where the snapshot was not enough. */
static bool decide(struct mxguard_check *check, const char *peer, const char *recipient, int64_t now)
{
	mxguard_check_reset(check);
	mxguard_check_set_peer_text(check, peer);
	mxguard_check_add_recipient(check, recipient, NULL);
	return mxguard_check_run(check, now) == MXGUARD_PROGRESS_DONE;
}

int main(int argc, char **argv)
{
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot;
	char message[512], recipient[300];
	long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 100000;
	int64_t now = (int64_t)time(NULL);
	if (argc < 4)
		return 64;
	if (mxguard_policy_load(&policy, argv[1], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE ||
	    mxguard_snapshot_open(&snapshot, policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "%s\n", message);
		return 78;
	}
	snprintf(recipient, sizeof(recipient), "a@%s", argv[2]);
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, policy, snapshot, 0);
	const char *number = strstr(argv[2], "%d");
	double begin = seconds();
	for (long i = 0; i < rounds; i++) {
		if (number != NULL)
			snprintf(recipient, sizeof(recipient), "a@%.*s%ld%.100s", (int)(number - argv[2]), argv[2],
				 i % 10000, number + 2);
		if (!decide(check, argv[3], recipient, now))
			return 1;
	}
	double open_handle = (seconds() - begin) / (double)rounds;
	begin = seconds();
	for (long i = 0; i < rounds / 10; i++) {
		struct mxguard_snapshot *other;
		if (mxguard_snapshot_open(&other, policy, 0, NULL, 0) != MXGUARD_ERROR_NONE)
			return 1;
		mxguard_snapshot_unref(other);
	}
	double opening = (seconds() - begin) / (double)(rounds / 10);
	printf("%s, %s: decision %.2f us with an open handle, opening %.2f us\n",
	       mxguard_verdict_name(mxguard_check_verdict(check, 0)), argv[3], open_handle * 1e6, opening * 1e6);
	mxguard_check_free(check);
	mxguard_snapshot_unref(snapshot);
	mxguard_policy_unref(policy);
	return 0;
}
