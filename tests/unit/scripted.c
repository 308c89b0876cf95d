/* SPDX-License-Identifier: MIT */
#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t scripted_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	uint32_t x = (uint32_t)(*state >> 33);
	return x ^ x >> 15;
}

void scripted_input(struct scripted *s, const char *domain, const char *peer, const char *sender, const char *helo)
{
	s->in = (struct mxg_eval_input){ .sender = sender, .helo = helo, .receiver = "mx.receiver.test" };
	s->in.view.now = 1000000;
	s->in.insecure_macros = true;
	if (!mxg_name_from_text(&s->in.domain, domain, strlen(domain)))
		abort();
	if (!mxg_address_parse(&s->in.peer, peer, strlen(peer), MXG_ADDRESS_ANY) && peer[0] != '\0')
		abort();
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void note_round(struct scripted *s, char **texts, size_t count)
{
	size_t used = strlen(s->questions);
	qsort(texts, count, sizeof(*texts), by_text);
	for (size_t i = 0; i < count && used + 1100 < sizeof(s->questions); i++)
		used += (size_t)sprintf(s->questions + used, "%s%s", i > 0 ? ", " : used > 0 ? " | " : "", texts[i]);
}

static void answer(struct scripted *s, int entry)
{
	struct mxg_reply reply;
	zone_answer(s->zone, mxg_answers_question(s->answers, entry), &reply);
	mxg_answers_put_live(s->answers, entry, &reply, s->in.view.now);
	free(reply.records.data);
	mxg_answers_set_flags(s->answers, entry, MXG_ENTRY_REPLIED, 0);
}

static bool is_open(const struct scripted *s, int e)
{
	return (mxg_answers_flags(s->answers, e) & (MXG_ENTRY_WANTED | MXG_ENTRY_REPLIED)) == MXG_ENTRY_WANTED;
}

/* Answers what is asked for; false where nothing is. */
static bool answer_all(struct scripted *s)
{
	char *texts[200], name[MXG_NAME_TEXT_MAX];
	size_t count = 0;
	for (int e = 0; e < (int)mxg_answers_count(s->answers); e++) {
		const struct mxg_question *q = mxg_answers_question(s->answers, e);
		if (!is_open(s, e))
			continue;
		if (count == 200 ||
		    asprintf(&texts[count], "%s %s", mxg_name_format(&q->name, name), zone_type_name(q->type)) < 0)
			abort();
		count++;
		answer(s, e);
	}
	note_round(s, texts, count);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	return count > 0;
}

static bool answer_some(struct scripted *s)
{
	int open[MXG_ANSWERS_MAX];
	uint32_t count = 0;
	for (int e = 0; e < (int)mxg_answers_count(s->answers); e++)
		if (is_open(s, e))
			open[count++] = e;
	if (count == 0)
		return false;
	for (uint32_t n = scripted_random(&s->order) % count + 1; n > 0; n--) {
		uint32_t i = scripted_random(&s->order) % count;
		answer(s, open[i]);
		open[i] = open[--count];
	}
	return true;
}

void scripted_run(struct scripted *s, const struct mxg_term *term)
{
	s->rounds = 0;
	s->questions[0] = '\0';
	s->answers = mxg_answers_new();
	for (;;) {
		mxg_answers_clear_flags(s->answers, MXG_ENTRY_WANTED | MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE);
		mxg_text_list_clear(&s->steps);
		mxg_evaluate_term(s->answers, &s->in, term, s->other_family, &s->steps, &s->outcome);
		if (s->outcome.result != MXG_TERM_PENDING)
			return;
		if (s->steps.count != 0 || !(s->order == 0 ? answer_all(s) : answer_some(s)) || ++s->rounds > 500) {
			fprintf(stderr, "stuck after %u rounds: %s\n", s->rounds, s->questions);
			abort();
		}
	}
}

void scripted_run_text(struct scripted *s, const char *text)
{
	struct mxg_term term;
	struct mxg_term_error error;
	if (!mxg_term_parse_configured(&term, text, strlen(text), true, &error)) {
		fprintf(stderr, "%s: %s\n", text, error.what);
		abort();
	}
	scripted_run(s, &term);
}

void scripted_clear(struct scripted *s)
{
	mxg_answers_free(s->answers);
	s->answers = NULL;
	mxg_text_list_clear(&s->steps);
}
