/* SPDX-License-Identifier: MIT */
/*
 * A zone out of bytes, an evaluation over it, and the oracle: a match needs something that
 * covers the peer, in the configured term or in some answer.
 *
 * Input: a byte of settings; the configured term up to a NUL; then records, each a byte of
 * type and outcome, a byte that picks the name, a byte of length, and as many bytes of data.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spf/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 40 };

struct fake {
	uint16_t type;
	enum mxg_answer_kind kind;
	struct mxg_name name;
	const uint8_t *data;
	size_t len;
};

struct world {
	size_t count;
	struct fake records[RECORDS_MAX];
	struct mxg_address peer;
};

static const char *const names[] = { "r.test",           "a.test",      "b.test",
				     "c.test",           "rcpt.test",   "7.2.0.192.in-addr.arpa",
				     "7.2.0.192.x.test", "gw.helo.test" };

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void read_world(struct world *w, const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { MXG_DNS_A, MXG_DNS_AAAA, MXG_DNS_MX, MXG_DNS_PTR, MXG_DNS_TXT };
	while (size >= 3 && w->count < RECORDS_MAX) {
		struct fake *f = &w->records[w->count++];
		const char *name = names[data[1] % 8];
		f->type = types[data[0] % 5];
		f->kind = data[0] >= 250 ? MXG_ANSWER_FAILED : MXG_ANSWER_RECORDS;
		mxg_name_from_text(&f->name, name, strlen(name));
		f->len = data[2] < size - 3 ? data[2] : size - 3;
		f->data = data + 3;
		data += 3 + f->len;
		size -= 3 + f->len;
	}
}

/* What stands in the table is what mxg_dns_reply_parse() would have let through. */
static bool shape(const struct fake *f, uint8_t out[300], size_t *len)
{
	struct mxg_name name;
	*len = f->len;
	memcpy(out, f->data, f->len);
	switch (f->type) {
	case MXG_DNS_A:
		return f->len == 4;
	case MXG_DNS_AAAA:
		return f->len == 16;
	case MXG_DNS_TXT:
		*len = f->len + 7;
		memcpy(out, "v=spf1 ", 7);
		memcpy(out + 7, f->data, f->len);
		return true;
	default:
		if (f->len == 1 && !mxg_name_from_text(&name, names[f->data[0] % 8], strlen(names[f->data[0] % 8])))
			return false;
		if (f->len != 1)
			return false;
		*len = name.len + (f->type == MXG_DNS_MX ? 2u : 0u);
		memset(out, 0, 2);
		memcpy(out + (f->type == MXG_DNS_MX ? 2 : 0), name.wire, name.len);
		return true;
	}
}

static void answer(const struct world *w, struct mxg_answers *t, int entry)
{
	const struct mxg_question *q = mxg_answers_question(t, entry);
	struct mxg_reply r = { .kind = MXG_ANSWER_NXDOMAIN };
	uint8_t item[300], *all = malloc(MXG_RRSET_MAX);
	size_t len, used = 0;
	for (size_t i = 0; i < w->count; i++) {
		const struct fake *f = &w->records[i];
		if (f->type != q->type || !mxg_name_equal(&f->name, &q->name))
			continue;
		if (f->kind == MXG_ANSWER_FAILED)
			r.failure = MXG_DNS_TIMEOUT;
		if (f->kind == MXG_ANSWER_FAILED || !shape(f, item, &len) || used + len + 2 > MXG_RRSET_MAX)
			continue;
		all[used] = (uint8_t)(len >> 8);
		all[used + 1] = (uint8_t)len;
		memcpy(all + used + 2, item, len);
		used += len + 2;
		r.records.count++;
	}
	r.kind = r.failure != MXG_DNS_OK ? MXG_ANSWER_FAILED
		 : r.records.count > 0   ? MXG_ANSWER_RECORDS
					 : MXG_ANSWER_NXDOMAIN;
	if (r.kind == MXG_ANSWER_RECORDS) {
		r.records.data = all;
		r.records.size = (uint32_t)used;
	} else {
		r.records.count = 0;
		free(all);
	}
	mxg_answers_put_live(t, entry, &r, 1000);
}

/* ---- the oracle: how could anything cover the peer? ------------------------------------- */

static bool term_may_cover(const struct world *w, const struct mxg_term *t)
{
	if (t->mechanism == MXG_MECHANISM_ALL)
		return true;
	if (t->mechanism == MXG_MECHANISM_IP4 || t->mechanism == MXG_MECHANISM_IP6)
		return mxg_prefix_contains(&t->prefix, &w->peer);
	return false;
}

static bool text_may_cover(const struct world *w, const uint8_t *item, size_t len)
{
	struct mxg_record r;
	struct mxg_term_error error;
	bool covers = false;
	if (mxg_record_parse(&r, (const char *)item, len, &error) == MXG_RECORD_OK)
		for (size_t i = 0; i < r.count; i++)
			covers |= r.terms[i].qualifier == '+' && term_may_cover(w, &r.terms[i]);
	mxg_record_clear(&r);
	return covers;
}

/* Any address record of the peer's family may cover it by a/mx with a CIDR length, any A record
 * by exists; a literal term or `all` in a well-formed text by itself. */
static bool table_may_cover(const struct world *w, const struct mxg_answers *t)
{
	struct mxg_view view = { .now = 1000 };
	for (int e = 0; e < (int)mxg_answers_count(t); e++) {
		uint16_t type = mxg_answers_question(t, e)->type;
		struct mxg_answer a;
		const uint8_t *item;
		size_t at = 0, len;
		mxg_answers_lookup(t, e, &view, &a);
		while (a.kind == MXG_ANSWER_RECORDS && mxg_rrset_next(a.data, a.size, &at, &item, &len)) {
			if (type == MXG_DNS_A || type == MXG_DNS_AAAA)
				return true;
			if (type == MXG_DNS_TXT && text_may_cover(w, item, len))
				return true;
		}
	}
	return false;
}

static void evaluate(const struct world *w, const struct mxg_term *term, uint8_t settings)
{
	struct mxg_answers *t = mxg_answers_new();
	struct mxg_text_list steps = { 0 };
	struct mxg_term_outcome o;
	struct mxg_eval_input in = { .peer = w->peer,
				     .sender = (settings & 1) != 0 ? "" : "a.l-i@b.test",
				     .helo = "gw.helo.test",
				     .receiver = "mx.test",
				     .view = { .now = 1000 },
				     .insecure_macros = (settings & 2) != 0 };
	mxg_name_from_text(&in.domain, "rcpt.test", 9);
	for (unsigned rounds = 0;; rounds++) {
		bool any = false;
		mxg_answers_clear_flags(t, MXG_ENTRY_WANTED);
		mxg_evaluate_term(t, &in, term, (settings & 4) != 0, &steps, &o);
		if (o.result != MXG_TERM_PENDING)
			break;
		check(rounds < 100 && steps.count == 0);
		for (int e = 0; e < (int)mxg_answers_count(t); e++) {
			if ((mxg_answers_flags(t, e) & (MXG_ENTRY_WANTED | MXG_ENTRY_REPLIED)) != MXG_ENTRY_WANTED)
				continue;
			any = true;
			answer(w, t, e);
			mxg_answers_set_flags(t, e, MXG_ENTRY_REPLIED, 0);
			if ((settings & 8) != 0)
				break; /* one at a time */
		}
		check(any);
	}
	if (o.result == MXG_TERM_MATCH)
		check(w->peer.family != 0 && (term_may_cover(w, term) || table_may_cover(w, t)));
	check(o.lookups <= 11 && o.voids <= 3 && mxg_answers_count(t) <= 300);
	for (size_t i = 0; i < steps.used; i++)
		check(steps.text[i] == '\0' || (steps.text[i] >= 0x20 && steps.text[i] < 0x7f));
	mxg_text_list_clear(&steps);
	mxg_answers_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const peers[] = { "192.0.2.7", "2001:db8::7", "" };
	struct world w = { 0 };
	struct mxg_term term;
	struct mxg_term_error error;
	const uint8_t *end = size == 0 ? NULL : memchr(data + 1, 0, size - 1);
	if (end == NULL || size > 16384)
		return 0;
	const char *peer = peers[(data[0] >> 4) % 3];
	mxg_address_parse(&w.peer, peer, strlen(peer), MXG_ADDRESS_BARE);
	if (!mxg_term_parse_configured(&term, (const char *)data + 1, (size_t)(end - data) - 1, true, &error))
		return 0;
	read_world(&w, end + 1, size - (size_t)(end - data) - 1);
	evaluate(&w, &term, data[0]);
	return 0;
}
