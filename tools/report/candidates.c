/* SPDX-License-Identifier: MIT */
/* Forgotten gateways among the direct peers. A spammer sends much to many, too; but the people whose
 * mail he brings do not also write through the filters, he does not come day by day from the same few
 * hosts, and he has no use for the address book of a domain. */
#include <stdio.h>
#include <stdlib.h>

#include "report/judge.h"

#define LEAST_MESSAGES 5
#define LEAST_SENDERS 3 /* of a host, before it is judged by them */
#define LEAST_SHARE 0.5 /* of its senders that also came through gateways */
#define LEAST_RECIPIENTS 3
#define RECIPIENTS_SHARE 0.05 /* of those whom the gateways bring mail */
#define LEAST_DAYS 3
#define DAYS_SHARE 0.5 /* of those between its first and its last */

/* How many of the host's senders can be looked up, and how many of them are known. */
static void test_senders(const struct mxg_report_state *s, const struct mxg_peer_state *p, uint64_t *tested,
			 uint64_t *known)
{
	*tested = *known = 0;
	for (size_t i = 0; i < p->senders.count; i++) {
		if (mxg_least_items(&p->senders)[i] > s->senders.limit)
			break;
		(*tested)++;
		*known += mxg_sample_has(&s->senders, mxg_least_items(&p->senders)[i]);
	}
}

static bool looks_like_a_filter(const struct mxg_report_state *s, const struct mxg_peer_state *p)
{
	uint64_t tested, known;
	if (p->senders.count < LEAST_SENDERS)
		return false;
	test_senders(s, p, &tested, &known);
	return tested >= LEAST_SENDERS && (double)known >= LEAST_SHARE * (double)tested;
}

/* Hosts of one network are one candidate. */
struct mxg_prefix mxg_candidate_network(const struct mxg_address *a)
{
	struct mxg_prefix p = { .base = *a, .bits = a->family == 6 ? 64 : 24 };
	memset(p.base.bytes + p.bits / 8, 0, 16u - p.bits / 8);
	return p;
}

static const struct mxg_report_state *sorted; /* qsort(3) hands nothing on */

static int by_address(const void *a, const void *b)
{
	const struct mxg_address *x = &sorted->peers[*(const uint32_t *)a].address,
				 *y = &sorted->peers[*(const uint32_t *)b].address;
	return x->family != y->family ? x->family - y->family : memcmp(x->bytes, y->bytes, 16);
}

struct group {
	struct mxg_candidate c;
	struct mxg_least senders, recipients, days;
	bool crowded; /* more hosts than one term can name */
};

/* Two ascending lists become one. */
static bool add_domains(struct mxg_candidate *c, const struct mxg_peer_state *p)
{
	uint32_t *all = calloc(c->domain_count + p->domain_count + 1, sizeof(*all));
	size_t a = 0, b = 0, n = 0;
	if (all == NULL)
		return false;
	while (a < c->domain_count || b < p->domain_count) {
		bool own = b == p->domain_count || (a < c->domain_count && c->domains[a] <= mxg_peer_domains(p)[b]);
		uint32_t next = own ? c->domains[a++] : mxg_peer_domains(p)[b++];
		if (n == 0 || all[n - 1] != next)
			all[n++] = next;
	}
	free(c->domains);
	c->domains = all;
	c->domain_count = n;
	c->more_domains |= p->more_domains;
	return true;
}

static bool add_host(const struct mxg_report_state *s, struct group *g, const struct mxg_peer_state *p)
{
	struct mxg_candidate *c = &g->c;
	uint64_t tested, known;
	if (c->host_count == MXG_CANDIDATE_HOSTS) {
		g->crowded = true;
		return true;
	}
	c->hosts[c->host_count++] = p->address;
	c->messages += p->messages;
	test_senders(s, p, &tested, &known);
	c->senders_tested += tested;
	c->senders_known += known;
	mxg_state_widen(&c->first, &c->last, p->first, p->last);
	return add_domains(c, p) && mxg_least_merge(&g->senders, &p->senders) &&
	       mxg_least_merge(&g->recipients, &p->recipients) && mxg_least_merge(&g->days, &p->days);
}

/* Whom the gateways bring mail, in the domains of the candidate. */
static uint64_t ordinary_recipients(const struct mxg_report_state *s, const struct mxg_candidate *c)
{
	uint64_t all = 0;
	for (size_t i = 0; i < c->domain_count; i++)
		all += mxg_least_count(&s->domains[c->domains[i]].recipients);
	return all;
}

static void weigh(const struct mxg_report_state *s, struct group *g)
{
	struct mxg_candidate *c = &g->c;
	uint64_t ordinary = ordinary_recipients(s, c), span = (uint64_t)(c->last / 86400 - c->first / 86400) + 1;
	c->recipients = mxg_least_count(&g->recipients);
	c->days = mxg_least_count(&g->days);
	c->why = MXG_WHY_KNOWN_SENDERS;
	if (c->recipients >= LEAST_RECIPIENTS && (double)c->recipients >= RECIPIENTS_SHARE * (double)ordinary)
		c->why |= MXG_WHY_MANY_RECIPIENTS;
	if (c->days >= LEAST_DAYS && (double)c->days >= DAYS_SHARE * (double)span)
		c->why |= MXG_WHY_STEADY;
	if (!g->crowded)
		c->why |= MXG_WHY_FEW_HOSTS;
}

static void write_term(struct mxg_candidate *c)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	size_t at = 0;
	for (size_t i = 0; i < c->host_count && at < sizeof(c->term); i++)
		at += (size_t)snprintf(c->term + at, sizeof(c->term) - at, "%s%s:%s", i == 0 ? "" : " ",
				       c->hosts[i].family == 6 ? "ip6" : "ip4",
				       mxg_address_format(&c->hosts[i], address));
}

static bool is_candidate(const struct group *g)
{
	const struct mxg_candidate *c = &g->c;
	return c->host_count > 0 && !g->crowded && c->messages >= LEAST_MESSAGES &&
	       (c->why & (MXG_WHY_MANY_RECIPIENTS | MXG_WHY_STEADY)) != 0;
}

static bool keep(struct mxg_report_result *r, struct group *g)
{
	bool ok = true;
	if (g->c.host_count > 0)
		weigh(r->state, g);
	if (is_candidate(g)) {
		struct mxg_candidate *more = reallocarray(r->candidates, r->candidate_count + 1, sizeof(*more));
		ok = more != NULL;
		r->candidates = ok ? more : r->candidates;
		write_term(&g->c);
		if (ok)
			r->candidates[r->candidate_count++] = g->c;
		if (ok)
			g->c.domains = NULL; /* they went with it */
	}
	free(g->c.domains);
	mxg_least_free(&g->senders);
	mxg_least_free(&g->recipients);
	mxg_least_free(&g->days);
	*g = (struct group){ .crowded = false };
	return ok;
}

static int more_messages(const void *a, const void *b)
{
	const struct mxg_candidate *x = a, *y = b;
	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	return memcmp(&x->hosts[0], &y->hosts[0], sizeof(x->hosts[0]));
}

bool mxg_report_candidates(struct mxg_report_result *r, const struct mxg_report_inputs *in)
{
	const struct mxg_report_state *s = r->state;
	uint32_t *order = calloc(s->peer_count + 1, sizeof(*order)), count = 0;
	struct group g = { .crowded = false };
	struct mxg_prefix network = { .bits = 0 };
	bool ok = order != NULL;
	(void)in;
	for (uint32_t i = 0; ok && i < s->peer_count; i++)
		if (looks_like_a_filter(s, &s->peers[i]))
			order[count++] = i;
	sorted = s;
	if (ok)
		qsort(order, count, sizeof(*order), by_address);
	for (size_t i = 0; ok && i < count; i++) {
		const struct mxg_peer_state *p = &s->peers[order[i]];
		if (g.c.host_count > 0 && !mxg_prefix_contains(&network, &p->address))
			ok = keep(r, &g);
		if (g.c.host_count == 0)
			network = mxg_candidate_network(&p->address);
		ok = add_host(s, &g, p);
	}
	ok = keep(r, &g) && ok;
	free(order);
	if (r->candidate_count > 0)
		qsort(r->candidates, r->candidate_count, sizeof(*r->candidates), more_messages);
	return ok;
}
