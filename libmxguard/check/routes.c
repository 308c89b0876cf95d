/* SPDX-License-Identifier: MIT */
/*
 * Where the MTA may take a recipient (docs/design.md, "Routed addresses"): its
 * address in each of the domains that stand in it, or, where one of them is a name of this host, in
 * each domain whose mailbox it may be. Each is decided like a recipient of its own; the strictest
 * action holds.
 */
#include <stdio.h>
#include <string.h>

#include "base/route.h"
#include "check/internal.h"
#include "policy/domains_file.h"
#include "snapshot/snapshot.h"

#define MAILBOX_DOMAINS_MOST 8 /* whose DNS is asked for one mailbox of this host */
#define LINES_MOST 64 /* of domains_file, to find them */

struct making {
	struct mxguard_check *c;
	struct mxg_recipient *r;
	const char *user; /* NULL: in doubt */
	size_t user_len;
	unsigned asked; /* domains whose DNS is asked for a mailbox of this host */
	bool mailbox_done;
	bool simple;
};

static struct mxg_recipient *add_route(struct making *m, const struct mxg_parsed *parsed,
				       const struct mxg_ruleset *ruleset, enum mxg_reason doubt)
{
	struct mxg_recipient **last = &m->r->routes, *route;
	for (; (route = *last) != NULL; last = &route->next)
		if (route->ruleset == ruleset && route->doubt == doubt && route->len == parsed->len &&
		    memcmp(route->address, parsed->address, parsed->len) == 0)
			return route;
	route = mxg_arena_take(&m->c->arena, sizeof(*route));
	if (route == NULL) {
		m->c->out_of_memory = true;
		return NULL;
	}
	memset(route, 0, sizeof(*route));
	mxg_recipient_init(route, parsed, ruleset);
	route->doubt = doubt;
	*last = route;
	return route;
}

/* Nobody knows what hides in it: any policy may have to judge it. */
static void add_doubt(struct making *m, enum mxg_reason doubt)
{
	const struct mxguard_policy *p = m->c->policy;
	const struct mxg_parsed own = { m->r->address, m->r->domain, m->r->len, m->r->domain_len, false };
	for (size_t i = 0; i < p->ruleset_count; i++)
		if (i == 0 || p->rulesets[i].mode == MXGUARD_MODE_ENFORCE)
			add_route(m, &own, &p->rulesets[i], doubt);
}

static const struct mxg_ruleset *ruleset_of(const struct making *m, const char *domain, size_t len)
{
	return mxg_policy_ruleset(m->c->policy, domain, len);
}

/* ---- a mailbox of this host ------------------------------------------------------------------- */

/* Its user without a domain, which only "user@" for every domain exempts. */
static void add_mailbox(struct making *m, const char *domain, size_t len, const struct mxg_ruleset *ruleset)
{
	const struct mxg_parsed parsed = { m->user == NULL ? "" : m->user, domain, m->user_len, len, false };
	struct mxg_recipient *route = mxg_arena_take(&m->c->arena, sizeof(*route)), **last = &m->r->routes;
	if (route == NULL) {
		m->c->out_of_memory = true;
		return;
	}
	memset(route, 0, sizeof(*route));
	mxg_recipient_init(route, &parsed, ruleset);
	route->mailbox = true;
	while (*last != NULL)
		last = &(*last)->next;
	*last = route;
}

/* One domain that may own it: where its records count, they are asked. */
static void try_owner(struct making *m, const char *domain)
{
	size_t len = strlen(domain);
	const struct mxg_ruleset *ruleset = ruleset_of(m, domain, len);
	if (!ruleset->by_recipient)
		return; /* its ruleset is tried as a whole */
	if (m->asked++ < MAILBOX_DOMAINS_MOST)
		add_mailbox(m, domain, len, ruleset);
}

static bool try_owners_of_file(struct making *m)
{
	struct mxg_domains_reader *reader;
	const char *domain;
	int more = 1;
	unsigned lines = 0, wrong = 0;
	if (mxg_domains_open(&reader, m->c->policy->domains_file, NULL, 0) != MXGUARD_ERROR_NONE)
		return false;
	while (m->asked <= MAILBOX_DOMAINS_MOST && lines++ < LINES_MOST &&
	       (more = mxg_domains_next(reader, &domain, NULL, 0)) != 0) {
		const char *kept = more == 1 ? mxg_check_keep(m->c, domain, strlen(domain)) : NULL;
		wrong += more != 1;
		if (kept != NULL)
			try_owner(m, kept);
	}
	mxg_domains_close(reader);
	m->asked += more != 0; /* there are others */
	return more != 0 || mxg_domains_is_list(lines - 1 - wrong, wrong);
}

/* What domains_command has printed stands in the snapshot alone. */
static bool try_owners_of_snapshot(struct making *m)
{
	char domain[256];
	uint64_t at = 0;
	unsigned seen = 0;
	bool more = true;
	if (m->c->snapshot == NULL)
		return false;
	while (m->asked <= MAILBOX_DOMAINS_MOST && seen++ < LINES_MOST &&
	       (more = mxg_snapshot_next_domain(m->c->snapshot, &at, domain))) {
		const char *kept = mxg_check_keep(m->c, domain, strlen(domain));
		if (kept != NULL)
			try_owner(m, kept);
	}
	m->asked += more; /* there are others */
	return true;
}

static bool try_owners_elsewhere(struct making *m)
{
	return m->c->policy->domains_file != NULL ? try_owners_of_file(m) : try_owners_of_snapshot(m);
}

static void add_doubt_by_recipient(struct making *m, enum mxg_reason doubt)
{
	const struct mxguard_policy *p = m->c->policy;
	const struct mxg_parsed own = { m->r->address, m->r->domain, m->r->len, m->r->domain_len, false };
	for (size_t i = 0; i < p->ruleset_count; i++)
		if (p->rulesets[i].by_recipient && (i == 0 || p->rulesets[i].mode == MXGUARD_MODE_ENFORCE))
			add_route(m, &own, &p->rulesets[i], doubt);
}

/* Where nobody said which domains are ours, the first policy governs more than those that are named. */
static void add_unnamed_owner(struct making *m)
{
	const struct mxguard_policy *p = m->c->policy;
	bool named = mxg_policy_has_domains(p) ||
		     (p->default_domain != NULL &&
		      ruleset_of(m, p->default_domain, strlen(p->default_domain)) == &p->rulesets[0]);
	if (!named && p->rulesets[0].by_recipient && (m->r->routes != NULL || !m->simple))
		add_mailbox(m, p->hostname, strlen(p->hostname), &p->rulesets[0]);
}

/* All that may be its owner: each policy, with each domain whose records it asks for. */
static void add_owners(struct making *m)
{
	const struct mxguard_policy *p = m->c->policy;
	const char *domain;
	if (m->mailbox_done)
		return;
	m->mailbox_done = true;
	for (size_t i = 0; i < p->ruleset_count; i++)
		if (!p->rulesets[i].by_recipient)
			add_mailbox(m, p->hostname, strlen(p->hostname), &p->rulesets[i]);
	if (p->default_domain != NULL)
		try_owner(m, p->default_domain);
	for (size_t i = 0; i < p->domains.count; i++)
		try_owner(m, p->domains.items[i]);
	for (size_t i = 0; (domain = mxg_policy_listed_domain(p, i)) != NULL; i++)
		if (!mxg_policy_has_domain(p, domain, strlen(domain)))
			try_owner(m, domain);
	add_unnamed_owner(m);
	if (mxg_policy_lists_elsewhere(p) && m->asked <= MAILBOX_DOMAINS_MOST && !try_owners_elsewhere(m))
		add_doubt_by_recipient(m, MXG_REASON_DOMAINS_UNREADABLE);
	if (m->asked > MAILBOX_DOMAINS_MOST)
		add_doubt_by_recipient(m, MXG_REASON_MAILBOX_AMBIGUOUS);
}

static bool is_host(const struct making *m, const char *domain, size_t len)
{
	return mxg_policy_may_be_own_name(m->c->policy, domain, len) &&
	       mxg_check_standing(m->c, domain, len) == MXG_STANDING_HOST;
}

/* ---- a domain in the address ------------------------------------------------------------------- */

static void add_domain(struct making *m, const struct mxg_route_piece *domain)
{
	struct mxg_parsed parsed;
	const char *fallback = m->c->policy->default_domain;
	struct mxg_route_piece d = *domain;
	if (d.len == 0 && fallback != NULL)
		d = (struct mxg_route_piece){ fallback, strlen(fallback) };
	if (!mxg_check_compose(m->c, &parsed, m->user == NULL ? "" : m->user, m->user_len, d.at, d.len))
		return;
	if (is_host(m, parsed.domain, parsed.domain_len))
		add_owners(m);
	else
		add_route(m, &parsed, ruleset_of(m, parsed.domain, parsed.domain_len), MXG_REASON_UNDECIDED);
}

/* What an MTA may make of a name that it does not know: only where that is one of our domains. */
static void add_if_ours(struct making *m, const char *text, size_t len)
{
	struct mxg_parsed parsed;
	const char *kept = mxg_check_keep(m->c, text, len);
	if (kept == NULL || !mxg_check_compose(m->c, &parsed, "", 0, kept, len))
		return;
	enum mxg_standing standing = mxg_check_standing(m->c, parsed.domain, parsed.domain_len);
	if (standing != MXG_STANDING_FOREIGN)
		add_domain(m, &(struct mxg_route_piece){ kept, len });
}

/* Folded as Postfix does; a single label below the parent of this host's name, which some MTAs append. */
static void add_variants(struct making *m, const struct mxg_route_piece *domain)
{
	char text[256], label[256];
	const char *parent = strchr(m->c->policy->hostname, '.');
	if (mxg_route_fold(text, domain->at, domain->len))
		add_if_ours(m, text, strlen(text));
	if (domain->len == 0 || domain->len > 63 || parent == NULL || memchr(domain->at, '.', domain->len) != NULL ||
	    domain->at[0] == '[' || is_host(m, domain->at, domain->len))
		return;
	int n = snprintf(label, sizeof(label), "%.*s%s", (int)domain->len, domain->at, parent);
	if (n > 0 && (size_t)n < sizeof(label))
		add_if_ours(m, label, (size_t)n);
}

static void read_all(struct making *m, const char *path, size_t len)
{
	struct mxg_route route;
	char *buffer = mxg_arena_take(&m->c->arena, len + 1);
	if (buffer == NULL) {
		m->c->out_of_memory = true;
		return;
	}
	mxg_route_read(&route, buffer, path, len);
	m->user = route.user.at;
	m->user_len = route.user.len;
	for (size_t i = 0; i < route.count; i++) {
		add_domain(m, &route.domains[i]);
		add_variants(m, &route.domains[i]);
	}
	if (is_host(m, m->r->domain, m->r->domain_len)) /* however much stands before it */
		add_owners(m);
	if (route.count == 0)
		add_domain(m, &(struct mxg_route_piece){ "", 0 });
	if (route.unreadable)
		add_doubt(m, MXG_REASON_RECIPIENT_UNREADABLE);
}

/* The address itself is one way to read it, and the one that MTAs take which route on nothing. */
void mxg_routes_make(struct mxguard_check *c, struct mxg_recipient *r, const char *path, size_t len, bool simple)
{
	struct making m = { .c = c, .r = r, .simple = simple };
	const struct mxg_parsed own = { r->address, r->domain, r->len, r->domain_len, false };
	bool host = is_host(&m, r->domain, r->domain_len);
	if (simple && !host)
		return;
	if (!host)
		add_route(&m, &own, r->ruleset, MXG_REASON_UNDECIDED);
	if (!simple) {
		read_all(&m, path, len);
		return;
	}
	m.user = r->address;
	m.user_len = r->len - r->domain_len - (r->domain_len > 0);
	add_owners(&m);
}

bool mxg_routes_share(struct mxguard_check *c, struct mxg_recipient *r)
{
	for (struct mxg_recipient *route = r->routes; route != NULL; route = route->next) {
		route->override = r->override;
		for (const struct mxg_recipient_name *n = r->names; route->mailbox && n != route->shared; n = n->next) {
			struct mxg_recipient_name *copy = mxg_arena_take(&c->arena, sizeof(*copy));
			if (copy == NULL) {
				c->out_of_memory = true;
				return false;
			}
			*copy = *n;
			copy->next = route->names;
			copy->domain_check = MXG_NAME_UNTRIED;
			route->names = copy;
		}
		route->shared = r->names;
	}
	return true;
}

/* By what is done, and then by what would be; of equals the first. */
static bool is_stricter(const struct mxg_recipient *a, const struct mxg_recipient *b)
{
	static const int rank[] = {
		[MXGUARD_ACTION_ACCEPT] = 0, [MXGUARD_ACTION_TAG] = 1,    [MXGUARD_ACTION_QUARANTINE] = 2,
		[MXGUARD_ACTION_DEFER] = 3,  [MXGUARD_ACTION_REJECT] = 4,
	};
	return a->action == b->action ? rank[a->would] > rank[b->would] : rank[a->action] > rank[b->action];
}

void mxg_routes_conclude(struct mxg_recipient *r)
{
	const struct mxg_recipient *worst = r->routes;
	for (const struct mxg_recipient *route = worst->next; route != NULL; route = route->next)
		if (is_stricter(route, worst))
			worst = route;
	r->ruleset = worst->ruleset;
	r->domain = worst->domain;
	r->domain_len = worst->domain_len;
	r->domain_check = worst->domain_check;
	r->mode = worst->mode;
	r->action = worst->action;
	r->would = worst->would;
	r->outcome = worst->outcome;
	r->decided = true;
}
