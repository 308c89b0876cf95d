/* SPDX-License-Identifier: MIT */
/* What the walk flattens is exactly what the evaluator matches: on random zones, for every
 * address of a small world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spf/evaluate.h"
#include "reach/reach.h"

#define NOW 1000000000
#define NAMES 9
#define WORLDS 3000

/* A number generator of our own: the same worlds everywhere. */
static uint32_t seed;
static unsigned pick(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

struct world {
	char txt[NAMES][400]; /* "": no such record; "!": SERVFAIL; "?": the name does not exist */
	unsigned addresses[NAMES]; /* how many A records, 99: SERVFAIL */
	uint8_t last[NAMES][4];
	unsigned six[NAMES]; /* AAAA records */
	unsigned exchanges[NAMES]; /* how many MX, 99: SERVFAIL */
	unsigned exchange[NAMES][12];
};

static void add_term(char *text, size_t room)
{
	static const char *const qualifiers[] = { "", "", "", "", "-", "~", "?", "+" };
	size_t at = strlen(text);
	const char *q = qualifiers[pick(8)];
	unsigned n = pick(NAMES);
	switch (pick(12)) {
	case 0:
	case 1:
	case 2:
		snprintf(text + at, room - at, " %sip4:10.0.0.%u/%u", q, pick(64), 26 + pick(7));
		break;
	case 3:
		snprintf(text + at, room - at, " %sip6:2001:db8::%x/%u", q, pick(64), 122 + pick(7));
		break;
	case 4:
		snprintf(text + at, room - at, " %sa:n%u.test/%u", q, n, 28 + pick(5));
		break;
	case 5:
		snprintf(text + at, room - at, " %sa", q);
		break;
	case 6:
		snprintf(text + at, room - at, " %smx:n%u.test", q, n);
		break;
	case 7:
	case 8:
	case 9:
		snprintf(text + at, room - at, " %sinclude:n%u.test", q, n);
		break;
	case 10:
		snprintf(text + at, room - at, " %sexists:n%u.test", q, n);
		break;
	default:
		snprintf(text + at, room - at, " %sexists:%%{ir}.x.test", q);
	}
}

static void make_record(char *text, size_t room)
{
	static const char *const ends[] = { "", " -all", " ~all", " ?all", " +all", " redirect=n3.test", " broken:x" };
	if (pick(12) == 0) {
		strcpy(text, pick(2) == 0 ? "!" : pick(2) == 0 ? "?" : "");
		return;
	}
	strcpy(text, "v=spf1");
	for (unsigned i = pick(6); i-- > 0;)
		add_term(text, room);
	unsigned end = pick(20);
	strcat(text, end < 7 ? ends[end] : " -all");
}

static void make_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	for (unsigned n = 0; n < NAMES; n++) {
		make_record(w->txt[n], sizeof(w->txt[n]));
		w->addresses[n] = pick(15) == 0 ? 99 : pick(4);
		w->six[n] = pick(3);
		for (unsigned i = 0; i < 4; i++)
			w->last[n][i] = (uint8_t)pick(64);
		w->exchanges[n] = pick(20) == 0 ? 99 : pick(15) == 0 ? 12 : pick(4);
		for (unsigned i = 0; i < 12; i++)
			w->exchange[n][i] = pick(NAMES);
	}
}

static void add_item(struct mxg_reply *r, const void *item, size_t len)
{
	uint8_t *p = r->records.data + r->records.size;
	p[0] = (uint8_t)(len >> 8);
	p[1] = (uint8_t)len;
	memcpy(p + 2, item, len);
	r->records.size += (uint32_t)(2 + len);
	r->records.count++;
	r->kind = MXG_ANSWER_RECORDS;
}

static void answer_addresses(const struct world *w, unsigned n, int family, struct mxg_reply *r)
{
	unsigned count = family == 4 ? w->addresses[n] : w->six[n];
	uint8_t address[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	if (w->addresses[n] == 99) {
		r->kind = MXG_ANSWER_FAILED;
		r->failure = MXG_DNS_SERVFAIL;
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (family == 4)
			memcpy(address, (const uint8_t[]){ 10, 0, 0, w->last[n][i] }, 4);
		else
			address[15] = w->last[n][i];
		add_item(r, address, family == 4 ? 4 : 16);
	}
}

static void answer_mx(const struct world *w, unsigned n, struct mxg_reply *r)
{
	if (w->exchanges[n] == 99) {
		r->kind = MXG_ANSWER_FAILED;
		r->failure = MXG_DNS_TIMEOUT;
		return;
	}
	for (unsigned i = 0; i < w->exchanges[n]; i++) {
		char host[32];
		struct mxg_name name;
		uint8_t item[2 + 255] = { 0, 10 };
		snprintf(host, sizeof(host), "n%u.test", w->exchange[n][i]);
		mxg_name_from_text(&name, host, strlen(host));
		memcpy(item + 2, name.wire, name.len);
		add_item(r, item, 2u + name.len);
	}
}

static void answer_txt(const struct world *w, unsigned n, struct mxg_reply *r)
{
	const char *text = w->txt[n];
	if (text[0] == '!') {
		r->kind = MXG_ANSWER_FAILED;
		r->failure = MXG_DNS_SERVFAIL;
	} else if (text[0] == '?') {
		r->kind = MXG_ANSWER_NXDOMAIN;
	} else if (text[0] != '\0') {
		add_item(r, text, strlen(text));
	}
}

static void answer(const struct world *w, struct mxg_answers *t, int entry)
{
	char name[MXG_NAME_TEXT_MAX];
	const struct mxg_question *q = mxg_answers_question(t, entry);
	struct mxg_reply r = { .kind = MXG_ANSWER_NODATA, .ttl = 300 };
	unsigned n = 0;
	int end = 0;
	r.records.data = malloc(MXG_RRSET_MAX);
	assert_non_null(r.records.data);
	mxg_name_format(&q->name, name);
	if (sscanf(name, "n%u.test%n", &n, &end) != 1 || name[end] != '\0' || n >= NAMES)
		r.kind = MXG_ANSWER_NXDOMAIN;
	else if (q->type == MXG_DNS_A || q->type == MXG_DNS_AAAA)
		answer_addresses(w, n, q->type == MXG_DNS_A ? 4 : 6, &r);
	else if (q->type == MXG_DNS_MX)
		answer_mx(w, n, &r);
	else
		answer_txt(w, n, &r);
	mxg_answers_put_live(t, entry, &r, NOW);
	free(r.records.data);
}

static void answer_wanted(const struct world *w, struct mxg_answers *t)
{
	for (int e = 0; e < (int)mxg_answers_count(t); e++)
		if ((mxg_answers_flags(t, e) & MXG_ENTRY_WANTED) != 0) {
			mxg_answers_set_flags(t, e, 0, MXG_ENTRY_WANTED);
			answer(w, t, e);
		}
}

/* ---- one world ------------------------------------------------------------------------- */

static bool evaluates_to_match(const struct world *w, struct mxg_answers *t, const struct mxg_reach_input *in,
			       const struct mxg_address *peer)
{
	struct mxg_term_outcome o;
	const struct mxg_eval_input input = {
		.peer = *peer, .domain = in->domain, .sender = "", .helo = "", .receiver = "", .view = in->view
	};
	do {
		mxg_answers_clear_flags(t, MXG_ENTRY_WANTED);
		mxg_evaluate_term(t, &input, &in->ruleset->terms[0].term, false, NULL, &o);
		answer_wanted(w, t);
	} while (o.result == MXG_TERM_PENDING);
	return o.result == MXG_TERM_MATCH && (!o.wide || in->policy->accept_any_width);
}

static bool in_set(const struct mxg_reach *r, const struct mxg_address *peer)
{
	for (size_t i = 0; i < r->range_count; i++)
		if (mxg_prefix_contains(&r->ranges[i].prefix, peer))
			return true;
	return false;
}

static void check_peer(const struct world *w, const struct mxg_reach *r, const struct mxg_reach_input *in,
		       struct mxg_answers *t, const struct mxg_address *peer, unsigned number, const char *term)
{
	char text[MXG_ADDRESS_TEXT_MAX];
	bool matches = evaluates_to_match(w, t, in, peer);
	if (matches != in_set(r, peer)) {
		print_error("world %u, %s, %s: the evaluator says %d\n", number, term, mxg_address_format(peer, text),
			    matches);
		for (unsigned n = 0; n < NAMES; n++)
			print_error("n%u: %s; A %u, MX %u\n", n, w->txt[n], w->addresses[n], w->exchanges[n]);
		fail();
	}
}

static void check_world(unsigned number, struct mxg_reach *r, struct mxg_answers *t)
{
	static const char *const terms[] = { "include:n0.test", "a:n0.test/29",   "mx:n1.test", "mx", "a",
					     "exists:n2.test",  "include:n4.test" };
	struct world w;
	const char *text = terms[number % 7];
	struct mxg_gateway_term term = { .gateway = 0 };
	struct mxg_term_error error;
	uint32_t zero = 0;
	struct mxg_ruleset ruleset = { .term_count = 1, .terms = &term, .dns_count = 1, .dns_terms = &zero };
	const struct mxguard_policy policy = { .hostname = "", .accept_any_width = number % 2 == 0 };
	struct mxg_reach_input in = { .policy = &policy, .ruleset = &ruleset, .view = { .now = NOW } };
	seed = number;
	make_world(&w);
	assert_true(mxg_name_from_text(&in.domain, "n5.test", 7));
	assert_true(mxg_term_parse_configured(&term.term, text, strlen(text), false, &error));
	mxg_answers_clear(t);
	while (mxg_reach_walk(r, t, &in) == MXG_REACH_PENDING)
		answer_wanted(&w, t);
	assert_true(mxg_reach_flatten(r, t, &in));
	for (unsigned i = 0; i < 66; i++) {
		const struct mxg_address four = { .family = 4, .bytes = { 10, 0, 0, (uint8_t)i } };
		const struct mxg_address six = { .family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)i } };
		check_peer(&w, r, &in, t, &four, number, text);
		check_peer(&w, r, &in, t, &six, number, text);
	}
}

static void test_agrees_with_the_evaluator(void **state)
{
	struct mxg_answers *t = mxg_answers_new();
	struct mxg_reach r = { 0 };
	size_t ranges = 0;
	for (unsigned i = 1; i <= WORLDS; i++) {
		check_world(i, &r, t);
		ranges += r.range_count;
	}
	assert_true(ranges > WORLDS); /* there was something to compare */
	mxg_reach_clear(&r);
	mxg_answers_free(t);
}

/* ---- merging ------------------------------------------------------------------------------ */

static void check_merge(const char *in, const char *expected)
{
	struct mxg_prefix p[16];
	char text[400], out[400] = "";
	size_t n = 0;
	strcpy(text, in);
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		assert_int_equal(mxg_prefix_parse(&p[n++], word, strlen(word)), MXG_PREFIX_OK);
	n = mxg_prefixes_merge(p, n);
	for (size_t i = 0; i < n; i++) {
		char one[MXG_PREFIX_TEXT_MAX];
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s/%u", i == 0 ? "" : " ",
			 mxg_address_format(&p[i].base, one), p[i].bits);
	}
	assert_string_equal(out, expected);
}

static void test_merge(void **state)
{
	check_merge("", "");
	check_merge("192.0.2.1/32", "192.0.2.1/32");
	check_merge("192.0.2.128/25 192.0.2.0/25", "192.0.2.0/24");
	check_merge("192.0.2.0/24 192.0.2.7/32 192.0.2.0/24", "192.0.2.0/24");
	check_merge("192.0.2.1/32 192.0.2.2/32 192.0.2.3/32", "192.0.2.1/32 192.0.2.2/31");
	check_merge("255.255.255.255/32 255.255.255.254/32 ::/128", "255.255.255.254/31 ::/128");
	check_merge("0.0.0.0/1 128.0.0.0/1 10.0.0.0/8", "0.0.0.0/0");
	check_merge("8000::/1 ::/1 2001:db8::1/128", "::/0");
	check_merge("2001:db8::2/127 2001:db8::/127 10.0.0.0/8", "10.0.0.0/8 2001:db8::/126");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_the_evaluator),
		cmocka_unit_test(test_merge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
