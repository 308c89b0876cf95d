/* SPDX-License-Identifier: MIT */
/*
 * The static decision, whole: a binary address in, the recipient's policy looked up, a verdict
 * out; everything but the log line (docs/design.md, "Budgets"). Random addresses against 10, 1,000 and 100,000
 * ranges, side by side in one run. With "callgrind" as argument it only decides, so that
 * instructions can be counted: valgrind --tool=callgrind bench-decide callgrind.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mxguard.h"

#define ROUNDS 2000
#define BATCH 100 /* decisions between two looks at the clock */

static uint64_t state = 88172645463325252u;

static uint32_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static struct mxguard_policy *make_policy(size_t prefixes)
{
	char *text = malloc(prefixes * 24 + 1000), message[500];
	struct mxguard_policy *policy = NULL;
	if (text == NULL)
		abort();
	char *p =
		text +
		sprintf(text, "mode = \"enforce\";\npolicies = ( { domains = [ \"strict.example\", \".sub.example\" ]; "
			      "mode = \"monitor\"; } );\ngateways = ( { name = \"many\"; allow = \"");
	for (size_t i = 0; i < prefixes; i++) {
		uint32_t a = next_random();
		unsigned bits = 20 + next_random() % 13;
		a &= 0xffffffffu << (32 - bits);
		p += sprintf(p, "ip4:%u.%u.%u.%u/%u ", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255, bits);
	}
	p += sprintf(p, "\"; } );\n");
	if (mxguard_policy_parse(&policy, text, (size_t)(p - text), "bench.conf", 0, message, sizeof(message)) != 0) {
		fprintf(stderr, "%s\n", message);
		exit(1);
	}
	free(text);
	return policy;
}

static unsigned decide(struct mxguard_check *check, uint32_t address)
{
	uint8_t bytes[4] = { (uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8),
			     (uint8_t)address };
	mxguard_check_reset(check);
	mxguard_check_set_peer_bytes(check, bytes, sizeof(bytes));
	mxguard_check_add_recipient(check, "alice@example.com", NULL);
	mxguard_check_run(check, 1000000000);
	return mxguard_check_verdict(check, 0) == MXGUARD_VERDICT_AUTHORIZED;
}

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void measure(size_t prefixes)
{
	static double times[ROUNDS];
	struct mxguard_policy *policy = make_policy(prefixes);
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, policy, NULL, 0);
	unsigned authorized = 0;
	for (int i = 0; i < 100000; i++) /* the processor and its caches wake up */
		decide(check, next_random());
	size_t before = mallinfo2().uordblks;
	for (size_t r = 0; r < ROUNDS; r++) {
		uint32_t addresses[BATCH];
		for (size_t i = 0; i < BATCH; i++)
			addresses[i] = next_random();
		double start = now_ns();
		for (size_t i = 0; i < BATCH; i++)
			authorized += decide(check, addresses[i]);
		times[r] = (now_ns() - start) / BATCH;
	}
	size_t after = mallinfo2().uordblks;
	qsort(times, ROUNDS, sizeof(times[0]), ascending);
	printf("%7zu ranges: p50 %6.1f ns  p99 %6.1f ns  (%u of %u authorized, %zd bytes allocated on the way)\n",
	       prefixes, times[ROUNDS / 2], times[ROUNDS * 99 / 100], authorized, ROUNDS * BATCH,
	       (ssize_t)(after - before));
	mxguard_check_free(check);
	mxguard_policy_unref(policy);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "callgrind") == 0) {
		struct mxguard_policy *policy = make_policy(10);
		struct mxguard_check *check = NULL;
		mxguard_check_new(&check, policy, NULL, 0);
		for (int i = 0; i < 10000; i++)
			decide(check, next_random());
		mxguard_check_free(check);
		mxguard_policy_unref(policy);
		return 0;
	}
	measure(10);
	measure(1000);
	measure(100000);
	return 0;
}
