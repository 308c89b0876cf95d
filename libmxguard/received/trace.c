/* SPDX-License-Identifier: MIT */
/* The walk: which hop is the boundary. trace_feed.c takes the fields out of the header for it. */
#include "received/trace.h"

#include "received/trace_walk.h"

#include <string.h>

void mxg_trace_init(struct mxg_trace *t, const struct mxg_trace_rules *rules)
{
	/* not the field buffer: it is the larger part, and holds nothing yet */
	memset(t, 0, offsetof(struct mxg_trace, cutter));
	t->rules = *rules;
	t->submitted = rules->submitted;
	mxg_header_init(&t->cutter, t->field, sizeof(t->field));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_folded(const char *a, const char *b, size_t n)
{
	if (memcmp(a, b, n) == 0)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

static bool same_name(struct mxg_slice by, const char *name, size_t n)
{
	return by.len == n && same_folded(by.at, name, n);
}

static bool is_our_name(const struct mxg_trace_rules *rules, struct mxg_slice by, bool whole)
{
	for (size_t i = 0; i < rules->by_count; i++) {
		const char *name = rules->by[i];
		size_t n = strlen(name);
		bool suffix = name[0] == '.';
		if (suffix ? !whole && by.len > n && same_folded(by.at + by.len - n, name, n) : same_name(by, name, n))
			return true;
	}
	return false;
}

/* qmail's and the null clients' lines have no name. On top only our own MTA can
 * have written them. Lower they could be anybody's, unless their MTA is named
 * in the configuration. */
static bool nameless_is_ours(const struct mxg_trace *t, const struct mxg_received *r)
{
	if (r->kind == MXG_RECEIVED_MARKER)
		return true;
	if (r->kind != MXG_RECEIVED_LOCAL)
		return t->rules.belief == MXG_TRACE_ANY;
	if ((t->rules.mta_mask & r->mta) != 0 || t->hops == 1)
		return true;
	return t->rules.belief == MXG_TRACE_ANY && t->marker == 0;
}

/* tcpserver may know no name, or only the address: then qmail writes that, below
 * a line of its own that nobody else can have put there. */
static bool is_tcpserver_name(const struct mxg_trace *t, const struct mxg_received *r)
{
	struct mxg_address address;
	bool below = t->marker == MXG_MTA_QMAIL || (t->submitted && t->mta == MXG_MTA_QMAIL && t->by[0] == '\0');
	return below && r->mta == MXG_MTA_QMAIL && r->kind == MXG_RECEIVED_PEER &&
	       ((r->by.len == 1 && r->by.at[0] == '0') ||
		mxg_address_parse(&address, r->by.at, r->by.len, MXG_ADDRESS_BARE));
}

static bool is_ours(const struct mxg_trace *t, const struct mxg_received *r)
{
	if (t->rules.belief == MXG_TRACE_FIRST_HOP || (t->rules.belief == MXG_TRACE_FIRST_OR_NAMED && t->hops == 1))
		return t->hops == 1;
	if (r->by.len == 0)
		return nameless_is_ours(t, r);
	return t->rules.belief == MXG_TRACE_ANY || is_our_name(&t->rules, r->by, false) || is_tcpserver_name(t, r);
}

/* qmail-smtpd and the qmail-queue that runs for it write their dates at the same moment. */
#define QMAIL_SECONDS 300

static bool is_same_time(const struct mxg_trace *t, const struct mxg_received *r)
{
	int64_t apart = t->date - mxg_received_date(r);
	return apart >= -QMAIL_SECONDS && apart <= QMAIL_SECONDS;
}

/* Whether a field directly below a local form was written by this host, or by
 * another of ours that is named in full. This host is known by the form's own
 * name and MTA (or an agent that delivers for one), and, where the form has no
 * name, as qmail's, by the time. A suffix is not enough: users of the host can
 * put any field there. */
static bool follows_submission(const struct mxg_trace *t, const struct mxg_received *r)
{
	bool named = t->rules.belief == MXG_TRACE_NAMED || t->rules.belief == MXG_TRACE_FIRST_OR_NAMED;
	if (t->rules.belief == MXG_TRACE_FIRST_HOP)
		return false;
	if (r->by.len == 0)
		return is_ours(t, r) && (named || is_same_time(t, r));
	if (named && is_our_name(&t->rules, r->by, true))
		return true;
	if (t->by[0] != '\0')
		return same_name(r->by, t->by, strlen(t->by)) && (r->mta & (t->mta | MXG_MTA_AGENTS)) != 0;
	return is_same_time(t, r) && (!named || is_tcpserver_name(t, r));
}

static void copy_cut(char *to, size_t room, struct mxg_slice from)
{
	size_t n = from.len < room ? from.len : room - 1;
	if (n > 0)
		memcpy(to, from.at, n);
	to[n] = '\0';
}

static void conclude(struct mxg_trace *t, enum mxg_trace_outcome outcome, enum mxg_trace_reason reason)
{
	if (outcome != MXG_TRACE_EXTERNAL && !t->rules.every_field)
		t->rules.on_field = NULL;
	t->outcome = outcome;
	t->reason = reason;
	t->hop = t->hops;
	/* until now the last internal client, which only this one is about */
	if (outcome != MXG_TRACE_ENDED)
		memset(&t->address, 0, sizeof(t->address));
}

/* The hop's own words; t->field does not outlive the walk. */
static void remember(struct mxg_trace *t, const struct mxg_received *r)
{
	t->mta = r->mta;
	t->date = mxg_received_date(r);
	copy_cut(t->helo, sizeof(t->helo), r->helo);
	copy_cut(t->hostname, sizeof(t->hostname), r->hostname);
	copy_cut(t->by, sizeof(t->by), r->by);
	copy_cut(t->protocol, sizeof(t->protocol), r->protocol);
	struct mxg_slice to = mxg_received_for(r);
	if (to.len < sizeof(t->for_address))
		copy_cut(t->for_address, sizeof(t->for_address), to);
}

static void conclude_at(struct mxg_trace *t, enum mxg_trace_outcome outcome, const struct mxg_received *r)
{
	conclude(t, outcome, MXG_TRACE_REASON_NONE);
	t->address = r->address;
	remember(t, r);
}

/* A marker leaves the peer to the field below it, which the same program
 * writes: qmail-smtpd below qmail-queue, Haraka's own below its outbound. */
static bool follows_marker(const struct mxg_trace *t, const struct mxg_received *r)
{
	if (t->marker == MXG_MTA_QMAIL)
		return r->mta == MXG_MTA_QMAIL && r->kind == MXG_RECEIVED_PEER;
	return t->marker != MXG_MTA_HARAKA || r->mta == MXG_MTA_HARAKA;
}

static void step_peer(struct mxg_trace *t, const struct mxg_received *r, bool internal)
{
	if (r->kind == MXG_RECEIVED_RETRIEVED) {
		/* a fetch is believed only under a name of ours */
		if (!internal && t->rules.belief == MXG_TRACE_ANY)
			conclude(t, MXG_TRACE_UNREADABLE, MXG_TRACE_NOT_OURS);
		else if (!internal)
			conclude_at(t, MXG_TRACE_RETRIEVED, r);
	} else if (r->authenticated) {
		conclude_at(t, MXG_TRACE_AUTHENTICATED, r);
	} else if (!internal) {
		bool origin = mxg_prefixes_contain(t->rules.origins, t->rules.origins_count, &r->address);
		conclude_at(t, origin ? MXG_TRACE_ORIGIN : MXG_TRACE_EXTERNAL, r);
	}
	if (t->outcome == MXG_TRACE_PENDING)
		t->address = r->address;
	t->marker = 0;
}

static void step_readable(struct mxg_trace *t, const struct mxg_received *r, bool ours, bool internal)
{
	if (!ours)
		conclude(t, MXG_TRACE_UNREADABLE, MXG_TRACE_NOT_OURS);
	else if (!follows_marker(t, r))
		conclude(t, MXG_TRACE_UNREADABLE, MXG_TRACE_MARKER_ALONE);
	else if (r->kind == MXG_RECEIVED_LOCAL) {
		remember(t, r);
		t->submitted = true;
		t->marker = 0;
	} else if (r->kind == MXG_RECEIVED_MARKER) {
		t->marker = r->mta;
		t->marker_local = r->local_if_last;
		memset(&t->address, 0, sizeof(t->address));
	} else
		step_peer(t, r, internal);
}

static void step(struct mxg_trace *t, const struct mxg_received *r, bool ours, bool internal, bool too_long)
{
	if (t->hops > MXG_TRACE_HOPS_MAX) {
		conclude(t, MXG_TRACE_TOO_LONG, MXG_TRACE_MANY_HOPS);
	} else if (too_long) {
		conclude(t, MXG_TRACE_UNREADABLE, MXG_TRACE_FIELD_TOO_LONG);
	} else if (r->kind == MXG_RECEIVED_UNREADABLE) {
		conclude(t, MXG_TRACE_UNREADABLE, MXG_TRACE_FIELD_UNREADABLE);
		t->field_reason = r->reason;
	} else if (t->submitted && !ours) {
		conclude(t, MXG_TRACE_RESUBMITTED, MXG_TRACE_REASON_NONE);
		t->hop = t->hops - 1;
	} else {
		t->submitted = false;
		step_readable(t, r, ours, internal);
	}
}

static void read_field(const struct mxg_trace *t, struct mxg_received *r, const char *field, size_t len)
{
	bool readable = mxg_received_parse(r, field, len, t->rules.mta_mask);
	if (readable && t->rules.captured_only && t->rules.mta_mask == 0 && (r->mta & MXG_MTA_CAPTURED) == 0)
		*r = (struct mxg_received){ .reason = MXG_RECEIVED_NOT_NAMED, .by = r->by, .date_text = r->date_text };
}

static void note_first(struct mxg_trace *t, const struct mxg_received *r, bool ours)
{
	if (r->kind == MXG_RECEIVED_UNREADABLE)
		return;
	t->first_date = mxg_received_date(r);
	t->first_ours = ours;
	t->first_named = r->by.len > 0 && is_our_name(&t->rules, r->by, false);
}

static bool is_internal(const struct mxg_trace *t, const struct mxg_received *r, bool ours)
{
	if (t->rules.is_internal != NULL)
		return ours && t->rules.is_internal(t->rules.context, &r->address);
	return mxg_prefixes_contain(t->rules.internal, t->rules.internal_count, &r->address);
}

static void pass_on(struct mxg_trace *t, const char *field, size_t len, bool too_long)
{
	bool wanted = t->rules.every_field || t->outcome != MXG_TRACE_PENDING;
	if (wanted && (too_long || !t->rules.on_field(t->rules.context, t->hops, field, len)))
		t->rules.on_field = NULL;
}

void mxg_trace_take_field(struct mxg_trace *t, const char *field, size_t len, bool too_long)
{
	struct mxg_received r;
	struct mxg_trace_hop hop = {
		.received = &r, .field = field, .field_len = len, .believed = t->outcome == MXG_TRACE_PENDING
	};
	if (t->hops > MXG_TRACE_HOPS_MAX)
		return;
	hop.number = ++t->hops;
	if (t->rules.on_field != NULL)
		pass_on(t, field, len, too_long);
	if (t->outcome != MXG_TRACE_PENDING && !t->rules.all_hops)
		return;
	if (too_long)
		r = (struct mxg_received){ .reason = MXG_RECEIVED_NO_GRAMMAR };
	else
		read_field(t, &r, field, len);
	hop.ours = r.kind != MXG_RECEIVED_UNREADABLE && (t->submitted ? follows_submission(t, &r) : is_ours(t, &r));
	hop.internal = is_internal(t, &r, hop.ours);
	if (t->hops == 1 && t->rules.want_first_date)
		note_first(t, &r, hop.ours);
	if (hop.believed)
		step(t, &r, hop.ours, hop.internal, too_long);
	hop.boundary = hop.believed && t->outcome != MXG_TRACE_PENDING && t->hop == hop.number;
	hop.believed = hop.believed && (t->outcome == MXG_TRACE_PENDING || hop.boundary);
	if (t->rules.on_hop != NULL)
		t->rules.on_hop(t->rules.context, &hop);
}

void mxg_trace_take_end(struct mxg_trace *t)
{
	if (t->outcome != MXG_TRACE_PENDING)
		return;
	if (t->hops == 0 && !t->submitted)
		conclude(t, MXG_TRACE_NONE, MXG_TRACE_REASON_NONE);
	else if (t->submitted || (t->marker != 0 && t->marker_local))
		conclude(t, MXG_TRACE_LOCAL, MXG_TRACE_REASON_NONE);
	else if (t->marker == MXG_MTA_QMAIL)
		conclude(t, MXG_TRACE_UNREADABLE, MXG_TRACE_MARKER_ALONE);
	else
		conclude(t, MXG_TRACE_ENDED, MXG_TRACE_REASON_NONE);
}

void mxg_trace_take_trouble(struct mxg_trace *t, enum mxg_trace_outcome outcome, enum mxg_trace_reason reason)
{
	if (t->outcome == MXG_TRACE_PENDING)
		conclude(t, outcome, reason);
}
