/* SPDX-License-Identifier: MIT */
#ifndef TEST_SCRIPTED_H
#define TEST_SCRIPTED_H

#include "spf/evaluate.h"
#include "zone.h"

/* Drives an evaluation to its end, answering what it asks for from a zone. */
struct scripted {
	const struct zone *zone;
	struct mxg_eval_input in;
	bool other_family;
	uint64_t order; /* 0: everything that is asked for, at once, a round at a time; else a seed:
			 * each time some of what is asked for, in any order */
	/* what came of it: */
	struct mxg_answers *answers;
	struct mxg_text_list steps;
	struct mxg_term_outcome outcome;
	unsigned rounds;
	char questions[8000]; /* "a.test A, b.test MX | c.test A": sorted in a round, rounds apart */
};

void scripted_input(struct scripted *s, const char *domain, const char *peer, const char *sender, const char *helo);
/* Aborts if the evaluation waits without asking, or never ends. */
void scripted_run(struct scripted *s, const struct mxg_term *term);
void scripted_run_text(struct scripted *s, const char *term); /* of the configuration */
void scripted_clear(struct scripted *s);

uint32_t scripted_random(uint64_t *state);

#endif
