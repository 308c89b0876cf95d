/* SPDX-License-Identifier: MIT */
/* Rules of nftables, as `nft list table` prints them: which of them let none but gateways in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/firewall.h"

static bool guards(const char *rules, int family, unsigned port)
{
	char table[2000];
	snprintf(table, sizeof(table),
		 "table inet mxguard {\n\tset gateways4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t}\n\n\tchain door "
		 "{\n"
		 "\t\ttype filter hook input priority filter; policy accept;\n%s\t}\n}\n",
		 rules);
	return mxg_firewall_guards(table, family, port);
}

#define LET "\t\ttcp dport 25 ip saddr @gateways4 accept\n"

static void test_good(void **unused)
{
	(void)unused;
	assert_true(guards(LET "\t\ttcp dport 25 drop\n", 4, 25));
	assert_true(guards(LET "\t\ttcp dport 25 counter packets 5 bytes 300 reject with tcp reset\n", 4, 25));
	assert_true(guards("\t\ttcp dport 25 ip saddr != @gateways4 drop\n", 4, 25));
	assert_true(guards("\t\tct state established,related accept\n\t\tiif \"lo\" accept\n" LET
			   "\t\ttcp dport 25 drop\n",
			   4, 25));
}

static void test_bad(void **unused)
{
	(void)unused;
	assert_false(guards("", 4, 25));
	assert_false(guards(LET, 4, 25));
	assert_false(guards("\t\ttcp dport 25 drop\n" LET, 4, 25)); /* then gateways do not get in: not what is meant */
	assert_false(guards(LET "\t\ttcp dport 25 drop\n", 6, 25)); /* by IPv6 it is open */
	assert_false(guards(LET "\t\ttcp dport 25 drop\n", 4, 2525));
	assert_false(guards(LET "\t\ttcp dport 25 ip saddr 203.0.113.0/24 drop\n", 4, 25));
	assert_false(guards("\t\tip saddr 203.0.113.0/24 accept\n" LET "\t\ttcp dport 25 drop\n", 4, 25));
	assert_false(guards("\t\taccept\n" LET "\t\ttcp dport 25 drop\n", 4, 25));
	assert_false(guards("\t}\n\tchain other {\n" LET "\t\ttcp dport 25 drop\n", 4, 25)); /* nothing leads there */
	assert_false(mxg_firewall_guards(NULL, 4, 25));
}

#define CLOSED LET "\t\ttcp dport 25 drop\n"

/* What lets strangers in without saying so in its first words. */
static void test_ways_around(void **unused)
{
	char long_set[1500] = "\t\ttcp dport { ";
	size_t at = strlen(long_set);
	(void)unused;
	assert_true(guards("\t\tct state { established, related } accept\n" CLOSED, 4, 25));
	assert_true(guards("\t\tct state related accept\n" CLOSED, 4, 25));
	assert_false(guards("\t\tct state new accept\n" CLOSED, 4, 25));
	assert_false(guards("\t\tct state { new, established } accept\n" CLOSED, 4, 25));
	assert_false(guards("\t\tct state != invalid accept\n" CLOSED, 4, 25));
	assert_false(guards("\t\tct state established,related,untracked accept\n" CLOSED, 4, 25));
	assert_false(guards("\t\ttcp dport 25 jump mail\n" CLOSED, 4, 25));
	assert_false(guards("\t\tgoto services\n" CLOSED, 4, 25));
	assert_false(guards("\t\ttcp dport vmap @ports\n" CLOSED, 4, 25));
	assert_false(guards("\t\ttcp dport 25 queue to 0\n" CLOSED, 4, 25));
	while (at < 700)
		at += (size_t)snprintf(long_set + at, sizeof(long_set) - at, "%zu, ", at);
	snprintf(long_set + at, sizeof(long_set) - at, "25 } accept\n%s", CLOSED);
	assert_false(guards(long_set, 4, 25));
	assert_true(guards("\t\ttcp dport 25 ip saddr != @gateways4 drop comment \"jump to accept\"\n", 4, 25));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
					    cmocka_unit_test(test_ways_around) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
