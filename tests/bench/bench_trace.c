/* SPDX-License-Identifier: MIT */
/*
 * The walk down a header: 3, 12 and 50 hops of Postfix and Exim, all internal but the last, then
 * what else a header holds. Once through the trace alone, once through a whole check under a
 * static policy (docs/design.md, "Budgets"), and once more with the origin: then the lower half of the
 * hops are the gateway's. "best" is what a busy machine disturbs least.
 * With "callgrind" as argument it only walks, with "callgrind-check" and "callgrind-origin" it only
 * checks, so that instructions can be counted (valgrind --tool=callgrind bench-trace callgrind); with
 * "print" it shows the header of 12 hops.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mxguard.h"
#include "received/trace.h"

#define ROUNDS 1000
#define BATCH 50 /* headers between two looks at the clock */
#define ROOM 32768

struct header {
	char text[ROOM];
	size_t len, received; /* bytes: of all, of the Received fields */
};

static const char others[] =
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail2026;\r\n"
	"\th=from:to:subject:date:message-id; bh=g3zLYH4xKxcPrHOD18z9YfpQcnk/GaJedfustWU5uGs=;\r\n"
	"\tb=XWZtvgqlPCYz2zv8gVZCZ0dKbsqrHQ9wKqsQmZ1u0ZJjXo2rSxLkqVSVhU8vVYzHnXkNvv2WJQ\r\n"
	"From: Bob <bob@example.org>\r\nTo: alice@example.com\r\nSubject: minutes of Monday\r\n"
	"Date: Mon, 23 Nov 2026 22:15:00 +0100\r\nMessage-ID: <20261123221500.4711@example.org>\r\n\r\n";

/* Who is no gateway bears no gateway's name. */
static const char *domain_of(const char *address)
{
	return strncmp(address, "203.", 4) == 0 ? "org" : "com";
}

static int put_postfix(char *to, size_t room, unsigned hop, const char *address)
{
	return snprintf(to, room,
			"Received: from relay%u.example.com (relay%u.example.%s [%s])\r\n"
			"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
			"\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\r\n"
			"\tby mx%u.example.com (Postfix) with ESMTPS id 4Zq8Xk%02u1Jz3wNf\r\n"
			"\tfor <alice@example.com>; Mon, 23 Nov 2026 22:15:%02u +0100 (CET)\r\n",
			hop, hop, domain_of(address), address, hop, hop, 59 - hop);
}

static int put_exim(char *to, size_t room, unsigned hop, const char *address)
{
	return snprintf(to, room,
			"Received: from relay%u.example.%s ([%s] helo=out%u.example.com)\r\n"
			"\tby mx%u.example.com with esmtps  (TLS1.3) tls TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\r\n"
			"\t(Exim 4.96)\r\n\t(envelope-from <bob@example.org>)\r\n\tid 1vNd%02u-0004Xk-2Q\r\n"
			"\tfor alice@example.com;\r\n\tMon, 23 Nov 2026 22:15:%02u +0100\r\n",
			hop, domain_of(address), address, hop, hop, hop, 59 - hop);
}

/* From hop `boundary` on the clients are gateways, but for the last one where there are several. */
static void make_header(struct header *h, unsigned hops, unsigned boundary)
{
	h->len = 0;
	for (unsigned hop = 1; hop <= hops; hop++) {
		char address[32];
		snprintf(address, sizeof(address),
			 hop < boundary                   ? "10.0.0.%u"
			 : hop < hops || boundary == hops ? "198.51.100.%u"
							  : "203.0.113.%u",
			 hop);
		int n = (hop % 2 == 1 ? put_postfix : put_exim)(h->text + h->len, ROOM - h->len, hop, address);
		h->len += (size_t)n;
	}
	h->received = h->len;
	memcpy(h->text + h->len, others, sizeof(others) - 1);
	h->len += sizeof(others) - 1;
}

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "bench-trace: %s\n", what);
	exit(1);
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

static void run_trace(const struct header *h, void *context)
{
	static struct mxg_trace t;
	mxg_trace_init(&t, context);
	mxg_trace_feed(&t, h->text, h->len);
	mxg_trace_end(&t);
	require(t.outcome == MXG_TRACE_EXTERNAL, "the trace did not end at the outer host");
}

static void run_check(const struct header *h, void *context)
{
	struct mxguard_check *check = context;
	mxguard_check_reset(check);
	mxguard_check_set_place(check, MXGUARD_PLACE_QUEUED);
	mxguard_check_add_recipient(check, "alice@example.com", NULL);
	if (mxguard_check_run(check, 1000000000) == MXGUARD_PROGRESS_NEED_HEADER) {
		mxguard_check_header(check, h->text, h->len);
		mxguard_check_header_end(check);
		mxguard_check_run(check, 1000000000);
	}
	require(mxguard_check_verdict(check, 0) == MXGUARD_VERDICT_AUTHORIZED, "the check found no gateway");
}

static void run_origin(const struct header *h, void *context)
{
	struct mxguard_check *check = context;
	static char line[4096];
	run_check(h, context);
	mxguard_check_log_line(check, 0, line, sizeof(line));
	require(strstr(line, " origin=203.0.113.") != NULL, "no origin was found");
}

static void measure(const char *name, const struct header *h, void (*run)(const struct header *, void *), void *context)
{
	static double times[ROUNDS];
	for (int i = 0; i < 20000; i++) /* the processor and its caches wake up */
		run(h, context);
	for (size_t r = 0; r < ROUNDS; r++) {
		double start = now_ns();
		for (size_t i = 0; i < BATCH; i++)
			run(h, context);
		times[r] = (now_ns() - start) / BATCH;
	}
	qsort(times, ROUNDS, sizeof(times[0]), ascending);
	printf("  %s best %7.1f ns  p50 %7.1f ns  p99 %7.1f ns  %5.0f MB/s", name, times[0], times[ROUNDS / 2],
	       times[ROUNDS * 99 / 100], (double)h->received * 1e3 / times[ROUNDS / 2]);
}

static const char plain[] =
	"mode = \"enforce\";\ninternal = [ \"10.0.0.0/8\" ];\ntrace = { by = [ \".example.com\" ]; };\n"
	"gateways = ( { name = \"filter\"; allow = \"ip4:198.51.100.0/24\"; } );\n";
static const char with_origin[] =
	"mode = \"enforce\";\ninternal = [ \"10.0.0.0/8\" ];\ntrace = { by = [ \".example.com\" ]; };\n"
	"origin = { by = [ \".example.com\" ]; };\n"
	"gateways = ( { name = \"filter\"; allow = \"ip4:198.51.100.0/24\"; } );\n";

static struct mxguard_policy *make_policy(const char *text)
{
	struct mxguard_policy *policy = NULL;
	char message[500];
	if (mxguard_policy_parse(&policy, text, strlen(text), "bench.conf", 0, message, sizeof(message)) == 0)
		return policy;
	fprintf(stderr, "%s\n", message);
	exit(1);
}

int main(int argc, char **argv)
{
	static struct header h;
	static const unsigned hops[] = { 3, 12, 50 };
	static const char *const by[] = { ".example.com" };
	const char *mode = argc > 1 ? argv[1] : "";
	struct mxg_prefix internal;
	struct mxguard_policy *policy = make_policy(plain), *more = make_policy(with_origin);
	struct mxguard_check *check = NULL, *origin = NULL;
	mxguard_check_new(&check, policy, NULL, 0);
	mxguard_check_new(&origin, more, NULL, 0);
	mxg_prefix_parse(&internal, "10.0.0.0/8", 10);
	struct mxg_trace_rules rules = {
		.internal = &internal, .internal_count = 1, .belief = MXG_TRACE_NAMED, .by = by, .by_count = 1
	};
	make_header(&h, 12, 12);
	if (strcmp(mode, "print") == 0)
		fwrite(h.text, 1, h.len, stdout);
	for (int i = 0; i < 10000 && strcmp(mode, "callgrind") == 0; i++)
		run_trace(&h, &rules);
	for (int i = 0; i < 10000 && strcmp(mode, "callgrind-check") == 0; i++)
		run_check(&h, check);
	make_header(&h, 12, 7);
	for (int i = 0; i < 10000 && strcmp(mode, "callgrind-origin") == 0; i++)
		run_check(&h, origin);
	for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]) && *mode == '\0'; i++) {
		make_header(&h, hops[i], hops[i]);
		printf("%2u hops, %5zu bytes:", hops[i], h.received);
		measure("trace", &h, run_trace, &rules);
		measure("check", &h, run_check, check);
		make_header(&h, hops[i], hops[i] / 2 + 1);
		measure("origin", &h, run_check, origin);
		measure("and line", &h, run_origin, origin);
		putchar('\n');
	}
	mxguard_check_free(check);
	mxguard_check_free(origin);
	mxguard_policy_unref(policy);
	mxguard_policy_unref(more);
	return 0;
}
