/* SPDX-License-Identifier: MIT */
/* Two states become one. */
#include <stdlib.h>

#include "report/state.h"

static void add_reasons(struct mxg_report_state *into, const struct mxg_report_state *from, uint16_t *numbers)
{
	for (size_t i = 0; i < from->reason_count; i++) {
		numbers[i] = mxg_state_reason(into, from->reasons[i].name, strlen(from->reasons[i].name));
		into->reasons[numbers[i]].count += from->reasons[i].count;
	}
}

static void add_domain(struct mxg_report_state *into, const struct mxg_domain_state *d, const uint16_t *reasons,
		       uint32_t *number)
{
	*number = mxg_state_domain(into, d->name, d->len, d->hash);
	if (*number == UINT32_MAX)
		return;
	struct mxg_domain_state *to = &into->domains[*number];
	for (size_t v = 0; v < MXG_REPORT_VERDICTS; v++)
		to->verdicts[v] += d->verdicts[v];
	to->refused += d->refused;
	to->left_out += d->left_out;
	to->watched |= d->watched;
	to->unwatched |= d->unwatched || !d->watched;
	into->nomem |= !mxg_least_merge(&to->recipients, &d->recipients);
	for (const struct mxg_count_by_reason *c = d->held_up; c != NULL; c = c->next)
		into->nomem |= !mxg_state_held_up(to, reasons[c->reason], c->count);
}

static void add_peer(struct mxg_report_state *into, const struct mxg_peer_state *p, const uint32_t *domains)
{
	uint32_t number = mxg_state_peer(into, &p->address);
	if (number == UINT32_MAX)
		return;
	struct mxg_peer_state *to = &into->peers[number];
	to->messages += p->messages;
	mxg_state_widen(&to->first, &to->last, p->first, p->last);
	to->more_domains |= p->more_domains;
	for (size_t i = 0; i < p->domain_count; i++)
		if (domains[mxg_peer_domains(p)[i]] != UINT32_MAX)
			into->nomem |= !mxg_state_peer_domain(into, to, domains[mxg_peer_domains(p)[i]]);
	into->nomem |= !mxg_least_merge(&to->senders, &p->senders) ||
		       !mxg_least_merge(&to->recipients, &p->recipients) || !mxg_least_merge(&to->days, &p->days);
	if (p->sample != NULL && p->sample_rank < to->sample_rank) {
		to->sample_rank = p->sample_rank;
		into->nomem |= !mxg_state_sample(into, to, p->sample, strlen(p->sample));
	}
}

static void add_pair(struct mxg_report_state *into, const struct mxg_pair_state *p, const uint32_t *domains)
{
	uint32_t number =
		domains[p->domain] == UINT32_MAX ? UINT32_MAX : mxg_state_pair(into, domains[p->domain], &p->host);
	if (number == UINT32_MAX)
		return;
	struct mxg_pair_state *to = &into->pairs[number];
	to->direct += p->direct;
	to->via += p->via;
	mxg_state_widen(&to->first_direct, &to->last_direct, p->first_direct, p->last_direct);
	if (p->first_via != 0 && (to->first_via == 0 || p->first_via < to->first_via))
		to->first_via = p->first_via;
}

static void add_day(struct mxg_report_state *into, const struct mxg_day_state *d, const uint32_t *domains)
{
	uint32_t number =
		domains[d->domain] == UINT32_MAX ? UINT32_MAX : mxg_state_day(into, domains[d->domain], d->day);
	if (number == UINT32_MAX)
		return;
	into->days[number].direct += d->direct;
	into->days[number].seconds += d->seconds;
}

static void add_date(struct mxg_report_state *into, const struct mxg_date_state *d)
{
	struct mxg_date_state *to = mxg_state_date(into, d->day);
	for (size_t v = 0; to != NULL && v < MXG_REPORT_VERDICTS; v++)
		to->verdicts[v] += d->verdicts[v];
}

static void add_senders(struct mxg_report_state *into, const struct mxg_report_state *from)
{
	into->nomem |= !mxg_sample_limit(&into->senders, from->senders.limit);
	for (size_t i = 0; i < from->senders.room; i++)
		if (from->senders.slots[i] != 0)
			into->nomem |= !mxg_sample_add(&into->senders, from->senders.slots[i]);
}

void mxg_report_merge(struct mxg_report_state *into, const struct mxg_report_state *from)
{
	uint16_t reasons[MXG_REPORT_REASONS];
	uint32_t *domains = calloc(from->domain_count + 1, sizeof(*domains));
	if (domains == NULL) {
		into->nomem = true;
		return;
	}
	into->lines += from->lines;
	into->decisions += from->decisions;
	into->duplicates += from->duplicates;
	into->unread += from->unread;
	into->undated += from->undated;
	into->left_out += from->left_out;
	into->cut |= from->cut;
	into->doubled |= from->doubled;
	into->nomem |= from->nomem;
	mxg_state_widen(&into->from, &into->to, from->from, from->to);
	for (size_t i = 0; i < MXG_REPORT_VERDICTS; i++)
		into->verdicts[i] += from->verdicts[i];
	for (size_t i = 0; i < MXG_REPORT_ACTIONS; i++) {
		into->actions[i] += from->actions[i];
		into->would[i] += from->would[i];
	}
	add_reasons(into, from, reasons);
	for (size_t i = 0; i < from->domain_count; i++)
		add_domain(into, &from->domains[i], reasons, &domains[i]);
	for (size_t i = 0; i < from->peer_count; i++)
		add_peer(into, &from->peers[i], domains);
	for (size_t i = 0; i < from->pair_count; i++)
		add_pair(into, &from->pairs[i], domains);
	for (size_t i = 0; i < from->day_count; i++)
		add_day(into, &from->days[i], domains);
	for (size_t i = 0; i < from->date_count; i++)
		add_date(into, &from->dates[i]);
	add_senders(into, from);
	free(domains);
}
