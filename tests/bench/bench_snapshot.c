/* SPDX-License-Identifier: MIT */
/* What a look into the snapshot costs: bench_snapshot CONF DOMAIN PEER [ROUNDS [DOMAINS]]; a %d in DOMAIN becomes one
 * number after the other below DOMAINS (10,000), far from the one before: each decision is about another domain. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mxguard.h"

/* The processor's, and the clock's: on a busy machine the one is what a decision costs, the other what it takes. */
struct span {
	double cpu, wall;
};

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct span now_is(void)
{
	return (struct span){ seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC) };
}

static struct span since(struct span begin, long rounds)
{
	struct span end = now_is();
	return (struct span){ (end.cpu - begin.cpu) / (double)rounds * 1e6,
			      (end.wall - begin.wall) / (double)rounds * 1e6 };
}

/* One decision; false where the snapshot was not enough. */
static bool decide(struct mxguard_check *check, const char *peer, const char *recipient, int64_t now)
{
	mxguard_check_reset(check);
	mxguard_check_set_peer_text(check, peer);
	mxguard_check_add_recipient(check, recipient, NULL);
	return mxguard_check_run(check, now) == MXGUARD_PROGRESS_DONE;
}

struct bench {
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot;
	struct mxguard_check *check;
	const char *domain, *peer;
	long domains;
	int64_t now;
};

static bool decide_many(const struct bench *b, long begin, long end)
{
	const char *number = strstr(b->domain, "%d");
	char recipient[300];
	snprintf(recipient, sizeof(recipient), "a@%s", b->domain);
	for (long i = begin; i < end; i++) {
		if (number != NULL)
			snprintf(recipient, sizeof(recipient), "a@%.*s%ld%.100s", (int)(number - b->domain), b->domain,
				 i * 7919 % b->domains, number + 2);
		if (!decide(b->check, b->peer, recipient, b->now)) {
			fprintf(stderr, "%s: the snapshot is not enough\n", recipient);
			return false;
		}
	}
	return true;
}

static bool open_many(const struct bench *b, long rounds)
{
	for (long i = 0; i < rounds; i++) {
		struct mxguard_snapshot *other;
		if (mxguard_snapshot_open(&other, b->policy, 0, NULL, 0) != MXGUARD_ERROR_NONE)
			return false;
		mxguard_snapshot_unref(other);
	}
	return true;
}

static bool measure(const struct bench *b, long rounds)
{
	struct span begin = now_is();
	if (!decide_many(b, 0, 1))
		return false;
	struct span first = since(begin, 1);
	if (!decide_many(b, 1, rounds)) /* hash tables are looked at */
		return false;
	begin = now_is();
	if (!decide_many(b, rounds, 2 * rounds))
		return false;
	struct span warm = since(begin, rounds);
	begin = now_is();
	if (!open_many(b, rounds / 10))
		return false;
	struct span opening = since(begin, rounds / 10);
	printf("%s, %s: with an open handle %.2f us of the processor (%.2f us by the clock), the first one %.2f "
	       "(%.2f), "
	       "opening %.2f (%.2f)\n",
	       mxguard_verdict_name(mxguard_check_verdict(b->check, 0)), b->peer, warm.cpu, warm.wall, first.cpu,
	       first.wall, opening.cpu, opening.wall);
	return true;
}

int main(int argc, char **argv)
{
	char message[512];
	long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 100000;
	struct bench b = { .now = (int64_t)time(NULL), .domains = argc > 5 ? strtol(argv[5], NULL, 10) : 10000 };
	if (argc < 4 || rounds < 10 || b.domains < 1)
		return 64;
	b.domain = argv[2];
	b.peer = argv[3];
	if (mxguard_policy_load(&b.policy, argv[1], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE ||
	    mxguard_snapshot_open(&b.snapshot, b.policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "%s\n", message);
		return 78;
	}
	bool good = mxguard_check_new(&b.check, b.policy, b.snapshot, 0) == MXGUARD_ERROR_NONE && measure(&b, rounds);
	mxguard_check_free(b.check);
	mxguard_snapshot_unref(b.snapshot);
	mxguard_policy_unref(b.policy);
	return good ? 0 : 1;
}
