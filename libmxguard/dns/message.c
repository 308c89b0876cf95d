/* SPDX-License-Identifier: MIT */
/*
 * DNS messages in and out (RFC 1035 §4, RFC 6891). Walking and decompressing is glibc's
 * (ns_initparse, ns_name_unpack: bounded and loop-free); what a reply may claim is checked here.
 */
#include "dns/message.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "dns/unpack.h"

#define EDNS_PAYLOAD 1232 /* what passes every path unfragmented */
#define CHAIN_MAX 8
#define RECORDS_MAX 1500 /* more than an mxg_rrset can hold: bounds the work on hostile replies */
#define TYPE_NS 2
#define TYPE_OPT 41

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

size_t mxg_dns_query(uint8_t *buf, size_t room, const struct mxg_question *question, uint16_t id)
{
	size_t len = 12u + question->name.len + 4u + 11u;
	if (room < len || question->name.len == 0)
		return 0;
	memset(buf, 0, len);
	put16(buf, id);
	buf[2] = 0x01; /* RD */
	buf[3] = 0x20; /* AD: we understand it (RFC 6840 §5.7) */
	buf[5] = 1; /* one question */
	buf[11] = 1; /* one additional record: OPT */
	memcpy(buf + 12, question->name.wire, question->name.len);
	uint8_t *p = buf + 12 + question->name.len;
	put16(p, question->type);
	put16(p + 2, 1);
	p[4] = 0; /* OPT: the root, type 41, class = payload */
	put16(p + 5, 41);
	put16(p + 7, EDNS_PAYLOAD);
	return len;
}

/* ---- replies ------------------------------------------------------------------------ */

struct reader {
	ns_msg msg;
	struct mxg_name owner; /* the end of the CNAME chain so far */
	uint32_t ttl;
	unsigned chain;
	bool sts; /* the question is for an MTA-STS record */
};

#if defined(__GLIBC__) && !defined(MXG_PORTABLE)
#define unpack ns_name_unpack
#else
#define unpack mxg_name_unpack
#endif

/* A name at *p that must end within `end`; moves *p behind it. */
static bool take_name(const struct reader *r, const uint8_t **p, const uint8_t *end, struct mxg_name *out)
{
	uint8_t wire[NS_MAXCDNAME];
	int used = unpack(ns_msg_base(r->msg), end, *p, wire, sizeof(wire));
	if (used < 0)
		return false;
	size_t len = 0;
	while (wire[len] != 0)
		len += 1u + wire[len];
	for (size_t i = 0; i <= len; i++) /* length bytes are below 'A' */
		out->wire[i] = (uint8_t)mxg_ascii_lower((char)wire[i]);
	out->len = (uint8_t)(len + 1);
	*p += used;
	return true;
}

/* Read here and not by ns_parserr(), which turns names into text. */
struct record {
	struct mxg_name owner;
	uint16_t type, class;
	uint32_t ttl;
	const uint8_t *data;
	size_t len;
};

/* RFC 2181 §8: a TTL with its highest bit set is 0. */
static uint32_t sane_ttl(uint32_t ttl)
{
	return ttl > 0x7fffffffu ? 0 : ttl;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool take_record(const struct reader *r, const uint8_t **p, struct record *out)
{
	const uint8_t *end = ns_msg_end(r->msg);
	if (!take_name(r, p, end, &out->owner) || end - *p < 10)
		return false;
	out->type = (uint16_t)get16(*p);
	out->class = (uint16_t)get16(*p + 2);
	out->ttl = get32(*p + 4);
	out->len = get16(*p + 8);
	*p += 10;
	if ((size_t)(end - *p) < out->len)
		return false;
	out->data = *p;
	*p += out->len;
	return true;
}

static void lower_ttl(struct reader *r, uint32_t ttl)
{
	if (sane_ttl(ttl) < r->ttl)
		r->ttl = sane_ttl(ttl);
}

/* A name that fills its place in the data exactly. */
static bool whole_name(const struct reader *r, const uint8_t *data, size_t len, struct mxg_name *out)
{
	const uint8_t *p = data;
	return len > 0 && take_name(r, &p, data + len, out) && p == data + len;
}

/* RFC 7208 §4.5 */
static bool is_spf(const char *text, size_t len)
{
	return len >= 6 && mxg_ascii_is(text, 6, "v=spf1") && (len == 6 || text[6] == ' ');
}

static bool add_item(struct mxg_rrset *set, const uint8_t *bytes, size_t len)
{
	if (set->size + 2 + len > MXG_RRSET_MAX)
		return false;
	put16(set->data + set->size, (unsigned)len);
	memcpy(set->data + set->size + 2, bytes, len);
	set->size += (uint32_t)(2 + len);
	set->count++;
	return true;
}

static bool add_address(struct mxg_rrset *set, const struct record *rec, size_t width)
{
	return rec->len == width && add_item(set, rec->data, width);
}

static bool add_name(const struct reader *r, struct mxg_rrset *set, const struct record *rec, size_t before)
{
	uint8_t item[6 + 255];
	struct mxg_name name;
	if (rec->len <= before || !whole_name(r, rec->data + before, rec->len - before, &name))
		return false;
	memcpy(item, rec->data, before);
	memcpy(item + before, name.wire, name.len);
	return add_item(set, item, before + name.len);
}

/* RFC 1035 §3.3.14: whether the strings fill the data exactly, and how long they are together. None
 * at all, though there should be one, is a text without a letter: no reason to doubt the others. */
static bool measure_strings(const uint8_t *data, size_t len, size_t *total)
{
	size_t at = 0;
	*total = 0;
	for (; at < len; at += 1u + data[at])
		*total += data[at];
	return at == len;
}

/* RFC 7208 §3.3: put together without anything between them. */
static size_t join_strings(const uint8_t *data, size_t len, uint8_t *out, size_t room)
{
	size_t used = 0;
	for (size_t at = 0; at < len && used < room; at += 1u + data[at]) {
		size_t n = data[at] < room - used ? data[at] : room - used;
		memcpy(out + used, data + at + 1, n);
		used += n;
	}
	return used;
}

/* RFC 8461 §3.1 */
static bool is_sts(const struct reader *r, const char *text, size_t len)
{
	return r->sts && len >= 7 && memcmp(text, "v=STSv1", 7) == 0;
}

static bool asks_for_sts(const struct mxg_question *question)
{
	static const uint8_t label[] = "\x08_mta-sts";
	return question->name.len > sizeof(label) && memcmp(question->name.wire, label, sizeof(label) - 1) == 0;
}

static bool add_text(const struct reader *r, struct mxg_rrset *set, const struct record *rec)
{
	uint8_t text[MXG_RRSET_MAX];
	size_t total;
	if (!measure_strings(rec->data, rec->len, &total))
		return false;
	size_t len = join_strings(rec->data, rec->len, text, sizeof(text));
	if (!is_spf((const char *)text, len) && !is_sts(r, (const char *)text, len))
		return true;
	return total == len && add_item(set, text, len);
}

static bool add_record(const struct reader *r, struct mxg_rrset *set, const struct record *rec)
{
	switch (rec->type) {
	case MXG_DNS_A:
		return add_address(set, rec, 4);
	case MXG_DNS_AAAA:
		return add_address(set, rec, 16);
	case MXG_DNS_MX:
		return add_name(r, set, rec, 2);
	case MXG_DNS_PTR:
		return add_name(r, set, rec, 0);
	case MXG_DNS_SRV:
		return add_name(r, set, rec, 6);
	case MXG_DNS_TLSA: /* RFC 6698 §2.1: three numbers, then the data */
		return rec->len > 3 && add_item(set, rec->data, rec->len);
	case MXG_DNS_TXT:
		return add_text(r, set, rec);
	default:
		return false;
	}
}

/* The CNAME of the chain's present end, if there is one: 1 followed, 0 none, -1 not to be believed. */
static int follow_alias(struct reader *r, unsigned type)
{
	const uint8_t *p = ns_msg_base(r->msg) + 12;
	struct mxg_name skipped;
	struct record rec;
	if (!take_name(r, &p, ns_msg_end(r->msg), &skipped))
		return -1;
	p += 4;
	for (unsigned i = 0; i < ns_msg_count(r->msg, ns_s_an); i++) {
		if (!take_record(r, &p, &rec))
			return -1;
		if (rec.class != 1 || rec.type != MXG_DNS_CNAME || type == MXG_DNS_CNAME ||
		    !mxg_name_equal(&rec.owner, &r->owner))
			continue;
		if (!whole_name(r, rec.data, rec.len, &r->owner) || ++r->chain > CHAIN_MAX)
			return -1;
		lower_ttl(r, rec.ttl);
		return 1;
	}
	return 0;
}

/* All records of the type at the end of the chain. */
static bool collect(struct reader *r, unsigned type, struct mxg_rrset *set, bool *any)
{
	const uint8_t *p = ns_msg_base(r->msg) + 12;
	struct mxg_name skipped;
	struct record rec;
	if (!take_name(r, &p, ns_msg_end(r->msg), &skipped))
		return false;
	p += 4;
	for (unsigned i = 0; i < ns_msg_count(r->msg, ns_s_an); i++) {
		if (!take_record(r, &p, &rec))
			return false;
		if (rec.class != 1 || rec.type != type || !mxg_name_equal(&rec.owner, &r->owner))
			continue;
		if (!add_record(r, set, &rec))
			return false;
		lower_ttl(r, rec.ttl);
		*any = true;
	}
	return true;
}

/* What stands behind the answers: how long a "no" may be kept, and whether it is one. */
struct rest {
	bool soa, ns;
	uint32_t ttl; /* min(TTL, MINIMUM) of the SOA (RFC 2308 §5) */
	unsigned extended_rcode; /* RFC 6891 §6.1.3: BADVERS looks like NOERROR without it */
};

static void note_soa(const struct reader *r, const struct record *rec, struct rest *out)
{
	const uint8_t *p = rec->data, *end = rec->data + rec->len;
	struct mxg_name skipped;
	if (!take_name(r, &p, end, &skipped) || !take_name(r, &p, end, &skipped) || end - p != 20)
		return;
	uint32_t minimum = sane_ttl(get32(p + 16)), ttl = sane_ttl(rec->ttl);
	out->soa = true;
	out->ttl = minimum < ttl ? minimum : ttl;
}

static bool read_rest(const struct reader *r, struct rest *out)
{
	const uint8_t *p = ns_msg_base(r->msg) + 12;
	struct record rec;
	struct mxg_name skipped;
	unsigned answers = ns_msg_count(r->msg, ns_s_an), authority = answers + ns_msg_count(r->msg, ns_s_ns);
	unsigned all = authority + ns_msg_count(r->msg, ns_s_ar);
	*out = (struct rest){ 0 };
	if (all > RECORDS_MAX || !take_name(r, &p, ns_msg_end(r->msg), &skipped))
		return false;
	p += 4;
	for (unsigned i = 0; i < all; i++) {
		if (!take_record(r, &p, &rec))
			return false;
		if (i >= authority && rec.type == TYPE_OPT)
			out->extended_rcode = rec.ttl >> 24;
		if (i < answers || i >= authority || rec.class != 1)
			continue;
		if (rec.type == MXG_DNS_SOA)
			note_soa(r, &rec, out);
		out->ns |= rec.type == TYPE_NS;
	}
	return true;
}

static bool question_is_ours(struct reader *r, const struct mxg_question *question)
{
	const uint8_t *p = ns_msg_base(r->msg) + 12, *end = ns_msg_end(r->msg);
	struct mxg_name name;
	if (ns_msg_count(r->msg, ns_s_qd) != 1 || !take_name(r, &p, end, &name) || end - p < 4)
		return false;
	return mxg_name_equal(&name, &question->name) && get16(p) == question->type && get16(p + 2) == 1;
}

static void set_failed(struct mxg_reply *out, enum mxg_dns_failure failure)
{
	free(out->records.data);
	out->records = (struct mxg_rrset){ 0 };
	out->kind = MXG_ANSWER_FAILED;
	out->failure = failure;
}

static void set_negative(struct mxg_reply *out, const struct reader *r, const struct rest *rest)
{
	bool nxdomain = out->rcode == ns_r_nxdomain;
	/* Other servers named, and no SOA: a referral (RFC 2308 §2.2). Who sends one does not
	 * know, and "nothing there" would be a lie. */
	if (!nxdomain && !rest->soa && rest->ns && ns_msg_getflag(r->msg, ns_f_aa) == 0) {
		set_failed(out, MXG_DNS_BROKEN);
		return;
	}
	out->kind = nxdomain ? MXG_ANSWER_NXDOMAIN : MXG_ANSWER_NODATA;
	out->ttl = rest->soa ? (rest->ttl < r->ttl ? rest->ttl : r->ttl) : 0;
}

static void read_answer(struct mxg_reply *out, struct reader *r, unsigned type, const struct rest *rest)
{
	bool any = false;
	int alias;
	while ((alias = follow_alias(r, type)) == 1)
		;
	if (alias < 0 || !collect(r, type, &out->records, &any) || (any && out->rcode == ns_r_nxdomain)) {
		set_failed(out, MXG_DNS_BROKEN);
		return;
	}
	if (!any) {
		set_negative(out, r, rest);
		return;
	}
	out->kind = MXG_ANSWER_RECORDS;
	out->ttl = r->ttl;
}

/* The room for any set was taken; what is kept may be kept long. */
static void trim(struct mxg_rrset *set)
{
	if (set->size == 0) {
		free(set->data);
		set->data = NULL;
		return;
	}
	uint8_t *data = realloc(set->data, set->size);
	if (data != NULL)
		set->data = data;
}

static bool is_reply(struct reader *r, const struct mxg_question *question)
{
	return ns_msg_getflag(r->msg, ns_f_qr) == 1 && ns_msg_getflag(r->msg, ns_f_opcode) == 0 &&
	       ns_msg_getflag(r->msg, ns_f_tc) == 0 && question_is_ours(r, question);
}

bool mxg_dns_reply_parse(struct mxg_reply *out, const struct mxg_question *question, const uint8_t *reply, size_t len)
{
	struct reader r = { .owner = question->name, .ttl = 0x7fffffff, .sts = asks_for_sts(question) };
	struct rest rest;
	*out = (struct mxg_reply){ 0 };
	if (len < 12 || len > 65535 || ns_initparse(reply, (int)len, &r.msg) < 0 || !is_reply(&r, question) ||
	    !read_rest(&r, &rest)) {
		set_failed(out, MXG_DNS_BROKEN);
		return true;
	}
	out->rcode = (uint8_t)ns_msg_getflag(r.msg, ns_f_rcode);
	out->ad = ns_msg_getflag(r.msg, ns_f_ad) != 0;
	if (rest.extended_rcode != 0 || (out->rcode != ns_r_noerror && out->rcode != ns_r_nxdomain)) {
		bool refused = rest.extended_rcode == 0 && out->rcode == ns_r_refused;
		set_failed(out, refused ? MXG_DNS_REFUSED : MXG_DNS_SERVFAIL);
		return true;
	}
	out->records.data = malloc(MXG_RRSET_MAX);
	if (out->records.data == NULL)
		return false;
	read_answer(out, &r, question->type, &rest);
	trim(&out->records);
	return true;
}

uint32_t mxg_capped_ttl(enum mxg_answer_kind kind, uint32_t ttl, uint32_t max_ttl)
{
	if (kind != MXG_ANSWER_RECORDS && max_ttl > MXG_MAX_NEGATIVE_TTL)
		max_ttl = MXG_MAX_NEGATIVE_TTL;
	return ttl < max_ttl ? ttl : max_ttl;
}

void mxg_reply_restrict(struct mxg_reply *reply, const struct mxg_reply_rules *rules)
{
	if (reply->kind == MXG_ANSWER_FAILED)
		return;
	reply->ttl = mxg_capped_ttl(reply->kind, reply->ttl, rules->max_ttl);
	if (rules->need_ad && !reply->ad)
		set_failed(reply, MXG_DNS_INSECURE);
}

bool mxg_rrset_next(const uint8_t *data, size_t size, size_t *at, const uint8_t **item, size_t *len)
{
	if (*at > size || size - *at < 2)
		return false;
	size_t n = get16(data + *at);
	if (size - *at - 2 < n)
		return false;
	*item = data + *at + 2;
	*len = n;
	*at += 2 + n;
	return true;
}

const char *mxg_dns_type_name(uint16_t type)
{
	switch (type) {
	case MXG_DNS_A:
		return "A";
	case MXG_DNS_AAAA:
		return "AAAA";
	case MXG_DNS_MX:
		return "MX";
	case MXG_DNS_TXT:
		return "TXT";
	case MXG_DNS_PTR:
		return "PTR";
	case MXG_DNS_SRV:
		return "SRV";
	case MXG_DNS_TLSA:
		return "TLSA";
	default:
		return "?";
	}
}
