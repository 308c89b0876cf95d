/* SPDX-License-Identifier: MIT */
/* The rare forms that are read as whole lines, and what a client might do with
 * the words that he chooses in somebody else's field to bring one about. */
#include "received/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PEER MXG_RECEIVED_PEER
#define LOCAL MXG_RECEIVED_LOCAL
#define NO MXG_RECEIVED_UNREADABLE
#define R "Received: "
#define DATE "; Mon, 23 Nov 2026 12:35:31 +0000"
#define QDATE "; 23 Nov 2026 12:39:21 -0000"

struct row {
	const char *field;
	enum mxg_received_kind kind;
	const char *address; /* "" none */
	bool authenticated;
	unsigned mta_mask;
	const char *by;
};

static const struct row rows[] = {
	/* as their programs write them */
	{ R "from a@b.example by mx.example.com by uid 89 with qmail-scanner-2.05 (clamdscan: 0.88. (x) "
	    "Clear:RC:0(192.0.2.10):. Processed in 1.5 secs)" QDATE,
	  LOCAL, "", false, 0, "mx.example.com" },
	{ R "from spooler by mx.example.com (Mercury/32 v4.80.149)" QDATE "\n", LOCAL, "", false, 0, "mx.example.com" },
	{ R "FROM o.example (o.example [192.0.2.10])\n\tBY mx.example.com ID 434B5051.8CDE5.1 ; \n\t11 Oct 2026 "
	    "01:40:33 -0400\n",
	  PEER, "192.0.2.10", false, 0, "mx.example.com" },
	{ R "FROM [198.51.100.7] ([192.0.2.10]) BY mx.example.com ID 434B5051.8CDE5.1 ; 11 Oct 2026 01:40:33 -0400",
	  PEER, "192.0.2.10", false, MXG_MTA_OTHER, "mx.example.com" },
	{ R "from o.example(192.0.2.10), claiming to be \"[198.51.100.7]\"\n via SMTP by mx.example.com, id "
	    "smtpd1PBsZT; Sun Nov  1 15:38:52 2026\n",
	  PEER, "192.0.2.10", false, 0, "mx.example.com" },
	{ R "from 192.0.2.10 (NaSMail authenticated user alice) by web.example.com with HTTP; Fri, 27 Nov 2026 "
	    "12:39:58 +0100 (CET)",
	  PEER, "192.0.2.10", true, 0, "web.example.com" },
	{ R "from 2001:db8::6 (SquirrelMail authenticated user alice@example.com)\r\n        by web.example.com with "
	    "HTTP;\r\n        Fri, 27 Nov 2026 12:39:58 +0100\r\n",
	  PEER, "2001:db8::6", true, 0, "web.example.com" },
	{ R "from [192.0.2.10] by web.example.com (via HTTP)" DATE, PEER, "192.0.2.10", true, 0, "web.example.com" },
	{ R "from [IPv6:2001:db8::6] by web.example.com (via HTTP)" DATE, PEER, "2001:db8::6", true, 0,
	  "web.example.com" },
	{ R "from o.example (alice@o [192.0.2.10]) aB16verify=FAIL)" DATE, PEER, "192.0.2.10", false, 0, "" },
	{ R "from o.example (p.example [192.0.2.10]) at just after 3am by mx.example.com on a Monday (OddMTA) "
	    "(envelope-from <a@b.example>) with UUCP",
	  PEER, "192.0.2.10", false, 0, "mx.example.com" },
	{ R "from [192.0.2.10] (account alice@example.com) by web.example.com (CommuniGate Pro XIMSS 5.2.16) with "
	    "HTTPU id 87581547 for b@c.example" DATE,
	  PEER, "192.0.2.10", true, 0, "web.example.com" },
	{ R "from root by mx.example.com with scanned-ok (Exim 4.96)\n\t(envelope-from <root@mx.example.com>)\n\tid "
	    "10HmbC-1;\n\tMon, 23 Nov 2026 12:36:26 +0000\n",
	  LOCAL, "", false, 0, "mx.example.com" },
	{ R "from mail by mx.example.com with spam-scanned (Exim 3.36)\n\tid 10HmbC-1" DATE "\n", LOCAL, "", false,
	  MXG_MTA_EXIM, "mx.example.com" },
	/* of another MTA than those that are allowed */
	{ R "from [192.0.2.10] by web.example.com (via HTTP)" DATE, NO, "", false, MXG_MTA_POSTFIX, NULL },
	{ R "from a@b.example by mx.example.com by uid 89 with qmail-scanner-2 (x)" QDATE, NO, "", false, MXG_MTA_OTHER,
	  NULL },
	{ R "from mail by mx.example.com with spam-scanned (Exim 3.36)\n\tid 1" DATE "\n", NO, "", false,
	  MXG_MTA_SENDMAIL, NULL },
	/* more than one of them stands there, before or behind */
	{ R "from [198.51.100.7] by web.example.com (via HTTP)" DATE " ([192.0.2.10])", NO, "", false, 0, NULL },
	{ R "from [198.51.100.7] by web.example.com (via HTTP)" DATE
	    "\n ([192.0.2.10])\n by mx.example.com with ESMTP" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from x ([198.51.100.7]) from [192.0.2.10] by web.example.com (via HTTP)" DATE, NO, "", false, 0, NULL },
	{ R "from [198.51.100.7] by web.example.com (via HTTP) (unknown [192.0.2.10])\n\tby mx.example.com (Postfix) "
	    "with ESMTP id 1" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from [192.0.2.10] (helo=x) by web.example.com (via HTTP)" DATE, NO, "", false, 0, NULL },
	{ R "from [192.0.2.10]\n by web.example.com (via HTTP)" DATE, NO, "", false, 0, NULL },
	/* a raw HELO (Cyrus, Exim with junk allowed): blanks and parentheses, then the MTA's own words */
	{ R "from [198.51.100.7] by web.example.com (via HTTP)" DATE
	    " (x ([192.0.2.10])\n\t by mx.example.com (Cyrus 3.6) with LMTPA" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from 198.51.100.7 (NaSMail authenticated user a) by web.example.com with HTTP" DATE
	    " ( (o.example [192.0.2.10])\n\t by mx.example.com (Cyrus 3.6) with LMTPA" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from spooler by mx.example.com (Mercury/32 v4)" QDATE
	    " (o.example [192.0.2.10])\n\t by mx.example.com (Cyrus 3.6) with LMTPA" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from root by mx.example.com with scanned-ok (Exim 4.96) id 1" DATE
	    " (o.example [192.0.2.10])\n\t by mx.example.com (Cyrus 3.6) with LMTPA" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from [192.0.2.10] (helo=root by mx.example.com with scanned-ok (Exim 4.96))\n\tby mx.example.com with "
	    "esmtp (Exim 4.96)\n\tid 1" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from root\n\tby mx.example.com with scanned-ok (Exim 4.96)\n\tid 1" DATE "\n", NO, "", false, 0, NULL },
	{ R "from o.example (helo=x) by mx.example.com with scanned-ok (Exim 4.96)\n\tid 1" DATE "\n", NO, "", false, 0,
	  NULL },
	{ R "from root by mx.example.com with esmtp (Exim 4.96)\n\tid 1" DATE "\n", NO, "", false, 0, NULL },
	{ R "from root by mx.example.com with scanned-ok\n\tid 1" DATE "\n", NO, "", false, 0, NULL },
	/* raw PTR names (Courier), idents and logins */
	{ R "from h (NaSMail authenticated user a) by web.example.com with HTTP" DATE
	    " (x [::ffff:192.0.2.10])\n  by mx.example.com with ESMTP\n  id 00AE.006B.0000004D" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from 198.51.100.7 (NaSMail authenticated user a\n by web.example.com with HTTP" DATE
	    " [::ffff:192.0.2.10])\n  by mx.example.com with ESMTP\n  id 00AE.006B.0000004D" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from 198.51.100.7 (NaSMail authenticated user a [192.0.2.10])\n\tby mx.example.com with HTTP" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from 198.51.100.7 (NaSMail authenticated user a@o.example [192.0.2.10]) by mx.example.com (8.17/8.17) "
	    "with ESMTP id 1" DATE,
	  NO, "", false, 0, NULL },
	{ R "from 198.51.100.7 (NaSMail authenticated user a) by web.example.com with ESMTP id 1" DATE, NO, "", false,
	  0, NULL },
	{ R "from 198.51.100.7 (NaSMail authenticated user a) by web.example.com with HTTP id 1" DATE, NO, "", false, 0,
	  NULL },
	{ R "from 198.51.100.7 (Authenticated user a) by web.example.com with HTTP" DATE, NO, "", false, 0, NULL },
	{ R "from [198.51.100.7] (account a) by web.example.com (CommuniGate Pro SMTP 5.2) with ESMTP id 1" DATE, NO,
	  "", false, 0, NULL },
	{ R "from [198.51.100.7] (HELO account a) by web.example.com (CommuniGate Pro SMTP 5.2) with ESMTP id 1" DATE,
	  PEER, "198.51.100.7", false, 0, NULL },
	{ R "from o.example ([192.0.2.10]) (account a) by web.example.com (CommuniGate Pro SMTP 5.2) with HTTPU id "
	    "1" DATE,
	  NO, "", false, 0, NULL },
	/* HELO in quotes and words */
	{ R "from o.example(192.0.2.10), claiming to be \"x\" via SMTP by mx.example.com, id s; Sun Nov  1 15:38:52 "
	    "2026\" via SMTP by mx.example.com, id s; Sun Nov  1 15:38:52 2026",
	  NO, "", false, 0, NULL },
	{ R "from o(198.51.100.7), claiming to be \"x\" via SMTP by mx.example.com, id s; Sun Nov  1 15:38:52 2026 "
	    "(unknown [192.0.2.10])\n\tby mx.example.com (Postfix) with ESMTP id 1" DATE "\n",
	  NO, "", false, 0, NULL },
	{ R "from o.example(192.0.2.10), claiming to be \"a b\" via SMTP by mx.example.com, id s; Sun Nov  1 15:38:52 "
	    "2026",
	  NO, "", false, 0, NULL },
	{ R "from o.example([192.0.2.10]), claiming to be \"x\" via SMTP by mx.example.com, id s; Sun Nov  1 15:38:52 "
	    "2026",
	  NO, "", false, 0, NULL },
	{ R "from o.example(192.0.2.10), claiming to be \"x\" via SMTP by mx.example.com, id s; Sun Nov  1 15:38:52 "
	    "2026 +0000",
	  NO, "", false, 0, NULL },
	{ R "FROM [198.51.100.7] ([203.0.113.1]) BY x ID 1 ; 11 Oct 2026 01:40:33 -0400 ([192.0.2.10]) BY "
	    "mx.example.com ID 1.2.3 ; 11 Oct 2026 01:40:33 -0400",
	  NO, "", false, 0, NULL },
	{ R "FROM x([198.51.100.7]) ([192.0.2.10])\n\tBY mx.example.com ID 1.2.3 ; \n\t11 Oct 2026 01:40:33 -0400", NO,
	  "", false, 0, NULL },
	{ R "FROM x ([192.0.2.10]) by mx.example.com ID 1.2.3 ; 11 Oct 2026 01:40:33 -0400", NO, "", false, 0, NULL },
	{ R "from x (p [192.0.2.10]) at just after 3am by a on a b (c) (envelope-from <d>) with e (q [198.51.100.7])",
	  NO, "", false, 0, NULL },
	{ R "from x (p [192.0.2.10])\n at just after 3am by a on a b (c) (envelope-from <d>) with e", NO, "", false, 0,
	  NULL },
	{ R "from x (p [192.0.2.10]) at just after 3am by a on a b (c) (envelope-from <d>) with e" DATE, NO, "", false,
	  0, NULL },
	{ R "from x (a@[198.51.100.7]@o [192.0.2.10]) averify=FAIL)" DATE, NO, "", false, 0, NULL },
	{ R "from x (a@o [192.0.2.10]) averify=FAIL)\n\tby mx.example.com" DATE, NO, "", false, 0, NULL },
	{ R "from x (a@o [192.0.2.10]) (b@p [198.51.100.7]) averify=FAIL)" DATE, NO, "", false, 0, NULL },
	/* sender with blanks; a report that closes its parenthesis early, or on another line */
	{ R "from \"a by b\"@c by mx.example.com by uid 89 with qmail-scanner-2.05 (x)" QDATE, NO, "", false, 0, NULL },
	{ R "from a@b by mx.example.com by uid 0x with qmail-scanner-2.05 (x)" QDATE, NO, "", false, 0, NULL },
	{ R "from a@b by mx.example.com by uid 1 with qmail-scanner-2.05 (x) ([192.0.2.10])" QDATE, NO, "", false, 0,
	  NULL },
	{ R "from a@b by mx.example.com by uid 1 with qmail-scanner-2.05 (x\n y)" QDATE, NO, "", false, 0, NULL },
	{ R "from a@b by mx.example.com by uid 1 with qmail-scanner-2.05 (x" QDATE, NO, "", false, 0, NULL },
	/* no date, no address */
	{ R "from spooler by mx.example.com (Mercury/32 v4.80)", NO, "", false, 0, NULL },
	{ R "from spooler by mx.example.com (Mercury/32 v4.80); today", NO, "", false, 0, NULL },
	{ R "from spooler by mx.example.com (Mercury/32 v4.80) with ESMTP" QDATE, NO, "", false, 0, NULL },
	{ R "from [0300.0.2.10] by web.example.com (via HTTP)" DATE, NO, "", false, 0, NULL },
	{ R "from 192.0.2.10:25 (NaSMail authenticated user alice) by web.example.com with HTTP" DATE, NO, "", false, 0,
	  NULL },
	{ R "from gw (NaSMail authenticated user alice) by web.example.com with HTTP" DATE, NO, "", false, 0, NULL },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct mxg_received r;
		char address[MXG_ADDRESS_TEXT_MAX];
		size_t len = strlen(row->field);
		char *exact = test_malloc(len); /* no byte behind it may be looked at */
		memcpy(exact, row->field, len);
		mxg_received_parse(&r, exact, len, row->mta_mask);
		mxg_address_format(&r.address, address);
		bool by = row->by == NULL ||
			  (r.by.len == strlen(row->by) && (r.by.len == 0 || memcmp(r.by.at, row->by, r.by.len) == 0));
		if (r.kind != row->kind || strcmp(address, row->address) != 0 ||
		    r.authenticated != row->authenticated || !by)
			fail_msg("row %zu: %s\nkind %d address %s login %d mta %s", i, row->field, (int)r.kind, address,
				 r.authenticated, mxg_mta_name(r.mta));
		test_free(exact);
	}
}

/* Cut short anywhere, or with any byte replaced: the address that stands in the
 * field or none, and never a login or local where the form had none. */
static void test_damage(void **state)
{
	static const char bytes[] = "\r\n\t \0()[]@;\\\"<>=,%\x80";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		size_t len = strlen(row->field);
		char *copy = test_malloc(len);
		struct mxg_received r;
		for (size_t at = 0; at < len && row->kind != NO; at++) {
			memcpy(copy, row->field, len);
			mxg_received_parse(&r, copy, at, row->mta_mask);
			assert_false(r.kind == LOCAL && row->kind != LOCAL);
			assert_false(r.authenticated && !row->authenticated);
			for (size_t k = 0; k < sizeof(bytes) - 1; k++) {
				copy[at] = bytes[k];
				mxg_received_parse(&r, copy, len, row->mta_mask);
				assert_false(r.kind == LOCAL && row->kind != LOCAL);
				assert_false(r.authenticated && !row->authenticated);
			}
		}
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
