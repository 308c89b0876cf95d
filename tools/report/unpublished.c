/* SPDX-License-Identifier: MIT */
/* Hosts that found a way here by a name that no MX record held: their first mail past the gateways came when the
 * record had long been without this host. */
#include <stdlib.h>

#include "load.h"
#include "report/judge.h"

#define SETTLE (2 * 86400) /* caches still say what stood before (the default of dns.settle) */
#define BEFORE (7 * 86400) /* the log has to reach back so far, or nobody knows who came before */

static bool holds_self(const struct mxguard_policy *policy, const struct mxg_generation *g)
{
	for (size_t i = 0; i < policy->self.count; i++)
		if (mxg_generation_has(g, &policy->self.items[i].base))
			return true;
	return false;
}

/* The end of the last generation that held an address of this host; else the first change that is known. */
int64_t mxg_unpublished_since(const struct mxguard_policy *policy, const struct mxg_generations *known)
{
	for (size_t i = known->count; policy != NULL && i-- > 0;)
		if (holds_self(policy, &known->items[i]))
			return known->items[i].until;
	return known->count > 1 ? known->items[1].from : 0;
}

/* Whoever comes through the gateways as well is a sender who had the old record for longer. */
static bool is_unpublished(const struct mxg_time_line *l, const struct mxg_pair_state *p)
{
	return p->direct > 0 && p->first_via == 0 && p->first_direct >= l->unpublished_since + SETTLE &&
	       p->first_direct >= l->from && (l->until == 0 || p->first_direct < l->until);
}

/* A filter that was forgotten delivers where it is told to. */
static bool is_candidate(const struct mxg_report_result *r, const struct mxg_address *host)
{
	for (size_t i = 0; i < r->candidate_count; i++) {
		struct mxg_prefix network = mxg_candidate_network(&r->candidates[i].hosts[0]);
		if (mxg_prefix_contains(&network, host))
			return true;
	}
	return false;
}

static int by_messages(const void *a, const void *b)
{
	const struct mxg_unpublished *x = a, *y = b;
	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	return memcmp(&x->host, &y->host, sizeof(x->host));
}

static bool take(struct mxg_time_line *l, const struct mxg_pair_state *p, size_t *room)
{
	if (l->unpublished_count == *room) {
		size_t wider = *room == 0 ? 64 : 2 * *room;
		struct mxg_unpublished *more = reallocarray(l->unpublished, wider, sizeof(*more));
		if (more == NULL)
			return false;
		l->unpublished = more;
		*room = wider;
	}
	l->unpublished[l->unpublished_count++] =
		(struct mxg_unpublished){ .host = p->host, .messages = p->direct, .first = p->first_direct };
	l->unpublished_messages += p->direct;
	if (l->unpublished_first == 0 || p->first_direct < l->unpublished_first)
		l->unpublished_first = p->first_direct;
	return true;
}

bool mxg_report_unpublished(const struct mxg_report_result *r, const uint32_t *pairs, size_t begin,
			    struct mxg_time_line *l)
{
	const struct mxg_report_state *s = r->state;
	size_t room = 0;
	if (s->from > l->unpublished_since - BEFORE)
		l->unpublished_since = 0;
	for (size_t i = begin; l->unpublished_since != 0 && i < s->pair_count; i++) {
		const struct mxg_pair_state *p = &s->pairs[pairs[i]];
		if (p->domain != l->domain)
			break;
		if (is_unpublished(l, p) && !is_candidate(r, &p->host) && !take(l, p, &room))
			return false;
	}
	if (l->unpublished_count > 0)
		qsort(l->unpublished, l->unpublished_count, sizeof(*l->unpublished), by_messages);
	return true;
}
