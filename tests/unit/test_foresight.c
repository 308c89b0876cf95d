/* SPDX-License-Identifier: MIT */
/* What is asked for, and when: exactly the questions that can be foreseen, in as many rounds as
 * the longest chain of dependent names; and what an evaluation tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scripted.h"

static struct zone *zone;

static void begin(struct scripted *s, const char *lines)
{
	zone_free(zone);
	zone = zone_new();
	zone_add(zone, lines);
	*s = (struct scripted){ .zone = zone };
	scripted_input(s, "rcpt.test", "192.0.2.7", "alice@sender.test", "gw.helo.test");
}

struct plan {
	const char *about, *zone, *term, *questions;
	enum mxg_term_result want;
	const char *peer;
	bool secure;
};

static void test_questions(void **unused)
{
	(void)unused;
	static const struct plan plans[] = {
		{ "static terms ask nothing", "", "ip4:192.0.2.0/24", "", MXG_TERM_MATCH },
		{ "mx, then its hosts together", "rcpt.test MX 1 a.test\nrcpt.test MX 2 b.test\nb.test A 192.0.2.7",
		  "mx", "rcpt.test MX | a.test A, b.test A", MXG_TERM_MATCH },
		{ "the peer's family only", "rcpt.test MX 1 a.test\na.test AAAA 2001:db8::7", "mx",
		  "rcpt.test MX | a.test AAAA", MXG_TERM_MATCH, .peer = "2001:db8::7" },
		{ "one host twice is one question", "rcpt.test MX 1 a.test\nrcpt.test MX 2 A.test", "mx",
		  "rcpt.test MX | a.test A", MXG_TERM_NO_MATCH },
		{ "too many names: none is asked for",
		  "rcpt.test MX 1 n1.test\nrcpt.test MX 1 n2.test\nrcpt.test MX 1 n3.test\nrcpt.test MX 1 n4.test\n"
		  "rcpt.test MX 1 n5.test\nrcpt.test MX 1 n6.test\nrcpt.test MX 1 n7.test\nrcpt.test MX 1 n8.test\n"
		  "rcpt.test MX 1 n9.test\nrcpt.test MX 1 n10.test\nrcpt.test MX 1 n11.test",
		  "mx", "rcpt.test MX", MXG_TERM_PERMERROR },
		{ "all of a record at once",
		  "r.test TXT v=spf1 a:a.test mx:b.test include:c.test exists:%{ir}.d.test "
		  "redirect=e.test\nb.test MX 1 f.test\nc.test TXT v=spf1 -all\ne.test TXT v=spf1 -all\na.test A "
		  "192.0.2.1\n"
		  "f.test A 192.0.2.2",
		  "include:r.test",
		  "r.test TXT | 7.2.0.192.d.test A, a.test A, b.test MX, c.test TXT, e.test TXT | f.test A",
		  MXG_TERM_NO_MATCH },
		{ "exists asks A for IPv6", "r.test TXT v=spf1 exists:x.test a:y.test -all", "include:r.test",
		  "r.test TXT | x.test A, y.test AAAA", MXG_TERM_NO_MATCH, .peer = "2001:db8::7" },
		{ "not past all", "r.test TXT v=spf1 a:a.test -all a:b.test redirect=c.test\na.test A 192.0.2.1",
		  "include:r.test", "r.test TXT | a.test A", MXG_TERM_NO_MATCH },
		{ "not past a certain match",
		  "r.test TXT v=spf1 a:a.test ip4:192.0.2.0/24 a:b.test\na.test A 192.0.2.1", "include:r.test",
		  "r.test TXT | a.test A", MXG_TERM_MATCH },
		{ "past one that is not",
		  "r.test TXT v=spf1 a:a.test ip4:192.0.3.0/24 a:b.test -all\na.test A 192.0.2.1", "include:r.test",
		  "r.test TXT | a.test A, b.test A", MXG_TERM_NO_MATCH },
		{ "not past an include that is sure to pass",
		  "r.test TXT v=spf1 include:p.test a:x.test include:p.test a:late.test\n"
		  "p.test TXT v=spf1 a:y.test include:q.test ip4:192.0.2.7 -all\nq.test TXT v=spf1 a:z.test -all\n"
		  "x.test A 192.0.2.1\ny.test A 192.0.2.1\nz.test A 192.0.2.1",
		  "include:r.test", "r.test TXT | late.test A, p.test TXT, x.test A | q.test TXT, y.test A | z.test A",
		  MXG_TERM_MATCH },
		{ "nor deeper, where it is known",
		  "r.test TXT v=spf1 include:s.test include:t.test\n"
		  "s.test TXT v=spf1 include:y1.test include:p.test\np.test TXT v=spf1 ip4:192.0.2.7\n"
		  "y1.test TXT v=spf1 include:y2.test\ny2.test TXT v=spf1 include:y3.test\ny3.test TXT v=spf1 -all\n"
		  "t.test TXT v=spf1 include:u.test\nu.test TXT v=spf1 include:never.test",
		  "include:r.test",
		  "r.test TXT | s.test TXT, t.test TXT | p.test TXT, u.test TXT, y1.test TXT | y2.test TXT | y3.test "
		  "TXT",
		  MXG_TERM_MATCH },
		{ "past an include that may deny",
		  "r.test TXT v=spf1 include:p.test a:b.test -all\n"
		  "p.test TXT v=spf1 -a:a.test ip4:192.0.2.7\na.test A 192.0.2.7\nb.test A 192.0.2.7",
		  "include:r.test", "r.test TXT | b.test A, p.test TXT | a.test A", MXG_TERM_MATCH },
		{ "not past an error that is certain",
		  "r.test TXT v=spf1 a:a.test include:b.test a:c.test -all\na.test A 192.0.2.1\n"
		  "b.test TXT v=spf1 a:d.test bogus",
		  "include:r.test", "r.test TXT | a.test A, b.test TXT, c.test A", MXG_TERM_PERMERROR },
		{ "not beyond ten terms",
		  "r.test TXT v=spf1 a:1.test a:2.test a:3.test a:4.test a:5.test a:6.test a:7.test a:8.test "
		  "a:9.test a:10.test a:11.test a:12.test\n1.test A 192.0.2.1\n2.test A 192.0.2.1\n3.test A 192.0.2.1",
		  "include:r.test",
		  "r.test TXT | 1.test A, 10.test A, 2.test A, 3.test A, 4.test A, 5.test A, 6.test A, 7.test A, "
		  "8.test A, 9.test A",
		  MXG_TERM_PERMERROR },
		{ "nor by way of redirect=",
		  "r.test TXT v=spf1 a:1.test a:1.test a:1.test a:1.test a:1.test a:1.test a:1.test a:1.test "
		  "a:1.test a:1.test redirect=x.test\n1.test A 192.0.2.1",
		  "include:r.test", "r.test TXT | 1.test A", MXG_TERM_PERMERROR },
		{ "includes behind one another are asked for together",
		  "r.test TXT v=spf1 include:a.test include:b.test include:c.test\n"
		  "a.test TXT v=spf1 -all\nb.test TXT v=spf1 -all\nc.test TXT v=spf1 ip4:192.0.2.7",
		  "include:r.test", "r.test TXT | a.test TXT, b.test TXT, c.test TXT", MXG_TERM_MATCH },
		{ "a chain is a chain",
		  "r.test TXT v=spf1 include:a.test\na.test TXT v=spf1 include:b.test\n"
		  "b.test TXT v=spf1 mx:c.test\nc.test MX 1 d.test\nd.test A 192.0.2.7",
		  "include:r.test", "r.test TXT | a.test TXT | b.test TXT | c.test MX | d.test A", MXG_TERM_MATCH },
		{ "the client's macros are not foreseen",
		  "r.test TXT v=spf1 a:a.test exists:%{l}.x.test a:b.test -all\n"
		  "a.test A 192.0.2.1\nb.test A 192.0.2.1",
		  "include:r.test", "r.test TXT | a.test A, b.test A | alice.x.test A", MXG_TERM_NO_MATCH },
		{ "and never asked for behind a match",
		  "r.test TXT v=spf1 a:a.test exists:%{h}.x.test ptr -all\na.test A 192.0.2.7", "include:r.test",
		  "r.test TXT | a.test A", MXG_TERM_MATCH },
		{ "ptr is not foreseen",
		  "r.test TXT v=spf1 a:a.test ptr:x.test a:b.test -all\na.test A 192.0.2.1\n"
		  "b.test A 192.0.2.1\n7.2.0.192.in-addr.arpa PTR a.x.test\n7.2.0.192.in-addr.arpa PTR "
		  "b.x.test\na.x.test A 192.0.2.1\n"
		  "b.x.test A 192.0.2.7",
		  "include:r.test",
		  "r.test TXT | a.test A, b.test A | 7.2.0.192.in-addr.arpa PTR | a.x.test A, b.x.test A",
		  MXG_TERM_MATCH },
		{ "%{p} is not foreseen", "r.test TXT v=spf1 a:a.test exists:%{p}.x.test -all\na.test A 192.0.2.1",
		  "include:r.test", "r.test TXT | a.test A | 7.2.0.192.in-addr.arpa PTR | unknown.x.test A",
		  MXG_TERM_NO_MATCH },
		{ "no more names of a ptr than ten",
		  "7.2.0.192.in-addr.arpa PTR n0.test\n7.2.0.192.in-addr.arpa PTR n1.test\n"
		  "7.2.0.192.in-addr.arpa PTR n2.test\n7.2.0.192.in-addr.arpa PTR n3.test\n7.2.0.192.in-addr.arpa PTR "
		  "n4.test\n"
		  "7.2.0.192.in-addr.arpa PTR n5.test\n7.2.0.192.in-addr.arpa PTR n6.test\n7.2.0.192.in-addr.arpa PTR "
		  "n7.test\n"
		  "7.2.0.192.in-addr.arpa PTR n8.test\n7.2.0.192.in-addr.arpa PTR n9.test\n7.2.0.192.in-addr.arpa PTR "
		  "n10.test",
		  "ptr:x.test",
		  "7.2.0.192.in-addr.arpa PTR | n0.test A, n1.test A, n2.test A, n3.test A, n4.test A, n5.test A, "
		  "n6.test A, "
		  "n7.test A, n8.test A, n9.test A",
		  MXG_TERM_NO_MATCH },
		{ "a target of the client's is refused, and not asked for", "r.test TXT v=spf1 exists:x.%{h} -all",
		  "include:r.test", "r.test TXT", MXG_TERM_CLIENT_CHOSEN, .secure = true },
		{ "only where the evaluation comes to it", "r.test TXT v=spf1 ip4:192.0.2.7 exists:x.%{h} -all",
		  "include:r.test", "r.test TXT", MXG_TERM_MATCH, .secure = true },
		{ "nor is anything behind it foreseen",
		  "r.test TXT v=spf1 a:a.test include:%{o} a:b.test -all\na.test A 192.0.2.7", "include:r.test",
		  "r.test TXT | a.test A", MXG_TERM_MATCH, .secure = true },
		{ "a redirect= of the client's", "r.test TXT v=spf1 redirect=%{o}", "include:r.test", "r.test TXT",
		  MXG_TERM_CLIENT_CHOSEN, .secure = true },
		{ "a name below the publisher's own is fine",
		  "r.test TXT v=spf1 exists:%{l}.%{h}.x.test -all\n"
		  "alice.gw.helo.test.x.test A 127.0.0.2",
		  "include:r.test", "r.test TXT | alice.gw.helo.test.x.test A", MXG_TERM_MATCH, .secure = true },
		{ "and so is %{d} behind it", "r.test TXT v=spf1 exists:%{l}.%{d} -all\nalice.r.test A 127.0.0.2",
		  "include:r.test", "r.test TXT | alice.r.test A", MXG_TERM_MATCH, .secure = true },
		{ "the peer's address is not the client's to choose", "r.test TXT v=spf1 exists:%{ir}.x.test -all",
		  "include:r.test", "r.test TXT | 7.2.0.192.x.test A", MXG_TERM_NO_MATCH, .secure = true },
	};
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		const struct plan *p = &plans[i];
		struct scripted s;
		begin(&s, p->zone);
		if (p->peer != NULL)
			scripted_input(&s, "rcpt.test", p->peer, "alice@sender.test", "gw.helo.test");
		s.in.insecure_macros = !p->secure;
		scripted_run_text(&s, p->term);
		if (strcmp(s.questions, p->questions) != 0 || s.outcome.result != p->want)
			fail_msg("%s:\n  asked    %s\n  expected %s\n  result %d", p->about, s.questions, p->questions,
				 (int)s.outcome.result);
		scripted_clear(&s);
	}
}

static int ends_in_macro(const char *target)
{
	return mxg_target_ends_client_chosen(target, strlen(target));
}

static void test_client_chosen(void **unused)
{
	(void)unused;
	static const char *const chosen[] = { "%{s}",       "%{l}",         "%{o}",     "%{h}",         "%{p}",
					      "%{H}",       "x.%{o}",       "%{l}.com", "%{o1r}.test.", "x.%{dr}.%{h}",
					      "%{h}.%{d1}", "a.test.%{o2}", "%{l}%{d}" };
	static const char *const fixed[] = { "x.test",           "%{d}",       "%{i}.x.test",        "%{l}.x.test",
					     "%{l}.%{d}",        "%{h}.%{d2}", "%{l}.%{o}.a.x.test", "x.%{ir}",
					     "%{l}._spf.x.test." };
	for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++)
		if (!ends_in_macro(chosen[i]))
			fail_msg("%s is the client's to choose", chosen[i]);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (ends_in_macro(fixed[i]))
			fail_msg("%s is not the client's to choose", fixed[i]);
}

/* ---- this server itself ------------------------------------------------------------------ */

static void with_self(struct scripted *s, const char *zone_text, const char *term)
{
	static struct mxg_prefix self[2];
	assert_int_equal(mxg_prefix_parse(&self[0], "198.51.100.1", 12), MXG_PREFIX_OK);
	assert_int_equal(mxg_prefix_parse(&self[1], "2001:db8:1::1", 13), MXG_PREFIX_OK);
	begin(s, zone_text);
	s->in.self = self;
	s->in.self_count = 2;
	scripted_run_text(s, term);
}

static void check_self(const char *zone_text, const char *term, enum mxg_term_result want, bool self,
		       const char *questions)
{
	struct scripted s;
	with_self(&s, zone_text, term);
	assert_int_equal(s.outcome.result, want);
	assert_int_equal(s.outcome.mx_is_self, self);
	assert_string_equal(s.questions, questions);
	scripted_clear(&s);
}

static void test_self(void **unused)
{
	(void)unused;
	check_self("rcpt.test MX 1 a.test\na.test A 198.51.100.1", "mx", MXG_TERM_NO_MATCH, true,
		   "rcpt.test MX | a.test A");
	check_self("rcpt.test MX 1 a.test\nrcpt.test MX 2 b.test\na.test A 192.0.2.1\nb.test A 198.51.100.1", "mx",
		   MXG_TERM_NO_MATCH, true, "rcpt.test MX | a.test A, b.test A");
	check_self("rcpt.test MX 1 a.test\na.test A 198.51.100.1\na.test A 192.0.2.7", "mx", MXG_TERM_MATCH, false,
		   "rcpt.test MX | a.test A");
	check_self("rcpt.test MX 1 a.test\na.test A 198.51.100.2", "mx", MXG_TERM_NO_MATCH, false,
		   "rcpt.test MX | a.test A");
	check_self("x.test MX 1 a.test\na.test A 198.51.100.1", "mx:x.test", MXG_TERM_NO_MATCH, false,
		   "x.test MX | a.test A");
	/* RFC 5321 §5.1: without MX the domain is its own; never a match by it */
	check_self("rcpt.test A 198.51.100.1", "mx", MXG_TERM_NO_MATCH, true, "rcpt.test MX | rcpt.test A");
	check_self("rcpt.test A 192.0.2.7", "mx", MXG_TERM_NO_MATCH, false, "rcpt.test MX | rcpt.test A");
	check_self("rcpt.test A !timeout\nrcpt.test TXT x", "mx", MXG_TERM_TEMPERROR, false,
		   "rcpt.test MX | rcpt.test A");
	check_self("", "mx", MXG_TERM_NO_MATCH, false, "rcpt.test MX");
	check_self("rcpt.test MX 0 .\nrcpt.test A 198.51.100.1", "mx", MXG_TERM_NO_MATCH, false, "rcpt.test MX");
	check_self("r.test TXT v=spf1 mx -all\nr.test MX 1 a.test\na.test A 198.51.100.1", "include:r.test",
		   MXG_TERM_NO_MATCH, false, "r.test TXT | r.test MX | a.test A");
}

/* ---- whether anything is published at all -------------------------------------------------- */

static void check_seen(const char *zone_text, const char *term, bool seen, bool other)
{
	struct scripted s;
	begin(&s, zone_text);
	scripted_run_text(&s, term);
	if (s.outcome.result != MXG_TERM_NO_MATCH || s.outcome.addresses_seen != seen ||
	    s.outcome.other_family_wanted != other)
		fail_msg("%s with %s: result %d, seen %d, other %d", term, zone_text, (int)s.outcome.result,
			 s.outcome.addresses_seen, s.outcome.other_family_wanted);
	scripted_clear(&s);
}

static void test_seen(void **unused)
{
	(void)unused;
	check_seen("", "ip4:198.51.100.0/24", true, false);
	check_seen("", "ip6:2001:db8::/32", true, false);
	check_seen("", "ptr:x.test", true, false);
	check_seen("", "exists:%{i}.x.test", true, false);
	check_seen("a.test A 192.0.2.1", "a:a.test", true, false);
	check_seen("a.test AAAA 2001:db8::1", "a:a.test", false, true);
	check_seen("", "a:a.test", false, true);
	check_seen("", "mx", false, false);
	check_seen("rcpt.test MX 0 .", "mx", false, true);
	check_seen("rcpt.test MX 1 a.test\na.test AAAA 2001:db8::1", "mx", false, true);
	check_seen("r.test TXT v=spf1 -all", "include:r.test", false, false);
	check_seen("r.test TXT v=spf1 ?all", "include:r.test", false, false);
	check_seen("r.test TXT v=spf1 ip4:198.51.100.1 -all", "include:r.test", true, false);
	check_seen("r.test TXT v=spf1 -ip4:198.51.100.1 -all", "include:r.test", false, false);
	check_seen("r.test TXT v=spf1 -ip4:192.0.2.7 ip4:198.51.100.1 -all", "include:r.test", true, false);
	check_seen("r.test TXT v=spf1 -include:x.test -all\nx.test TXT v=spf1 ip4:198.51.100.1", "include:r.test",
		   false, false);
	check_seen("r.test TXT v=spf1 a:a.test -all", "include:r.test", false, true);
}

static void check_other(const char *zone_text, const char *term, enum mxg_term_result want, bool seen,
			const char *questions)
{
	struct scripted s;
	begin(&s, zone_text);
	s.other_family = true;
	scripted_run_text(&s, term);
	assert_int_equal(s.outcome.result, want);
	assert_int_equal(s.outcome.addresses_seen, seen);
	assert_false(s.outcome.other_family_wanted);
	assert_string_equal(s.questions, questions);
	scripted_clear(&s);
}

static void test_other_family(void **unused)
{
	(void)unused;
	check_other("a.test AAAA 2001:db8::1", "a:a.test", MXG_TERM_NO_MATCH, true, "a.test A | a.test AAAA");
	check_other("", "a:a.test", MXG_TERM_NO_MATCH, false, "a.test A | a.test AAAA");
	check_other("a.test A 192.0.2.1", "a:a.test", MXG_TERM_NO_MATCH, true, "a.test A");
	check_other("a.test TXT x\na.test AAAA !timeout", "a:a.test", MXG_TERM_TEMPERROR, false,
		    "a.test A | a.test AAAA");
	check_other("rcpt.test MX 1 a.test\na.test AAAA 2001:db8::1", "mx", MXG_TERM_NO_MATCH, true,
		    "rcpt.test MX | a.test A | a.test AAAA");
}

/* ---- no peer -------------------------------------------------------------------------------- */

static void test_no_peer(void **unused)
{
	(void)unused;
	static const char *const terms[] = { "all",           "ip4:0.0.0.0/0", "ip6:::/0",     "include:r.test",
					     "a:a.test/0//0", "ptr:a.test",    "exists:a.test" };
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		struct scripted s;
		begin(&s, "r.test TXT v=spf1 +all\na.test A 192.0.2.1");
		scripted_input(&s, "rcpt.test", "", "", "");
		scripted_run_text(&s, terms[i]);
		assert_int_equal(s.outcome.result, MXG_TERM_NO_MATCH);
		scripted_clear(&s);
	}
}

/* ---- what is told --------------------------------------------------------------------------- */

static void check_steps(const char *zone_text, const char *term, const char *want)
{
	struct scripted s;
	char all[4000] = "";
	begin(&s, zone_text);
	scripted_run_text(&s, term);
	for (size_t i = 0; i < s.steps.count; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s\n", mxg_text_list_get(&s.steps, i));
	assert_string_equal(all, want);
	scripted_clear(&s);
}

static void test_steps(void **unused)
{
	(void)unused;
	check_steps("", "ip4:192.0.2.0/24", "ip4:192.0.2.0/24: covers the peer\n");
	check_steps("rcpt.test MX 1 gw.test\nrcpt.test MX 2 b.test\nrcpt.test MX 3 c.test\ngw.test A "
		    "192.0.2.10\nb.test A !timeout\n"
		    "c.test A 192.0.2.7",
		    "mx",
		    "mx: gw.test 192.0.2.10, no match\nmx: b.test no answer in time, no match\nmx: c.test 192.0.2.7, "
		    "match\n"
		    "mx: covers the peer\n");
	check_steps("r.test TXT v=spf1 a:a.test include:b.test -all\na.test A 192.0.2.1\nb.test TXT v=spf1 "
		    "ip4:192.0.2.0/24",
		    "include:r.test",
		    "r.test: a:a.test: a.test 192.0.2.1, no match\nb.test: ip4:192.0.2.0/24: covers 192.0.2.7\n"
		    "r.test: include:b.test: covers 192.0.2.7\ninclude:r.test: covers the peer\n");
	check_steps("r.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 ip4:192.0.2.99", "include:r.test",
		    "b.test: nothing in its record covers 192.0.2.7\nr.test: -all: excludes 192.0.2.7\n"
		    "include:r.test: does not cover the peer\n");
	check_steps("r.test TXT v=spf1 ip4:192.0.2.300 -all", "include:r.test",
		    "include:r.test: this is not an IPv4 address: '192.0.2.300': r.test\n");
	check_steps("r.test TXT v=spf1 include:b.test\nb.test TXT !servfail", "include:r.test",
		    "include:r.test: the DNS server failed: b.test\n");
	check_steps("r.test TXT \"v=spf1 a:\\x1b[2J.test\"", "include:r.test",
		    "include:r.test: only printable ASCII may stand here: '\\x1b[2J.test': r.test\n");
}

/* Names and texts of strangers come out as printable ASCII only, whatever is in them. */
static void test_neutered(void **unused)
{
	(void)unused;
	struct scripted s;
	begin(&s, "r.test TXT v=spf1 exists:%{l}.x.test a:%{h} -all");
	s.in.sender = "a\x1b[31m\n\xff@x";
	s.in.helo = "b\r\nmxguard: verdict=authorized.test";
	scripted_run_text(&s, "include:r.test");
	for (size_t i = 0; i < s.steps.used; i++)
		assert_true(s.steps.text[i] == '\0' || (s.steps.text[i] >= 0x20 && s.steps.text[i] < 0x7f));
	scripted_clear(&s);
}

static void test_stale(void **unused)
{
	(void)unused;
	struct scripted s;
	static const uint8_t address[] = { 0, 4, 192, 0, 2, 7 };
	struct mxg_answer version = { .kind = MXG_ANSWER_RECORDS,
				      .from = 1,
				      .confirmed = 1000,
				      .ttl = 100,
				      .count = 1,
				      .size = sizeof(address),
				      .data = address };
	struct mxg_term term;
	struct mxg_term_error error;
	begin(&s, "");
	s.answers = mxg_answers_new();
	s.in.view = (struct mxg_view){ .now = 4700, .keep_stale = 10000 };
	assert_true(mxg_term_parse_configured(&term, "a", 1, false, &error));
	int entry = mxg_answers_entry(s.answers, &s.in.domain, MXG_DNS_A);
	assert_true(mxg_answers_put_version(s.answers, entry, &version));
	mxg_evaluate_term(s.answers, &s.in, &term, false, &s.steps, &s.outcome);
	assert_int_equal(s.outcome.result, MXG_TERM_MATCH);
	assert_int_equal(mxg_answers_flags(s.answers, entry), MXG_ENTRY_CONSULTED | MXG_ENTRY_STALE);
	assert_string_equal(mxg_text_list_get(&s.steps, 0), "rcpt.test: answer stale by 3600 s");
	scripted_clear(&s);
}

/* ---- hostile records ---------------------------------------------------------------------- */

static void test_large_records(void **unused)
{
	(void)unused;
	static const struct {
		const char *term;
		enum mxg_term_result want;
	} cases[] = {
		{ " a", MXG_TERM_PERMERROR },
		{ " ip4:1.2.3.4", MXG_TERM_NO_MATCH },
		{ " ?exists:%{s}%{s}%{s}.x.test", MXG_TERM_PERMERROR },
		{ " x=", MXG_TERM_NO_MATCH },
		{ " include:r.test", MXG_TERM_PERMERROR },
		{ " /", MXG_TERM_PERMERROR },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char record[ZONE_TEXT_MAX] = "r.test TXT v=spf1";
		struct scripted s;
		while (strlen(record) + strlen(cases[i].term) < 8100)
			strcat(record, cases[i].term);
		begin(&s, record);
		scripted_run_text(&s, "include:r.test");
		assert_int_equal(s.outcome.result, cases[i].want);
		assert_true(mxg_answers_count(s.answers) <= 12);
		scripted_clear(&s);
	}
}

static int drop_zone(void **unused)
{
	(void)unused;
	zone_free(zone);
	zone = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),    cmocka_unit_test(test_client_chosen),
		cmocka_unit_test(test_self),         cmocka_unit_test(test_seen),
		cmocka_unit_test(test_other_family), cmocka_unit_test(test_no_peer),
		cmocka_unit_test(test_steps),        cmocka_unit_test(test_neutered),
		cmocka_unit_test(test_stale),        cmocka_unit_test(test_large_records),
	};
	return cmocka_run_group_tests(tests, NULL, drop_zone);
}
