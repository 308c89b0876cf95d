/* SPDX-License-Identifier: MIT */
/* Which domains are ready, and what there is to see first. */
#include "report/judge.h"

#include <stdlib.h>

void mxg_report_result_clear(struct mxg_report_result *r)
{
	for (size_t i = 0; i < r->line_count; i++) {
		free(r->lines[i].gateways);
		free(r->lines[i].moved);
		free(r->lines[i].stayed);
		free(r->lines[i].unpublished);
		free(r->lines[i].days);
	}
	free(r->lines);
	for (size_t i = 0; i < r->candidate_count; i++)
		free(r->candidates[i].domains);
	free(r->candidates);
	free(r->domains);
	free(r->peers);
	*r = (struct mxg_report_result){ 0 };
}

static uint64_t decisions_of(const struct mxg_domain_state *d)
{
	uint64_t all = 0;
	for (size_t v = 0; v < MXG_REPORT_VERDICTS; v++)
		all += d->verdicts[v];
	return all;
}

static const struct mxg_report_state *sorted; /* qsort(3) hands nothing on */

static int more_decisions(const void *a, const void *b)
{
	const struct mxg_domain_verdict *x = a, *y = b;
	const struct mxg_domain_state *dx = &sorted->domains[x->domain], *dy = &sorted->domains[y->domain];
	uint64_t nx = decisions_of(dx), ny = decisions_of(dy);
	return nx != ny ? (nx < ny ? 1 : -1) : strcmp(dx->name, dy->name);
}

static int more_messages(const void *a, const void *b)
{
	const struct mxg_peer_state *x = &sorted->peers[*(const uint32_t *)a],
				    *y = &sorted->peers[*(const uint32_t *)b];
	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	return x->address.family != y->address.family ? x->address.family - y->address.family
						      : memcmp(x->address.bytes, y->address.bytes, 16);
}

/* The last of those that are kept stands at the root. */
static void sink(uint32_t *heap, size_t count, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		child += child + 1 < count && more_messages(&heap[child], &heap[child + 1]) < 0;
		if (more_messages(&heap[at], &heap[child]) >= 0)
			return;
		uint32_t other = heap[at];
		heap[at] = heap[child];
		heap[child] = other;
	}
}

/* A million hosts came once; nobody sorts them. */
static void choose_peers(struct mxg_report_result *r, size_t top)
{
	const struct mxg_report_state *s = r->state;
	for (uint32_t i = 0; i < s->peer_count; i++) {
		if (r->peer_count < top) {
			r->peers[r->peer_count++] = i;
			for (size_t n = r->peer_count == top ? top / 2 + 1 : 0; n-- > 0;)
				sink(r->peers, top, n);
		} else if (top > 0 && more_messages(&i, &r->peers[0]) < 0) {
			r->peers[0] = i;
			sink(r->peers, top, 0);
		}
	}
	qsort(r->peers, r->peer_count, sizeof(*r->peers), more_messages);
}

static void note_candidate(struct mxg_report_result *r, const struct mxg_candidate *c)
{
	for (size_t i = 0; i < c->domain_count; i++) {
		struct mxg_domain_verdict *d = &r->domains[c->domains[i]];
		if (d->candidate_messages == 0)
			mxg_address_format(&c->hosts[0], d->candidate);
		d->candidate_messages += c->messages;
	}
}

/* Enforce would have refused or held up nobody who looks legitimate. */
static void judge_domains(struct mxg_report_result *r)
{
	const struct mxg_report_state *s = r->state;
	for (size_t i = 0; i < r->domain_count; i++)
		r->domains[i].domain = (uint32_t)i;
	for (size_t i = 0; i < r->candidate_count; i++)
		note_candidate(r, &r->candidates[i]);
	for (size_t i = 0; i < r->domain_count; i++) {
		struct mxg_domain_verdict *v = &r->domains[i];
		const struct mxg_domain_state *d = &s->domains[i];
		v->no_gateway_mail =
			d->verdicts[MXGUARD_VERDICT_AUTHORIZED] == 0 && d->verdicts[MXGUARD_VERDICT_DIRECT] > 0;
		v->ready = v->candidate_messages == 0 && d->held_up == NULL && !v->no_gateway_mail && d->left_out == 0;
	}
}

bool mxg_report_judge(struct mxg_report_result *r, const struct mxg_report_state *s, const struct mxg_report_inputs *in)
{
	*r = (struct mxg_report_result){ .state = s, .domain_count = s->domain_count };
	r->history = in->history == NULL ? 0 : mxg_history_begins(in->history);
	r->domains = calloc(s->domain_count + 1, sizeof(*r->domains));
	r->peers = calloc(in->top + 1, sizeof(*r->peers));
	if (r->domains == NULL || r->peers == NULL || !mxg_report_candidates(r, in))
		return false;
	if (in->ask_dns)
		mxg_report_names(r, in);
	mxg_report_prove(r);
	judge_domains(r);
	sorted = s;
	qsort(r->domains, r->domain_count, sizeof(*r->domains), more_decisions);
	choose_peers(r, in->top);
	return mxg_report_time_lines(r, in);
}
