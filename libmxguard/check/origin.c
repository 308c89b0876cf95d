/* SPDX-License-Identifier: MIT */
/*
 * Who handed the message to the gateway (docs/design.md, "Origin"). The fields below the boundary hop are
 * walked as our own are, with the gateway's names; whether a client that they name is a gateway's is
 * decided as for the boundary peer. The walk is short and has no state: it begins anew with each reply.
 */
#include <string.h>
#include <strings.h>

#include "base/neuter.h"
#include "check/internal.h"
#include "received/trace.h"

#define FIELDS_MAX 32
#define BYTES_MAX (64 * 1024)
#define CLIENTS_MAX 8 /* whom DNS is asked about, of one check */

/* ---- the fields ------------------------------------------------------------------------------------ */

/* Without memory the fields end here: then there is no origin, and nothing else is lost. */
bool mxg_origin_keep(void *context, unsigned number, const char *field, size_t len)
{
	struct mxguard_check *c = context;
	if (c->below.count >= FIELDS_MAX || len > BYTES_MAX - c->below.bytes)
		return false;
	struct mxg_lower_field *f = mxg_arena_take(&c->arena, sizeof(*f) + len);
	if (f == NULL)
		return false;
	f->next = NULL;
	f->number = number;
	f->len = len;
	memcpy(f->bytes, field, len);
	*(c->below.last == NULL ? &c->below.first : &c->below.last->next) = f;
	c->below.last = f;
	c->below.count++;
	c->below.bytes += len;
	return true;
}

void mxg_origin_begin(struct mxguard_check *c, unsigned above)
{
	c->below.ended = true;
	while (c->below.first != NULL && c->below.first->number <= above)
		c->below.first = c->below.first->next;
}

/* ---- a client ---------------------------------------------------------------------------------------- */

struct walk {
	struct mxguard_check *check;
	size_t domain; /* number of the domain check that authorized the boundary peer */
	const struct mxg_origin_rules *rules;
	bool waits, doubt;
};

static bool is_loopback(const struct mxg_address *a)
{
	static const struct mxg_prefix v4 = { { 4, { 127 } }, 8 }, v6 = { { 6, { [15] = 1 } }, 128 };
	return mxg_prefix_contains(&v4, a) || mxg_prefix_contains(&v6, a);
}

/* Addresses that mean nothing outside of the gateway's own network (RFC 1918, 3927, 4193, 4291, 6598). */
static bool is_private(const struct mxg_address *a)
{
	static const struct mxg_prefix ranges[] = {
		{ { 4, { 10 } }, 8 },          { { 4, { 172, 16 } }, 12 }, { { 4, { 192, 168 } }, 16 },
		{ { 4, { 169, 254 } }, 16 },   { { 4, { 100, 64 } }, 10 }, { { 6, { 0xfc } }, 7 },
		{ { 6, { 0xfe, 0x80 } }, 10 },
	};
	return mxg_prefixes_contain(ranges, sizeof(ranges) / sizeof(ranges[0]), a);
}

static int client_check(const struct walk *w, const struct mxg_address *client)
{
	struct mxguard_check *c = w->check;
	const struct mxg_domain_check *base = &c->domains[w->domain];
	size_t clients = 0;
	for (size_t i = 0; i < c->domain_count; i++) {
		const struct mxg_domain_check *d = &c->domains[i];
		clients += d->client != NULL;
		if (d->client != NULL && d->ruleset == base->ruleset && d->domain == base->domain &&
		    mxg_address_equal(d->client, client))
			return (int)i;
	}
	struct mxg_address *copy = clients >= CLIENTS_MAX ? NULL : mxg_arena_take(&c->arena, sizeof(*copy));
	int number = copy == NULL ? -1 : mxg_check_new_domain(c, base->domain, base->domain_len, base->ruleset);
	if (number < 0)
		return -1;
	*copy = *client;
	c->domains[number].client = copy;
	c->domains[number].standing = c->domains[w->domain].standing;
	return number;
}

/* Whether the client is a gateway's. What only nearly is one, or cannot be known, ends the walk. */
static bool is_gateway(struct walk *w, const struct mxg_address *client)
{
	int number = client_check(w, client);
	struct mxg_domain_check *d = number < 0 ? NULL : &w->check->domains[number];
	if (d != NULL && !d->done && d->dirty)
		mxg_decide_domain(w->check, d);
	if (d != NULL && d->done && d->outcome.verdict == MXGUARD_VERDICT_AUTHORIZED)
		return true;
	w->waits |= d != NULL && !d->done && !w->check->gave_up && !w->check->out_of_memory;
	w->doubt |= d == NULL || !d->done || d->outcome.verdict != MXGUARD_VERDICT_DIRECT ||
		    d->outcome.reason == MXG_REASON_TOKEN_MISSING;
	return false;
}

static bool is_gateways_own(void *context, const struct mxg_address *client)
{
	struct walk *w = context;
	if (client->family == 0)
		return false;
	return is_loopback(client) || mxg_list_covers(&w->rules->internal, client) || is_gateway(w, client);
}

/* ---- the walk ---------------------------------------------------------------------------------------- */

static const struct mxg_origin_rules *rules_of(const struct mxguard_check *c, const struct mxg_domain_check *d)
{
	if (d->client != NULL || !d->done || d->outcome.verdict != MXGUARD_VERDICT_AUTHORIZED ||
	    d->outcome.gateway == NULL)
		return NULL;
	const struct mxg_origin_rules *own = &d->outcome.gateway->origin;
	const struct mxg_origin_rules *rules = own->by.count > 0 ? own : &c->policy->origin;
	return rules->by.count > 0 ? rules : NULL;
}

static void tell_hop(struct walk *w, const struct mxg_lower_field *f, const struct mxg_trace *t)
{
	char address[MXG_ADDRESS_TEXT_MAX], by[256];
	if ((w->check->flags & MXGUARD_CHECK_FLAG_STEPS) == 0 || w->waits)
		return;
	mxg_address_format(&t->address, address);
	mxg_neuter(by, sizeof(by), t->by, strlen(t->by), "");
	if (t->outcome == MXG_TRACE_PENDING)
		mxg_text_list_add(&w->check->steps, "hop %u: the gateway's own", f->number);
	else if (t->outcome == MXG_TRACE_EXTERNAL || t->outcome == MXG_TRACE_AUTHENTICATED)
		mxg_text_list_add(&w->check->steps, "hop %u: from %s by %s: the gateway got it there%s", f->number,
				  address[0] == '\0' ? "-" : address, by, w->doubt ? ", or not: in doubt" : "");
	else
		mxg_text_list_add(&w->check->steps, "hop %u: does not tell where the gateway got it: %s", f->number,
				  t->reason != MXG_TRACE_REASON_NONE ? mxg_trace_reason_name(t->reason)
								     : mxg_trace_outcome_name(t->outcome));
}

/* A name of the gateway's that DNS gave to a host which is no gateway: a host of theirs, most likely, that
 * nobody has listed. */
static bool is_named_as_gateway(const struct mxg_origin_rules *rules, const char *hostname)
{
	size_t len = strlen(hostname);
	for (size_t i = 0; i < rules->by.count; i++) {
		const char *name = rules->by.items[i];
		size_t n = strlen(name);
		if (name[0] == '.' ? len > n && strcasecmp(hostname + len - n, name) == 0
				   : strcasecmp(hostname, name) == 0)
			return true;
	}
	return false;
}

static void take_origin(struct walk *w, const struct mxg_trace *t, unsigned hop)
{
	struct mxguard_check *c = w->check;
	bool told = t->outcome == MXG_TRACE_EXTERNAL || t->outcome == MXG_TRACE_AUTHENTICATED;
	c->domains[w->domain].origin.state = MXG_ORIGIN_NONE;
	if (!told || w->doubt || t->address.family == 0 || is_gateways_own(w, &t->address) || w->doubt ||
	    is_private(&t->address) || is_named_as_gateway(w->rules, t->hostname))
		return;
	const char *helo = mxg_arena_text(&c->arena, t->helo, strlen(t->helo));
	if (helo == NULL)
		return;
	/* not before: who has asked about a client may have moved the domains */
	c->domains[w->domain].origin = (struct mxg_origin){ MXG_ORIGIN_FOUND, t->address, helo, hop };
}

/* False where it has to be walked again. */
static bool walk(struct mxguard_check *c, size_t number, const struct mxg_origin_rules *origin)
{
	struct walk w = { .check = c, .domain = number, .rules = origin };
	const struct mxg_trace_rules rules = {
		.belief = MXG_TRACE_NAMED,
		.by = origin->by.items,
		.by_count = origin->by.count,
		.mta_mask = origin->mta,
		.captured_only = true,
		.is_internal = is_gateways_own,
		.context = &w,
	};
	struct mxg_trace *t = mxg_boundary_spare_trace(c);
	struct mxg_text_mark mark = mxg_text_list_mark(&c->steps);
	mxg_trace_init(t, &rules);
	for (const struct mxg_lower_field *f = c->below.first; f != NULL && t->outcome == MXG_TRACE_PENDING;
	     f = f->next) {
		mxg_trace_take_field(t, f->bytes, f->len, false);
		tell_hop(&w, f, t);
		if (t->outcome != MXG_TRACE_PENDING && !w.waits)
			take_origin(&w, t, f->number);
	}
	if (w.waits) {
		mxg_text_list_cut(&c->steps, mark);
		return false;
	}
	if (c->domains[number].origin.state == MXG_ORIGIN_OPEN)
		c->domains[number].origin.state = MXG_ORIGIN_NONE; /* the fields ended */
	return true;
}

/* ---- all of them ------------------------------------------------------------------------------------- */

/* Without memory there is no origin; what is decided stays. */
static void give_up(struct mxguard_check *c)
{
	c->out_of_memory = false;
	for (size_t i = 0; i < c->domain_count; i++)
		if (c->domains[i].origin.state == MXG_ORIGIN_OPEN)
			c->domains[i].origin.state = MXG_ORIGIN_NONE;
}

bool mxg_origin_run(struct mxguard_check *c)
{
	bool all = true;
	if (!c->below.ended || c->below.first == NULL)
		return true;
	for (size_t i = 0; i < c->domain_count && !c->out_of_memory; i++) {
		const struct mxg_origin_rules *rules = rules_of(c, &c->domains[i]);
		if (rules != NULL && c->domains[i].origin.state == MXG_ORIGIN_OPEN)
			all &= walk(c, i, rules);
	}
	if (!c->out_of_memory)
		return all;
	give_up(c);
	return true;
}

/* Of several domains by which a recipient may have been authorized, the mailbox's own goes first. */
static const struct mxg_domain_check *authorizing(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	const struct mxg_domain_check *found = NULL;
	for (size_t i = c->domain_count; i-- > 0;) {
		const struct mxg_domain_check *d = &c->domains[i];
		if (d->client != NULL || !d->done || d->outcome.verdict != MXGUARD_VERDICT_AUTHORIZED ||
		    d->outcome.gateway != r->outcome.gateway || d->outcome.term != r->outcome.term)
			continue;
		found = d;
		if ((int)i == r->domain_check)
			break;
	}
	return found;
}

const struct mxg_origin *mxg_origin_of(const struct mxguard_check *c, const struct mxg_recipient *r)
{
	if (!c->policy->any_origin || !r->decided || r->outcome.verdict != MXGUARD_VERDICT_AUTHORIZED)
		return NULL;
	const struct mxg_domain_check *d = authorizing(c, r);
	return d != NULL && d->origin.state == MXG_ORIGIN_FOUND ? &d->origin : NULL;
}

int mxguard_check_wants_header(const struct mxguard_check *c)
{
	if (!c->policy->any_origin || c->header_ended || c->below.ended || c->gave_up)
		return 0;
	for (size_t i = 0; i < c->domain_count; i++)
		if (rules_of(c, &c->domains[i]) != NULL)
			return 1;
	return 0;
}
