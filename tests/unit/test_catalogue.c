/* SPDX-License-Identifier: MIT */
/* data/vendors.conf, and what is refused in such a file. Its path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/catalogue.h"

#define ROOM 65536

static const char *path;

static struct mxg_catalogue *parse(const char *text, char message[500])
{
	return mxg_catalogue_parse(text, strlen(text), "vendors", message, 500);
}

static struct mxg_catalogue *shipped(void)
{
	static char text[ROOM];
	char message[500];
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, ROOM - 1, f);
	fclose(f);
	assert_in_range(n, 5000, ROOM - 2);
	text[n] = '\0';
	struct mxg_catalogue *c = parse(text, message);
	if (c == NULL)
		fail_msg("%s", message);
	return c;
}

/* What the parser demands of each block (complete, https sources, dates, terms, no MX of two vendors)
 * is demanded of this file by reading it; the rest is looked at here. */
static void test_shipped(void **state)
{
	struct mxg_catalogue *c = shipped();
	size_t with_terms = 0;
	assert_true(c->count >= 20);
	for (size_t i = 0; i < c->count; i++) {
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(c->items[i].name, c->items[k].name);
		with_terms += c->items[i].allow != NULL;
		if (c->items[i].allow == NULL && c->items[i].notes == NULL)
			fail_msg("%s: neither terms nor a word about where they are", c->items[i].name);
	}
	assert_true(with_terms >= 10);
	mxg_catalogue_free(c);
}

/* Each pattern is found again by a host below it, as its own vendor's. */
static void test_every_pattern_is_found(void **state)
{
	struct mxg_catalogue *c = shipped();
	char host[300], allow[MXG_VENDOR_ALLOW_MAX];
	for (size_t i = 0; i < c->count; i++) {
		for (size_t k = 0; k < c->items[i].mx.count; k++) {
			const char *pattern = c->items[i].mx.items[k];
			snprintf(host, sizeof(host), "%s%s", pattern[0] == '.' ? "mx1.customer" : "", pattern);
			assert_ptr_equal(mxg_catalogue_find(c, host), &c->items[i]);
			assert_int_equal(mxg_vendor_allow(&c->items[i], host, allow), c->items[i].allow != NULL);
		}
	}
	mxg_catalogue_free(c);
}

static void test_whose_host(void **state)
{
	static const struct {
		const char *host, *vendor, *allow;
	} cases[] = {
		{ "aspmx.l.google.com", "Google Workspace",
		  "include:_spf.google.com ptr:unverified-forwarding.1e100.net" },
		{ "alt2.aspmx.l.google.com", "Google Workspace",
		  "include:_spf.google.com ptr:unverified-forwarding.1e100.net" },
		{ "example-com.mail.protection.outlook.com", "Microsoft 365", "include:spf.protection.outlook.com" },
		{ "eu-smtp-inbound-1.mimecast.com", "Mimecast", "include:_netblocks.mimecast.com" },
		{ "mx1.hc1234-56.iphmx.com", "Cisco Secure Email Cloud Gateway",
		  "exists:%{i}.spf.hc1234-56.iphmx.com" },
		{ "mx1.hc1419-85.eu.iphmx.com", "Cisco Secure Email Cloud Gateway",
		  "exists:%{i}.spf.hc1419-85.eu.iphmx.com" },
		{ "mx1.iphmx.com", "Cisco Secure Email Cloud Gateway", NULL }, /* no customer in the name */
		{ "mx1.%{s}.iphmx.com", "Cisco Secure Email Cloud Gateway", NULL }, /* a name may hold anything */
		{ "mx0a-00123456.pphosted.com", "Proofpoint on Demand", NULL },
		{ "mimecast.com", NULL, NULL },
		{ "notmimecast.com", NULL, NULL },
		{ "mail.protection.outlook.com.evil.example", NULL, NULL },
		{ "", NULL, NULL },
	};
	struct mxg_catalogue *c = shipped();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char allow[MXG_VENDOR_ALLOW_MAX];
		const struct mxg_vendor *v = mxg_catalogue_find(c, cases[i].host);
		print_message("%s\n", cases[i].host);
		assert_int_equal(v != NULL, cases[i].vendor != NULL);
		if (v == NULL)
			continue;
		assert_string_equal(v->name, cases[i].vendor);
		assert_int_equal(mxg_vendor_allow(v, cases[i].host, allow), cases[i].allow != NULL);
		if (cases[i].allow != NULL)
			assert_string_equal(allow, cases[i].allow);
	}
	mxg_catalogue_free(c);
}

#define BEGIN "vendors = ( { name = \"A\"; mx = [ \".a.example\" ]; "
#define END "shared = true; source = \"https://a.example/x\"; date = \"2026-11-29\"; } );"
#define TERMS "allow = \"include:spf.a.example\"; documented = \"delivery\"; "

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "", "vendors" },
		{ "vendors = \"x\";", "vendors" },
		{ BEGIN END " more = 1;", "vendors" },
		{ "vendors = ( { name = \"A\"; mx = [ \".a.example\" ]; } );", "complete" },
		{ "vendors = ( { name = \"A\"; mx = [ ]; " END, "complete" },
		{ BEGIN "colour = \"red\"; " END, "no setting" },
		{ BEGIN "allow = \"include:spf.a.example\"; " END, "both or none" },
		{ BEGIN "documented = \"sending\"; " END, "both or none" },
		{ BEGIN "allow = \"inclood:spf.a.example\"; documented = \"sending\"; " END, "RFC 7208" },
		{ BEGIN "allow = \"ip4:0.0.0.0/0\"; documented = \"sending\"; " END, "RFC 7208" },
		{ BEGIN "allow = \"include:spf.%{s}\"; documented = \"sending\"; " END, "RFC 7208" },
		{ BEGIN "allow = \"mx  a\"; documented = \"sending\"; " END, "RFC 7208" },
		{ BEGIN TERMS "documented = \"x\"; " END, "second time" },
		{ BEGIN "allow = \"mx\"; documented = \"rumour\"; " END, "delivery" },
		{ BEGIN "notes = \"a \\\" b\"; " END, "quotes" },
		{ BEGIN "notes = \"a \\n b\"; " END, "quotes" },
		{ BEGIN "shared = \"yes\"; source = \"https://a.example/\"; date = \"2026-11-29\"; } );",
		  "true or false" },
		{ BEGIN "shared = true; source = \"http://a.example/\"; date = \"2026-11-29\"; } );", "https" },
		{ BEGIN "shared = true; source = \"https://a.example/\"; date = \"29.11.2026\"; } );", "date" },
		{ BEGIN "shared = true; source = \"https://a.example/\"; date = \"2026-13-01\"; } );", "date" },
		{ "vendors = ( { name = \"A\"; mx = [ \".a.example\" ]; shared = true; source = "
		  "\"https://a.example/\"; "
		  "date = \"2026-11-29\"; }, { name = \"B\"; mx = [ \"mx.a.example\" ]; " END,
		  "which A has as well" },
	};
	char message[500];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mxg_catalogue *c = parse(cases[i].text, message);
		if (c != NULL || strstr(message, cases[i].word) == NULL)
			fail_msg("%s: \"%s\"", cases[i].text, message);
	}
	struct mxg_catalogue *good = parse(BEGIN TERMS END, message);
	assert_non_null(good);
	mxg_catalogue_free(good);
	mxg_catalogue_free(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_every_pattern_is_found),
		cmocka_unit_test(test_whose_host),
		cmocka_unit_test(test_mistakes),
	};
	path = argv[argc - 1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
