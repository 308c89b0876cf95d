/* SPDX-License-Identifier: MIT */
/* Domains whose MX belongs to a filter service: what it delivers must be let in, and it alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "suggest/suggest.h"

#define SEEN_MAX 64

/* A vendor is told of once for all domains with the same gateways. */
struct seen {
	const struct mxg_vendor *vendor;
	const struct mxg_ruleset *ruleset;
	char domain[256]; /* the first of them */
	char allow[MXG_VENDOR_ALLOW_MAX];
	size_t domains;
};

struct examined {
	struct mxg_doctor *doctor;
	struct mxg_suggest suggest;
	struct seen seen[SEEN_MAX];
	size_t count;
};

/* ---- whether something lets the vendor in ------------------------------------------------- */

static const char *house(const char *target, size_t len, size_t *out)
{
	size_t at = len, dots = 0;
	while (at > 0 && (target[at - 1] != '.' || ++dots < 2))
		at--;
	*out = len - at;
	return target + at;
}

/* Terms that lead to names of the same house: _netblocks.filter.example, eu._netblocks.filter.example. */
static bool same_house(const struct mxg_term *a, const struct mxg_term *b)
{
	size_t a_len, b_len;
	if (a->target == NULL || b->target == NULL)
		return false;
	const char *a_house = house(a->target, a->target_len, &a_len),
		   *b_house = house(b->target, b->target_len, &b_len);
	return a_len == b_len && strncasecmp(a_house, b_house, a_len) == 0;
}

static bool covers(const struct mxg_term *own, const struct mxg_term *vendors)
{
	if (vendors->mechanism != MXG_MECHANISM_IP4 && vendors->mechanism != MXG_MECHANISM_IP6)
		return own->mechanism != MXG_MECHANISM_MX && same_house(own, vendors);
	return own->mechanism == vendors->mechanism && mxg_prefix_contains(&own->prefix, &vendors->prefix.base);
}

static bool lets_in(const struct mxg_ruleset *rules, const char *allow)
{
	char text[MXG_VENDOR_ALLOW_MAX], *rest = text, *piece;
	struct mxg_term term;
	struct mxg_term_error error;
	snprintf(text, sizeof(text), "%s", allow);
	while ((piece = strsep(&rest, " ")) != NULL)
		for (size_t i = 0; i < rules->term_count; i++)
			if (mxg_term_parse_configured(&term, piece, strlen(piece), false, &error) &&
			    covers(&rules->terms[i].term, &term))
				return true;
	return false;
}

/* Nothing but MX hosts: then it is certain that no other host of the vendor's is let in. */
static bool only_mx(const struct mxg_ruleset *rules)
{
	for (size_t i = 0; i < rules->term_count; i++)
		if (rules->terms[i].term.mechanism != MXG_MECHANISM_MX)
			return false;
	return rules->certificate_count == 0;
}

static bool has_condition(const struct mxg_ruleset *rules)
{
	for (size_t i = 0; i < rules->gateway_count; i++)
		if (rules->gateways[i].token.field != NULL || rules->gateways[i].certificate.set)
			return true;
	return false;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void tell(struct mxg_doctor *d, const struct seen *seen)
{
	const struct mxg_vendor *v = seen->vendor;
	char whose[400], advice[400];
	snprintf(whose, sizeof(whose), "the MX of %s", seen->domain);
	if (seen->domains > 1)
		snprintf(whose, sizeof(whose), "the MX of %s and %zu more", seen->domain, seen->domains - 1);
	snprintf(advice, sizeof(advice), "mxguard suggest %s", seen->domain);
	bool in = seen->allow[0] != '\0' && lets_in(seen->ruleset, seen->allow);
	if (in && v->shared && !has_condition(seen->ruleset))
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "vendor-shared", advice,
				"%s is %s's, which delivers for its other customers from the same addresses, and no "
				"header or certificate is demanded",
				whose, v->name);
	else if (in)
		mxg_finding_add(&d->findings, MXG_FINDING_OK, "vendor", NULL,
				"%s is %s's, whose delivering hosts are "
				"let in",
				whose, v->name);
	else if (only_mx(seen->ruleset))
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "vendor", advice,
				"%s is %s's, but nothing authorizes %s's delivering hosts: filters in a cloud deliver "
				"from other addresses than those that receive",
				whose, v->name, v->name);
	else
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "vendor", advice,
				"%s is %s's; whether the addresses in gateways are those from which it delivers is not "
				"known here: %s",
				whose, v->name, v->source);
}

/* ---- domains ----------------------------------------------------------------------------------- */

static void add(struct examined *e, const char *domain, const struct mxg_suggest_host *host)
{
	const struct mxg_ruleset *rules = mxg_policy_ruleset(e->doctor->policy, domain, strlen(domain));
	for (size_t i = 0; i < e->count; i++) {
		struct seen *known = &e->seen[i];
		if (known->vendor != host->vendor || known->ruleset != rules)
			continue;
		known->domains += strcmp(known->domain, domain) != 0;
		return;
	}
	if (e->count == SEEN_MAX)
		return;
	struct seen *fresh = &e->seen[e->count++];
	*fresh = (struct seen){ .vendor = host->vendor, .ruleset = rules, .domains = 1 };
	snprintf(fresh->domain, sizeof(fresh->domain), "%s", domain);
	if (!mxg_vendor_allow(host->vendor, host->name, fresh->allow))
		fresh->allow[0] = '\0';
}

static void look_at(void *to, const char *domain)
{
	struct examined *e = to;
	struct mxg_suggestion found;
	mxg_suggest_hosts(&e->suggest, domain, &found);
	for (size_t i = 0; i < found.host_count; i++)
		if (found.hosts[i].vendor != NULL)
			add(e, domain, &found.hosts[i]);
	mxg_suggestion_clear(&found);
}

void mxg_doctor_vendors(struct mxg_doctor *d)
{
	if (d->no_dns)
		return;
	struct examined *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return;
	e->doctor = d;
	if (mxg_suggest_begin(&e->suggest, d->policy, NULL) == 0)
		mxg_doctor_each_domain(d, look_at, e);
	for (size_t i = 0; i < e->count; i++)
		tell(d, &e->seen[i]);
	mxg_suggest_close(&e->suggest);
	free(e);
}
