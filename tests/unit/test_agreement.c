/* SPDX-License-Identifier: MIT */
/*
 * Zones made at random, always the same ones: the evaluation over the table must agree with
 * the naive one, take no more rounds than the longest chain of dependent names, rest on
 * exactly the questions that the naive one asks, and come to the same outcome and the same
 * steps in whatever order the replies come in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "naive_spf.h"
#include "scripted.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

static uint64_t state;

static uint32_t below(uint32_t n)
{
	return scripted_random(&state) % n;
}

static const char *const addresses4[] = { "192.0.2.7", "192.0.2.8", "192.0.2.70", "198.51.100.7", "203.0.113.66" };
static const char *const addresses6[] = { "2001:db8::7", "2001:db8::8", "2001:db8:1::7" };
static const char *const peers[] = { "192.0.2.7", "192.0.2.7", "192.0.2.8", "203.0.113.66", "2001:db8::7" };
static const char *const senders[] = { "alice@d1.test", "", "Bob.X-y@d2.test", "@d3.test", "d4.test", "a b@h1.test" };
static const char *const helos[] = { "h1.test", "gw.d2.test", "[192.0.2.7]", "unknown", "D3.TEST" };
static const char *const macros[] = {
	"%{d}",         "%{d2}",      "h1.%{d}", "%{ir}.e.test", "%{i}.e.test", "%{l}.u.test",
	"%{o}",         "%{h}",       "%{p}",    "%{v}.e.test",  "%{d1r}.test", "%{S}.u.test",
	"%{l-}.u.test", "%{dr}.test", "%%.test", "x..test",      "d%{i1}.test",
};

/* d0 to d9 hold records, h0 to h5 are hosts, some names are nowhere */
static void name(char out[64])
{
	uint32_t kind = below(20);
	if (kind < 8)
		snprintf(out, 64, "d%u.test", below(10));
	else if (kind < 17)
		snprintf(out, 64, "h%u.test", below(6));
	else if (kind < 18)
		snprintf(out, 64, "none%u.test", below(3));
	else
		snprintf(out, 64, "%s", macros[below(COUNT(macros))]);
}

static void term(char out[200])
{
	static const char *const qualifiers[] = { "", "", "", "", "+", "-", "~", "?" };
	static const char *const lengths[] = { "", "", "", "", "/24", "//64", "/31//127", "/0//0" };
	const char *q = qualifiers[below(8)];
	char target[64];
	name(target);
	switch (below(16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		snprintf(target, sizeof(target), "d%u.test", below(10));
		snprintf(out, 200, "%sinclude:%s", below(3) > 0 ? "" : q, target);
		return;
	case 4:
	case 5:
	case 6:
		snprintf(out, 200, "%sa:%s%s", q, target, lengths[below(8)]);
		return;
	case 7:
	case 8:
		snprintf(out, 200, "%smx:%s%s", q, target, lengths[below(8)]);
		return;
	case 9:
		snprintf(out, 200, "%s%s", q, below(2) ? "a" : "mx");
		return;
	case 10:
		snprintf(out, 200, "%sexists:%s", q, target);
		return;
	case 11:
		if (below(2))
			snprintf(out, 200, "%sptr:%s", q, target);
		else
			snprintf(out, 200, "%sptr", q);
		return;
	case 12:
		snprintf(out, 200, "%sip6:%s/%u", q, addresses6[below(3)], below(2) ? 128 : 48);
		return;
	case 13:
		snprintf(out, 200, "%sall", below(2) ? "-" : q);
		return;
	default:
		snprintf(out, 200, "%sip4:%s/%u", q, addresses4[below(5)], below(2) ? 32 : 28);
	}
}

static void record(struct zone *z, const char *owner)
{
	char line[2000], one[200];
	int n = snprintf(line, sizeof(line), "%s TXT v=spf1", owner);
	for (uint32_t terms = below(below(12) == 0 ? 14 : 5); terms > 0; terms--) {
		term(one);
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %s", one);
	}
	switch (below(12)) {
	case 0:
	case 1:
		snprintf(line + n, sizeof(line) - (size_t)n, " redirect=d%u.test", below(11));
		break;
	case 2:
		snprintf(line + n, sizeof(line) - (size_t)n, " exp=%%{i}.e.test moo=%%{d}");
		break;
	case 3:
		if (below(4) == 0)
			snprintf(line + n, sizeof(line) - (size_t)n, " bogus");
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		snprintf(line + n, sizeof(line) - (size_t)n, " -all");
		break;
	default:
		break;
	}
	zone_add(z, line);
}

__attribute__((format(printf, 2, 3))) static void add(struct zone *z, const char *format, ...)
{
	char line[300];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	zone_add(z, line);
}

static void mx_set(struct zone *z, const char *owner)
{
	uint32_t kind = below(12), names = kind == 0 ? 11 : kind == 1 ? 0 : 1 + below(3);
	if (kind == 2)
		add(z, "%s MX 0 .", owner);
	for (uint32_t i = 0; i < names; i++)
		add(z, "%s MX %u h%u.test", owner, i, kind == 0 ? i : below(7));
}

static void addresses(struct zone *z, const char *owner)
{
	for (uint32_t i = below(3); i > 0; i--)
		add(z, "%s A %s", owner, addresses4[below(5)]);
	for (uint32_t i = below(2); i > 0; i--)
		add(z, "%s AAAA %s", owner, addresses6[below(3)]);
}

static void trouble(struct zone *z, const char *owner)
{
	static const char *const types[] = { "*", "A", "AAAA", "TXT", "MX" };
	static const char *const failures[] = { "!timeout", "!servfail", "!refused" };
	if (below(25) == 0)
		add(z, "%s %s %s", owner, types[below(5)], failures[below(3)]);
}

static void reverse(struct zone *z)
{
	static const char *const owners[] = {
		"7.2.0.192.in-addr.arpa", "66.113.0.203.in-addr.arpa",
		"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
	};
	for (uint32_t i = 0; i < COUNT(owners); i++) {
		for (uint32_t n = below(below(10) == 0 ? 13 : 4); n > 0; n--)
			add(z, "%s PTR %c%u.test", owners[i], below(2) ? 'd' : 'h', below(6));
		if (below(10) == 0)
			add(z, "%s PTR !servfail", owners[i]);
	}
}

static struct zone *make_zone(void)
{
	struct zone *z = zone_new();
	char owner[64];
	for (uint32_t i = 0; i < 10; i++) {
		snprintf(owner, sizeof(owner), "d%u.test", i);
		uint32_t kind = below(30);
		if (kind > 0)
			record(z, owner);
		if (kind == 1)
			record(z, owner);
		add(z, "%s TXT not this one", owner);
		mx_set(z, owner);
		addresses(z, owner);
		trouble(z, owner);
	}
	for (uint32_t i = 0; i < 6; i++) {
		snprintf(owner, sizeof(owner), "h%u.test", i);
		if (below(10) == 0)
			add(z, "%s CNAME h%u.test", owner, below(7));
		addresses(z, owner);
		trouble(z, owner);
	}
	if (below(2))
		add(z, "192.0.2.7.e.test A 127.0.0.2\n7.2.0.192.e.test A 127.0.0.2");
	if (below(2))
		add(z, "alice.u.test A 192.0.2.7\nin-addr.e.test A 192.0.2.7");
	reverse(z);
	return z;
}

/* ---- comparing --------------------------------------------------------------------------- */

static struct {
	unsigned runs, by_result[8], agreed_rounds, with_rounds;
} figures;

static void show(const struct scripted *s, const char *text, const char *what)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	fprintf(stderr, "%s: %s, peer %s, sender <%s>, helo %s: result %d, trouble %d, %s\n", what, text,
		mxg_address_format(&s->in.peer, address), s->in.sender, s->in.helo, (int)s->outcome.result,
		(int)s->outcome.trouble, s->outcome.detail);
	for (size_t i = 0; i < s->zone->count; i++) {
		const struct zone_record *r = &s->zone->records[i];
		fprintf(stderr, "  %s %s %s%s%s%s\n", r->name, zone_type_name(r->type), r->text == NULL ? "" : r->text,
			r->target, r->failure != MXG_DNS_OK ? "!" : "", mxg_address_format(&r->address, address));
	}
	for (size_t i = 0; i < s->steps.count; i++)
		fprintf(stderr, "  > %s\n", mxg_text_list_get(&s->steps, i));
	fprintf(stderr, "  asked: %s\n", s->questions);
	fail();
}

static bool naive_asked(const struct naive *n, const struct mxg_question *q)
{
	for (size_t i = 0; i < n->count; i++) {
		struct mxg_name asked;
		if (n->log[i].type == q->type && mxg_name_from_text(&asked, n->log[i].name, strlen(n->log[i].name)) &&
		    mxg_name_equal(&asked, &q->name))
			return true;
	}
	return false;
}

/* The sequential evaluation rests on what the naive one asks for, no more and no less. */
static void compare_questions(const struct scripted *s, const struct naive *n, const char *text)
{
	size_t consulted = 0;
	for (int e = 0; e < (int)mxg_answers_count(s->answers); e++) {
		if ((mxg_answers_flags(s->answers, e) & MXG_ENTRY_CONSULTED) == 0)
			continue;
		consulted++;
		if (!naive_asked(n, mxg_answers_question(s->answers, e)))
			show(s, text, "consulted what the naive one does not ask for");
	}
	if (consulted != n->count && s->outcome.trouble != MXG_TROUBLE_LOOP)
		show(s, text, "did not consult what the naive one asks for");
}

/* Not memcmp: behind a name's end stands anything. */
static bool same(const struct mxg_term_outcome *a, const struct mxg_term_outcome *b)
{
	return a->result == b->result && a->trouble == b->trouble && a->failure == b->failure &&
	       a->question.type == b->question.type && mxg_name_equal(&a->question.name, &b->question.name) &&
	       strcmp(a->detail, b->detail) == 0 && a->addresses_seen == b->addresses_seen &&
	       a->mx_is_self == b->mx_is_self && a->other_family_wanted == b->other_family_wanted &&
	       a->lookups == b->lookups && a->voids == b->voids;
}

static void compare_order(const struct scripted *first, const char *text, uint64_t order)
{
	struct scripted s = { .zone = first->zone, .in = first->in, .order = order };
	scripted_run_text(&s, text);
	if (!same(&s.outcome, &first->outcome))
		show(&s, text, "another outcome in another order");
	if (s.steps.used != first->steps.used || memcmp(s.steps.text, first->steps.text, s.steps.used) != 0) {
		for (size_t i = 0; i < first->steps.count; i++)
			fprintf(stderr, "  < %s\n", mxg_text_list_get(&first->steps, i));
		show(&s, text, "other steps in another order");
	}
	scripted_clear(&s);
}

static void compare(const struct zone *z, const char *text)
{
	struct scripted s = { .zone = z };
	static struct naive n;
	const char *peer = peers[below(COUNT(peers))];
	scripted_input(&s, "d0.test", peer, senders[below(COUNT(senders))], helos[below(COUNT(helos))]);
	n = (struct naive){
		.zone = z, .peer = s.in.peer, .sender = s.in.sender, .helo = s.in.helo, .domain = "d0.test"
	};
	enum mxg_term_result want = naive_term(&n, text);
	scripted_run_text(&s, text);
	figures.runs++;
	figures.by_result[s.outcome.result]++;
	if (s.outcome.result != want) {
		fprintf(stderr, "naive says %d\n", (int)want);
		show(&s, text, "disagreement");
	}
	compare_questions(&s, &n, text);
	if (!n.unforeseeable && s.outcome.trouble != MXG_TROUBLE_LOOP) {
		figures.with_rounds++;
		figures.agreed_rounds += s.rounds == naive_rounds(&n);
		if (s.rounds > naive_rounds(&n))
			show(&s, text, "too many rounds");
	}
	for (unsigned i = 0; i < 3; i++)
		compare_order(&s, text, (uint64_t)below(1u << 30) + 1);
	scripted_clear(&s);
}

static void configured(char out[200])
{
	static const char *const others[] = { "mx",
					      "a",
					      "ptr",
					      "ptr:h1.test",
					      "mx:d1.test/28",
					      "a:h1.test//64",
					      "exists:%{i}.e.test",
					      "exists:%{p}.u.test" };
	if (below(6) == 0)
		snprintf(out, 200, "%s", others[below(COUNT(others))]);
	else
		snprintf(out, 200, "include:d%u.test", below(10));
}

static void test_random_zones(void **unused)
{
	(void)unused;
	const char *wanted = getenv("MXG_TEST_ZONES");
	uint32_t zones = wanted == NULL ? 400 : (uint32_t)strtoul(wanted, NULL, 10);
	for (uint32_t i = 0; i < zones; i++) {
		state = 7208 + (uint64_t)i * 1000003;
		struct zone *z = make_zone();
		for (unsigned k = 0; k < 5; k++) {
			char text[200];
			configured(text);
			compare(z, text);
		}
		zone_free(z);
	}
	print_message(
		"%u evaluations: %u no match, %u match, %u temperror, %u permerror; rounds as foreseen in %u of %u\n",
		figures.runs, figures.by_result[MXG_TERM_NO_MATCH], figures.by_result[MXG_TERM_MATCH],
		figures.by_result[MXG_TERM_TEMPERROR], figures.by_result[MXG_TERM_PERMERROR], figures.agreed_rounds,
		figures.with_rounds);
}

/* ---- every order there is ---------------------------------------------------------------- */

enum { ORDER_MAX = 12 };

/* One order: at each step, which of the open questions is answered; how many there were. */
struct order {
	unsigned length, choice[ORDER_MAX], open[ORDER_MAX];
};

static void answer_one(struct scripted *s, unsigned choice, unsigned *open)
{
	int entries[ORDER_MAX];
	*open = 0;
	for (int e = 0; e < (int)mxg_answers_count(s->answers); e++)
		if ((mxg_answers_flags(s->answers, e) & (MXG_ENTRY_WANTED | MXG_ENTRY_REPLIED)) == MXG_ENTRY_WANTED)
			entries[(*open)++] = e;
	assert_in_range(*open, choice + 1, ORDER_MAX);
	struct mxg_reply reply;
	zone_answer(s->zone, mxg_answers_question(s->answers, entries[choice]), &reply);
	mxg_answers_put_live(s->answers, entries[choice], &reply, s->in.view.now);
	free(reply.records.data);
	mxg_answers_set_flags(s->answers, entries[choice], MXG_ENTRY_REPLIED, 0);
}

static void run_in_order(struct scripted *s, const struct mxg_term *term, struct order *o)
{
	s->answers = mxg_answers_new();
	for (o->length = 0;; o->length++) {
		mxg_answers_clear_flags(s->answers, MXG_ENTRY_WANTED | MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE);
		mxg_text_list_clear(&s->steps);
		mxg_evaluate_term(s->answers, &s->in, term, false, &s->steps, &s->outcome);
		if (s->outcome.result != MXG_TERM_PENDING)
			return;
		assert_in_range(o->length, 0, ORDER_MAX - 1);
		answer_one(s, o->choice[o->length], &o->open[o->length]);
	}
}

/* The next one; false after the last. */
static bool next_order(struct order *o)
{
	while (o->length > 0 && o->choice[o->length - 1] + 1 == o->open[o->length - 1])
		o->length--;
	if (o->length == 0)
		return false;
	o->choice[o->length - 1]++;
	memset(o->choice + o->length, 0, (ORDER_MAX - o->length) * sizeof(o->choice[0]));
	return true;
}

static unsigned try_every_order(const struct zone *z, const char *peer, const char *text)
{
	struct scripted first = { .zone = z };
	struct order o = { 0 };
	struct mxg_term term;
	struct mxg_term_error error;
	unsigned count = 0;
	assert_true(mxg_term_parse_configured(&term, text, strlen(text), true, &error));
	scripted_input(&first, "d0.test", peer, "", "h1.test");
	scripted_run(&first, &term);
	do {
		struct scripted s = { .zone = z, .in = first.in };
		run_in_order(&s, &term, &o);
		if (!same(&s.outcome, &first.outcome) || s.steps.used != first.steps.used ||
		    memcmp(s.steps.text, first.steps.text, s.steps.used) != 0)
			show(&s, text, "something else in another order");
		scripted_clear(&s);
		count++;
	} while (next_order(&o));
	scripted_clear(&first);
	return count;
}

/* A record whose terms wait for each other in several ways, with trouble in one of them. */
static void test_every_order(void **unused)
{
	static const char *const troubles[] = { "", "h2.test A !timeout", "d2.test TXT !servfail",
						"d3.test MX !refused" };
	unsigned count = 0;
	(void)unused;
	for (uint32_t t = 0; t < COUNT(troubles); t++) {
		struct zone *z = zone_new();
		zone_add(z, "d1.test TXT v=spf1 include:d2.test -a:h2.test mx:d3.test a:h4.test ~all");
		zone_add(z, t == 2 ? "" : "d2.test TXT v=spf1 a:h1.test include:d4.test -all");
		zone_add(z, t == 3 ? "" : "d3.test MX 10 h3.test");
		zone_add(z, "d4.test TXT v=spf1 ip4:192.0.2.70 ?all\nh1.test A 192.0.2.7\nh3.test A 198.51.100.7\n"
			    "h4.test A 203.0.113.66");
		zone_add(z, t == 1 ? "" : "h2.test A 192.0.2.8");
		zone_add(z, troubles[t]);
		for (uint32_t p = 0; p < COUNT(addresses4); p++)
			count += try_every_order(z, addresses4[p], "include:d1.test");
		zone_free(z);
	}
	print_message("%u orders\n", count);
	assert_true(count > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_zones), cmocka_unit_test(test_every_order) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
