/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

static uint8_t msg[65535];
static size_t used;
static struct mxg_question question;

static void put(const void *bytes, size_t len)
{
	assert_true(sizeof(msg) - used >= len);
	memcpy(msg + used, bytes, len);
	used += len;
}

static void put16(unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };
	put(b, 2);
}

static void put32(uint32_t v)
{
	put16(v >> 16);
	put16(v & 0xffff);
}

static void put_name(const char *text)
{
	struct mxg_name name = { .len = 1 };
	if (text[0] != '\0')
		assert_true(mxg_name_from_text(&name, text, strlen(text)));
	put(name.wire, name.len);
}

/* header and question for q.test */
static void begin(uint16_t type, unsigned flags)
{
	used = 0;
	assert_true(mxg_name_from_text(&question.name, "q.test", 6));
	question.type = type;
	put16(4711);
	put16(flags);
	put16(1);
	put16(0);
	put16(0);
	put16(0);
	put_name("Q.test"); /* 0x20 */
	put16(type);
	put16(1);
}

/* section 0 answer, 1 authority, 2 additional */
static void record(unsigned section, const char *owner, unsigned type, unsigned class, uint32_t ttl, const void *data,
		   size_t len)
{
	msg[7 + 2 * section]++;
	put_name(owner);
	put16(type);
	put16(class);
	put32(ttl);
	put16((unsigned)len);
	put(data, len);
}

#define A(owner, ttl, bytes) record(0, owner, MXG_DNS_A, 1, ttl, bytes, 4)

static void alias(const char *owner, const char *to)
{
	struct mxg_name name;
	assert_true(mxg_name_from_text(&name, to, strlen(to)));
	record(0, owner, MXG_DNS_CNAME, 1, 50, name.wire, name.len);
}

static void soa(uint32_t ttl, uint32_t minimum)
{
	uint8_t data[22] = { 0 };
	for (size_t i = 0; i < 4; i++)
		data[18 + i] = (uint8_t)(minimum >> (24 - 8 * i));
	record(1, "test", MXG_DNS_SOA, 1, ttl, data, sizeof(data));
}

static struct mxg_reply reply;

static enum mxg_answer_kind parse(void)
{
	free(reply.records.data);
	uint8_t *exact = malloc(used == 0 ? 1 : used); /* a read past the end shows */
	memcpy(exact, msg, used);
	assert_true(mxg_dns_reply_parse(&reply, &question, exact, used));
	free(exact);
	assert_int_equal(reply.kind == MXG_ANSWER_RECORDS ? 1 : 0,
			 reply.records.size > 0 || reply.kind == MXG_ANSWER_RECORDS);
	if (reply.kind != MXG_ANSWER_RECORDS)
		assert_null(reply.records.data);
	return reply.kind;
}

static void is_broken(void)
{
	assert_int_equal(parse(), MXG_ANSWER_FAILED);
	assert_int_equal(reply.failure, MXG_DNS_BROKEN);
}

static void test_query(void **unused)
{
	(void)unused;
	uint8_t buf[512];
	begin(MXG_DNS_MX, 0);
	size_t len = mxg_dns_query(buf, sizeof(buf), &question, 0x1234);
	static const uint8_t want[] = { 0x12, 0x34, 0x01, 0x20, 0, 1, 0, 0, 0,  0,    0,    1, 1, 'q', 4, 't', 'e', 's',
					't',  0,    0,    15,   0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0,   0, 0,   0 };
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(buf, want, len);
	assert_int_equal(mxg_dns_query(buf, len - 1, &question, 1), 0);
	question.name.len = 0;
	assert_int_equal(mxg_dns_query(buf, sizeof(buf), &question, 1), 0);
}

static void test_addresses(void **unused)
{
	(void)unused;
	begin(MXG_DNS_A, 0x81a0);
	A("Q.TEST", 300, "\300\0\2\1");
	A("q.test", 200, "\300\0\2\2");
	A("other.test", 1, "\300\0\2\3");
	record(0, "q.test", MXG_DNS_A, 3, 1, "\300\0\2\4", 4); /* another class */
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_true(reply.ad);
	assert_int_equal(reply.ttl, 200);
	assert_int_equal(reply.records.count, 2);
	assert_int_equal(reply.records.size, 12);
	assert_memory_equal(reply.records.data, "\0\4\300\0\2\1\0\4\300\0\2\2", 12);
	begin(MXG_DNS_A, 0x8180);
	record(0, "q.test", MXG_DNS_A, 1, 300, "\300\0\2", 3);
	is_broken();
	begin(MXG_DNS_AAAA, 0x8180);
	record(0, "q.test", MXG_DNS_AAAA, 1, 300, "0123456789abcdefg", 17);
	is_broken();
	begin(MXG_DNS_A, 0x8180);
	A("q.test", 0x80000000, "\300\0\2\1"); /* RFC 2181 §8 */
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.ttl, 0);
}

static void test_names(void **unused)
{
	(void)unused;
	begin(MXG_DNS_MX, 0x8180);
	record(0, "q.test", MXG_DNS_MX, 1, 300, "\0\12\4MAIL\300\14", 9); /* compressed */
	record(0, "q.test", MXG_DNS_MX, 1, 300, "\0\0\0", 3); /* RFC 7505 */
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_memory_equal(reply.records.data, "\0\17\0\12\4mail\1q\4test\0\0\3\0\0\0", 22);
	static const struct {
		const char *data;
		size_t len;
	} bad[] = { { "\0", 1 },          { "\0\12", 2 },         { "\0\12\1a", 4 },
		    { "\0\12\1a\0x", 6 }, { "\0\12\300\377", 4 }, { "\0\12\100a\0", 5 } };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(MXG_DNS_MX, 0x8180);
		record(0, "q.test", MXG_DNS_MX, 1, 300, bad[i].data, bad[i].len);
		is_broken();
	}
	begin(MXG_DNS_PTR, 0x8180);
	record(0, "q.test", MXG_DNS_PTR, 1, 300, "\300\14", 2);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_memory_equal(reply.records.data, "\0\10\1q\4test", 9);
	begin(MXG_DNS_PTR, 0x8180); /* a pointer to itself */
	record(0, "q.test", MXG_DNS_PTR, 1, 300, "\300\0", 2);
	msg[used - 1] = (uint8_t)(used - 2);
	is_broken();
}

/* Names in SRV records and the bytes of TLSA; what is too short is broken. */
static void test_services(void **unused)
{
	(void)unused;
	begin(MXG_DNS_SRV, 0x8180);
	record(0, "q.test", MXG_DNS_SRV, 1, 300, "\0\12\0\1\0\31\4MAIL\300\14", 13);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_memory_equal(reply.records.data, "\0\23\0\12\0\1\0\31\4mail\1q\4test\0", 21);
	begin(MXG_DNS_SRV, 0x8180);
	record(0, "q.test", MXG_DNS_SRV, 1, 300, "\0\12\0\1\0\31", 6);
	is_broken();
	begin(MXG_DNS_TLSA, 0x8180);
	record(0, "q.test", MXG_DNS_TLSA, 1, 300, "\3\1\1\377", 4);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_memory_equal(reply.records.data, "\0\4\3\1\1\377", 6);
	begin(MXG_DNS_TLSA, 0x8180);
	record(0, "q.test", MXG_DNS_TLSA, 1, 300, "\3\1\1", 3);
	is_broken();
}

static void text(const char *data, size_t len)
{
	record(0, "q.test", MXG_DNS_TXT, 1, 300, data, len);
}

static void test_texts(void **unused)
{
	(void)unused;
	begin(MXG_DNS_TXT, 0x8180);
	text("\5hello", 6);
	text("\3v=s\0\10pf1 -all", 14);
	text("\7v=spf10", 8);
	text("\6V=SPF1", 7);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.records.count, 2);
	assert_memory_equal(reply.records.data, "\0\13v=spf1 -all\0\6V=SPF1", 21);
	begin(MXG_DNS_TXT, 0x8180); /* texts, but none of ours */
	text("\5hello", 6);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.records.count, 0);
	begin(MXG_DNS_TXT, 0x8180); /* without a string, though there must be one: proves nothing, spoils nothing */
	text("", 0);
	text("\6v=spf1", 7);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.records.count, 1);
	begin(MXG_DNS_TXT, 0x8180);
	text("", 0);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.records.count, 0);
	begin(MXG_DNS_TXT, 0x8180);
	text("\6hello", 6);
	is_broken();
}

static void test_restricted(void **unused)
{
	static const struct mxg_reply_rules rules = { .max_ttl = 86400 }, longer = { .max_ttl = 7 * 86400 },
					    validated = { .need_ad = true, .max_ttl = 60 };
	(void)unused;
	struct mxg_reply r = { .kind = MXG_ANSWER_RECORDS, .ttl = 0x7fffffff };
	mxg_reply_restrict(&r, &rules);
	assert_int_equal(r.ttl, 86400);
	r.ttl = 86399;
	mxg_reply_restrict(&r, &rules);
	assert_int_equal(r.ttl, 86399);
	assert_int_equal(mxg_capped_ttl(MXG_ANSWER_RECORDS, 10 * 86400, 7 * 86400), 7 * 86400);
	r = (struct mxg_reply){ .kind = MXG_ANSWER_NXDOMAIN, .ttl = 86400 };
	mxg_reply_restrict(&r, &longer);
	assert_int_equal(r.ttl, 3 * 3600);
	r.kind = MXG_ANSWER_NODATA;
	mxg_reply_restrict(&r, &validated);
	assert_int_equal(r.kind, MXG_ANSWER_FAILED);
	assert_int_equal(r.failure, MXG_DNS_INSECURE);
	r = (struct mxg_reply){ .kind = MXG_ANSWER_NODATA, .ttl = 86400, .ad = true };
	mxg_reply_restrict(&r, &validated);
	assert_int_equal(r.kind, MXG_ANSWER_NODATA);
	assert_int_equal(r.ttl, 60);
}

static void test_large_text(void **unused)
{
	(void)unused;
	static char data[40 * 256];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 256 == 0 ? (char)255 : 'x';
	begin(MXG_DNS_TXT, 0x8180); /* not ours: however large, it does not matter */
	text(data, sizeof(data));
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	memcpy(data + 1, "v=spf1 ", 7);
	begin(MXG_DNS_TXT, 0x8180);
	text(data, 32 * 256); /* 8,160 bytes */
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.records.size, 2 + 32 * 255);
	begin(MXG_DNS_TXT, 0x8180);
	text(data, 33 * 256);
	is_broken();
}

static void test_chain(void **unused)
{
	(void)unused;
	begin(MXG_DNS_A, 0x8180);
	A("b.test", 300, "\300\0\2\1");
	alias("a.test", "b.test"); /* in any order */
	alias("q.test", "A.test");
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.ttl, 50);
	assert_int_equal(reply.records.count, 1);
	for (unsigned links = 8; links <= 9; links++) {
		char from[] = "q.test", to[] = "0.test";
		begin(MXG_DNS_A, 0x8180);
		for (unsigned i = 0; i < links; i++) {
			to[0] = (char)('0' + i);
			alias(from, to);
			from[0] = to[0];
		}
		A(from, 300, "\300\0\2\1");
		if (links == 8)
			assert_int_equal(parse(), MXG_ANSWER_RECORDS);
		else
			is_broken();
	}
	begin(MXG_DNS_A, 0x8180);
	alias("q.test", "a.test");
	alias("a.test", "q.test");
	is_broken();
	begin(MXG_DNS_A, 0x8180);
	alias("q.test", "a.test");
	soa(600, 60);
	assert_int_equal(parse(), MXG_ANSWER_NODATA);
	assert_int_equal(reply.ttl, 50); /* the alias may go before */
	begin(MXG_DNS_A, 0x8183);
	alias("q.test", "a.test");
	soa(600, 20);
	assert_int_equal(parse(), MXG_ANSWER_NXDOMAIN);
	assert_int_equal(reply.ttl, 20);
}

static void test_negative(void **unused)
{
	(void)unused;
	begin(MXG_DNS_A, 0x8183);
	soa(600, 60);
	assert_int_equal(parse(), MXG_ANSWER_NXDOMAIN);
	assert_int_equal(reply.ttl, 60);
	begin(MXG_DNS_A, 0x8180);
	soa(30, 60);
	assert_int_equal(parse(), MXG_ANSWER_NODATA);
	assert_int_equal(reply.ttl, 30);
	begin(MXG_DNS_A, 0x8180);
	assert_int_equal(parse(), MXG_ANSWER_NODATA);
	assert_int_equal(reply.ttl, 0);
	begin(MXG_DNS_A, 0x8180); /* RFC 2308 §2.2: a referral is no answer */
	record(1, "test", 2, 1, 300, "\2ns\0", 4);
	is_broken();
	begin(MXG_DNS_A, 0x8580); /* with authority it is one */
	record(1, "test", 2, 1, 300, "\2ns\0", 4);
	assert_int_equal(parse(), MXG_ANSWER_NODATA);
	begin(MXG_DNS_A, 0x8183); /* neither here nor there */
	A("q.test", 300, "\300\0\2\1");
	is_broken();
}

static void is_failure(unsigned flags, enum mxg_dns_failure failure)
{
	begin(MXG_DNS_A, flags);
	A("q.test", 300, "\300\0\2\1");
	assert_int_equal(parse(), MXG_ANSWER_FAILED);
	assert_int_equal(reply.failure, failure);
}

static void test_failures(void **unused)
{
	(void)unused;
	is_failure(0x8182, MXG_DNS_SERVFAIL);
	is_failure(0x8181, MXG_DNS_SERVFAIL);
	is_failure(0x8184, MXG_DNS_SERVFAIL);
	is_failure(0x8185, MXG_DNS_REFUSED);
	is_failure(0x818f, MXG_DNS_SERVFAIL);
	is_failure(0x8380, MXG_DNS_BROKEN); /* truncated */
	is_failure(0x0180, MXG_DNS_BROKEN); /* a question */
	is_failure(0xa180, MXG_DNS_BROKEN); /* another opcode */
	begin(MXG_DNS_A, 0x8180); /* BADVERS: an RCODE of 0 and its upper bits in the OPT record */
	record(2, "", 41, 1232, 0x01000000, "", 0);
	assert_int_equal(parse(), MXG_ANSWER_FAILED);
	assert_int_equal(reply.failure, MXG_DNS_SERVFAIL);
	begin(MXG_DNS_A, 0x8180); /* an ordinary one */
	A("q.test", 300, "\300\0\2\1");
	record(2, "", 41, 1232, 0x00008000, "", 0);
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
}

static void test_question(void **unused)
{
	(void)unused;
	begin(MXG_DNS_A, 0x8180);
	question.type = MXG_DNS_AAAA;
	is_broken();
	begin(MXG_DNS_A, 0x8180);
	question.name.wire[1] = 'x';
	is_broken();
	begin(MXG_DNS_A, 0x8180);
	msg[used - 1] = 3; /* class */
	is_broken();
	begin(MXG_DNS_A, 0x8180);
	msg[5] = 0;
	is_broken();
	begin(MXG_DNS_A, 0x8180);
	msg[5] = 2;
	put_name("q.test");
	put16(MXG_DNS_A);
	put16(1);
	is_broken();
}

/* Cut anywhere, a reply is broken; with bytes behind it as well. */
static void test_cut(void **unused)
{
	(void)unused;
	begin(MXG_DNS_MX, 0x8180);
	record(0, "q.test", MXG_DNS_MX, 1, 300, "\0\12\4mail\300\14", 9);
	soa(600, 60);
	size_t whole = used;
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	for (used = 0; used < whole; used++)
		is_broken();
	put("x", 1);
	used = whole + 1;
	is_broken();
}

static void test_many(void **unused)
{
	(void)unused;
	begin(MXG_DNS_A, 0x8180);
	for (unsigned i = 0; i < 2000; i++)
		put("\300\14\0\1\0\1\0\0\1\54\0\4\300\0\2\1", 16);
	msg[6] = 1000 >> 8;
	msg[7] = 1000 & 0xff;
	used -= 1000 * 16;
	assert_int_equal(parse(), MXG_ANSWER_RECORDS);
	assert_int_equal(reply.records.count, 1000);
	used += 1000 * 16;
	msg[6] = 2000 >> 8;
	msg[7] = 2000 & 0xff;
	is_broken();
}

static void test_rrset(void **unused)
{
	(void)unused;
	static const uint8_t data[] = { 0, 1, 'a', 0, 0, 0, 5, 'x' };
	const uint8_t *item;
	size_t at = 0, len;
	assert_true(mxg_rrset_next(data, sizeof(data), &at, &item, &len));
	assert_int_equal(len, 1);
	assert_true(mxg_rrset_next(data, sizeof(data), &at, &item, &len));
	assert_int_equal(len, 0);
	assert_false(mxg_rrset_next(data, sizeof(data), &at, &item, &len)); /* damaged */
	at = 7;
	assert_false(mxg_rrset_next(data, sizeof(data), &at, &item, &len));
	at = 99;
	assert_false(mxg_rrset_next(data, sizeof(data), &at, &item, &len));
}

static int drop(void **unused)
{
	(void)unused;
	free(reply.records.data);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),    cmocka_unit_test(test_addresses),  cmocka_unit_test(test_names),
		cmocka_unit_test(test_texts),    cmocka_unit_test(test_restricted), cmocka_unit_test(test_large_text),
		cmocka_unit_test(test_chain),    cmocka_unit_test(test_negative),   cmocka_unit_test(test_failures),
		cmocka_unit_test(test_question), cmocka_unit_test(test_cut),        cmocka_unit_test(test_many),
		cmocka_unit_test(test_rrset),    cmocka_unit_test(test_services),
	};
	return cmocka_run_group_tests(tests, NULL, drop);
}
