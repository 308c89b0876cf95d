/* SPDX-License-Identifier: MIT */
#include "spf_cases.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "naive_spf.h"

static const char base[] = "rcpt.test A 192.0.2.1\n"
			   "rcpt.test MX 10 mail.rcpt.test\n"
			   "rcpt.test MX 20 mail2.rcpt.test\n"
			   "mail.rcpt.test A 192.0.2.10\n"
			   "mail.rcpt.test AAAA 2001:db8::10\n"
			   "mail2.rcpt.test A 192.0.2.7\n"
			   "pass.test TXT v=spf1 ip4:192.0.2.7 ip6:2001:db8::7 -all\n"
			   "fail.test TXT v=spf1 -all\n"
			   "soft.test TXT v=spf1 ~all\n"
			   "neutral.test TXT v=spf1 ?all\n"
			   "empty.test TXT v=spf1\n"
			   "none.test TXT hello\n"
			   "broken.test TXT v=spf1 bogus\n"
			   "two.test TXT v=spf1 +all\n"
			   "two.test TXT v=spf1 -all\n"
			   "slow.test * !timeout\n"
			   "sick.test * !servfail\n"
			   "host7.test A 192.0.2.7\n"
			   "host7.test AAAA 2001:db8::7\n"
			   "host8.test A 192.0.2.8\n"
			   "host8.test AAAA 2001:db8::8\n"
			   "net.test A 192.0.2.200\n"
			   "net.test AAAA 2001:db8::ffff\n"
			   "many.test A 198.51.100.1\n"
			   "many.test A 198.51.100.2\n"
			   "many.test A 192.0.2.7\n"
			   "mx7.test MX 10 host8.test\n"
			   "mx7.test MX 20 host7.test\n"
			   "mx8.test MX 10 host8.test\n"
			   "nullmx.test MX 0 .\n"
			   "7.2.0.192.in-addr.arpa PTR host7.test\n"
			   "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR host7.test\n";

static struct zone *zone_for(const struct spf_case *c)
{
	struct zone *z = zone_new();
	char line[ZONE_TEXT_MAX];
	zone_add(z, base);
	if (c->zone != NULL)
		zone_add(z, c->zone);
	if (c->record[0] != '\0') {
		snprintf(line, sizeof(line), "r.test TXT %s", c->record);
		zone_add(z, line);
	}
	return z;
}

static const char *text_or(const char *text, const char *otherwise)
{
	return text == NULL ? otherwise : text;
}

static unsigned complain(const struct spf_case *c, const struct scripted *s, const char *what)
{
	fprintf(stderr, "%s: '%s' %s: %s: result %d, trouble %d (%s); expected %d, %d\n", c->section, c->record,
		text_or(c->zone, ""), what, (int)s->outcome.result, (int)s->outcome.trouble, s->outcome.detail,
		(int)c->want, (int)c->trouble);
	for (size_t i = 0; i < s->steps.count; i++)
		fprintf(stderr, "  > %s\n", mxg_text_list_get(&s->steps, i));
	return 1;
}

static unsigned run(const struct spf_case *c, const struct zone *z, uint64_t order)
{
	struct scripted s = { .zone = z, .order = order };
	const char *term = text_or(c->term, "include:r.test");
	unsigned failed = 0;
	scripted_input(&s, "rcpt.test", text_or(c->peer, "192.0.2.7"), text_or(c->sender, "alice@sender.test"),
		       text_or(c->helo, "gw.helo.test"));
	scripted_run_text(&s, term);
	if (s.outcome.result != c->want || s.outcome.trouble != c->trouble)
		failed = complain(c, &s, order == 0 ? "wrong" : "wrong in another order");
	static struct naive n;
	n = (struct naive){
		.zone = z, .peer = s.in.peer, .sender = s.in.sender, .helo = s.in.helo, .domain = "rcpt.test"
	};
	if (order == 0 && naive_term(&n, term) != c->want)
		failed |= complain(c, &s, "the naive evaluator does not agree");
	scripted_clear(&s);
	return failed;
}

void spf_cases_run(const struct spf_case *cases, size_t count)
{
	unsigned failed = 0;
	for (size_t i = 0; i < count; i++) {
		struct zone *z = zone_for(&cases[i]);
		failed += run(&cases[i], z, 0);
		failed += run(&cases[i], z, 7208 + i);
		failed += run(&cases[i], z, 5321 + i);
		zone_free(z);
	}
	print_message("%zu cases\n", count);
	if (failed > 0)
		fail_msg("%u runs came out otherwise", failed);
}
