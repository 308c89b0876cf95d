/* SPDX-License-Identifier: MIT */
/* From names that lead here to rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/guard.h"
#include "audit/past.h"
#include "audit/sts.h"

#define DOMAINS_LOOKED_AT 50 /* for a name that belongs to none */

const char *mxg_leak_word(enum mxg_leak leak)
{
	static const char *const words[] = { "mx",      "old-mx", "guessable", "wildcard",    "spf",     "srv",
					     "mta-sts", "tlsa",   "ptr",       "certificate", "hostname" };
	return words[leak];
}

static const char *leak_advice(const struct mxg_audit_name *n, enum mxg_leak leak)
{
	static const char *const texts[] = {
		[MXG_LEAK_MX] = "the MX names this host: let it name the filters alone",
		[MXG_LEAK_OLD_MX] = "whoever remembers the old MX still comes: take the name away, or move the host",
		[MXG_LEAK_GUESSABLE] = "anybody guesses this name: call the host otherwise, or move it",
		[MXG_LEAK_WILDCARD] = "every name leads here: let the wildcard lead elsewhere",
		[MXG_LEAK_SPF] = "the SPF record shows it: send by another address",
		[MXG_LEAK_SRV] = "clients find it by its SRV record: let port 25 stand at another address",
		[MXG_LEAK_MTA_STS] = "MTA-STS shows it: let the policy name the filters alone",
		[MXG_LEAK_TLSA] = "the TLSA record shows a mail server: take it away",
		[MXG_LEAK_PTR] = "the address's own PTR record shows it",
		[MXG_LEAK_CERTIFICATE] = "the certificate shows it, and so do the logs of certificates",
		[MXG_LEAK_HOSTNAME] = "greeting and Received fields show it",
	};
	if (n->gone)
		return "DNS does not lead here any more, but whoever remembers the old MX still comes";
	return texts[leak];
}

static const struct mxg_ruleset *rules_of(const struct mxg_audit *audit, const char *domain)
{
	const struct mxguard_policy *policy = audit->policy;
	return domain == NULL ? &policy->rulesets[0] : mxg_policy_ruleset(policy, domain, strlen(domain));
}

/* Whether what comes past the filters gets through all the same. */
static bool lets_in(const struct mxg_ruleset *rules, enum mxg_guard guard)
{
	bool queued = guard == MXG_GUARD_PLUGIN || guard == MXG_GUARD_WRAPPER;
	enum mxguard_action action = queued ? rules->on_direct_queued : rules->on_direct;
	return action == MXGUARD_ACTION_ACCEPT || action == MXGUARD_ACTION_TAG;
}

static const char *guard_advice(const struct mxg_guarded *port, const struct mxg_ruleset *rules)
{
	enum mxguard_mode mode = rules->mode;
	if (port->port == 0)
		return "nothing takes mail at this address now";
	if (port->guard == MXG_GUARD_UNKNOWN)
		return "whether something guards the port is not known: try it from elsewhere with --probe";
	if (port->guard == MXG_GUARD_NONE)
		return mode == MXGUARD_MODE_OFF ? "mode is off" : "mail gets in unguarded: see mxguard-policy(8)";
	if (mode == MXGUARD_MODE_MONITOR && port->guard != MXG_GUARD_FIREWALL)
		return "guarded, but mode is monitor: nothing is refused yet";
	if (port->guard != MXG_GUARD_FIREWALL && lets_in(rules, port->guard))
		return "guarded, but by on_direct or on_direct_queued nothing is refused";
	return "guarded";
}

/* ---- one row ---------------------------------------------------------------------------------------- */

static void put(struct mxg_audit_name *n, enum mxg_leak leak, const char *domain, const char *text,
		const struct mxg_address *address, const struct mxg_guarded *port)
{
	struct mxg_audit *audit = n->job->audit;
	char advice[300];
	bool dated = leak == MXG_LEAK_MX || leak == MXG_LEAK_OLD_MX;
	snprintf(advice, sizeof(advice), "%s; %s", guard_advice(port, rules_of(audit, domain)), leak_advice(n, leak));
	audit->unguarded += port->port != 0 && port->guard == MXG_GUARD_NONE;
	audit->unknown += port->port != 0 && port->guard == MXG_GUARD_UNKNOWN;
	audit->row(audit->to, &(struct mxg_audit_row){ .domain = domain,
						       .name = text,
						       .address = *address,
						       .leak = leak,
						       .since = dated ? n->since : 0,
						       .until = leak == MXG_LEAK_OLD_MX ? n->until : 0,
						       .port = port->port,
						       .guard = port->guard,
						       .advice = advice });
}

/* mxguard lets everything in where it is switched off. */
static enum mxg_guard in_mode(enum mxg_guard guard, enum mxguard_mode mode)
{
	bool ours = guard < MXG_GUARD_NONE && guard != MXG_GUARD_FIREWALL;
	return ours && mode == MXGUARD_MODE_OFF ? MXG_GUARD_NONE : guard;
}

static size_t guards_for(const struct mxg_audit *audit, const struct mxg_address *address, const char *domain,
			 struct mxg_guarded out[MXG_PORTS_MOST])
{
	size_t count = mxg_guards_at(audit->guards, address, domain, out);
	for (size_t i = 0; i < count; i++)
		out[i].guard = in_mode(out[i].guard, rules_of(audit, domain)->mode);
	return count;
}

static size_t put_port(struct mxg_guarded out[MXG_PORTS_MOST], size_t count, const struct mxg_guarded *port)
{
	size_t i = 0;
	while (i < count && out[i].port != port->port)
		i++;
	if (i < count) /* where mail for one of them gets in, the port is open */
		out[i].guard = port->guard == MXG_GUARD_NONE || out[i].guard == MXG_GUARD_NONE
				       ? MXG_GUARD_NONE
				       : mxg_guard_either(out[i].guard, port->guard);
	else if (count < MXG_PORTS_MOST)
		out[count++] = *port;
	return count;
}

/* By a name of the host's alone mail for each of its domains may come. */
static size_t guards_for_any(const struct mxg_audit *audit, const struct mxg_address *address,
			     struct mxg_guarded out[MXG_PORTS_MOST])
{
	const struct mxg_names *domains = &audit->domains;
	struct mxg_guarded other[MXG_PORTS_MOST];
	size_t count = guards_for(audit, address, domains->count == 0 ? NULL : mxg_names_get(domains, 0), out);
	for (size_t d = 1; d < domains->count && d < DOMAINS_LOOKED_AT; d++) {
		size_t others = guards_for(audit, address, mxg_names_get(domains, d), other);
		for (size_t k = 0; k < others; k++)
			count = put_port(out, count, &other[k]);
	}
	return count;
}

static void put_address(struct mxg_audit_name *n, enum mxg_leak leak, const char *domain, const char *text,
			const struct mxg_address *address)
{
	static const struct mxg_guarded nothing = { 0, MXG_GUARD_UNKNOWN };
	struct mxg_guarded ports[MXG_PORTS_MOST];
	const struct mxg_audit *audit = n->job->audit;
	size_t count =
		domain == NULL ? guards_for_any(audit, address, ports) : guards_for(audit, address, domain, ports);
	for (size_t i = 0; i < count; i++)
		put(n, leak, domain, text, address, &ports[i]);
	if (count == 0)
		put(n, leak, domain, text, address, &nothing);
}

/* ---- one name ---------------------------------------------------------------------------------------- */

/* The domain of ours that the name is in. */
static const char *domain_of(const struct mxg_audit_job *job, const char *name)
{
	size_t index;
	if (job->domain != NULL)
		return job->domain;
	for (const char *at = name; at != NULL; at = strchr(at, '.'), at += at != NULL)
		if (mxg_names_find(&job->audit->domains, at, strlen(at), &index))
			return mxg_names_get(&job->audit->domains, index);
	return NULL;
}

/* What the wildcard answers for is no name of its own. */
static const struct mxg_audit_name *wildcard_of(const struct mxg_audit_job *job)
{
	const struct mxg_audit_name *n = job->names;
	while (n != NULL && ((n->leaks & MXG_LEAK(WILDCARD)) == 0 || n->print == 0))
		n = n->next;
	return n;
}

static void settle_leaks(struct mxg_audit_name *n, const struct mxg_audit_name *wildcard)
{
	const struct mxg_audit_job *job = n->job;
	bool below = mxg_name_within(&n->name, &job->name) && !mxg_name_equal(&n->name, &job->name);
	if (wildcard != NULL && n != wildcard && below && n->print == wildcard->print)
		n->leaks &= ~(MXG_LEAK(GUESSABLE) | (job->wants_policy ? 0 : MXG_LEAK(MTA_STS)));
	if ((n->leaks & MXG_LEAK(MX)) != 0)
		n->leaks &= ~MXG_LEAK(OLD_MX);
	if (n->count > 0 && (n->leaks & MXG_LEAK(WILDCARD)) == 0 && mxg_sts_covers(job, &n->name))
		n->leaks |= MXG_LEAK(MTA_STS);
	if (n->count == 0 && (n->leaks & MXG_LEAK(OLD_MX)) != 0)
		mxg_past_addresses(job->audit->past, n);
	if (n->gone)
		n->leaks &= MXG_LEAK(OLD_MX);
}

static void put_name(struct mxg_audit_name *n)
{
	char text[MXG_NAME_TEXT_MAX + 2], *name = text;
	if (n->count == 0)
		return;
	mxg_name_format(&n->name, text);
	if ((n->leaks & MXG_LEAK(WILDCARD)) != 0) {
		name = strchr(text, '.') - 1; /* behind the label that nobody has */
		name[0] = '*';
	}
	if (n->literal)
		mxg_address_format(&n->ours[0], text);
	for (unsigned leak = 0; leak < MXG_LEAKS; leak++)
		for (size_t i = 0; (n->leaks & 1u << leak) != 0 && i < n->count; i++)
			put_address(n, leak, domain_of(n->job, name), name, &n->ours[i]);
}

static int by_name(const void *a, const void *b)
{
	const struct mxg_name *one = &(*(struct mxg_audit_name *const *)a)->name;
	const struct mxg_name *two = &(*(struct mxg_audit_name *const *)b)->name;
	/* without the first label's length; where a label ends, the next one's sorts before letters */
	int order = memcmp(one->wire + 1, two->wire + 1, (one->len < two->len ? one->len : two->len) - 1u);
	return order != 0 ? order : (one->len > two->len) - (one->len < two->len);
}

/* They came in the order of the replies, which is another one each time. */
static void sort_names(struct mxg_audit_job *job)
{
	size_t count = 0;
	for (const struct mxg_audit_name *n = job->names; n != NULL; n = n->next)
		count++;
	struct mxg_audit_name **all = calloc(count + 1, sizeof(struct mxg_audit_name *)), **at = all;
	for (struct mxg_audit_name *n = job->names; all != NULL && n != NULL; n = n->next)
		*at++ = n;
	if (all == NULL)
		return;
	qsort(all, count, sizeof(struct mxg_audit_name *), by_name);
	for (size_t i = 0; i < count; i++)
		all[i]->next = all[i + 1];
	job->names = all[0];
	free(all);
}

void mxg_audit_rows(struct mxg_audit_job *job)
{
	sort_names(job);
	const struct mxg_audit_name *wildcard = wildcard_of(job);
	for (struct mxg_audit_name *n = job->names; n != NULL; n = n->next) {
		settle_leaks(n, wildcard);
		put_name(n);
	}
}
