/* SPDX-License-Identifier: MIT */
#include "received/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATE "; Mon, 23 Nov 2026 12:35:31 +0000\n"
#define QDATE "; 23 Nov 2026 12:39:21 -0000\n"
#define HOP(helo, address, by) \
	"Received: from " helo " (unknown [" address "])\n\tby " by \
	" (Postfix) with ESMTP id 1\n\tfor <a@b.example>" DATE
#define OUTSIDE HOP("spam", "203.0.113.66", "mx.example.com")
#define INSIDE HOP("mx", "10.1.2.3", "store.example.com")
#define FORGED HOP("gw", "192.0.2.10", "mx.example.com")
#define LMTP \
	"Received: from mx.example.com\n\tby store.example.com with LMTP\n\tid " \
	"mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <a@b>)\n\tfor <a@b>" DATE
#define LOGIN \
	"Received: from c (c [203.0.113.5])\n\t(Authenticated sender: alice)\n\tby mx.example.com (Postfix) with " \
	"ESMTPSA id 1" DATE
#define PICKUP "Received: by mx.example.com (Postfix, from userid 0)\n\tid D8E5" DATE
#define EXPANDED "Received: by mx.example.com (Postfix)\n\tid D8E5" DATE
#define HIDDEN "Received: by mx.example.com (Postfix) id D8E5" DATE
#define STRANGER HOP("gw", "192.0.2.10", "mail.elsewhere.example")
#define OTHER_PROGRAM "Received: from o ([203.0.113.2])\n\tby mx.example.com (Haraka/3.3.4) with ESMTP id 1" DATE
#define MX_LMTP \
	"Received: from mx.example.com\n\tby mx.example.com with LMTP\n\tid " \
	"mBL4OX82BGshAAAAZSTCqQ\n\t(envelope-from <a@b>)\n\tfor <a@b>" DATE
#define QZERO "Received: from gw (HELO o) (203.0.113.7)\n  by 0 with SMTP" QDATE
#define QADDRESS "Received: from gw (HELO o) (203.0.113.7)\n  by 192.0.2.106 with SMTP" QDATE
#define QLATER "Received: from gw (HELO o) (203.0.113.7)\n  by mx.example.com with SMTP; 23 Nov 2026 13:39:21 -0000\n"
#define QNET "Received: (qmail 35 invoked from network)" QDATE
#define QSMTP "Received: from gw (HELO o) (203.0.113.7)\n  by mx.example.com with SMTP" QDATE
#define QUID "Received: (qmail 35 invoked by uid 0)" QDATE
#define QPSMTPD "Received: from Unknown (HELO gw) (203.0.113.8)\n by mx.example.com (qpsmtpd/0.94) with ESMTP" DATE
#define QALIAS "Received: (qmail 36 invoked by alias)" QDATE
#define QSCANNER "Received: from a@b.example by mx.example.com by uid 89 with qmail-scanner-2.05 (x)" QDATE
#define SPOOLER "Received: from spooler by mx.example.com (Mercury/32 v4.80)" QDATE
#define MERCURY "Received: from o.example (203.0.113.3) by mx.example.com (Mercury/32 v4.80) with ESMTP ID MG1" QDATE
#define SCANNED "Received: from mail by mx.example.com with spam-scanned (Exim 4.96)\n\tid 1" DATE
#define WEBMAIL "Received: from [203.0.113.4] by mx.example.com (via HTTP)" DATE
#define HARAKA_OUT "Received: (Haraka outbound)" DATE
#define HARAKA \
	"Received: from gw ([203.0.113.9])\n\tby mx.example.com (Haraka/3.3.4) with ESMTP id 1\n\tenvelope-from " \
	"<a@b>;\n\tMon, 23 Nov 2026 12:44:30 +0000\n"
#define FETCH(address) \
	"Received: from pop.example [" address \
	"]\n\tby store.example.com with IMAP (fetchmail-6.4.37)\n\tfor <a@b> (single-drop)" DATE
#define COURIER \
	"Received: from h (h.example [::ffff:203.0.113.9])\n  by mx.example.com with ESMTP\n  id " \
	"0000000000AE22AE.000000006B043459.00000050" DATE
#define REST "Subject: x\n\nReceived: from x (x [192.0.2.10]) by mx.example.com (Postfix) with SMTP id 2" DATE

#define ANY MXG_TRACE_ANY
#define NAMED MXG_TRACE_NAMED
#define FIRST MXG_TRACE_FIRST_HOP

struct row {
	const char *header;
	enum mxg_trace_belief belief;
	enum mxg_trace_outcome outcome;
	const char *address;
	unsigned hop;
	enum mxg_trace_reason reason;
	unsigned mta_mask;
};

static const struct row rows[] = {
	{ OUTSIDE REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ OUTSIDE FORGED REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ "From x@y Mon Nov 23 12:35:31 2026\n>From z\n" OUTSIDE REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0,
	  0 },
	{ "Return-Path: <x>\nX-Folded: a\n b\n \n" INSIDE OUTSIDE FORGED REST, NAMED, MXG_TRACE_EXTERNAL,
	  "203.0.113.66", 2, 0, 0 },
	{ INSIDE OUTSIDE REST, FIRST, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_NOT_OURS, 0 },
	{ OUTSIDE REST, FIRST, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ INSIDE HOP("g", "192.0.2.10", "elsewhere.example") REST, NAMED, MXG_TRACE_UNREADABLE, "", 2,
	  MXG_TRACE_NOT_OURS, 0 },
	{ INSIDE HOP("g", "203.0.113.1", "A.SUB.Example.ORG") REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.1", 2, 0, 0 },
	{ INSIDE HOP("g", "203.0.113.1", "sub.example.org") REST, NAMED, MXG_TRACE_UNREADABLE, "", 2,
	  MXG_TRACE_NOT_OURS, 0 },
	{ INSIDE REST, NAMED, MXG_TRACE_ENDED, "10.1.2.3", 1, 0, 0 },
	{ INSIDE HOP("o", "10.9.0.1", "mx.example.com") REST, NAMED, MXG_TRACE_ORIGIN, "10.9.0.1", 2, 0, 0 },
	{ INSIDE LOGIN REST, NAMED, MXG_TRACE_AUTHENTICATED, "203.0.113.5", 2, 0, 0 },
	{ OUTSIDE LOGIN REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	/* a local form is where a message was submitted last; what stands below it decides */
	{ PICKUP REST, NAMED, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ PICKUP FORGED REST, NAMED, MXG_TRACE_EXTERNAL, "192.0.2.10", 2, 0, 0 },
	{ PICKUP FORGED REST, ANY, MXG_TRACE_EXTERNAL, "192.0.2.10", 2, 0, 0 },
	{ PICKUP FORGED REST, FIRST, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ PICKUP FORGED REST, MXG_TRACE_FIRST_OR_NAMED, MXG_TRACE_EXTERNAL, "192.0.2.10", 2, 0, 0 },
	{ PICKUP STRANGER REST, NAMED, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ PICKUP STRANGER REST, ANY, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ PICKUP STRANGER REST, MXG_TRACE_FIRST_OR_NAMED, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ PICKUP "Received: rubbish\n" REST, ANY, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_FIELD_UNREADABLE, 0 },
	{ PICKUP HIDDEN REST, NAMED, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_FIELD_UNREADABLE, 0 },
	{ PICKUP OTHER_PROGRAM REST, ANY, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ PICKUP OTHER_PROGRAM REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.2", 2, 0, 0 },
	{ PICKUP HOP("g", "203.0.113.1", "a.sub.example.org") REST, NAMED, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ PICKUP INSIDE OUTSIDE REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 3, 0, 0 },
	{ PICKUP LOGIN REST, NAMED, MXG_TRACE_AUTHENTICATED, "203.0.113.5", 2, 0, 0 },
	{ EXPANDED "Delivered-To: list@mx.example.com\n" OUTSIDE FORGED REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66",
	  2, 0, 0 },
	{ EXPANDED PICKUP REST, ANY, MXG_TRACE_LOCAL, "", 2, 0, 0 },
	{ EXPANDED PICKUP STRANGER REST, ANY, MXG_TRACE_RESUBMITTED, "", 2, 0, 0 },
	{ EXPANDED MX_LMTP OUTSIDE REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 3, 0, 0 },
	{ INSIDE PICKUP OUTSIDE REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 3, 0, 0 },
	{ OUTSIDE PICKUP REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ INSIDE PICKUP REST, NAMED, MXG_TRACE_LOCAL, "", 2, 0, 0 },
	{ REST, ANY, MXG_TRACE_NONE, "", 0, 0, 0 },
	{ "", ANY, MXG_TRACE_NONE, "", 0, 0, 0 },
	{ "\n" OUTSIDE, ANY, MXG_TRACE_NONE, "", 0, 0, 0 },
	{ "\r\n" OUTSIDE, ANY, MXG_TRACE_NONE, "", 0, 0, 0 },
	{ OUTSIDE, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ "RECEIVED : from spam (unknown [203.0.113.66])\n\tby mx.example.com (Postfix) with ESMTP id 1" DATE, ANY,
	  MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ "X-Received: from g (g [192.0.2.1])\n\tby m (Postfix) with SMTP id 1" DATE OUTSIDE, ANY, MXG_TRACE_EXTERNAL,
	  "203.0.113.66", 1, 0, 0 },
	/* markers */
	{ LMTP OUTSIDE REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 2, 0, 0 },
	{ LMTP HOP("g", "192.0.2.10", "else.example") REST, NAMED, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_NOT_OURS, 0 },
	{ LMTP REST, NAMED, MXG_TRACE_ENDED, "", 1, 0, 0 },
	{ LMTP QUID REST, ANY, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_NOT_OURS, 0 },
	{ LMTP QUID REST, NAMED, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_NOT_OURS, 0 },
	{ LMTP QUID REST, NAMED, MXG_TRACE_LOCAL, "", 2, 0, MXG_MTA_QMAIL | MXG_MTA_DOVECOT },
	{ QNET QSMTP REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 2, 0, 0 },
	{ QNET REST, ANY, MXG_TRACE_UNREADABLE, "", 1, MXG_TRACE_MARKER_ALONE, 0 },
	{ QNET QUID REST, ANY, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_NOT_OURS, 0 },
	{ QNET FORGED REST, ANY, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_MARKER_ALONE, 0 },
	{ QUID REST, ANY, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ QNET QZERO REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 2, 0, 0 },
	{ QNET QADDRESS REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 2, 0, 0 },
	{ QZERO REST, NAMED, MXG_TRACE_UNREADABLE, "", 1, MXG_TRACE_NOT_OURS, 0 },
	{ QUID QZERO REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 2, 0, 0 },
	{ QUID STRANGER REST, NAMED, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ QUID QPSMTPD REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.8", 2, 0, 0 },
	{ QUID QSMTP REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.7", 2, 0, 0 },
	{ QUID QLATER REST, ANY, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	/* mail that a program of this host handed back may have come from anywhere */
	{ QUID QNET QSMTP REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 3, 0, 0 },
	{ QALIAS QNET QSMTP REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.7", 3, 0, 0 },
	{ QALIAS REST, ANY, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ QUID QSCANNER QNET QSMTP REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 4, 0, 0 },
	{ QUID QSCANNER REST, NAMED, MXG_TRACE_LOCAL, "", 2, 0, 0 },
	{ QSCANNER QNET QSMTP REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.7", 3, 0, 0 },
	{ QSCANNER STRANGER REST, ANY, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ QSCANNER REST, NAMED, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ OUTSIDE QSCANNER REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ SPOOLER REST, NAMED, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ SPOOLER MERCURY REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.3", 2, 0, 0 },
	{ MERCURY REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.3", 1, 0, 0 },
	{ SCANNED REST, ANY, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ SCANNED STRANGER REST, ANY, MXG_TRACE_RESUBMITTED, "", 1, 0, 0 },
	{ INSIDE SCANNED REST, NAMED, MXG_TRACE_LOCAL, "", 2, 0, 0 },
	{ INSIDE SCANNED OUTSIDE REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 3, 0, 0 },
	{ WEBMAIL REST, NAMED, MXG_TRACE_AUTHENTICATED, "203.0.113.4", 1, 0, 0 },
	{ OUTSIDE WEBMAIL REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ INSIDE QUID REST, NAMED, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_NOT_OURS, 0 },
	{ INSIDE QUID REST, ANY, MXG_TRACE_LOCAL, "", 2, 0, 0 },
	{ OUTSIDE QUID REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ HARAKA_OUT "X: y\n" HARAKA REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.9", 2, 0, 0 },
	{ HARAKA_OUT REST, ANY, MXG_TRACE_LOCAL, "", 1, 0, 0 },
	{ HARAKA_OUT FORGED REST, ANY, MXG_TRACE_UNREADABLE, "", 2, MXG_TRACE_MARKER_ALONE, 0 },
	/* retrieval */
	{ FETCH("198.51.100.9") FORGED REST, NAMED, MXG_TRACE_RETRIEVED, "198.51.100.9", 1, 0, 0 },
	{ FETCH("198.51.100.9") FORGED REST, ANY, MXG_TRACE_UNREADABLE, "", 1, MXG_TRACE_NOT_OURS, 0 },
	{ FETCH("10.1.2.4") OUTSIDE REST, NAMED, MXG_TRACE_EXTERNAL, "203.0.113.66", 2, 0, 0 },
	/* trouble */
	{ INSIDE "no field\n" FORGED REST, ANY, MXG_TRACE_UNREADABLE, "", 1, MXG_TRACE_BROKEN_HEADER, 0 },
	{ OUTSIDE "no field\n" FORGED REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.66", 1, 0, 0 },
	{ " folded\n" OUTSIDE, ANY, MXG_TRACE_UNREADABLE, "", 0, MXG_TRACE_BROKEN_HEADER, 0 },
	{ "Fro\xff: x\n: y\n" OUTSIDE, ANY, MXG_TRACE_UNREADABLE, "", 0, MXG_TRACE_BROKEN_HEADER, 0 },
	{ COURIER REST, ANY, MXG_TRACE_EXTERNAL, "203.0.113.9", 1, 0, 0 },
	{ "Received: rubbish\n" FORGED, ANY, MXG_TRACE_UNREADABLE, "", 1, MXG_TRACE_FIELD_UNREADABLE, 0 },
	{ INSIDE "From x\n" FORGED, ANY, MXG_TRACE_UNREADABLE, "", 1, MXG_TRACE_BROKEN_HEADER, 0 },
};

static struct mxg_prefix internal[3], origins[1];
static const char *const names[] = { "store.example.com", "mx.example.com", ".sub.example.org" };

static struct mxg_trace_rules make_rules(enum mxg_trace_belief belief, unsigned mask)
{
	static const char *const text[] = { "127.0.0.0/8", "::1", "10.1.0.0/16" };
	for (unsigned i = 0; i < 3; i++)
		mxg_prefix_parse(&internal[i], text[i], strlen(text[i]));
	mxg_prefix_parse(&origins[0], "10.9.0.0/16", 11);
	return (struct mxg_trace_rules){ .internal = internal,
					 .internal_count = 3,
					 .origins = origins,
					 .origins_count = 1,
					 .belief = belief,
					 .by = names,
					 .by_count = 3,
					 .mta_mask = mask };
}

static void feed(struct mxg_trace *t, const struct mxg_trace_rules *rules, const char *s, size_t len, size_t piece)
{
	mxg_trace_init(t, rules);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		if (mxg_trace_feed(t, s + at, n) == MXG_TRACE_DONE)
			break;
	}
	mxg_trace_end(t);
}

static char *with_crlf(const char *s)
{
	char *out = test_malloc(2 * strlen(s) + 1), *to = out;
	for (; *s != '\0'; s++) {
		if (*s == '\n' && (to == out || to[-1] != '\r'))
			*to++ = '\r';
		*to++ = *s;
	}
	*to = '\0';
	return out;
}

static void check(const struct mxg_trace *t, size_t i, const char *how)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	mxg_address_format(&t->address, address);
	bool shows = t->outcome != MXG_TRACE_UNREADABLE;
	if (t->outcome != rows[i].outcome || (shows && strcmp(address, rows[i].address) != 0) ||
	    t->hop != rows[i].hop || t->reason != rows[i].reason)
		fail_msg("row %zu %s: %s %s hop %u %s\n%s", i, how, mxg_trace_outcome_name(t->outcome), address, t->hop,
			 mxg_trace_reason_name(t->reason), rows[i].header);
}

static void test_table(void **state)
{
	static struct mxg_trace t;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mxg_trace_rules rules = make_rules(rows[i].belief, rows[i].mta_mask);
		size_t len = strlen(rows[i].header);
		for (size_t piece = 1; piece < 80; piece += 1 + piece / 8) {
			feed(&t, &rules, rows[i].header, len, piece);
			check(&t, i, "in pieces");
		}
		feed(&t, &rules, rows[i].header, len, len + 1);
		check(&t, i, "at once");
		char *crlf = with_crlf(rows[i].header);
		feed(&t, &rules, crlf, strlen(crlf), 7);
		check(&t, i, "with CRLF");
		test_free(crlf);
		rules.all_hops = true;
		feed(&t, &rules, rows[i].header, len, len + 1);
		check(&t, i, "read to the end");
	}
}

static void test_words_of_the_boundary(void **state)
{
	static struct mxg_trace t;
	struct mxg_trace_rules rules = make_rules(ANY, 0);
	feed(&t, &rules, INSIDE OUTSIDE, strlen(INSIDE OUTSIDE), 1000);
	assert_string_equal(t.helo, "spam");
	assert_string_equal(t.hostname, "");
	assert_string_equal(t.by, "mx.example.com");
	assert_string_equal(t.protocol, "ESMTP");
	assert_string_equal(t.for_address, "a@b.example");
	assert_int_equal(t.mta, MXG_MTA_POSTFIX);
	assert_int_equal(t.date, 1795437331);
}

/* Courier, and what nobody has captured, only where it is named. */
static void test_read_where_named_only(void **state)
{
	static const char unheard[] =
		"Received: from h (h [203.0.113.9])\n\tby mx.example.com (Unheard) with ESMTP id 1" DATE;
	static const struct {
		const char *header;
		unsigned mta;
	} named[] = { { COURIER, MXG_MTA_COURIER }, { unheard, MXG_MTA_OTHER } };
	static struct mxg_trace t;
	for (size_t i = 0; i < 2; i++) {
		struct mxg_trace_rules rules = make_rules(NAMED, 0);
		rules.captured_only = true;
		feed(&t, &rules, named[i].header, strlen(named[i].header), 1000);
		assert_int_equal(t.outcome, MXG_TRACE_UNREADABLE);
		assert_int_equal(t.field_reason, MXG_RECEIVED_NOT_NAMED);
		rules.mta_mask = named[i].mta;
		feed(&t, &rules, named[i].header, strlen(named[i].header), 1000);
		assert_int_equal(t.outcome, MXG_TRACE_EXTERNAL);
	}
	struct mxg_trace_rules rules = make_rules(NAMED, 0);
	rules.captured_only = true;
	feed(&t, &rules, OUTSIDE, strlen(OUTSIDE), 1000);
	assert_int_equal(t.outcome, MXG_TRACE_EXTERNAL);
}

struct seen {
	unsigned hops, believed, boundary;
};

static void count_hop(void *context, const struct mxg_trace_hop *hop)
{
	struct seen *seen = context;
	assert_int_equal(hop->number, ++seen->hops);
	if (hop->believed)
		assert_int_equal(hop->number, ++seen->believed);
	if (hop->boundary)
		seen->boundary = hop->number;
}

static void test_hops_below_are_shown_not_believed(void **state)
{
	static struct mxg_trace t;
	struct seen seen = { 0, 0, 0 };
	struct mxg_trace_rules rules = make_rules(ANY, 0);
	rules.all_hops = true;
	rules.on_hop = count_hop;
	rules.context = &seen;
	feed(&t, &rules, INSIDE OUTSIDE FORGED LOGIN REST, strlen(INSIDE OUTSIDE FORGED LOGIN REST), 33);
	assert_int_equal(t.outcome, MXG_TRACE_EXTERNAL);
	assert_int_equal(seen.hops, 4);
	assert_int_equal(seen.believed, 2);
	assert_int_equal(seen.boundary, 2);
}

static void test_many_hops(void **state)
{
	static struct mxg_trace t;
	struct mxg_trace_rules rules = make_rules(ANY, 0);
	mxg_trace_init(&t, &rules);
	unsigned n = 0;
	while (n < 10000 && mxg_trace_feed(&t, INSIDE, strlen(INSIDE)) == MXG_TRACE_MORE)
		n++;
	mxg_trace_end(&t);
	assert_int_equal(t.outcome, MXG_TRACE_TOO_LONG);
	assert_int_equal(t.reason, MXG_TRACE_MANY_HOPS);
	assert_true(n < 210);
}

static void test_many_bytes(void **state)
{
	static struct mxg_trace t;
	static char line[1000];
	struct mxg_trace_rules rules = make_rules(ANY, 0);
	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	line[sizeof(line) - 1] = '\n';
	mxg_trace_init(&t, &rules);
	unsigned n = 0;
	while (n < 100000 && mxg_trace_feed(&t, line, sizeof(line)) == MXG_TRACE_MORE)
		n++;
	mxg_trace_end(&t);
	assert_int_equal(t.outcome, MXG_TRACE_TOO_LONG);
	assert_int_equal(t.reason, MXG_TRACE_MANY_BYTES);
	assert_int_equal(n, MXG_TRACE_BYTES_MAX / sizeof(line));
}

static void test_long_field(void **state)
{
	static struct mxg_trace t;
	static char pad[MXG_TRACE_FIELD_MAX];
	struct mxg_trace_rules rules = make_rules(ANY, 0);
	memset(pad, 'x', sizeof(pad));
	mxg_trace_init(&t, &rules);
	assert_int_equal(mxg_trace_feed(&t, "Received: from ", 15), MXG_TRACE_MORE);
	assert_int_equal(mxg_trace_feed(&t, pad, sizeof(pad)), MXG_TRACE_MORE);
	assert_int_equal(mxg_trace_feed(&t, "\n" FORGED, 1 + strlen(FORGED)), MXG_TRACE_DONE);
	mxg_trace_end(&t);
	assert_int_equal(t.outcome, MXG_TRACE_UNREADABLE);
	assert_int_equal(t.reason, MXG_TRACE_FIELD_TOO_LONG);
	/* below the answer it is nobody's business */
	mxg_trace_init(&t, &rules);
	mxg_trace_feed(&t, OUTSIDE "Received: ", strlen(OUTSIDE "Received: "));
	mxg_trace_feed(&t, pad, sizeof(pad));
	mxg_trace_end(&t);
	assert_int_equal(t.outcome, MXG_TRACE_EXTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_read_where_named_only),
		cmocka_unit_test(test_words_of_the_boundary),
		cmocka_unit_test(test_hops_below_are_shown_not_believed),
		cmocka_unit_test(test_many_hops),
		cmocka_unit_test(test_many_bytes),
		cmocka_unit_test(test_long_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
