/* SPDX-License-Identifier: MIT */
#include "histories.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scripted.h"

#define HOUR 3600
#define DAY 86400
#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

const char history_self[] = "198.51.100.200";

static uint32_t below(uint64_t *random, uint32_t n)
{
	return scripted_random(random) % n;
}

static void read_address(struct mxg_address *out, const char *text)
{
	if (!mxg_address_parse(out, text, strlen(text), MXG_ADDRESS_BARE))
		abort();
}

/* ---- what a name says ----------------------------------------------------------------------- */

static void make_host(struct history_set *set, uint16_t type, uint64_t *random)
{
	char text[40];
	set->count = 1 + below(random, HISTORY_RECORDS_MAX);
	for (unsigned i = 0; i < set->count; i++) {
		if (type == MXG_DNS_A && below(random, 20) == 0)
			snprintf(text, sizeof(text), "%s", history_self);
		else
			snprintf(text, sizeof(text), type == MXG_DNS_A ? "192.0.2.%u" : "2001:db8::%u",
				 1 + below(random, 6));
		read_address(&set->records[i].address, text);
	}
}

static void make_exchanges(struct history_set *set, const char *domain, uint64_t *random)
{
	static const char *const hosts[] = { "gw.", "old.", "new." };
	set->count = 1 + below(random, HISTORY_RECORDS_MAX);
	for (unsigned i = 0; i < set->count; i++) {
		snprintf(set->records[i].text, HISTORY_TEXT_MAX, "%s%s", hosts[below(random, 3)], domain);
		if (below(random, 20) == 0)
			set->records[i].text[0] = '\0'; /* RFC 7505 */
	}
}

static void add_term(char *text, const char *domain, uint64_t *random)
{
	static const char *const hosts[] = { "a:gw.", "a:old.", "-a:new.", "mx:m.", "exists:e.", "a:e.", "?mx:m." };
	static const char *const records[] = { "include:part.", "include:more.", "-include:more.", "redirect=part.",
					       "include:spf." };
	static const char *const wide[] = { "all",      "ip4:192.0.0.0/11", "ip4:192.0.0.0/12", "ip6:2001:db0::/27",
					    "ip6:::/0", "?ip4:0.0.0.0/0" };
	static const char qualifiers[] = "+++++-~?";
	char *p = text + strlen(text);
	size_t room = HISTORY_TEXT_MAX - strlen(text);
	uint32_t kind = below(random, 20), host = 1 + below(random, 6);
	if (kind < 8)
		snprintf(p, room, " %cip4:192.0.2.%u", qualifiers[below(random, 8)], host);
	else if (kind < 9)
		snprintf(p, room, " %cip6:2001:db8::%u", qualifiers[below(random, 8)], host);
	else if (kind < 14)
		snprintf(p, room, " %s%s", hosts[below(random, COUNT(hosts))], domain);
	else if (kind < 18)
		snprintf(p, room, " %s%s", records[below(random, COUNT(records) - (kind < 17))], domain);
	else if (kind == 18 && below(random, 3) == 0)
		snprintf(p, room, " %s%s", wide[below(random, COUNT(wide))], below(random, 2) == 0 ? "" : " -all");
	else
		snprintf(p, room, " %s", kind == 19 && below(random, 3) == 0 ? "bogus" : "-all");
}

static void make_record(struct history_set *set, const char *domain, uint64_t *random)
{
	set->count = below(random, 15) == 0 ? 2 : 1;
	for (unsigned i = 0; i < set->count; i++) {
		strcpy(set->records[i].text, "v=spf1");
		for (uint32_t n = below(random, 5); n > 0; n--)
			add_term(set->records[i].text, domain, random);
	}
}

static void make_set(struct history_set *set, const struct history *h, uint16_t type, uint64_t *random)
{
	uint32_t kind = below(random, 12);
	*set = (struct history_set){ .kind = kind == 0   ? MXG_ANSWER_NODATA
					     : kind == 1 ? MXG_ANSWER_NXDOMAIN
							 : MXG_ANSWER_RECORDS };
	if (set->kind != MXG_ANSWER_RECORDS)
		return;
	if (type == MXG_DNS_TXT)
		make_record(set, h->domain, random);
	else if (type == MXG_DNS_MX)
		make_exchanges(set, h->domain, random);
	else
		make_host(set, type, random);
}

/* ---- its life --------------------------------------------------------------------------------- */

static uint32_t span(uint64_t *random)
{
	static const uint32_t spans[] = { 0, 1, 60, 300, 300, HOUR, HOUR, DAY, DAY, 2 * DAY, 3 * DAY, 8 * DAY };
	return spans[below(random, COUNT(spans))];
}

static void begin_version(struct history_question *q, const struct history *h, int64_t at, uint64_t *random)
{
	if (q->count == HISTORY_VERSIONS_MAX)
		q->count--;
	memmove(q->versions + 1, q->versions, q->count * sizeof(q->versions[0]));
	q->count++;
	q->versions[0] = (struct history_version){
		.from = at, .confirmed = at, .ttl = span(random), .alarm = below(random, 8) == 0
	};
	make_set(&q->versions[0].set, h, q->type, random);
}

/* A refresh: it may fail, find what stood before, find something new, or not come here any more. */
static void refresh(struct history_question *q, const struct history *h, int64_t at, uint64_t *random)
{
	uint32_t event = below(random, 20);
	struct history_version *v = q->count > 0 ? &q->versions[0] : NULL;
	bool stands = v != NULL && v->superseded == 0;
	if (event < 3)
		return;
	if (event == 3 && stands) {
		v->superseded = at;
	} else if (event < 10 || !stands) {
		if (stands)
			v->superseded = at;
		begin_version(q, h, at, random);
	} else {
		v->confirmed = at;
		v->ttl = span(random);
	}
}

static void make_live(struct history_question *q, const struct history *h, uint64_t *random)
{
	uint32_t event = below(random, 10);
	if (event < 4 && q->count > 0)
		q->live = q->versions[0].set;
	else if (event < 7)
		make_set(&q->live, h, q->type, random);
	else
		q->live = (struct history_set){ .kind = MXG_ANSWER_FAILED };
}

/* The last refresh has held something back; mostly DNS goes on saying it. */
static void make_refused(struct history_question *q, const struct history *h, uint64_t *random)
{
	if (q->count == 0 || q->count == HISTORY_VERSIONS_MAX || q->versions[0].superseded != 0 || below(random, 6) > 0)
		return;
	make_set(&q->refused, h, q->type, random);
	if (below(random, 4) > 0)
		q->live = q->refused;
}

static void add_question(struct history *h, const char *prefix, uint16_t type)
{
	struct history_question q = { .type = type };
	snprintf(q.name, sizeof(q.name), "%s%s", prefix, h->domain);
	h->questions[h->count++] = q;
}

void history_make(struct history *h, unsigned number, int64_t begin, uint64_t *random)
{
	static const struct {
		const char *prefix;
		uint16_t type;
	} all[] = { { "", MXG_DNS_MX },       { "", MXG_DNS_A },        { "", MXG_DNS_AAAA },
		    { "gw.", MXG_DNS_A },     { "gw.", MXG_DNS_AAAA },  { "old.", MXG_DNS_A },
		    { "old.", MXG_DNS_AAAA }, { "new.", MXG_DNS_A },    { "new.", MXG_DNS_AAAA },
		    { "m.", MXG_DNS_MX },     { "e.", MXG_DNS_A },      { "e.", MXG_DNS_AAAA },
		    { "spf.", MXG_DNS_TXT },  { "part.", MXG_DNS_TXT }, { "more.", MXG_DNS_TXT } };
	int64_t times[6];
	uint32_t refreshes = below(random, COUNT(times) + 1);
	h->count = 0;
	snprintf(h->domain, sizeof(h->domain), "h%u.test", number);
	times[0] = begin;
	for (uint32_t i = 1; i < COUNT(times); i++)
		times[i] = times[i - 1] + 1 + span(random);
	for (uint32_t i = 0; i < COUNT(all); i++) {
		add_question(h, all[i].prefix, all[i].type);
		for (uint32_t k = 0; k < refreshes; k++)
			refresh(&h->questions[i], h, times[k], random);
		make_live(&h->questions[i], h, random);
		make_refused(&h->questions[i], h, random);
	}
}

/* ---- when, and for whom --------------------------------------------------------------------- */

int64_t history_moment(const struct history *h, const struct naive_policy *policy, int64_t begin, uint64_t *random)
{
	const struct history_question *q = &h->questions[below(random, (uint32_t)h->count)];
	if (q->count == 0 || below(random, 6) == 0) {
		int64_t later = begin + 2 * (int64_t)span(random);
		return later + span(random);
	}
	const struct history_version *v = &q->versions[below(random, (uint32_t)q->count)];
	int64_t ttl = naive_ttl(policy, v), grace = ttl > policy->grace ? ttl : policy->grace, at = v->confirmed;
	switch (below(random, 7)) {
	case 0:
		at += ttl;
		break;
	case 1:
		at += ttl + policy->keep_stale;
		break;
	case 2:
		at = v->superseded;
		break;
	case 3:
	case 4:
		at = v->superseded + grace;
		break;
	case 5:
		at = v->superseded + policy->settle;
		break;
	default:
		break;
	}
	if (at < begin)
		at = v->confirmed + span(random);
	return at + (int64_t)below(random, 3) - 1;
}

void history_peer(struct mxg_address *out, uint64_t *random)
{
	char text[40];
	uint32_t kind = below(random, 20);
	snprintf(text, sizeof(text), kind < 4 ? "2001:db8::%u" : "192.0.2.%u", 1 + below(random, kind < 18 ? 6 : 7));
	read_address(out, text);
}

/* ---- as bytes ---------------------------------------------------------------------------------- */

static void put_name(uint8_t *out, size_t *len, const char *text)
{
	struct mxg_name name = { .len = 1 };
	if (text[0] != '\0' && !mxg_name_from_text(&name, text, strlen(text)))
		abort();
	memcpy(out + *len, name.wire, name.len);
	*len += name.len;
}

/* One record as struct mxg_rrset has it, without the length. */
static size_t put_record(const struct history_question *q, const struct history_record *r, uint8_t out[300])
{
	size_t len = 0;
	switch (q->type) {
	case MXG_DNS_MX:
		mxg_put16(out, 10);
		len = 2;
		put_name(out, &len, r->text);
		break;
	case MXG_DNS_TXT:
		len = strlen(r->text);
		memcpy(out, r->text, len);
		break;
	default:
		len = r->address.family == 6 ? 16 : 4;
		memcpy(out, r->address.bytes, len);
	}
	return len;
}

static void put_version(const struct history_question *q, const struct history_version *v, struct mxg_answer *out,
			uint8_t data[1000])
{
	*out = (struct mxg_answer){ .kind = v->set.kind,
				    .from = v->from,
				    .superseded = v->superseded,
				    .confirmed = v->confirmed,
				    .ttl = v->ttl,
				    .alarms = v->alarm ? MXG_ALARM_DOUBLED : 0,
				    .count = (uint16_t)v->set.count,
				    .data = data };
	for (unsigned i = 0; i < v->set.count; i++) {
		size_t len = put_record(q, &v->set.records[i], data + out->size + 2);
		mxg_put16(data + out->size, (unsigned)len);
		out->size += (uint32_t)len + 2;
	}
}

void history_write(const struct history *h, struct mxg_writer *w)
{
	static uint8_t data[HISTORY_VERSIONS_MAX + 1][1000];
	struct mxg_answer versions[HISTORY_VERSIONS_MAX + 1];
	mxg_writer_domain(w, h->domain);
	for (size_t i = 0; i < h->count; i++) {
		const struct history_question *q = &h->questions[i];
		struct mxg_question question = { .type = q->type };
		if (!mxg_name_from_text(&question.name, q->name, strlen(q->name)))
			abort();
		size_t count = 0;
		if (q->refused.kind != MXG_ANSWER_NONE) {
			struct history_version refused = q->versions[0];
			refused.set = q->refused;
			put_version(q, &refused, &versions[count], data[count]);
			versions[count++].refused = true;
		}
		for (size_t v = 0; v < q->count; v++, count++)
			put_version(q, &q->versions[v], &versions[count], data[count]);
		if (count > 0)
			mxg_writer_answer(w, &question, versions, count);
	}
}

size_t history_reply(const struct history_question *q, const uint8_t *query, uint8_t reply[4096])
{
	static const uint8_t head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 1, 44 };
	size_t n = 12 + strlen((const char *)query + 12) + 5;
	if (q->live.kind == MXG_ANSWER_FAILED)
		return 0;
	memcpy(reply, query, n);
	memset(reply + 6, 0, 6);
	reply[2] = 0x81;
	reply[3] = q->live.kind == MXG_ANSWER_NXDOMAIN ? 0x83 : 0x80;
	mxg_put16(reply + 6, q->live.count);
	for (unsigned i = 0; i < q->live.count; i++) {
		uint8_t *rdata = reply + n + 12;
		bool text = q->type == MXG_DNS_TXT;
		memcpy(reply + n, head, sizeof(head));
		reply[n + 3] = (uint8_t)q->type;
		size_t len = put_record(q, &q->live.records[i], rdata + text);
		if (text)
			rdata[0] = (uint8_t)len; /* one string: HISTORY_TEXT_MAX is below 256 */
		mxg_put16(reply + n + 10, (unsigned)(len + text));
		n += 12 + len + text;
	}
	return n;
}

/* ---- for people ----------------------------------------------------------------------------------- */

static void show_set(const struct history_set *set)
{
	static const char *const kinds[] = { "none", "", "nodata", "nxdomain", "failed" };
	char address[MXG_ADDRESS_TEXT_MAX];
	fprintf(stderr, "%s", kinds[set->kind]);
	for (unsigned i = 0; i < set->count; i++)
		fprintf(stderr, " [%s]",
			set->records[i].text[0] != '\0' || set->records[i].address.family == 0
				? set->records[i].text
				: mxg_address_format(&set->records[i].address, address));
	fprintf(stderr, "\n");
}

void history_show(const struct history *h, int64_t now)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct history_question *q = &h->questions[i];
		for (size_t v = 0; v < q->count; v++) {
			const struct history_version *x = &q->versions[v];
			fprintf(stderr, "  %s %s from %+lld confirmed %+lld ttl %u ", q->name, zone_type_name(q->type),
				(long long)(x->from - now), (long long)(x->confirmed - now), (unsigned)x->ttl);
			if (x->superseded != 0)
				fprintf(stderr, "superseded %+lld ", (long long)(x->superseded - now));
			show_set(&x->set);
		}
		fprintf(stderr, "  %s %s live ", q->name, zone_type_name(q->type));
		show_set(&q->live);
	}
}
