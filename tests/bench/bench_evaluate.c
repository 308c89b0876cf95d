/* SPDX-License-Identifier: MIT */
/* ns per evaluation over a table that holds every answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/scripted.h"

#define RUNS 200000u

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *what, const char *zone_text, const char *term_text, const char *peer, bool with_steps)
{
	struct zone *z = zone_new();
	struct scripted s = { .zone = z };
	struct mxg_term term;
	struct mxg_term_error error;
	zone_add(z, zone_text);
	scripted_input(&s, "rcpt.test", peer, "alice@sender.test", "gw.helo.test");
	if (!mxg_term_parse_configured(&term, term_text, strlen(term_text), true, &error))
		abort();
	scripted_run(&s, &term);
	double start = now_ns();
	for (unsigned i = 0; i < RUNS; i++) {
		struct mxg_text_mark mark = { 0, 0 };
		mxg_text_list_cut(&s.steps, mark);
		mxg_evaluate_term(s.answers, &s.in, &term, false, with_steps ? &s.steps : NULL, &s.outcome);
	}
	printf("%-44s %s result %d  %7.0f ns\n", what, with_steps ? "steps" : "     ", (int)s.outcome.result,
	       (now_ns() - start) / RUNS);
	scripted_clear(&s);
	zone_free(z);
}

int main(void)
{
	static const char mx[] = "rcpt.test MX 1 a.test\nrcpt.test MX 2 b.test\na.test A 192.0.2.1\nb.test A 192.0.2.7";
	static const char chain[] =
		"r.test TXT v=spf1 include:a.test include:b.test include:c.test -all\n"
		"a.test TXT v=spf1 ip4:198.51.100.0/24 ip4:198.51.101.0/24 ip4:198.51.102.0/24 ip6:2001:db8::/32 -all\n"
		"b.test TXT v=spf1 ip4:203.0.113.0/25 ip4:203.0.114.0/24 ip4:203.0.115.0/24 ip4:203.0.116.0/22 -all\n"
		"c.test TXT v=spf1 ip4:192.0.2.0/24 ip4:192.0.3.0/24 -all";
	for (int steps = 0; steps < 2; steps++) {
		measure("ip4", "", "ip4:192.0.2.0/24", "192.0.2.7", steps);
		measure("mx, two hosts, the second matches", mx, "mx", "192.0.2.7", steps);
		measure("include of three includes, the last matches", chain, "include:r.test", "192.0.2.7", steps);
		measure("include of three includes, no match", chain, "include:r.test", "203.0.113.200", steps);
	}
	return 0;
}
