/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct row {
	const char *text;
	unsigned forms;
	const char *want; /* canonical text; NULL: refused */
};

static const struct row rows[] = {
	{ "192.0.2.1", MXG_ADDRESS_BARE, "192.0.2.1" },
	{ "0.0.0.0", MXG_ADDRESS_BARE, "0.0.0.0" },
	{ "255.255.255.255", MXG_ADDRESS_BARE, "255.255.255.255" },
	{ "256.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.1.", MXG_ADDRESS_ANY, NULL },
	{ ".192.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.01", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.0x1", MXG_ADDRESS_ANY, NULL },
	{ "0300.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "3221225985", MXG_ADDRESS_ANY, NULL },
	{ " 192.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.1 ", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.1:25", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.+1", MXG_ADDRESS_ANY, NULL },
	{ "", MXG_ADDRESS_ANY, NULL },
	{ "[]", MXG_ADDRESS_ANY, NULL },
	{ "[", MXG_ADDRESS_ANY, NULL },
	{ "[192.0.2.1]", MXG_ADDRESS_BRACKETED, "192.0.2.1" },
	{ "[192.0.2.1]", MXG_ADDRESS_BARE, NULL },
	{ "192.0.2.1", MXG_ADDRESS_BRACKETED, NULL },
	{ "[192.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "192.0.2.1]", MXG_ADDRESS_ANY, NULL },
	{ "[[192.0.2.1]]", MXG_ADDRESS_ANY, NULL },
	{ "[192.0.2.1]x", MXG_ADDRESS_ANY, NULL },
	{ "IPv6:192.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "2001:db8::1", MXG_ADDRESS_BARE, "2001:db8::1" },
	{ "2001:0DB8:0:0:0:0:0:1", MXG_ADDRESS_BARE, "2001:db8::1" },
	{ "IPv6:2001:db8::1", MXG_ADDRESS_BARE, NULL },
	{ "IPv6:2001:db8::1", MXG_ADDRESS_TAGGED, "2001:db8::1" },
	{ "ipv6:2001:db8::1", MXG_ADDRESS_TAGGED, "2001:db8::1" },
	{ "2001:db8::1", MXG_ADDRESS_TAGGED, NULL },
	{ "[IPv6:2001:db8::1]", MXG_ADDRESS_TAGGED | MXG_ADDRESS_BRACKETED, "2001:db8::1" },
	{ "[IPv6:2001:db8::1]", MXG_ADDRESS_BRACKETED, NULL },
	{ "[2001:db8::1]", MXG_ADDRESS_BRACKETED, "2001:db8::1" },
	{ "IPv6:IPv6:2001:db8::1", MXG_ADDRESS_ANY, NULL },
	{ "IPv6:", MXG_ADDRESS_ANY, NULL },
	{ "::", MXG_ADDRESS_BARE, "::" },
	{ "::1", MXG_ADDRESS_BARE, "::1" },
	{ "1::", MXG_ADDRESS_BARE, "1::" },
	{ "1:2:3:4:5:6:7::", MXG_ADDRESS_BARE, "1:2:3:4:5:6:7:0" },
	{ "::2:3:4:5:6:7:8", MXG_ADDRESS_BARE, "0:2:3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:7:8", MXG_ADDRESS_BARE, "1:2:3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:7:8::", MXG_ADDRESS_ANY, NULL },
	{ "1:2:3:4::5:6:7:8", MXG_ADDRESS_ANY, NULL },
	{ "1:2:3:4:5:6:7:8:9", MXG_ADDRESS_ANY, NULL },
	{ "1:2:3:4:5:6:7", MXG_ADDRESS_ANY, NULL },
	{ "1::2::3", MXG_ADDRESS_ANY, NULL },
	{ ":::", MXG_ADDRESS_ANY, NULL },
	{ ":1", MXG_ADDRESS_ANY, NULL },
	{ "1:", MXG_ADDRESS_ANY, NULL },
	{ ":", MXG_ADDRESS_ANY, NULL },
	{ "12345::", MXG_ADDRESS_ANY, NULL },
	{ "g::", MXG_ADDRESS_ANY, NULL },
	{ "fe80::1%eth0", MXG_ADDRESS_ANY, NULL },
	{ "2001:db8::1/64", MXG_ADDRESS_ANY, NULL },
	{ "2001:db8:0:0:1:0:0:1", MXG_ADDRESS_BARE, "2001:db8::1:0:0:1" },
	{ "2001:db8:0:1:1:1:1:1", MXG_ADDRESS_BARE, "2001:db8:0:1:1:1:1:1" },
	{ "2001:0:0:1:0:0:0:1", MXG_ADDRESS_BARE, "2001:0:0:1::1" },
	{ "::ffff:192.0.2.1", MXG_ADDRESS_BARE, "192.0.2.1" },
	{ "::FFFF:c000:0201", MXG_ADDRESS_BARE, "192.0.2.1" },
	{ "[IPv6:::ffff:192.0.2.1]", MXG_ADDRESS_ANY, "192.0.2.1" },
	{ "0:0:0:0:0:ffff:192.0.2.1", MXG_ADDRESS_BARE, "192.0.2.1" },
	{ "::192.0.2.1", MXG_ADDRESS_BARE, "::c000:201" },
	{ "64:ff9b::192.0.2.1", MXG_ADDRESS_BARE, "64:ff9b::c000:201" },
	{ "::ffff:192.0.2.01", MXG_ADDRESS_ANY, NULL },
	{ "::ffff:192.0.2", MXG_ADDRESS_ANY, NULL },
	{ "::ffff:192.0.2.1:1", MXG_ADDRESS_ANY, NULL },
	{ "1:2:3:4:5:6:7:192.0.2.1", MXG_ADDRESS_ANY, NULL },
	{ "1:2:3:4:5:6:192.0.2.1", MXG_ADDRESS_BARE, "1:2:3:4:5:6:c000:201" },
};

static void test_parse(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mxg_address a, zero;
		char buf[MXG_ADDRESS_TEXT_MAX];
		memset(&zero, 0, sizeof(zero));
		memset(&a, 0x5a, sizeof(a));
		/* an exact copy, so that a read past the end is seen */
		size_t len = strlen(rows[i].text);
		char *exact = test_malloc(len + 1);
		memcpy(exact, rows[i].text, len);
		bool got = mxg_address_parse(&a, exact, len, rows[i].forms);
		test_free(exact);
		if (got != (rows[i].want != NULL))
			fail_msg("%s: %d", rows[i].text, got);
		if (rows[i].want != NULL)
			assert_string_equal(mxg_address_format(&a, buf), rows[i].want);
		else
			assert_true(mxg_address_equal(&a, &zero));
	}
}

static void test_embedded_nul(void **state)
{
	struct mxg_address a;
	assert_false(mxg_address_parse(&a, "192.0.2.1\0", 10, MXG_ADDRESS_ANY));
	assert_false(mxg_address_parse(&a, "192.0.2\0.1", 10, MXG_ADDRESS_ANY));
	assert_false(mxg_address_parse(&a, "[192.0.2.1\0]", 12, MXG_ADDRESS_ANY));
}

/* The system's own reader agrees on everything that we accept. */
static void test_agrees_with_inet_pton(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mxg_address a, b;
		uint8_t bytes[16];
		if (!mxg_address_parse(&a, rows[i].text, strlen(rows[i].text), MXG_ADDRESS_BARE))
			continue;
		int six = strchr(rows[i].text, ':') != NULL;
		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, rows[i].text, bytes), 1);
		mxg_address_from_bytes(&b, six ? 6 : 4, bytes);
		assert_true(mxg_address_equal(&a, &b));
	}
}

static void test_from_bytes(void **state)
{
	static const uint8_t mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 9 };
	struct mxg_address a;
	char buf[MXG_ADDRESS_TEXT_MAX];
	mxg_address_from_bytes(&a, 6, mapped);
	assert_int_equal(a.family, 4);
	assert_string_equal(mxg_address_format(&a, buf), "192.0.2.9");
	mxg_address_from_bytes(&a, 5, mapped);
	assert_int_equal(a.family, 0);
	assert_string_equal(mxg_address_format(&a, buf), "");
}

static void test_from_sockaddr(void **state)
{
	struct mxg_address a;
	char buf[MXG_ADDRESS_TEXT_MAX];
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer = { .in6 = { .sin6_family = AF_INET6 } };
	inet_pton(AF_INET6, "::ffff:198.51.100.7", &peer.in6.sin6_addr);
	assert_true(mxg_address_from_sockaddr(&a, &peer.any));
	assert_string_equal(mxg_address_format(&a, buf), "198.51.100.7");
	peer.in = (struct sockaddr_in){ .sin_family = AF_INET };
	inet_pton(AF_INET, "192.0.2.5", &peer.in.sin_addr);
	assert_true(mxg_address_from_sockaddr(&a, &peer.any));
	assert_string_equal(mxg_address_format(&a, buf), "192.0.2.5");
	peer.in.sin_family = AF_UNIX;
	assert_false(mxg_address_from_sockaddr(&a, &peer.any));
	assert_int_equal(a.family, 0);
}

static const struct {
	const char *text;
	enum mxg_prefix_error error;
	const char *want;
} prefixes[] = {
	{ "192.0.2.0/24", MXG_PREFIX_OK, "192.0.2.0/24" },
	{ "192.0.2.1", MXG_PREFIX_OK, "192.0.2.1/32" },
	{ "0.0.0.0/0", MXG_PREFIX_OK, "0.0.0.0/0" },
	{ "::/0", MXG_PREFIX_OK, "::/0" },
	{ "2001:db8::/32", MXG_PREFIX_OK, "2001:db8::/32" },
	{ "2001:db8::1", MXG_PREFIX_OK, "2001:db8::1/128" },
	{ "192.0.2.1/24", MXG_PREFIX_HOST_BITS, "192.0.2.0/24" },
	{ "192.0.2.129/25", MXG_PREFIX_HOST_BITS, "192.0.2.128/25" },
	{ "2001:db8::1/33", MXG_PREFIX_HOST_BITS, "2001:db8::/33" },
	{ "::ffff:192.0.2.0/120", MXG_PREFIX_OK, "192.0.2.0/24" },
	{ "::ffff:0:0/96", MXG_PREFIX_OK, "0.0.0.0/0" },
	{ "::ffff:192.0.2.1", MXG_PREFIX_OK, "192.0.2.1/32" },
	{ "::ffff:192.0.2.0/24", MXG_PREFIX_BAD_LENGTH, "" },
	{ "::ffff:0:0/95", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2.0/33", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2.0/", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2.0/024", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2.0/+4", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2.0/24/8", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2.0/255.255.255.0", MXG_PREFIX_BAD_LENGTH, "" },
	{ "2001:db8::/129", MXG_PREFIX_BAD_LENGTH, "" },
	{ "192.0.2/24", MXG_PREFIX_BAD_ADDRESS, "" },
	{ "[192.0.2.0]/24", MXG_PREFIX_BAD_ADDRESS, "" },
	{ "/24", MXG_PREFIX_BAD_ADDRESS, "" },
	{ "", MXG_PREFIX_BAD_ADDRESS, "" },
};

static void test_prefix_parse(void **state)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct mxg_prefix p;
		char buf[MXG_PREFIX_TEXT_MAX];
		enum mxg_prefix_error e = mxg_prefix_parse(&p, prefixes[i].text, strlen(prefixes[i].text));
		if (e != prefixes[i].error)
			fail_msg("%s: %d", prefixes[i].text, (int)e);
		assert_string_equal(mxg_prefix_format(&p, buf), prefixes[i].want);
	}
}

static const struct {
	const char *prefix, *address;
	bool want;
} covers[] = {
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.200", true },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/0", "203.0.113.9", false },
	{ "::/0", "::ffff:203.0.113.9", false },
	{ "192.0.2.1", "::ffff:192.0.2.1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::1", "2001:db8::1", true },
	{ "2001:db8::1", "2001:db8::2", false },
};

static void test_prefix_contains(void **state)
{
	for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++) {
		struct mxg_prefix p;
		struct mxg_address a;
		assert_int_equal(mxg_prefix_parse(&p, covers[i].prefix, strlen(covers[i].prefix)), MXG_PREFIX_OK);
		assert_true(mxg_address_parse(&a, covers[i].address, strlen(covers[i].address), MXG_ADDRESS_BARE));
		if (mxg_prefix_contains(&p, &a) != covers[i].want)
			fail_msg("%s %s", covers[i].prefix, covers[i].address);
	}
	struct mxg_prefix none = { { 0, { 0 } }, 0 };
	struct mxg_address nobody = { 0, { 0 } };
	assert_false(mxg_prefix_contains(&none, &nobody)); /* no address matches nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_embedded_nul),
		cmocka_unit_test(test_agrees_with_inet_pton),
		cmocka_unit_test(test_from_bytes),
		cmocka_unit_test(test_from_sockaddr),
		cmocka_unit_test(test_prefix_parse),
		cmocka_unit_test(test_prefix_contains),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
