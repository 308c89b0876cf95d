/* SPDX-License-Identifier: MIT */
/* Whether a copy of a refused message may teach a filter what spam is (docs/design.md, "Trap"): only
 * where there is no doubt at all, since what is learned wrongly is hard to find again. */
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "base/neuter.h"

/* A host that is another domain's gateway hands on honest mail, and may have lost its way. */
static bool is_some_gateway(const struct mxguard_check *c)
{
	for (size_t i = 0; i < c->policy->ruleset_count; i++) {
		size_t count;
		mxg_prefix_set_lookup(c->policy->rulesets[i].prefixes, &c->boundary, &count);
		if (count > 0)
			return true;
	}
	return false;
}

/* Senders may still know an older MX set. Where the gateways are the domain's own records, only a
 * snapshot can tell that it is old. */
static bool is_settled(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	if (c->policy->settle == 0)
		return true;
	if (r->domain_check < 0 || c->domains[r->domain_check].settling)
		return false;
	return !r->ruleset->by_recipient || c->domains[r->domain_check].mx_known;
}

/* An address with several readings is not certain; whoever writes bounces has a reason. */
static bool may_be_trapped(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	return r->decided && r->routes == NULL && r->outcome.verdict == MXGUARD_VERDICT_DIRECT &&
	       r->outcome.reason == MXG_REASON_PEER_NOT_A_GATEWAY && is_settled(c, r);
}

static bool is_refused(const struct mxg_recipient *r)
{
	return r->action == MXGUARD_ACTION_REJECT;
}

static bool is_possible(const struct mxguard_check *c)
{
	return c->policy->trap.directory != NULL && c->place == MXGUARD_PLACE_DOOR && c->hop == 0 &&
	       c->sender[0] != '\0' && !is_some_gateway(c);
}

/* One recipient to whom the message may belong is enough to keep it out. */
static const struct mxg_recipient *find_trapped(const struct mxguard_check *c)
{
	const struct mxg_recipient *refused = NULL;
	for (size_t i = 0; i < c->recipient_count; i++) {
		const struct mxg_recipient *r = &c->recipients[i];
		if (!may_be_trapped(c, r))
			return NULL;
		if (refused == NULL && is_refused(r))
			refused = r;
	}
	return refused;
}

static void write_field(const struct mxguard_check *c, const struct mxg_recipient *r, char *buffer, size_t size)
{
	char peer[MXG_ADDRESS_TEXT_MAX], domain[300], helo[300];
	mxg_address_format(&c->boundary, peer);
	mxg_neuter(domain, sizeof(domain), r->domain, r->domain_len, " ;\"\\");
	mxg_neuter(helo, sizeof(helo), c->helo, strlen(c->helo), " ;\"\\");
	snprintf(buffer, size, "X-Mxguard-Trap: peer=%s; domain=%s;\r\n\ttime=%lld; reason=%s;\r\n\thelo=\"%s\"\r\n",
		 peer, domain, (long long)c->now, mxg_reason_code(r->outcome.reason), helo);
}

int mxguard_check_trap(const struct mxguard_check *c, size_t index, char *buffer, size_t size)
{
	if (!is_possible(c))
		return 0;
	if (index != MXGUARD_ALL)
		return index < c->recipient_count && may_be_trapped(c, &c->recipients[index]) &&
		       is_refused(&c->recipients[index]);
	const struct mxg_recipient *r = find_trapped(c);
	if (r == NULL)
		return 0;
	write_field(c, r, buffer, size);
	return 1;
}
