/* SPDX-License-Identifier: MIT */
/* What RFC 7208 says MUST happen: records, mechanisms, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spf_cases.h"

#define RUN(cases) spf_cases_run(cases, sizeof(cases) / sizeof((cases)[0]))
#define PEER6 .peer = "2001:db8::7"

static void test_selection(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "3.3 one string", "v=spf1 +all", YES },
		{ "3.3 strings joined without a space", "\"v=spf1 ip4:192.0\" \".2.7 -all\"", YES },
		{ "3.3 a space must be in one of the strings", "\"v=spf1\" \"+all\"", PERM(MISSING) },
		{ "3.3 a space at the end of a string", "\"v=spf1 \" \"+all\"", YES },
		{ "3.3 the version split over strings", "\"v=sp\" \"f1 +all\"", YES },
		{ "3.3 an empty string in between", "\"v=spf1 \" \"\" \"+all\"", YES },
		{ "3.3 an empty string first", "\"\" \"v=spf1 +all\"", YES },
		{ "3.3 a term split in its middle", "\"v=spf1 +a\" \"ll\"", YES },
		{ "3.2 several records are a permerror", "", PERM(SEVERAL),
		  .zone = "r.test TXT v=spf1 +all\nr.test TXT v=spf1 -all" },
		{ "3.2 the same record twice as well", "", PERM(SEVERAL),
		  .zone = "r.test TXT v=spf1 +all\nr.test TXT v=spf1 +all" },
		{ "4.5 other texts are not looked at", "v=spf1 +all", YES,
		  .zone = "r.test TXT hello\nr.test TXT spf1 -all\nr.test TXT v=spf2.0/pra -all" },
		{ "4.5 the version in any case", "V=sPf1 +all", YES },
		{ "4.5 v=spf10 is no record", "v=spf10 +all", PERM(MISSING) },
		{ "4.5 v=spf10 beside a record", "v=spf1 +all", YES, .zone = "r.test TXT v=spf10 -all" },
		{ "4.5 v=spf1 and a tab is no record", "\"v=spf1\\x09+all\"", PERM(MISSING) },
		{ "4.5 v=spf1 with a term stuck to it", "v=spf1-all", PERM(MISSING) },
		{ "4.5 v=spf1+all", "v=spf1+all", PERM(MISSING) },
		{ "4.5 a blank before the version", "\" v=spf1 +all\"", PERM(MISSING) },
		{ "4.5 the version alone is a record", "v=spf1", NO },
		{ "4.5 the version and a space", "\"v=spf1 \"", NO },
		{ "4.5 a text without any record", "", PERM(MISSING), .zone = "r.test TXT hello" },
		{ "4.5 an empty text", "\"\"", PERM(MISSING) },
		{ "4.5 texts that are not ASCII beside it", "v=spf1 +all", YES,
		  .zone = "r.test TXT \"\\xe4\\xf6\\xfc\"" },
		{ "4.3 no such domain", "", PERM(MISSING) },
		{ "4.4 no texts at all", "", PERM(MISSING), .zone = "r.test A 192.0.2.7" },
		{ "4.4 timeout", "", TEMP, .zone = "r.test TXT !timeout" },
		{ "4.4 SERVFAIL", "", TEMP, .zone = "r.test TXT !servfail" },
		{ "4.4 REFUSED", "", TEMP, .zone = "r.test TXT !refused" },
		{ "4.4 by an alias", "", YES, .zone = "r.test CNAME x.test\nx.test TXT v=spf1 +all" },
		{ "4.4 <domain> stays what it was under an alias", "", YES,
		  .zone = "r.test CNAME x.test\nx.test TXT v=spf1 exists:ok.%{d}\nok.r.test A 127.0.0.1" },
		{ "4.4 an alias into nothing", "", PERM(MISSING), .zone = "r.test CNAME x.test" },
		{ "4.4 aliases in a circle", "", TEMP, .zone = "r.test CNAME x.test\nx.test CNAME r.test" },
		{ "4.5 type 99 is history: TXT only", "v=spf1 +all", YES },
		{ "4.6 blanks between terms", "\"v=spf1   ip4:192.0.2.7    -all\"", YES },
		{ "4.6 blanks at the end", "\"v=spf1 ip4:192.0.2.7 -all   \"", YES },
		{ "4.6.1 terms in any case", "v=spf1 IP4:192.0.2.7 -ALL", YES },
		{ "4.6.1 modifiers in any case", "v=spf1 REDIRECT=pass.test", YES },
		{ "4.7 nothing matches: neutral", "v=spf1 ip4:192.0.2.99", NO },
		{ "4.6.2 the first match decides", "v=spf1 -ip4:192.0.2.7 +all", NO },
		{ "4.6.2 the first match decides", "v=spf1 +ip4:192.0.2.7 -all", YES },
		{ "4.6.2 left to right", "v=spf1 -all ip4:192.0.2.7", NO },
		{ "4.6.2 no qualifier is +", "v=spf1 ip4:192.0.2.7 -all", YES },
		{ "4.6.2 - is fail", "v=spf1 -ip4:192.0.2.7", NO },
		{ "4.6.2 ~ is softfail", "v=spf1 ~ip4:192.0.2.7", NO },
		{ "4.6.2 ? is neutral", "v=spf1 ?ip4:192.0.2.7 +all", NO },
		{ "2.6.6 temperror ends it", "v=spf1 a:slow.test +all", TEMP },
		{ "2.6.7 permerror ends it", "v=spf1 include:none.test +all", PERM(MISSING) },
		{ "4.6 errors count before any evaluation", "v=spf1 +all bogus", PERM(SYNTAX) },
		{ "4.6 errors in modifiers too", "v=spf1 +all moo=%abc", PERM(SYNTAX) },
		{ "4.6 errors in exp= too", "v=spf1 +all exp=", PERM(SYNTAX) },
		{ "4.6 errors in redirect= too", "v=spf1 +all redirect=", PERM(SYNTAX) },
		{ "3.1 bytes that are not ASCII", "\"v=spf1 a:\\xe4.test +all\"", PERM(SYNTAX) },
		{ "3.1 bytes that are not ASCII as a term", "\"v=spf1 \\xef\\xbb\\xbfall +all\"", PERM(SYNTAX) },
		{ "3.1 a NUL", "\"v=spf1 \\x00 +all\"", PERM(SYNTAX) },
		{ "4.6.1 a tab does not separate", "\"v=spf1 +all\\x09-all\"", PERM(SYNTAX) },
		{ "4.6.1 a carriage return does not separate", "\"v=spf1 a:host7.test\\x0dptr -all\"", PERM(SYNTAX) },
	};
	RUN(cases);
}

static void test_all_and_include(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "5.1 all", "v=spf1 all", YES },
		{ "5.1 -all", "v=spf1 -all", NO },
		{ "5.1 behind all nothing is tested", "v=spf1 -all include:slow.test", NO },
		{ "5.1 behind all nothing is tested", "v=spf1 +all include:none.test", YES },
		{ "5.1 redirect= is ignored with all", "v=spf1 ?all redirect=pass.test", NO },
		{ "5.1 redirect= is ignored with all behind it", "v=spf1 redirect=pass.test ~all", NO },
		{ "5.2 pass: match", "v=spf1 include:pass.test -all", YES },
		{ "5.2 pass with another qualifier", "v=spf1 -include:pass.test +all", NO },
		{ "5.2 pass with ~", "v=spf1 ~include:pass.test +all", NO },
		{ "5.2 fail: no match", "v=spf1 include:fail.test +all", YES },
		{ "5.2 softfail: no match", "v=spf1 include:soft.test +all", YES },
		{ "5.2 neutral: no match", "v=spf1 include:neutral.test +all", YES },
		{ "5.2 nothing in it: neutral: no match", "v=spf1 include:empty.test +all", YES },
		{ "5.2 temperror", "v=spf1 include:slow.test +all", TEMP },
		{ "5.2 temperror inside", "v=spf1 include:x.test +all", TEMP, .zone = "x.test TXT v=spf1 a:sick.test" },
		{ "5.2 permerror", "v=spf1 include:broken.test +all", PERM(SYNTAX) },
		{ "5.2 permerror by two records", "v=spf1 include:two.test +all", PERM(SEVERAL) },
		{ "5.2 none", "v=spf1 include:none.test +all", PERM(MISSING) },
		{ "5.2 no such name", "v=spf1 include:nowhere.test +all", PERM(MISSING) },
		{ "5.2 the included fail does not end it", "v=spf1 include:fail.test ip4:192.0.2.7 -all", YES },
		{ "5.2 <domain> is the included one", "v=spf1 include:x.test -all", YES,
		  .zone = "x.test TXT v=spf1 a -all\nx.test A 192.0.2.7" },
		{ "5.2 <domain> comes back behind it", "v=spf1 include:fail.test a -all", YES,
		  .zone = "r.test A 192.0.2.7" },
		{ "5.2 with a macro", "v=spf1 include:%{v}.x.test -all", YES,
		  .zone = "in-addr.x.test TXT v=spf1 +all" },
		{ "5.2 three deep", "v=spf1 include:x.test -all", YES,
		  .zone = "x.test TXT v=spf1 include:y.test -all\ny.test TXT v=spf1 include:pass.test -all" },
		{ "5.2 a deny in the middle is a no", "v=spf1 include:x.test ip4:192.0.2.7", YES,
		  .zone = "x.test TXT v=spf1 -include:pass.test +all" },
		{ "5.2 itself", "v=spf1 include:r.test +all", PERM(LOOP) },
		{ "5.2 in a circle", "v=spf1 include:x.test +all", PERM(LOOP),
		  .zone = "x.test TXT v=spf1 include:r.test" },
		{ "5.2 a circle that is not entered", "v=spf1 ip4:192.0.2.7 include:r.test", YES },
		{ "5.2 itself in another case", "v=spf1 include:R.Test +all", PERM(LOOP) },
		{ "5.2 the same one twice is no circle", "v=spf1 include:fail.test include:fail.test +all", YES },
		{ "5.2, 4.3 a target of one label", "v=spf1 include:%{d1r} +all", PERM(MISSING) },
		{ "5.2, 4.3 an empty label", "v=spf1 include:a..test +all", PERM(NAME) },
		{ "5.2 the included exp= does not matter", "v=spf1 include:x.test +all", YES,
		  .zone = "x.test TXT v=spf1 -all exp=slow.test" },
		{ "5.2 the included redirect= is followed", "v=spf1 include:x.test -all", YES,
		  .zone = "x.test TXT v=spf1 redirect=pass.test" },
	};
	RUN(cases);
}

static void test_a(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "5.3 <domain>", "v=spf1 a -all", YES, .zone = "r.test A 192.0.2.7" },
		{ "5.3 another address", "v=spf1 a -all", NO, .zone = "r.test A 192.0.2.8" },
		{ "5.3 a target", "v=spf1 a:host7.test -all", YES },
		{ "5.3 one of several", "v=spf1 a:many.test -all", YES },
		{ "5.3 none of them", "v=spf1 a:host8.test -all", NO },
		{ "5.3 IPv6 asks AAAA", "v=spf1 a:host7.test -all", YES, PEER6 },
		{ "5.3 IPv6, another address", "v=spf1 a:host8.test -all", NO, PEER6 },
		{ "5.3 IPv6 does not match A", "v=spf1 a:x.test/0 -all", NO, PEER6, .zone = "x.test A 192.0.2.7" },
		{ "5.3 IPv4 does not match AAAA", "v=spf1 a:x.test//0 -all", NO, .zone = "x.test AAAA 2001:db8::7" },
		{ "5.3 a mapped peer is IPv4", "v=spf1 a:host7.test -all", YES, .peer = "::ffff:192.0.2.7" },
		{ "5.3 no such name", "v=spf1 a:nowhere.test +all", YES },
		{ "5.3 no such addresses", "v=spf1 a:none.test +all", YES },
		{ "5.3 timeout", "v=spf1 a:slow.test +all", TEMP },
		{ "5.3 SERVFAIL", "v=spf1 a:sick.test +all", TEMP },
		{ "5.3 a failure of the other family does not matter", "v=spf1 a:x.test +all", YES,
		  .zone = "x.test AAAA !servfail\nx.test A 192.0.2.8" },
		{ "5.3 alias", "v=spf1 a:x.test -all", YES, .zone = "x.test CNAME host7.test" },
		{ "5.3 aliases, eight", "v=spf1 a:c1.test -all", YES,
		  .zone = "c1.test CNAME c2.test\nc2.test CNAME c3.test\nc3.test CNAME c4.test\nc4.test CNAME c5.test\n"
			  "c5.test CNAME c6.test\nc6.test CNAME c7.test\nc7.test CNAME c8.test\nc8.test CNAME "
			  "host7.test" },
		{ "5.3 aliases in a circle", "v=spf1 a:x.test +all", TEMP,
		  .zone = "x.test CNAME y.test\ny.test CNAME x.test" },
		{ "5.3 the case of names", "v=spf1 a:HOST7.Test -all", YES },
		{ "5.3 a trailing dot", "v=spf1 a:host7.test. -all", YES },
		{ "5.6 /24", "v=spf1 a:net.test/24 -all", YES },
		{ "5.6 /25", "v=spf1 a:net.test/25 -all", NO },
		{ "5.6 /0", "v=spf1 a:many.test/0 -all", YES },
		{ "5.6 /0 without any address", "v=spf1 a:nowhere.test/0 -all", NO },
		{ "5.6 /0 is not for IPv6", "v=spf1 a:host8.test/0 -all", NO, PEER6 },
		{ "5.6 //112", "v=spf1 a:net.test//112 -all", YES, PEER6 },
		{ "5.6 //113", "v=spf1 a:net.test//113 -all", NO, PEER6 },
		{ "5.6 //0", "v=spf1 a:host8.test//0 -all", YES, PEER6 },
		{ "5.6 //0 is not for IPv4", "v=spf1 a:host8.test//0 -all", NO },
		{ "5.6 both", "v=spf1 a:net.test/24//112 -all", YES },
		{ "5.6 both", "v=spf1 a:net.test/24//112 -all", YES, PEER6 },
		{ "5.6 without a target", "v=spf1 a/24//112 -all", YES, .zone = "r.test A 192.0.2.99" },
		{ "5.6 without a target", "v=spf1 a//112 -all", YES, PEER6, .zone = "r.test AAAA 2001:db8::aaaa" },
		{ "5.6 /32", "v=spf1 a:host7.test/32 -all", YES },
		{ "5.6 //128", "v=spf1 a:host7.test//128 -all", YES, PEER6 },
		{ "4.8 a name with an empty label does not match", "v=spf1 a:www..test +all", YES },
		{ "4.8 a label of 64 does not match",
		  "v=spf1 a:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test +all", YES },
		{ "4.8 a label of 63 is a name",
		  "v=spf1 a:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test -all", YES,
		  .zone = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test A 192.0.2.7" },
		{ "4.8 a colon in the target", "v=spf1 a:foo:bar/baz.test -all", YES,
		  .zone = "foo:bar/baz.test A 192.0.2.7" },
		{ "4.8 an underscore in the target", "v=spf1 a:_spf.test -all", YES, .zone = "_spf.test A 192.0.2.7" },
	};
	RUN(cases);
}

static void test_mx(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "5.4 <domain>", "v=spf1 mx -all", YES, .zone = "r.test MX 10 host7.test" },
		{ "5.4 a target", "v=spf1 mx:mx7.test -all", YES },
		{ "5.4 no match", "v=spf1 mx:mx8.test -all", NO },
		{ "5.4 IPv6", "v=spf1 mx:mx7.test -all", YES, PEER6 },
		{ "5.4 no addresses of the peer's family", "v=spf1 mx:x.test -all", NO, PEER6,
		  .zone = "x.test MX 10 y.test\ny.test A 192.0.2.7" },
		{ "5.4 never the domain's own address", "v=spf1 mx:host7.test -all", NO },
		{ "5.4 no such name", "v=spf1 mx:nowhere.test +all", YES },
		{ "5.4 a host that does not exist", "v=spf1 mx:x.test +all", YES, .zone = "x.test MX 10 nowhere.test" },
		{ "5.4 timeout", "v=spf1 mx:slow.test +all", TEMP },
		{ "5.4 timeout at a host", "v=spf1 mx:x.test +all", TEMP, .zone = "x.test MX 10 slow.test" },
		{ "5.4 a match before a failing host", "v=spf1 mx:x.test -all", YES,
		  .zone = "x.test MX 10 host7.test\nx.test MX 20 slow.test" },
		{ "5.4 a failing host before the match", "v=spf1 mx:x.test -all", TEMP,
		  .zone = "x.test MX 10 slow.test\nx.test MX 20 host7.test" },
		{ "RFC 7505 null MX", "v=spf1 mx:nullmx.test +all", YES },
		{ "RFC 7505 null MX is nobody", "v=spf1 mx:nullmx.test/0 -all", NO },
		{ "5.4 a host that is an alias", "v=spf1 mx:x.test -all", YES,
		  .zone = "x.test MX 10 y.test\ny.test CNAME host7.test" },
		{ "5.6 /24", "v=spf1 mx:mx8.test/24 -all", YES },
		{ "5.6 //112", "v=spf1 mx:mx8.test//112 -all", YES, PEER6 },
		{ "5.6 /32 and //128", "v=spf1 mx:mx7.test/32//128 -all", YES },
		{ "5.6 /0", "v=spf1 mx:mx8.test/0 -all", YES },
		{ "5.6 /0 is not for IPv6", "v=spf1 mx:mx8.test/0 -all", NO, PEER6 },
		{ "5.6 without a target", "v=spf1 mx/24 -all", YES, .zone = "r.test MX 10 host8.test" },
		{ "4.6.4 ten names", "v=spf1 mx:x.test -all", YES,
		  .zone = "x.test MX 1 n1.test\nx.test MX 2 n2.test\nx.test MX 3 n3.test\nx.test MX 4 n4.test\n"
			  "x.test MX 5 n5.test\nx.test MX 6 n6.test\nx.test MX 7 n7.test\nx.test MX 8 n8.test\n"
			  "x.test MX 9 n9.test\nx.test MX 10 host7.test" },
		{ "4.6.4 eleven names", "v=spf1 mx:x.test +all", PERM(MX_NAMES),
		  .zone = "x.test MX 1 n1.test\nx.test MX 2 n2.test\nx.test MX 3 n3.test\nx.test MX 4 n4.test\n"
			  "x.test MX 5 n5.test\nx.test MX 6 n6.test\nx.test MX 7 n7.test\nx.test MX 8 n8.test\n"
			  "x.test MX 9 n9.test\nx.test MX 10 n10.test\nx.test MX 11 host7.test" },
		{ "4.6.4 eleven names, the first would match", "v=spf1 mx:x.test +all", PERM(MX_NAMES),
		  .zone = "x.test MX 1 host7.test\nx.test MX 2 n2.test\nx.test MX 3 n3.test\nx.test MX 4 n4.test\n"
			  "x.test MX 5 n5.test\nx.test MX 6 n6.test\nx.test MX 7 n7.test\nx.test MX 8 n8.test\n"
			  "x.test MX 9 n9.test\nx.test MX 10 n10.test\nx.test MX 11 n11.test" },
		{ "4.6.4 void hosts of one mx are one term's affair", "v=spf1 mx:x.test +all", YES,
		  .zone = "x.test MX 1 n1.test\nx.test MX 2 n2.test\nx.test MX 3 n3.test\nx.test MX 4 n4.test" },
	};
	RUN(cases);
}

#define NIBBLES7 "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
#define PTR(name) "9.2.0.192.in-addr.arpa PTR " name "\n" name " A 192.0.2.9\n"
#define PEER9 .peer = "192.0.2.9"

static void test_ptr(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "5.5 the name itself", "v=spf1 ptr:host7.test -all", YES },
		{ "5.5 a name below", "v=spf1 ptr:x.test -all", YES, PEER9, .zone = PTR("a.b.x.test") },
		{ "5.5 not half a label", "v=spf1 ptr:x.test -all", NO, PEER9, .zone = PTR("ax.test") },
		{ "5.5 not a name above", "v=spf1 ptr:b.x.test -all", NO, PEER9, .zone = PTR("x.test") },
		{ "5.5 <domain>", "v=spf1 ptr -all", YES, PEER9, .zone = PTR("mail.r.test") },
		{ "5.5 in any case", "v=spf1 ptr:X.TEST -all", YES, PEER9, .zone = PTR("MAIL.x.test") },
		{ "5.5 IPv6", "v=spf1 ptr:host7.test -all", YES, PEER6 },
		{ "5.5 a name that does not lead back", "v=spf1 ptr:x.test -all", NO, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR a.x.test\na.x.test A 192.0.2.10" },
		{ "5.5 a name that does not exist", "v=spf1 ptr:x.test -all", NO, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR a.x.test" },
		{ "5.5 no reverse name", "v=spf1 ptr:x.test +all", YES, PEER9 },
		{ "5.5 an error at the reverse name: no match", "v=spf1 ptr:x.test +all", YES, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR !timeout" },
		{ "5.5 an error at the reverse name: no match", "v=spf1 ptr:x.test -all", NO, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR !servfail" },
		{ "5.5 an error at one name: the next counts", "v=spf1 ptr:x.test -all", YES, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR slow.test\n" PTR("a.x.test") },
		{ "5.5 errors at all names: no match", "v=spf1 ptr:slow.test -all", NO, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR slow.test" },
		{ "5.5 the second name", "v=spf1 ptr:x.test -all", YES, PEER9,
		  .zone = PTR("elsewhere.test") PTR("mail.x.test") },
		{ "5.5 the reverse name as an alias", "v=spf1 ptr:x.test -all", YES, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa CNAME 9.sub.arpa\n9.sub.arpa PTR mail.x.test\nmail.x.test A "
			  "192.0.2.9" },
		{ "4.6.4 the tenth name counts", "v=spf1 ptr:x.test -all", YES, PEER9,
		  .zone = PTR("n1.test") PTR("n2.test") PTR("n3.test") PTR("n4.test") PTR("n5.test") PTR("n6.test")
			  PTR("n7.test") PTR("n8.test") PTR("n9.test") PTR("a.x.test") },
		{ "4.6.4 the eleventh is ignored, and no error", "v=spf1 ptr:x.test ?all", NO, PEER9,
		  .zone = PTR("n1.test") PTR("n2.test") PTR("n3.test") PTR("n4.test") PTR("n5.test") PTR("n6.test")
			  PTR("n7.test") PTR("n8.test") PTR("n9.test") PTR("n10.test") PTR("a.x.test") },
		{ "4.6.4 names that do not exist are not counted as void", "v=spf1 ptr:x.test +all", YES, PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR v1.test\n9.2.0.192.in-addr.arpa PTR v2.test\n"
			  "9.2.0.192.in-addr.arpa PTR v3.test\n9.2.0.192.in-addr.arpa PTR v4.test" },
		{ "4.8 a target that is no name does not match", "v=spf1 ptr:x..test +all", YES },
	};
	RUN(cases);
}

static void test_networks_and_exists(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "5.6 ip4", "v=spf1 ip4:192.0.2.7 -all", YES },
		{ "5.6 ip4, another", "v=spf1 ip4:192.0.2.8 -all", NO },
		{ "5.6 ip4 network", "v=spf1 ip4:192.0.2.0/24 -all", YES },
		{ "5.6 ip4 network, host bits", "v=spf1 ip4:192.0.2.200/24 -all", YES },
		{ "5.6 ip4 /32", "v=spf1 ip4:192.0.2.7/32 -all", YES },
		{ "5.6 ip4 /31", "v=spf1 ip4:192.0.2.6/31 -all", YES },
		{ "5.6 ip4 /31, beside", "v=spf1 ip4:192.0.2.8/31 -all", NO },
		{ "5.6 ip4 /0", "v=spf1 ip4:1.1.1.1/0 -all", YES },
		{ "5.6 ip4 /0 is not for IPv6", "v=spf1 ip4:1.1.1.1/0 -all", NO, PEER6 },
		{ "5.6 ip4 /1", "v=spf1 ip4:128.0.0.0/1 -all", YES },
		{ "5.6 ip4 /1, the other half", "v=spf1 ip4:127.0.0.0/1 -all", NO },
		{ "5.6 ip6", "v=spf1 ip6:2001:db8::7 -all", YES, PEER6 },
		{ "5.6 ip6, another", "v=spf1 ip6:2001:db8::8 -all", NO, PEER6 },
		{ "5.6 ip6 network", "v=spf1 ip6:2001:db8::/32 -all", YES, PEER6 },
		{ "5.6 ip6 /33", "v=spf1 ip6:2001:db8:8000::/33 -all", NO, PEER6 },
		{ "5.6 ip6 /0", "v=spf1 ip6:::1/0 -all", YES, PEER6 },
		{ "5.6 ip6 /0 is not for IPv4", "v=spf1 ip6:::1/0 -all", NO },
		{ "5.6 ip6 /128", "v=spf1 ip6:2001:db8:0:0:0:0:0:7/128 -all", YES, PEER6 },
		{ "5.6 ip6 in upper case", "v=spf1 ip6:2001:DB8::7 -all", YES, PEER6 },
		{ "5.6 ip6 with dotted end", "v=spf1 ip6:2001:db8::0.0.0.7 -all", YES, PEER6 },
		{ "5.6 ip6 mapped is not for IPv4", "v=spf1 ip6:::ffff:192.0.2.7 -all", NO },
		{ "5.6 ip6 mapped network is not for IPv4", "v=spf1 ip6:::ffff:0:0/96 -all", NO },
		{ "5 a mapped peer is IPv4", "v=spf1 ip4:192.0.2.7 -all", YES, .peer = "::ffff:192.0.2.7" },
		{ "5 a mapped peer is not IPv6", "v=spf1 ip6:::/0 -all", NO, .peer = "::ffff:192.0.2.7" },
		{ "5.6 ip4 asks nothing",
		  "v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 ip4:192.0.2.3 ip4:192.0.2.4 ip4:192.0.2.5 "
		  "ip4:192.0.2.6 ip4:192.0.2.8 ip4:192.0.2.9 ip4:192.0.2.10 ip4:192.0.2.11 ip4:192.0.2.12 "
		  "ip4:192.0.2.7",
		  YES },
		{ "5.7 exists", "v=spf1 exists:host8.test -all", YES },
		{ "5.7 any address does", "v=spf1 exists:many.test -all", YES },
		{ "5.7 no such name", "v=spf1 exists:nowhere.test +all", YES },
		{ "5.7 always A", "v=spf1 exists:x.test -all", NO, PEER6, .zone = "x.test AAAA 2001:db8::7" },
		{ "5.7 always A", "v=spf1 exists:x.test -all", YES, PEER6, .zone = "x.test A 127.0.0.2" },
		{ "5.7 nothing of another type", "v=spf1 exists:none.test -all", NO },
		{ "5.7 timeout", "v=spf1 exists:slow.test +all", TEMP },
		{ "5.7 SERVFAIL", "v=spf1 exists:sick.test +all", TEMP },
		{ "5.7 by an alias", "v=spf1 exists:x.test -all", YES, .zone = "x.test CNAME host8.test" },
		{ "5.7 per peer", "v=spf1 exists:%{ir}.gw.test -all", YES, .zone = "7.2.0.192.gw.test A 127.0.0.2" },
		{ "5.7 per peer, another", "v=spf1 exists:%{ir}.gw.test -all", NO,
		  .zone = "8.2.0.192.gw.test A 127.0.0.2" },
		{ "4.8 a target that is no name does not match", "v=spf1 exists:..test +all", YES },
	};
	RUN(cases);
}

static void test_modifiers(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "6.1 nothing matches: the other record", "v=spf1 redirect=pass.test", YES },
		{ "6.1 its fail is the result", "v=spf1 redirect=fail.test", NO },
		{ "6.1 it stands for the end, wherever it is", "v=spf1 redirect=fail.test ip4:192.0.2.7", YES },
		{ "6.1 behind a mechanism that matches", "v=spf1 -ip4:192.0.2.7 redirect=pass.test", NO },
		{ "6.1 no such record", "v=spf1 redirect=none.test", PERM(MISSING) },
		{ "6.1 no such name", "v=spf1 redirect=nowhere.test", PERM(MISSING) },
		{ "6.1 not needed, not looked at", "v=spf1 ip4:192.0.2.7 redirect=nowhere.test", YES },
		{ "6.1 temperror", "v=spf1 redirect=slow.test", TEMP },
		{ "6.1 permerror", "v=spf1 redirect=broken.test", PERM(SYNTAX) },
		{ "6.1 two records", "v=spf1 redirect=two.test", PERM(SEVERAL) },
		{ "6.1 <domain> is the new one", "v=spf1 redirect=x.test", YES,
		  .zone = "x.test TXT v=spf1 a:%{d}\nx.test A 192.0.2.7" },
		{ "6.1 with a macro", "v=spf1 redirect=%{v}.x.test", YES, .zone = "in-addr.x.test TXT v=spf1 +all" },
		{ "6.1 to itself", "v=spf1 redirect=r.test", PERM(LOOP) },
		{ "6.1 in a circle", "v=spf1 redirect=x.test", PERM(LOOP),
		  .zone = "x.test TXT v=spf1 redirect=r.test" },
		{ "6.1 a target that is no name", "v=spf1 redirect=x..test", PERM(NAME) },
		{ "6.1 and an include of where it came from", "v=spf1 redirect=x.test", PERM(LOOP),
		  .zone = "x.test TXT v=spf1 include:r.test" },
		{ "6 redirect= twice", "v=spf1 redirect=pass.test redirect=pass.test", PERM(SYNTAX) },
		{ "6 redirect= twice, behind all", "v=spf1 +all redirect=pass.test redirect=pass.test", PERM(SYNTAX) },
		{ "6 redirect= twice, in another case", "v=spf1 +all redirect=pass.test ReDirect=pass.test",
		  PERM(SYNTAX) },
		{ "6 exp= twice", "v=spf1 +all exp=x.test exp=x.test", PERM(SYNTAX) },
		{ "6.2 exp= does not change the result", "v=spf1 -all exp=nowhere.test", NO },
		{ "6.2 exp= is not asked for", "v=spf1 +all exp=slow.test", YES },
		{ "6.2 exp= with macros", "v=spf1 +all exp=%{ir}.%{d}", YES },
		{ "6.2 exp= must have a target", "v=spf1 +all exp=", PERM(SYNTAX) },
		{ "6.2 exp= must have a good one", "v=spf1 +all exp=x", PERM(SYNTAX) },
		{ "6 unknown modifiers are ignored", "v=spf1 moo=cow +all", YES },
		{ "6 unknown modifiers may be repeated", "v=spf1 moo=cow moo=cow moo=cow +all", YES },
		{ "6 an unknown one without a value", "v=spf1 moo= +all", YES },
		{ "6 an unknown one with macros", "v=spf1 moo=%{d}%%%_%-%{ir-} +all", YES },
		{ "6 an unknown one that looks like a mechanism", "v=spf1 all=no ip4=192.0.2.8 -all", NO },
		{ "6 default= has no meaning", "v=spf1 default=pass", NO },
		{ "6 op= has none", "v=spf1 op=helo ip4:192.0.2.7", YES },
		{ "6.1 redirect= from an included record ends there", "v=spf1 include:x.test +all", YES,
		  .zone = "x.test TXT v=spf1 redirect=fail.test" },
		{ "6.1 an included record without a redirect= target", "v=spf1 include:x.test +all", PERM(MISSING),
		  .zone = "x.test TXT v=spf1 redirect=none.test" },
	};
	RUN(cases);
}

#define A10 "a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test"
#define H0 "h0.test A 198.51.100.1\n"

static void test_limits(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "4.6.4 ten terms", "v=spf1 " A10 " +all", YES, .zone = H0 },
		{ "4.6.4 eleven", "v=spf1 " A10 " a +all", PERM(LOOKUPS), .zone = H0 },
		{ "4.6.4 the eleventh is not reached", "v=spf1 " A10 " +all a", YES, .zone = H0 },
		{ "4.6.4 a match before the eleventh", "v=spf1 " A10 " ip4:192.0.2.7 a", YES, .zone = H0 },
		{ "4.6.4 the tenth may match",
		  "v=spf1 a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test "
		  "a:h0.test a:h0.test a:host7.test -all",
		  YES, .zone = H0 },
		{ "4.6.4 the same name counts each time", "v=spf1 " A10 " a:h0.test +all", PERM(LOOKUPS), .zone = H0 },
		{ "4.6.4 all and ip4 do not count", "v=spf1 " A10 " ip4:192.0.2.9 ip6:::1 ip4:192.0.2.10 +all", YES,
		  .zone = H0 },
		{ "4.6.4 include counts, and what is in it", "v=spf1 include:x.test a:h0.test +all", PERM(LOOKUPS),
		  .zone = H0
		  "x.test TXT v=spf1 a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test "
		  "a:h0.test" },
		{ "4.6.4 just not", "v=spf1 include:x.test +all", YES,
		  .zone = H0
		  "x.test TXT v=spf1 a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test "
		  "a:h0.test" },
		{ "4.6.4 over inside the include", "v=spf1 a:h0.test include:x.test +all", PERM(LOOKUPS),
		  .zone = H0 "x.test TXT v=spf1 " A10 },
		{ "4.6.4 redirect= counts", "v=spf1 " A10 " redirect=pass.test", PERM(LOOKUPS), .zone = H0 },
		{ "4.6.4 redirect= as the tenth",
		  "v=spf1 a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test "
		  "a:h0.test a:h0.test redirect=pass.test",
		  YES, .zone = H0 },
		{ "4.6.4 the count goes on behind redirect=", "v=spf1 a:h0.test redirect=x.test", PERM(LOOKUPS),
		  .zone = H0
		  "x.test TXT v=spf1 a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test a:h0.test "
		  "a:h0.test" },
		{ "4.6.4 exp= does not count", "v=spf1 " A10 " +all exp=h0.test", YES, .zone = H0 },
		{ "4.6.4 mx, ptr and exists count",
		  "v=spf1 mx:mx8.test mx:mx8.test mx:mx8.test ptr:x.test ptr:x.test ptr:x.test "
		  "exists:none%{v}.%{d1r}.h0.test a:h0.test a:h0.test a:h0.test a:h0.test +all",
		  PERM(LOOKUPS), .zone = H0 },
		{ "4.6.4 a term with a target that is no name counts",
		  "v=spf1 a:x..test a:x..test a:x..test a:x..test a:x..test "
		  "a:x..test a:x..test a:x..test a:x..test a:x..test a:x..test +all",
		  PERM(LOOKUPS) },
		{ "4.6.4 includes in a chain of ten", "v=spf1 include:c1.test -all", YES,
		  .zone = "c1.test TXT v=spf1 include:c2.test\nc2.test TXT v=spf1 include:c3.test\nc3.test TXT v=spf1 "
			  "include:c4.test\nc4.test TXT v=spf1 include:c5.test\nc5.test TXT v=spf1 "
			  "include:c6.test\nc6.test "
			  "TXT v=spf1 include:c7.test\nc7.test TXT v=spf1 include:c8.test\nc8.test TXT v=spf1 "
			  "include:c9.test\n"
			  "c9.test TXT v=spf1 include:pass.test" },
		{ "4.6.4 of eleven", "v=spf1 include:c1.test +all", PERM(LOOKUPS),
		  .zone = "c1.test TXT v=spf1 include:c2.test\nc2.test TXT v=spf1 include:c3.test\nc3.test TXT v=spf1 "
			  "include:c4.test\nc4.test TXT v=spf1 include:c5.test\nc5.test TXT v=spf1 "
			  "include:c6.test\nc6.test "
			  "TXT v=spf1 include:c7.test\nc7.test TXT v=spf1 include:c8.test\nc8.test TXT v=spf1 "
			  "include:c9.test\n"
			  "c9.test TXT v=spf1 include:c10.test\nc10.test TXT v=spf1 include:pass.test" },
		{ "4.6.4 two void lookups", "v=spf1 a:v1.test exists:v2.test +all", YES },
		{ "4.6.4 three", "v=spf1 a:v1.test exists:v2.test mx:v3.test +all", PERM(VOIDS) },
		{ "4.6.4 NODATA is void", "v=spf1 a:none.test exists:none.test mx:none.test +all", PERM(VOIDS) },
		{ "4.6.4 the same void name counts each time", "v=spf1 a:v.test a:v.test a:v.test +all", PERM(VOIDS) },
		{ "4.6.4 the third is not reached", "v=spf1 a:v1.test a:v2.test ip4:192.0.2.7 a:v3.test", YES },
		{ "4.6.4 voids of an include count", "v=spf1 include:x.test a:v3.test +all", PERM(VOIDS),
		  .zone = "x.test TXT v=spf1 a:v1.test a:v2.test" },
		{ "4.6.4 and behind redirect=", "v=spf1 a:v1.test redirect=x.test", PERM(VOIDS),
		  .zone = "x.test TXT v=spf1 a:v1.test a:v2.test +all" },
		{ "4.6.4 a void PTR counts", "v=spf1 ptr:x.test a:v1.test a:v2.test +all", PERM(VOIDS), PEER9 },
		{ "4.6.4 a failing lookup is not void", "v=spf1 a:v1.test a:v2.test a:slow.test +all", TEMP },
		{ "4.6.4 the null MX is not void", "v=spf1 mx:nullmx.test mx:nullmx.test mx:nullmx.test +all", YES },
		{ "4.6.4 AAAA that is not there is void for IPv6", "v=spf1 a:f1.test a:f1.test a:f1.test +all",
		  PERM(VOIDS), PEER6, .zone = "f1.test A 192.0.2.7" },
		{ "4.6.4 targets that are no names are not looked up",
		  "v=spf1 a:x..a.test a:x..b.test a:x..c.test +all", YES },
	};
	RUN(cases);
}

static void test_configured(void **unused)
{
	(void)unused;
	static const struct spf_case cases[] = {
		{ "2.3 all", "", YES, .term = "all" },
		{ "2.3 ip4", "", YES, .term = "ip4:192.0.2.0/24" },
		{ "2.3 ip6", "", NO, .term = "ip6:2001:db8::/32" },
		{ "2.3 a", "", YES, .term = "a", .peer = "192.0.2.1" },
		{ "2.3 a target", "", YES, .term = "a:host7.test" },
		{ "2.3 a network", "", YES, .term = "a/24" },
		{ "2.3 mx", "", YES, .term = "mx" },
		{ "2.3 mx, IPv6", "", YES, .term = "mx", .peer = "2001:db8::10" },
		{ "2.3 mx, another", "", NO, .term = "mx", .peer = "203.0.113.66" },
		{ "2.3 mx of a target", "", YES, .term = "mx:mx7.test" },
		{ "2.3 exists", "", YES, .term = "exists:%{ir}.gw.test", .zone = "7.2.0.192.gw.test A 127.0.0.2" },
		{ "2.3 exists by <domain>", "", YES, .term = "exists:%{ir}.%{d}",
		  .zone = "7.2.0.192.rcpt.test A 127.0.0.2" },
		{ "2.3 ptr", "", YES, .term = "ptr:host7.test" },
		{ "2.3 ptr, no reverse name", "", NO, .term = "ptr:host7.test", .peer = "203.0.113.66" },
		{ "2.3 ptr, trouble is no definite no", "", TEMP, .term = "ptr:host7.test", PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR !timeout" },
		{ "2.3 ptr, trouble at a name", "", TEMP, .term = "ptr:slow.test", PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR slow.test" },
		{ "2.3 ptr, trouble at another name", "", YES, .term = "ptr:x.test", PEER9,
		  .zone = "9.2.0.192.in-addr.arpa PTR slow.test\n" PTR("a.x.test") },
		{ "2.3 include", "", YES, .term = "include:pass.test" },
		{ "2.3 include by <domain>", "", YES, .term = "include:_gw.%{d}",
		  .zone = "_gw.rcpt.test TXT v=spf1 +all" },
		{ "5.2 fail", "", NO, .term = "include:fail.test" },
		{ "5.2 softfail", "", NO, .term = "include:soft.test" },
		{ "5.2 neutral", "", NO, .term = "include:neutral.test" },
		{ "5.2 none", "", PERM(MISSING), .term = "include:none.test" },
		{ "5.2 no such name", "", PERM(MISSING), .term = "include:nowhere.test" },
		{ "5.2 permerror", "", PERM(SYNTAX), .term = "include:broken.test" },
		{ "5.2 temperror", "", TEMP, .term = "include:slow.test" },
		{ "2.3 a match wins over another host's trouble", "", YES, .term = "mx:x.test",
		  .zone = "x.test MX 10 slow.test\nx.test MX 20 host7.test" },
		{ "2.3 trouble without a match", "", TEMP, .term = "mx:x.test",
		  .zone = "x.test MX 10 slow.test\nx.test MX 20 host8.test" },
		{ "4.6.4 more than ten names", "", PERM(MX_NAMES), .term = "mx:x.test",
		  .zone = "x.test MX 1 n1.test\nx.test MX 2 n2.test\nx.test MX 3 n3.test\nx.test MX 4 n4.test\n"
			  "x.test MX 5 n5.test\nx.test MX 6 n6.test\nx.test MX 7 n7.test\nx.test MX 8 n8.test\n"
			  "x.test MX 9 n9.test\nx.test MX 10 n10.test\nx.test MX 11 host7.test" },
		{ "2.3 an empty MX set", "", NO, .term = "mx:host7.test" },
		{ "2.3 a null MX", "", NO, .term = "mx:nullmx.test" },
		{ "3 the configured term is not counted: ten more", "v=spf1 " A10 " +all", YES, .zone = H0 },
	};
	RUN(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selection),  cmocka_unit_test(test_all_and_include),
		cmocka_unit_test(test_a),          cmocka_unit_test(test_mx),
		cmocka_unit_test(test_ptr),        cmocka_unit_test(test_networks_and_exists),
		cmocka_unit_test(test_modifiers),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_configured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
