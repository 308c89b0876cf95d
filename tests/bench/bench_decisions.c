/* SPDX-License-Identifier: MIT */
/* bench-decisions live|snapshot CONF DOMAIN PEER SECONDS COUNT: decisions a second. A %d in DOMAIN
 * becomes 0 … COUNT-1. "live" asks DNS each time and keeps one resolver; "snapshot" asks nothing
 * (static terms need none). bench_decisions.py runs it. */
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

static void recipient_of(char out[300], const char *domain, long number)
{
	const char *at = strstr(domain, "%d");
	if (at == NULL)
		snprintf(out, 300, "a@%.250s", domain);
	else
		snprintf(out, 300, "a@%.*s%ld%.200s", (int)(at - domain), domain, number, at + 2);
}

int main(int argc, char **argv)
{
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot = NULL;
	char message[512] = "", recipient[300];
	if (argc != 7)
		return 64;
	int live = strcmp(argv[1], "live") == 0, progress = MXGUARD_PROGRESS_DONE;
	if (mxguard_policy_load(&policy, argv[2], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "%s\n", message);
		return 78;
	}
	if (!live)
		mxguard_snapshot_open(&snapshot, policy, 0, NULL, 0);
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, policy, snapshot, 0);
	struct mxguard_resolver *resolver = NULL;
	mxguard_resolver_new(&resolver, policy, 0);
	double begin = seconds(), end = begin + atof(argv[5]);
	long done = 0, count = atol(argv[6]);
	for (; seconds() < end; done++) {
		mxguard_check_reset(check);
		mxguard_check_set_peer_text(check, argv[4]);
		recipient_of(recipient, argv[3], done % count);
		mxguard_check_add_recipient(check, recipient, NULL);
		progress = live ? mxguard_resolver_run(resolver, check, -1)
				: mxguard_check_run(check, (int64_t)time(NULL));
		if (progress != MXGUARD_PROGRESS_DONE ||
		    mxguard_check_verdict(check, 0) != MXGUARD_VERDICT_AUTHORIZED) {
			fprintf(stderr, "%s: %s\n", recipient, mxguard_check_text(check, 0, MXGUARD_TEXT_EXPLANATION));
			return 1;
		}
	}
	printf("%.0f\n", (double)done / (seconds() - begin));
	mxguard_resolver_free(resolver);
	mxguard_check_free(check);
	mxguard_snapshot_unref(snapshot);
	mxguard_policy_unref(policy);
	return 0;
}
