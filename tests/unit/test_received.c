/* SPDX-License-Identifier: MIT */
#include "received/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *field;
	enum mxg_received_kind kind;
	const char *address; /* "" none */
	bool authenticated;
	unsigned mta_mask;
	const char *helo, *hostname, *by, *protocol; /* NULL: not checked */
};

#define PEER MXG_RECEIVED_PEER
#define LOCAL MXG_RECEIVED_LOCAL
#define MARKER MXG_RECEIVED_MARKER
#define FETCHED MXG_RECEIVED_RETRIEVED
#define NO MXG_RECEIVED_UNREADABLE
#define DATE "; Mon, 23 Nov 2026 12:35:31 +0000"
#define QDATE "; 23 Nov 2026 12:39:21 -0000"
#define POSTFIX "\n\tby mx.example.com (Postfix) with ESMTP id 33AA\n\tfor <alice@example.com>" DATE " (UTC)\n"
#define EXIM \
	"\n\tby mx.example.com with esmtp (Exim 4.96)\n\t(envelope-from <a@b>)\n\tid 1xVT-0\n\tfor a@b;\n\tMon, 23 " \
	"Nov 2026 12:36:26 +0000\n"
#define SENDMAIL "\n\tby mx.example.com (8.17.1.9/8.17.1.9/Debian-2) with ESMTP id 6ANC\n\tfor <a@b>" DATE "\n"
#define COURIER "\n  by mx.example.com with ESMTP\n  id 0000000000AE22AE.000000006B043459.00000050" DATE "\n"
#define HARAKA \
	"\n\tby mx.example.com (Haraka/3.3.4) with ESMTP id 3CE3.1\n\tenvelope-from <a@b>;\n\tMon, 23 Nov 2026 " \
	"12:44:30 +0000\n"
#define CYRUS "\n\t by mx.example.com (Cyrus 3.6.1-Debian) with LMTPA;\n\t Mon, 23 Nov 2026 13:06:01 +0000\n"
#define CHASQUID \
	"\n\tby mx.example.com (chasquid) with ESMTP\n\t(over SMTP, plain text!, envelope from \"a@b\")\n\t" DATE "\n"
#define LMTP \
	"\n\tby mx.example.com with LMTP\n\tid mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <a@b>)\n\tfor <a@b>" DATE "\n"
#define QMAIL "\n  by mx.example.com with SMTP" QDATE "\n"
#define OPENSMTPD \
	"\n\tby mx.example.com (OpenSMTPD) with ESMTP id 1777c5ce\n\tfor <a@b>;\n\tMon, 23 Nov 2026 12:36:24 +0000 " \
	"(UTC)\n"
#define F "Received: from "

static const struct row rows[] = {
	/* what they write when nobody is hostile */
	{ F "gw.example.com (gw.example.com [192.0.2.10])" POSTFIX, PEER, "192.0.2.10", false, 0, "gw.example.com",
	  "gw.example.com", "mx.example.com", "ESMTP" },
	{ F "gw (unknown [IPv6:2001:db8::1])" POSTFIX, PEER, "2001:db8::1", false, MXG_MTA_POSTFIX, "gw", "",
	  "mx.example.com", "ESMTP" },
	{ F "h (h [203.0.113.5])\n\t(Authenticated sender: a (b))\n\tby m (Postfix) with ESMTPSA id E5" DATE "\n", PEER,
	  "203.0.113.5", true, 0, "h", "h", "m", "ESMTPSA" },
	{ F "gw (gw [192.0.2.10])\n\t(using TLSv1.3 with cipher X (256/256 bits)\n\t key-exchange Y (p) d)\n\t(Client "
	    "CN \"a(b) by m\", Issuer \"(x)\" (not verified))\n\tby m (Postfix) with ESMTPS id 1" DATE "\n",
	  PEER, "192.0.2.10", false, 0, "gw", "gw", "m", "ESMTPS" },
	{ "Received: by m.example.com (Postfix, from userid 0)\n\tid D8E5" DATE " (UTC)\n", LOCAL, "", false, 0, NULL,
	  NULL, "m.example.com", "" },
	{ "Received: by m.example.com (Postfix)\n\tid D8E5" DATE " (UTC)\n", LOCAL, "", false, 0, NULL, NULL,
	  "m.example.com", "" },
	{ F "gw.example.com ([192.0.2.10] helo=other.example.org)" EXIM, PEER, "192.0.2.10", false, 0,
	  "other.example.org", "gw.example.com", "mx.example.com", "esmtp" },
	{ F "[192.0.2.11]:4711 (helo=gw ident=x)" EXIM, PEER, "192.0.2.11", false, MXG_MTA_EXIM, "gw", "", NULL, NULL },
	{ F "[2001:db8::6] (helo=gw)\n\tby m with esmtpsa  (TLS1.3) tls TLS_X\n\t(Exim 4.96)\n\tid 1" DATE "\n", PEER,
	  "2001:db8::6", true, 0, "gw", "", "m", "esmtpsa" },
	{ F "very.long.name.example.com\n\t([192.0.2.12] helo=x)" EXIM, PEER, "192.0.2.12", false, 0, "x",
	  "very.long.name.example.com", NULL, NULL },
	{ F "alice by m with local (Exim 4.96)\n\tid 1" DATE "\n", LOCAL, "", false, 0, NULL, NULL, "m", "local" },
	{ F "\"spaced user\" by m with local (Exim 4.96)\n\tid 1" DATE "\n", LOCAL, "", false, 0, NULL, NULL, "m",
	  "local" },
	{ F "root (helo=localhost)\n\tby m with local-esmtp (Exim 4.96)\n\tid 1" DATE "\n", LOCAL, "", false, 0, NULL,
	  NULL, "m", NULL },
	{ F "o (alice@gw.example.com [192.0.2.10] (may be forged))" SENDMAIL, PEER, "192.0.2.10", false, 0, "o",
	  "gw.example.com", NULL, NULL },
	{ F "o (gw.example.com [192.0.2.10] (may be\n forged))" SENDMAIL, PEER, "192.0.2.10", false, 0, NULL, NULL,
	  NULL, NULL },
	{ "Received: (from gw.example.com [192.0.2.10])" SENDMAIL, PEER, "192.0.2.10", false, 0, "", "gw.example.com",
	  NULL, NULL },
	{ "Received: (from alice@localhost [203.0.113.6])" SENDMAIL, PEER, "203.0.113.6", false, 0, NULL, NULL, NULL,
	  NULL },
	{ "Received: (from alice@localhost)\n\tby m (8.17.1.9/8.17.1.9/Submit) id 6A\n\tfor a@b" DATE "\n", LOCAL, "",
	  false, 0, NULL, NULL, "m", NULL },
	{ F "localhost (localhost)\n\tby m (8.17.1/8.17.1) id 6A;\n\tMon, 23 Nov 2026 13:02:20 GMT\n", LOCAL, "", false,
	  0, NULL, NULL, "m", NULL },
	{ F "o ([IPv6:2001:db8:2:0:0:0:0:150])\n\t(authenticated bits=0)\n\tby m (8.17/8.17) with ESMTPA id 6A" DATE
	    "\n",
	  PEER, "2001:db8:2::150", true, 0, NULL, NULL, NULL, NULL },
	{ F "gw (<unknown> [192.0.2.11])" OPENSMTPD, PEER, "192.0.2.11", false, 0, "gw", "", NULL, NULL },
	{ F "localhost (m.example.com [local])\n\tby m (OpenSMTPD) with ESMTPA id 1;\n\tMon, 23 Nov 2026 12:36:24 "
	    "+0000 (UTC)\n",
	  LOCAL, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "gw (gw.example.com [::ffff:192.0.2.10])" COURIER, PEER, "192.0.2.10", false, 0, "gw", "gw.example.com",
	  NULL, NULL },
	{ F "gw ([2001:db8::6])\n  (IDENT: x, AUTH: PLAIN alice)" COURIER, PEER, "2001:db8::6", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "localhost (localhost [127.0.0.1])\n  (uid 0)\n  by m with local\n  id 00AE.006B.00000F39" DATE "\n", LOCAL,
	  "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: (qmail 35 invoked from network)" QDATE "\n", MARKER, "", false, 0, NULL, NULL, "", NULL },
	{ "Received: (qmail 35 invoked by uid 0)" QDATE "\n", LOCAL, "", false, 0, NULL, NULL, "", NULL },
	{ F "gw (HELO o) (root@192.0.2.10)" QMAIL, PEER, "192.0.2.10", false, 0, "o", "gw", NULL, NULL },
	{ F "unknown (HELO [192.0.2.99]) (2001:db8::6)" QMAIL, PEER, "2001:db8::6", false, 0, NULL, "", NULL, NULL },
	{ F "Unknown (HELO gw) (192.0.2.11)\n by m (qpsmtpd/0.94) with (X encrypted) ESMTPSA" DATE "\n", PEER,
	  "192.0.2.11", true, 0, "gw", "", "m", "ESMTPSA" },
	{ F "gw ([192.0.2.11])" HARAKA, PEER, "192.0.2.11", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: (Haraka outbound)" DATE "\n", MARKER, "", false, 0, NULL, NULL, "", NULL },
	{ F "[192.0.2.10] (other.example.org)" CHASQUID, PEER, "192.0.2.10", false, 0, "other.example.org", "", NULL,
	  NULL },
	{ F "gw ([192.0.2.10])" LMTP, PEER, "192.0.2.10", false, 0, NULL, NULL, NULL, "LMTP" },
	{ F "gw" LMTP, MARKER, "", false, 0, NULL, NULL, "mx.example.com", NULL },
	{ F "c ([unix socket])" CYRUS, MARKER, "", false, 0, NULL, NULL, "mx.example.com", NULL },
	{ F "gw (gw.example.com [192.0.2.10])" CYRUS, PEER, "192.0.2.10", false, 0, NULL, NULL, NULL, NULL },
	{ F "a.example.com ([127.0.0.1])\n by localhost (a.example.com [127.0.0.1]) (amavis, port 10024) with ESMTP\n "
	    "id x for <a@b>;\n Mon, 23 Nov 2026 13:03:40 +0000 (UTC)\n",
	  PEER, "127.0.0.1", false, 0, NULL, NULL, "a.example.com", NULL },
	{ F "A.prod.outlook.com (2603:10a6::1) by B.prod.outlook.com\n (2603:10a6::2) with Microsoft SMTP Server "
	    "(version=TLS1_2,\n cipher=X) id 15.20.1; Mon, 23 Nov\n 2026 13:03:40 +0000\n",
	  PEER, "2603:10a6::1", false, 0, NULL, NULL, NULL, NULL },
	{ F "m.example.com (192.0.2.1) by EX.corp (10.0.0.1) with Microsoft SMTP Server (TLS) id 15.1.1 via Frontend "
	    "Transport" DATE "\n",
	  PEER, "192.0.2.1", false, 0, NULL, NULL, "EX.corp", NULL },
	{ F "0 ([192.0.2.2] RDNS failed) by n.example with Microsoft SMTPSVC(6.0.3790.0)" DATE "\n", PEER, "192.0.2.2",
	  false, 0, NULL, NULL, NULL, NULL },
	{ F "o.example (o.example. [192.0.2.3])\n        by mx.google.com with ESMTPS id x1-20si.1.2026\n        for "
	    "<a@b>\n        (version=TLS1_3 cipher=X bits=256/256);\n        Mon, 23 Nov 2026 05:35:31 -0800 (PST)\n",
	  PEER, "192.0.2.3", false, 0, NULL, "o.example.", "mx.google.com", "ESMTPS" },
	{ F "198.51.100.10 [198.51.100.10]\n\tby f with IMAP (fetchmail-6.4.37)\n\tfor <a@b> (single-drop)" DATE "\n",
	  FETCHED, "198.51.100.10", false, 0, NULL, NULL, "f", NULL },
	{ F "198.51.100.10 (198.51.100.10:143) by f with\n  IMAP4 getmail6 msgid:1/2" QDATE "\n", FETCHED,
	  "198.51.100.10", false, 0, NULL, NULL, "f", NULL },
	{ F "alice (uid 1000)\n\t(envelope-from a@b)\n\tid acc\n\tby n (DragonFly Mail Agent v0.13);\n\tMon, 23 Nov "
	    "2026 13:04:55 +0000\n",
	  LOCAL, "", false, 0, NULL, NULL, "n", NULL },
	{ "Received: (nullmailer pid 117 invoked by uid 1000);\n\tMon, 23 Nov 2026 13:04:50 -0000\n", LOCAL, "", false,
	  0, NULL, NULL, NULL, NULL },
	{ "Received: by n (sSMTP sendmail emulation)" DATE "\n", LOCAL, "", false, 0, NULL, NULL, "n", NULL },
	{ F "[192.0.2.11] (port=50718 helo=gw)" EXIM, PEER, "192.0.2.11", false, 0, "gw", "", NULL, NULL },
	{ F "[192.0.2.11] (port=50718)" EXIM, PEER, "192.0.2.11", false, MXG_MTA_EXIM, NULL, "", NULL, NULL },
	{ F "A.eop-nam04.prod.protection.outlook.com\n (2a01:111::34) by B.prod.outlook.com with\n HTTPS via "
	    "C.prod.outlook.com" DATE "\n",
	  PEER, "2a01:111::34", false, 0, NULL, NULL, "B.prod.outlook.com", "HTTPS" },
	{ F "o.example (EHLO h.example) ([192.0.2.10])\n          by m (JAMES SMTP Server ) with ESMTP ID 123\n   "
	    "       for <a@b>;\n          Mon, 23 Nov 2026 12:35:31 +0000 (UTC)\n",
	  PEER, "192.0.2.10", false, 0, "h.example", "o.example", "m", "ESMTP" },
	{ F "o.example (helo h.example) ([192.0.2.10])\n          by m (JAMES SMTP Server ) with ESMTP ID 123\n   "
	    "       for <a@b>;\n          Mon, 23 Nov 2026 12:35:31 +0000 (UTC)\n",
	  PEER, "192.0.2.10", false, 0, "h.example", "o.example", "m", "ESMTP" },
	/* a login in the MTA's own whole line, where the client said HELO or logged in without TLS */
	{ F "c (unknown [203.0.113.7])\n\t(Authenticated sender: a@b)\n\tby m (Postfix) with SMTP id 1" DATE " (-03)\n",
	  PEER, "203.0.113.7", true, 0, "c", "", "m", "SMTP" },
	{ F "c (c [203.0.113.7])\n\t(authenticated bits=0)\n\tby m (8.15.2/8.15.2) with ESMTP id g8" DATE "\n", PEER,
	  "203.0.113.7", true, 0, "c", "c", "m", "ESMTP" },
	{ F "c (c [203.0.113.7])\n\t(authenticated bits=0 x)" SENDMAIL, PEER, "203.0.113.7", false, 0, "c", "c", NULL,
	  NULL },
	{ F "c (c [203.0.113.7]) (authenticated bits=0)" SENDMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	/* Postfix under another name */
	{ F "[127.0.0.1] (unknown [203.0.113.7])\n\t(Authenticated sender: a@b)\n\tby m (m) with ESMTPSA id 4b" DATE
	    "\n",
	  PEER, "203.0.113.7", true, 0, "[127.0.0.1]", "", "m", "ESMTPSA" },
	{ F "[127.0.0.1] (unknown [203.0.113.7])\n\tby m (MyMail) with ESMTPS id 4b" DATE "\n", PEER, "203.0.113.7",
	  false, MXG_MTA_POSTFIX, "[127.0.0.1]", "", "m", "ESMTPS" },
	{ F "[127.0.0.1] (unknown [203.0.113.7])\n\tby m (MyMail) with ESMTPS id 4b" DATE "\n", NO, "", false, 0, NULL,
	  NULL, NULL, NULL },
	{ F "[203.0.113.7] (x[192.0.2.10])\n\tby m (MyMail) with ESMTPS id 4b" DATE "\n", NO, "", false,
	  MXG_MTA_POSTFIX, NULL, NULL, NULL, NULL },
	/* Exim's texts that administrators have written */
	{ F "[192.0.2.11] (port=58540 helo=gw)\n\tby m with esmtp id 1fTo7g-0008Jv-El\n\tfor a@b" DATE "\n", PEER,
	  "192.0.2.11", false, 0, "gw", "", "m", "esmtp" },
	{ F "gw ([192.0.2.11]:58540)\n\tby m with esmtps (TLS1.3:x:256)\n\t(envelope-from <a@b>)\n\tid "
	    "1xXPP6-000000008Mu-0nm7\n\tfor a@b" DATE "\n",
	  PEER, "192.0.2.11", false, MXG_MTA_EXIM, "gw", "gw", "m", "esmtps" },
	{ F
	  "o ( [203.0.113.6]) by m (Exim 4.98.2) with esmtpa id 1xXPOs-000000007XF-1BRr;\n\tMon, 23 Nov 2026 12:35:31 "
	  "+0000\n",
	  PEER, "203.0.113.6", true, 0, "o", "", "m", "esmtpa" },
	{ F "[192.0.2.10] (h.example [203.0.113.6]) by m (Exim 4.98.2) with esmtp id 1" DATE "\n", PEER, "203.0.113.6",
	  false, 0, "[192.0.2.10]", "h.example", "m", "esmtp" },
	{ F "[203.0.113.6] ([192.0.2.10]) by m (Exim 4.98.2) with esmtp id 1" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "x (gw [192.0.2.10]) ( [203.0.113.6]) by m (Exim 4.98.2) with esmtp id 1" DATE "\n", NO, "", false, 0, NULL,
	  NULL, NULL, NULL },
	{ F "(o) [203.0.113.6] by m with esmtp (Exim 4.98.2) id 1" DATE "\n", PEER, "203.0.113.6", false, 0, "o", "",
	  "m", "esmtp" },
	{ F "h.example (o) [203.0.113.6] by m with esmtp (Exim 4.98.2) id 1" DATE "\n", PEER, "203.0.113.6", false, 0,
	  "o", "h.example", "m", "esmtp" },
	{ F "(o) [192.0.2.10] by x (a) [203.0.113.6] by m with esmtp (Exim 4.98.2) id 1" DATE "\n", NO, "", false, 0,
	  NULL, NULL, NULL, NULL },
	{ "Received: by m with esmtpa (Exim 4.98.2) id 1xXPP6-000000008Mu-0nm7" DATE "\n", PEER, "", true, 0, "", "",
	  "m", "esmtpa" },
	{ "Received: by m with esmtp (Exim 4.98.2) id 1xXPP6-000000008Mu-0nm7" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ "Received: by m with esmtpa id 1xXPP6-000000008Mu-0nm7\n\t(Exim 4.98.2)" DATE "\n", NO, "", false,
	  MXG_MTA_POSTFIX, NULL, NULL, NULL, NULL },
	/* folded anew, or with more in it */
	{ F "A.outlook.example\n (2001:db8:a0f::7ac) by B.outlook.example with\n HTTPS" DATE "\n", PEER,
	  "2001:db8:a0f::7ac", false, 0, NULL, "", "B.outlook.example", "HTTPS" },
	{ "Received: from\n a.b.example\n (203.0.113.47) by C.outlook.example (10.13.161.136)\n with Microsoft SMTP "
	  "Server "
	  "id 15.20.6886.15 via Frontend Transport" DATE "\n",
	  PEER, "203.0.113.47", false, 0, "a.b.example", NULL, "C.outlook.example", NULL },
	{ "Received: from\n gw.example.com (gw.example.com [192.0.2.10])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ F "w.example.com (LHLO w.example.com)\n (192.0.2.9) by w.example.com with LMTP; Thu, 1 Dec 2022\n 10:50:49 "
	    "-0300 "
	    "(BRT)\n",
	  PEER, "192.0.2.9", false, 0, NULL, NULL, "w.example.com", NULL },
	{ F "gw (gw [203.0.113.7] (AS64500 Example Net, US))\n\t(using TLSv1.3 with cipher X)\n\tby m (Stalwart SMTP) "
	    "with "
	    "ESMTPS id 36" DATE "\n",
	  PEER, "203.0.113.7", false, 0, "gw", "gw", "m", "ESMTPS" },
	{ F "f.example ([203.0.113.7] f.example)\n (Authenticated sender: x)\n by m (ZoneMTA) with ESMTPSA id 1.8" DATE
	    "\n",
	  PEER, "203.0.113.7", true, 0, "f.example", "", "m", "ESMTPSA" },
	{ F "gw.example.com (gw.example.com\n [192.0.2.10]) (Using TLS) by relay.example with ESMTP id\n us-mta-1" DATE
	    "\n",
	  PEER, "192.0.2.10", false, 0, NULL, NULL, "relay.example", NULL },
	/* hidden clients: anybody's */
	{ "Received: by m (Postfix) id 1A" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: by m (Postfix) id 1A\n\tfor <a@b>" DATE "\n", NO, "", false, MXG_MTA_POSTFIX, NULL, NULL, NULL,
	  NULL },
	{ "Received: by m (Postfix, from userid 0) id 1A" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	/* writers that nobody knows */
	{ F "([192.0.2.10]) (203.0.113.6) by m with SMTP" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "203.0.113.6 (HELO [192.0.2.10]) (203.0.113.6) by m with SMTP" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "gw.example.com (HELO [192.0.2.10])\n\tby m with SMTP" DATE "\n", NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ F "gw.example.com (Ehlo [192.0.2.10])\n\tby m with SMTP" DATE "\n", NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ F "gw ([192.0.2.10]) (203.0.113.6) by m with SMTP" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "203.0.113.6 ([192.0.2.10]) by m with SMTP" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "203.0.113.6 ([192.0.2.10])" QMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "203.0.113.6 (192.0.2.10)" QMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[192.0.2.10] ([192.0.2.10])\n by m (Postfix) with ESMTPSA id 1; x\n (x ([203.0.113.6]) by m with ESMTP id "
	    "12" DATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	/* line ends */
	{ "Received: from gw (gw [192.0.2.10])\r\n\tby m (Postfix) with SMTP id 1" DATE "\r\n", PEER, "192.0.2.10",
	  false, 0, NULL, NULL, NULL, NULL },
	{ "Received: from gw (gw [192.0.2.10])\r\n\tby m (Postfix) with SMTP\n\tid 1" DATE "\r\n", NO, "", false, 0,
	  NULL, NULL, NULL, NULL },
	{ F "x\rby (gw [192.0.2.10])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x\v(gw [192.0.2.10])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x\xff (gw [192.0.2.10])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x\xc3\xa4 (gw [192.0.2.10])" POSTFIX, PEER, "192.0.2.10", false, 0, NULL, NULL, NULL, NULL },
	/* HELO and EHLO that imitate */
	{ F "[192.0.2.10] (unknown [203.0.113.6])" POSTFIX, PEER, "203.0.113.6", false, 0, NULL, NULL, NULL, NULL },
	/* each check alone: what another would refuse, too, if the rest of the field were otherwise */
	{ F "aaaa\n (gw.example.com [192.0.2.10])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "aaaa\n (gw.example.com [192.0.2.10])" SENDMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "aaaa\n (gw.example.com [192.0.2.10])" HARAKA, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "aaaa\n ([192.0.2.10])" LMTP, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x (gw.example.com [192.0.2.10])\n (y [203.0.113.6])" HARAKA, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x (HELO y) (192.0.2.10) (203.0.113.6)" QMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (helo=a(b))" EXIM, NO, "", false, 0, NULL, NULL, NULL, NULL },
	/* HELO with a bare CR, which a second Exim has made a fold of */
	{ F "x (gw.example.com [192.0.2.10])\n (y [203.0.113.6])" CYRUS, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x ([192.0.2.10])\n ([203.0.113.6])" CYRUS, NO, "", false, MXG_MTA_CYRUS, NULL, NULL, NULL, NULL },
	{ F "x ([unix socket])\n ([203.0.113.6])" CYRUS, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x (gw.example.com [192.0.2.10])\n (y [203.0.113.6])\n\tby m (Unheard 1) with ESMTP id 1" DATE "\n", NO, "",
	  false, 0, NULL, NULL, NULL, NULL },
	{ F "x ([192.0.2.10] [192.0.2.10])\n (y [203.0.113.6])\n\tby m (Unheard 1) with ESMTP id 1" DATE "\n", NO, "",
	  false, 0, NULL, NULL, NULL, NULL },
	{ F "x (gw.example.com [192.0.2.10])\n (y [203.0.113.6])" SENDMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "a b (gw.example.com [192.0.2.10])" CYRUS, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "a) (gw.example.com [192.0.2.10])" CYRUS, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (helo=x port=25)" EXIM, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (port=x helo=y)" EXIM, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "o.example (EHLO x) ([192.0.2.10]) ([203.0.113.6])\n by m (JAMES SMTP Server ) with ESMTP ID 1" DATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[192.0.2.10] (EHLO x) ([203.0.113.6])\n by m (JAMES SMTP Server ) with ESMTP ID 1" DATE "\n", NO, "",
	  false, 0, NULL, NULL, NULL, NULL },
	{ F "o.example (EHLO x ([192.0.2.10])) ([203.0.113.6])\n by m (JAMES SMTP Server ) with ESMTP ID 1" DATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "o.example (EHLO x)\n ([192.0.2.10])\n by m (JAMES SMTP Server ) with ESMTP ID 1" DATE "\n", NO, "", false,
	  0, NULL, NULL, NULL, NULL },
	{ F "x (192.0.2.10) by m with HTTPS via y (unknown [203.0.113.6])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ F "gw (gw [192.0.2.10]) (unknown [203.0.113.6])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "aaaa\n by (unknown [203.0.113.6])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL }, /* 998 bytes */
	{ F "aaaa\n [192.0.2.10] (unknown [203.0.113.6])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "aaaa\n by mx.example.com (unknown [203.0.113.6])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (helo=gw.example.com ([192.0.2.10]))" EXIM, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (helo=x) (gw [192.0.2.10])" EXIM, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (helo=x)\n by mx.example.com with esmtpsa (Exim 4.96)\n id 1; Mon, 1 Jan 2024 00:00:00 "
	    "+0000 ()" EXIM,
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] (helo=x\n by mx.example.com with esmtpsa (Exim 4.96) (y)" EXIM, NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "gw (gw [192.0.2.10]) by mx (Cyrus 3) with LMTPA" DATE " (x ([203.0.113.6])" CYRUS, NO, "", false, 0, NULL,
	  NULL, NULL, NULL },
	{ F "gw (gw [192.0.2.10])\n by mx (Cyrus 3) with LMTPA" DATE " (x ([203.0.113.6])" CYRUS, NO, "", false, 0,
	  NULL, NULL, NULL, NULL },
	{ F "x) (gw [192.0.2.10] ([203.0.113.6])" CYRUS, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[unix socket] ([203.0.113.6])" CYRUS, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "x) (HELO y) (192.0.2.10" QMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "Unknown (HELO x)) (203.0.113.6)\n by m (qpsmtpd/0.94) with ESMTP" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "Unknown (HELO x) (192.0.2.10) (203.0.113.6)\n by m (qpsmtpd/0.94) with ESMTP" DATE "\n", NO, "", false, 0,
	  NULL, NULL, NULL, NULL },
	{ F "[192.0.2.10] ([203.0.113.6])" HARAKA, PEER, "203.0.113.6", false, 0, NULL, NULL, NULL, NULL },
	{ F "[203.0.113.6] ([192.0.2.10])" CHASQUID, PEER, "203.0.113.6", false, 0, NULL, NULL, NULL, NULL },
	{ F "[192.0.2.10]\n\tby m (chasquid) with ESMTPSA\n\t(over x)\n\t" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "[192.0.2.10] (gw)\n\tby m (chasquid) with ESMTPSA\n\t(over x)\n\t" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "[192.0.2.10] ([203.0.113.6])\n\tby m (Unheard 1) with ESMTP id 1" DATE "\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "[203.0.113.6] ([203.0.113.6])\n\tby m (Unheard 1) with ESMTP id 1" DATE "\n", PEER, "203.0.113.6", false,
	  0, NULL, NULL, NULL, NULL },
	/* PTR names, idents, logins, senders, certificate names */
	{ F "h ([192.0.2.10] [203.0.113.10])" HARAKA, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "h (gw ([192.0.2.10]) x [::ffff:203.0.113.44])" COURIER, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "h (gw [192.0.2.10])\n  by c with ESMTP\n  id 00AE.006B.0000004D" DATE " (x [::ffff:203.0.113.50])" COURIER,
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "h (gw [::ffff:192.0.2.10])\n  (x [::ffff:203.0.113.50])" COURIER, NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ F "h (gw [::ffff:192.0.2.10])\n  (TLS: x [::ffff:203.0.113.50])" COURIER, NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ F "\"a (b\" (gw [::ffff:192.0.2.10])" COURIER, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "\"a (b\" (gw [192.0.2.10])" HARAKA, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "h (gw [192.0.2.10])" COURIER, NO, "", false, MXG_MTA_COURIER, NULL, NULL, NULL,
	  NULL }, /* IPv4 is mapped */
	{ F "h (x) (AUTH: PLAIN alice [::ffff:203.0.113.48])" COURIER, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "h ([::ffff:203.0.113.6])\n  (AUTH: PLAIN x) by m with ESMTPA (y)" COURIER, NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "o (a@b@gw [192.0.2.10])" SENDMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "o (x[192.0.2.10]@gw [203.0.113.6])" SENDMAIL, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "[192.0.2.10] ([203.0.113.6])\n\tby m with LMTP\n\tid mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <\"x) (Exim "
	    "4.96\"@b>)\n\tfor <a@b>" DATE "\n",
	  PEER, "203.0.113.6", false, 0, NULL, NULL, NULL, NULL },
	{ F "h (h [203.0.113.6])\n\t(Client CN \"x) by m (Postfix) with ESMTPA\", Issuer \"y\" (not verified))" POSTFIX,
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "h (h [203.0.113.6])\n\t(AUTH: PLAIN a)" POSTFIX, PEER, "203.0.113.6", false, 0, NULL, NULL, NULL, NULL },
	/* a client's lines behind the date */
	{ F "h ([203.0.113.6])" LMTP "\tby mx.example.com (Postfix) with ESMTPSA id 1\n", NO, "", false, 0, NULL, NULL,
	  NULL, NULL },
	{ F "h ([203.0.113.6])" LMTP "\tx (gw [192.0.2.10])\n", PEER, "203.0.113.6", false, 0, NULL, NULL, NULL, NULL },
	/* no address is never local */
	{ "Received: \n\tby mx.example.com (OpenSMTPD) with ESMTP id 1;\n\tMon, 23 Nov 2026 12:58:29 +0000 (UTC)\n", NO,
	  "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: by mx.example.com (Postfix) with ESMTPA id AAD" DATE "\n", NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ "Received: by 2002:a05:6a10:1 with SMTP id x" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "gw.example.com (unknown [local])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: (qmail x invoked by uid 0)" QDATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: (qmail 1 invoked by uid 0) x" QDATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: by m (Postfix, from userid 0)\n\tid 1\n\tfrom x" DATE "\n", NO, "", false, 0, NULL, NULL, NULL,
	  NULL },
	{ "Received: by m (Postfix, from userid 0x)\n\tid 1" DATE "\n", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: (from alice@localhost)\n\tby m (8.17.1/8.17.1) with ESMTP id 6A" DATE "\n", NO, "", false, 0, NULL,
	  NULL, NULL, NULL },
	/* addresses */
	{ F "gw (gw [0300.0.2.10])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "gw (gw [192.0.2.10]:25)" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "gw (gw [fe80::1%eth0])" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "gw (gw [192.0.2.10] )" POSTFIX, NO, "", false, 0, NULL, NULL, NULL, NULL },
	/* the mask decides */
	{ F "gw (gw [192.0.2.10])" POSTFIX, NO, "", false, MXG_MTA_EXIM, NULL, NULL, NULL, NULL },
	{ F "gw (gw [192.0.2.10])\n\tby m (Gatekeeper) with ESMTP id 1" DATE "\n", PEER, "192.0.2.10", false,
	  MXG_MTA_POSTFIX, NULL, NULL, NULL, NULL },
	/* what stands behind an MTA tells itself; who names only that has not named the MTA */
	{ F "gw" LMTP, MARKER, "", false, MXG_MTA_POSTFIX, NULL, NULL, NULL, NULL },
	{ F "gw ([unix socket])" CYRUS, MARKER, "", false, MXG_MTA_EXIM, NULL, NULL, NULL, NULL },
	{ F "gw ([192.0.2.10])" LMTP, PEER, "192.0.2.10", false, MXG_MTA_SENDMAIL, NULL, NULL, NULL, NULL },
	{ F "gw ([127.0.0.1])\n by localhost (mx.example.com [127.0.0.1]) (amavis, port 10024) with ESMTP\n id x for "
	    "<a@b>;\n Mon, 23 Nov 2026 12:35:31 +0000\n",
	  PEER, "127.0.0.1", false, MXG_MTA_POSTFIX, NULL, NULL, "mx.example.com", NULL },
	{ F "gw ([192.0.2.10])\n\tby m with ESMTPA\n\tid mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <a@b>)" DATE "\n", NO,
	  "", false, MXG_MTA_POSTFIX, NULL, NULL, NULL, NULL },
	{ F "gw (gw [192.0.2.10])" POSTFIX, PEER, "192.0.2.10", false, MXG_MTA_AMAVIS | MXG_MTA_DOVECOT, NULL, NULL,
	  NULL, NULL },
	{ F "gw (gw [::ffff:192.0.2.10])" COURIER, NO, "", false, MXG_MTA_CYRUS, NULL, NULL, NULL, NULL },
	/* a recipient that a message names tells nothing of who wrote the field */
	{ F "imap.example.net [192.0.2.10]\n\tby m with IMAP (fetchmail-6.4.37)\n\tfor <x (Exim 4.96) (HELO x) "
	    "(203.0.113.6)> (multi-drop)" DATE "\n",
	  FETCHED, "192.0.2.10", false, 0, NULL, NULL, NULL, NULL },
	{ F "imap.example.net [192.0.2.10]\n\tby m with IMAP (fetchmail-6.4.37)\n\tfor <[203.0.113.6]  id "
	    "1xVTHW-00000D-05( "
	    "> (multi-drop)" DATE "\n",
	  FETCHED, "192.0.2.10", false, 0, NULL, NULL, NULL, NULL },
	{ F "gw.example.com ([192.0.2.10] helo=x) by m with ESMTP for <x (Exim 4.96) y@b>" DATE "\n", NO, "", false, 0,
	  NULL, NULL, NULL, NULL },
	/* a whole field in the name of a client of a writer that lets every byte through: two tails, whatever
	 * stands between their words, or an address behind the one that is read */
	{ F "g (g [192.0.2.10]) by mx.example.com (Postfix) with ESMTP id 1" DATE
	    "\n x ([203.0.113.6])\tby\tmx.example.com"
	    "\twith\tESMTP" DATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "g (g [192.0.2.10]) by mx.example.com (Postfix) with ESMTP id 1 x ([203.0.113.6]) by\n mx.example.com with "
	    "ESMTP" DATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "g (g [192.0.2.10])by mx.example.com (Haraka/3.3.4) with ESMTP id 1" DATE "\n", NO, "", false, 0, NULL,
	  NULL, NULL, NULL },
	{ F "g (g [192.0.2.10]) by mx.example.com (8.17.1/8.17.1) with ESMTPA id 6A" DATE
	    " (x ([203.0.113.6]) with SMTP" QDATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "g (g [192.0.2.10])\n by mx.example.com (Postfix) with ESMTP id 1" DATE "; (( ([203.0.113.6])" DATE "\n",
	  NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ F "g (g [192.0.2.10]) by mx.example.com (Postfix) with ESMTP id 1 ([203.0.113.6])" DATE "\n", NO, "", false,
	  0, NULL, NULL, NULL, NULL },
	{ F "g (g [192.0.2.10]) by mx.example.com (Postfix) with ESMTP id 1 ( ([203.0.113.6])" DATE "\n", NO, "", false,
	  0, NULL, NULL, NULL, NULL },
	{ F "g (g [192.0.2.10]) by mx.example.com (Postfix) with ESMTP id 1 (203.0.113.6)" DATE "\n", NO, "", false, 0,
	  NULL, NULL, NULL, NULL },
	/* of all the world's users */
	{ F "g (g.example. [192.0.2.10])\n        by smtp.gmail.com with ESMTPSA id a1\n        for <a@b>" DATE "\n",
	  PEER, "192.0.2.10", false, MXG_MTA_GOOGLE, NULL, NULL, NULL, NULL },
	/* odds and ends */
	{ "Received: ", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received:", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: from", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: from ", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: by ", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: (", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: ()", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: from a (", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: from a (b [192.0.2.1", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Received: from a ([]) by", NO, "", false, 0, NULL, NULL, NULL, NULL },
	{ "Subject: from a (b [192.0.2.1]) by c", NO, "", false, 0, NULL, NULL, NULL, NULL },
};

static bool slice_is(struct mxg_slice s, const char *text)
{
	return text == NULL || (s.len == strlen(text) && memcmp(s.at == NULL ? "" : s.at, text, s.len) == 0);
}

static void test_table(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct mxg_received r;
		char address[MXG_ADDRESS_TEXT_MAX];
		size_t len = strlen(row->field);
		char *exact = test_malloc(len + 1);
		memcpy(exact, row->field, len);
		bool readable = mxg_received_parse(&r, exact, len, row->mta_mask);
		mxg_address_format(&r.address, address);
		if (readable != (row->kind != NO) || r.kind != row->kind || strcmp(address, row->address) != 0 ||
		    r.authenticated != row->authenticated || !slice_is(r.helo, row->helo) ||
		    !slice_is(r.hostname, row->hostname) || !slice_is(r.by, row->by) ||
		    !slice_is(r.protocol, row->protocol))
			fail_msg("row %zu: %s\nkind %d address %s login %d mta %s", i, row->field, (int)r.kind, address,
				 r.authenticated, mxg_mta_name(r.mta));
		test_free(exact);
	}
}

/* Every field cut short anywhere, and with any byte replaced by a hostile one:
 * never another address, never a login or local where there was none. */
static void test_damage(void **state)
{
	static const char bytes[] = "\r\n\t \0()[]@;\\\"<>\x80";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		size_t len = strlen(row->field);
		char *copy = test_malloc(len + 1);
		struct mxg_received r;
		for (size_t at = 0; at < len; at++) {
			for (size_t k = 0; k < sizeof(bytes) - 1; k++) {
				memcpy(copy, row->field, len);
				copy[at] = bytes[k];
				mxg_received_parse(&r, copy, len, row->mta_mask);
				if (row->kind == PEER && r.kind == LOCAL)
					fail_msg("row %zu became local: %.*s", i, (int)len, copy);
				if (row->kind == PEER && !row->authenticated && r.authenticated)
					fail_msg("row %zu became a login: %.*s", i, (int)len, copy);
			}
		}
		test_free(copy);
	}
}

static void test_date_and_for(void **state)
{
	static const char field[] = F "gw (gw [192.0.2.10])" POSTFIX;
	struct mxg_received r;
	assert_true(mxg_received_parse(&r, field, sizeof(field) - 1, 0));
	assert_int_equal(mxg_received_date(&r), 1795437331);
	assert_true(slice_is(mxg_received_for(&r), "alice@example.com"));
	assert_true(slice_is(r.id, "33AA"));
	static const char quoted[] = F "gw (gw [192.0.2.10])\n\tby m (Postfix) with SMTP id 1\n\tfor <\"a b\"@c>; 29 "
				       "Feb 2024 23:59:60 -0130\n";
	assert_true(mxg_received_parse(&r, quoted, sizeof(quoted) - 1, 0));
	assert_int_equal(mxg_received_for(&r).len, 0);
	assert_int_equal(mxg_received_date(&r), 1709256600);
}

static void test_names(void **state)
{
	unsigned n = 0;
	for (; mxg_mta_list(n) != NULL; n++)
		assert_string_equal(mxg_mta_name(mxg_mta_parse(mxg_mta_list(n), strlen(mxg_mta_list(n)))),
				    mxg_mta_list(n));
	assert_true(n > 15);
	assert_int_equal(mxg_mta_parse("exim4", 5), MXG_MTA_EXIM);
	assert_int_equal(mxg_mta_parse("nosuch", 6), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_date_and_for),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
