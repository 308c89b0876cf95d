/* SPDX-License-Identifier: MIT */
/* mxguard.conf(5): what is read from it, and what is said about mistakes in it. Messages
 * are written by hand, from the manual's promise: file:line, setting, found, expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <libconfig.h> /* its version only */

#include "check/removed_field.h"
#include "policy/policy.h"

/* libconfig drops the string that a syntax error stands behind. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char message[1000];

static struct mxguard_policy *parse(const char *text)
{
	struct mxguard_policy *policy = NULL;
	int result = mxguard_policy_parse(&policy, text, strlen(text), "t.conf", 0, message, sizeof(message));
	assert_string_equal(message, "");
	assert_int_equal(result, MXGUARD_ERROR_NONE);
	assert_non_null(policy);
	return policy;
}

/* ---- mistakes ------------------------------------------------------------------------------------ */

struct mistake {
	const char *text, *message;
};

#define GATEWAY(term) "gateways = ( { name = \"g\"; allow = \"" term "\"; } );"

#define NEIGHBOURS(line, first, second) \
	"t.conf:" line ": found \"" first "\" and \"" second \
	"\" with nothing between them; expected a comma in a list, a semicolon behind a value, or one string"

static const struct mistake mistakes[] = {
	/* syntax and libconfig's traps */
	{ "mode = \"off\"\nmode = \"monitor\";",
	  "t.conf:2: found \"mode = \"monitor\";\", a setting for the second time; expected each once" },
	{ "\nmode \"off\";", "t.conf:2: found a syntax error in or before \"mode \"off\";\"; expected name = value; and text in quotes, no comma at the end of a list" },
	{ "exempt = [ \"a@\", 1 ];", "t.conf:1: found values of different types in one list; expected strings only" },
	{ "mode = \"off\";\n@include \"/etc\"\n", "t.conf:2: found @include; expected all settings in this file" },
	{ "mode = \"off\"; @include \"/etc\"\n", "t.conf:1: found @include; expected all settings in this file" },
	{ "\t@include \"/etc\"", "t.conf:1: found @include; expected all settings in this file" },
	{ "/* a\n*/ @include \"/etc\"", "t.conf:2: found @include; expected all settings in this file" },
	{ "mode = \"off\";\n/* what follows\ntag = \"always\";\n",
	  "t.conf:2: found a comment that does not end; expected */" },
	{ "mode = \"off\";\n/*/", "t.conf:2: found a comment that does not end; expected */" },
	{ "tag = \"always\";\nmode = \"off;\n", "t.conf:2: found a string that does not end; expected a closing \"" },
	{ "mode = \"off\\\"", "t.conf:1: found a string that does not end; expected a closing \"" },
	{ "\nhostname = \"a\\x00b\";", "t.conf:2: found \\x00 in a string; expected text" },
	/* strings that libconfig would join */
	{ "exempt = [ \"postmaster@\" \"abuse@\" ];", NEIGHBOURS("1", "postmaster@", "abuse@") },
	{ "\nexempt = [\n\"a@\",\n\"b@\"\n\"c@\" ];", NEIGHBOURS("5", "b@", "c@") },
	{ "domains = ( \"a.example\"\"b.example\" );", NEIGHBOURS("1", "a.example", "b.example") },
	{ "exempt = [ \"a@\" /* , */ \"b@\" ];", NEIGHBOURS("1", "a@", "b@") },
	{ "exempt = [ \"a@\" # ,\n // ,\n\f\"b@\" ];", NEIGHBOURS("3", "a@", "b@") },
	{ "reply_text = \"a \"\n \"b\";", NEIGHBOURS("2", "a ", "b") },
	{ "reply_text = \"a\\\"\" \"b\";", NEIGHBOURS("1", "a\\\"", "b") },
	{ "mode = \"off\" \"\";", NEIGHBOURS("1", "off", "") },
	{ "gateways = ( { name = \"a\"; allow = \"mx \" \"a\"; } );", NEIGHBOURS("1", "mx ", "a") },
	{ "gateways = ( { header = { value = \"secret\" \"word\"; } } );",
	  "t.conf:1: found a value of two strings; expected one" },
	/* what libconfig refuses itself */
	{ "dns = { timeout = \"1s\";\n timeout = \"2s\"; };",
	  "t.conf:2: found \"timeout = \"2s\"; };\", a setting for the second time; expected each once" },
	{ "mode = \"off\";\ngarbage", "t.conf:3: found a syntax error in or before \"\"; expected name = value; and text in quotes, no comma at the end of a list" },
	{ "mode = \"off\";\n}", "t.conf:2: found a syntax error in or before \"}\"; expected name = value; and text in quotes, no comma at the end of a list" },
	{ "mode = \"off\";\n5", "t.conf:2: found a syntax error in or before \"5\"; expected name = value; and text in quotes, no comma at the end of a list" },
	{ "exempt = [ \"a@\", ];",
	  "t.conf:1: found a syntax error in or before \"exempt = [ \"a@\", ];\"; expected name = value; and text in quotes, no comma at the end of a list" },
	/* types */
	{ "mode = 1;", "t.conf:1: mode: found an integer; expected \"off\", \"monitor\" or \"enforce\"" },
	{ "dns = { timeout = 99999999999999999999; };",
	  "t.conf:1: found \"99999999999999999999\"; expected a number of at most 9 digits" },
	{ "dns = { timeout = 4294967297L; };",
	  "t.conf:1: found \"4294967297L\"; expected a plain decimal number, or text in quotes" },
	{ "dns = { timeout = 1e3; };", "t.conf:1: found \"1e3\"; expected a plain decimal number, or text in quotes" },
	{ "dns = {\n timeout = 0x1f; };",
	  "t.conf:2: found \"0x1f\"; expected a plain decimal number, or text in quotes" },
	{ "dns = {\n timeout = 010; };", "t.conf:2: found \"010\"; expected a decimal number without a zero in front" },
	{ "dns = { timeout = -010; };", "t.conf:1: found \"-010\"; expected a decimal number without a zero in front" },
	{ "dns = { timeout = 5; };",
	  "t.conf:1: dns.timeout: found an integer; expected a time from \"1ms\" to \"300s\", such as \"5s\"" },
	{ "dns = {\n timeout = 5.0; };",
	  "t.conf:2: dns.timeout: found a decimal number; expected a time from \"1ms\" to \"300s\", such as \"5s\"" },
	{ "mode = true;", "t.conf:1: mode: found true; expected \"off\", \"monitor\" or \"enforce\"" },
	{ "mode = [ \"off\" ];", "t.conf:1: mode: found a list; expected \"off\", \"monitor\" or \"enforce\"" },
	{ "dns = \"5s\";", "t.conf:1: dns: found \"5s\"; expected a group { }" },
	{ "trace = [ ];", "t.conf:1: trace: found a list; expected a group { }" },
	{ "dns = { require_dnssec = \"yes\"; };",
	  "t.conf:1: dns.require_dnssec: found \"yes\"; expected true or false" },
	{ "exempt = \"postmaster@\";",
	  "t.conf:1: exempt: found \"postmaster@\"; expected a list of addresses, such as [ \"postmaster@\" ]" },
	{ "gateways = { };", "t.conf:1: gateways: found a group { }; expected a list such as ( { name = \"filters\"; "
			     "allow = \"mx\"; } )" },
	{ "internal = \"10.0.0.1\";",
	  "t.conf:1: internal: found \"10.0.0.1\"; expected a list of ranges, such as [ \"192.0.2.0/24\" ]" },
	{ "internal = [ 10 ];", "t.conf:1: internal: found an integer; expected an address or a range" },
	/* unknown settings */
	{ "gatways = ( );", "t.conf:1: gatways: found an unknown setting; expected perhaps gateways" },
	{ "domain = [ ];", "t.conf:1: domain: found an unknown setting; expected perhaps domains" },
	{ "dns = { time_out = \"5s\"; };",
	  "t.conf:1: dns.time_out: found an unknown setting; expected perhaps timeout" },
	{ "whitelist = [ ];",
	  "t.conf:1: whitelist: found an unknown setting; expected one of those in mxguard.conf(5)" },
	{ "policies = ( { domains = [ \"a.example\" ]; settle = \"1d\"; } );",
	  "t.conf:1: policies.settle: found it in a wrong place; expected it in the group dns { }" },
	{ "policies = ( { domains = [ \"a.example\" ];\n state_dir = \"/x\"; } );",
	  "t.conf:2: policies.state_dir: found it in a block of policies; expected it outside: it is for all domains" },
	{ "gateways = ( { name = \"g\"; alow = \"mx\"; } );",
	  "t.conf:1: gateways.alow: found an unknown setting; expected perhaps allow" },
	{ "on_alarm = \"\";", "t.conf:1: on_alarm: found \"\"; expected a command of 1 to 4000 bytes, such as "
			      "\"/usr/local/sbin/tell-me\"" },
	{ "policies = ( { domains = [ \"a.example\" ];\n on_alarm = \"/x\"; } );",
	  "t.conf:2: policies.on_alarm: found it in a block of policies; expected it outside: it is for all domains" },
	/* words */
	{ "mode = \"Enforce\";", "t.conf:1: mode: found \"Enforce\"; expected \"off\", \"monitor\" or \"enforce\"" },
	{ "on_direct = \"bounce\";", "t.conf:1: on_direct: found \"bounce\"; expected \"accept\", \"tag\", "
				     "\"quarantine\", \"defer\" or \"reject\"" },
	{ "on_untraced = \"reject\";",
	  "t.conf:1: on_untraced: found \"reject\"; expected \"unknown\", \"accept\" or \"direct\"" },
	{ "retrieved = \"direct\";", "t.conf:1: retrieved: found \"direct\"; expected \"accept\" or \"unknown\"" },
	{ "resubmitted = \"direct\";", "t.conf:1: resubmitted: found \"direct\"; expected \"unknown\" or \"accept\"" },
	{ "tag = \"\";", "t.conf:1: tag: found \"\"; expected \"never\", \"not-accepted\" or \"always\"" },
	/* durations */
	{ "dns = { timeout = \"0s\"; };",
	  "t.conf:1: dns.timeout: found \"0s\"; expected a time from \"1ms\" to \"300s\", such as \"5s\"" },
	{ "dns = { timeout = \"301s\"; };",
	  "t.conf:1: dns.timeout: found \"301s\"; expected a time from \"1ms\" to \"300s\", such as \"5s\"" },
	{ "dns = { timeout = \"5\"; };",
	  "t.conf:1: dns.timeout: found \"5\"; expected a time from \"1ms\" to \"300s\", such as \"5s\"" },
	{ "dns = { timeout = \" 5s\"; };",
	  "t.conf:1: dns.timeout: found \" 5s\"; expected a time from \"1ms\" to \"300s\", such as \"5s\"" },
	{ "dns = { grace = \"500ms\"; };", "t.conf:1: dns.grace: found \"500ms\"; expected whole seconds up to a year, "
					   "such as \"90s\", \"12h\" or \"2d\"" },
	{ "dns = { max_ttl = \"1500ms\"; };", "t.conf:1: dns.max_ttl: found \"1500ms\"; expected whole seconds "
					      "up to a year, such as \"90s\", \"12h\" or \"2d\"" },
	{ "dns = { settle = \"9999999999w\"; };", "t.conf:1: dns.settle: found \"9999999999w\"; expected whole seconds "
						  "up to a year, such as \"90s\", \"12h\" or \"2d\"" },
	/* addresses */
	{ "internal = [ \"10.1.2.3/24\" ];",
	  "t.conf:1: internal: found \"10.1.2.3/24\" with host bits set; expected \"10.1.2.0/24\"" },
	{ "origins = [ \"10.0.0.0/8\",\n \"0.0.0.0/0\" ];",
	  "t.conf:2: origins: found \"0.0.0.0/0\"; expected hosts of your own, not every host there is" },
	{ "internal = [ \"::/0\" ];",
	  "t.conf:1: internal: found \"::/0\"; expected hosts of your own, not every host there is" },
	{ "internal = [ \"10.0.0.0/33\" ];",
	  "t.conf:1: internal: found \"10.0.0.0/33\"; expected a prefix length of 0 to 32 (IPv4) or 128 (IPv6)" },
	{ "self = [ \"mail.example.com\" ];",
	  "t.conf:1: self: found \"mail.example.com\"; expected an address or a range, such as \"192.0.2.0/24\"" },
	{ "self = [ \"010.0.0.1\" ];",
	  "t.conf:1: self: found \"010.0.0.1\"; expected an address or a range, such as \"192.0.2.0/24\"" },
	{ "dns = { servers = [ ]; };", "t.conf:1: dns.servers: found 0 servers; expected 1 to 16" },
	{ "dns = { servers = [ \"127.0.0.1\",\n\n \"ns.example\" ]; };",
	  "t.conf:3: dns.servers: found \"ns.example\"; expected an address with an optional port, such as "
	  "\"127.0.0.1\" or "
	  "\"[::1]:5353\"" },
	{ "dns = { servers = [ \"127.0.0.1:0\" ]; };", "t.conf:1: dns.servers: found \"127.0.0.1:0\"; expected an "
						       "address with an optional port, such as \"127.0.0.1\" or "
						       "\"[::1]:5353\"" },
	{ "dns = { servers = [ \"fe80::1%eth0\" ]; };", "t.conf:1: dns.servers: found \"fe80::1%eth0\"; expected an "
							"address with an optional port, such as \"127.0.0.1\" or "
							"\"[::1]:5353\"" },
	/* gateways */
	{ "mode = \"enforce\";\ngateways = ( );", "t.conf:2: gateways: found no gateways in enforce mode, which would "
						  "refuse everything; expected at least one in "
						  "gateways" },
	{ "\nmode = \"enforce\";",
	  "t.conf:2: mode: found no gateways in enforce mode, which would refuse everything; expected at least one in "
	  "gateways" },
	{ "policies = (\n { domains = [ \"a.example\" ];\n mode = \"enforce\"; } );",
	  "t.conf:3: policies.mode: found no gateways in enforce mode, which would refuse everything; expected at "
	  "least one "
	  "in gateways" },
	{ "mode = \"enforce\"; " GATEWAY("mx") "\npolicies = ( { domains = [ \"a.example\" ];\n gateways = ( ); } );",
	  "t.conf:3: policies.gateways: found no gateways in enforce mode, which would refuse everything; expected at "
	  "least "
	  "one in gateways" },
	{ "gateways = ( \"mx\" );",
	  "t.conf:1: gateways: found \"mx\"; expected a group such as { name = \"filters\"; allow = \"mx\"; }" },
	{ "gateways = (\n { allow = \"mx\"; } );",
	  "t.conf:2: gateways: found a gateway without a name; expected name = \"...\"" },
	{ "gateways = (\n { name = \"g\"; } );",
	  "t.conf:2: gateways: found a gateway without terms; expected allow = \"...\"" },
	{ GATEWAY(" \t"), "t.conf:1: gateways.allow: found \" \\x09\"; expected at least one term, such as \"mx\"" },
	{ "gateways = ( { name = \"my filters\"; allow = \"mx\"; } );",
	  "t.conf:1: gateways.name: found \"my filters\"; expected 1 to 64 letters, digits, dots, hyphens and "
	  "underscores" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; },\n { name = \"g\"; allow = \"a\"; } );",
	  "t.conf:2: gateways.name: found \"g\" for the second time; expected a name of its own for each gateway" },
	{ GATEWAY("mx ip4:192.0.2.10/24"),
	  "t.conf:1: gateways.allow: found \"ip4:192.0.2.10/24\" with host bits set; expected \"ip4:192.0.2.0/24\"" },
	{ GATEWAY("ip6:2001:db8::1/32"),
	  "t.conf:1: gateways.allow: found \"ip6:2001:db8::1/32\" with host bits set; expected \"ip6:2001:db8::/32\"" },
	{ GATEWAY("192.0.2.10"), "t.conf:1: gateways.allow: found \"192.0.2.10\"; expected \"ip4:192.0.2.10\"" },
	{ GATEWAY("2001:db8::1"), "t.conf:1: gateways.allow: found \"2001:db8::1\"; expected \"ip6:2001:db8::1\"" },
	{ GATEWAY("-all"), "t.conf:1: gateways.allow: found \"-all\"; expected a term of RFC 7208: only '+' (or no) "
			   "qualifier: an entry says who is a gateway" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\n  ip4:1.2.3\"; } );",
	  "t.conf:1: gateways.allow: found \"ip4:1.2.3\"; expected a term of RFC 7208: at \"1.2.3\", this is not an "
	  "IPv4 "
	  "address" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { name = \"X-Token\"; }; } );",
	  "t.conf:1: gateways.header: found neither value nor value_file; expected one of value and value_file" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { name = \"X\"; value = \"a\"; value_file = \"/b\"; "
	  "}; } );",
	  "t.conf:1: gateways.header: found both value and value_file; expected one of value and value_file" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { value = \"a\"; }; } );",
	  "t.conf:1: gateways.header: found no name; expected the header field's name" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { name = \"Received\"; value = \"a\"; }; } );",
	  "t.conf:1: gateways.header.name: found \"Received\"; expected a header field of its own, such as "
	  "\"X-Gateway-Token\"" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { name = \"X-A\"; value = \"s3cret\\n\"; }; } );",
	  "t.conf:1: gateways.header.value: found a value that no header field can hold; expected 1 to 800 printable "
	  "ASCII "
	  "characters" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { name = \"X-A\"; value_file = \"token\"; }; } );",
	  "t.conf:1: gateways.header.value_file: found \"token\"; expected an absolute path" },
	{ "gateways = ( { name = \"g\"; allow = \"mx\"; header = { name = \"X-A\"; value_file = \"/nonexistent/t\"; }; "
	  "} );",
	  "t.conf:1: gateways.header.value_file: \"/nonexistent/t\": found no such file; expected a regular file" },
	{ "gateways = ( { name = \"g\"; certificate = { verified = true; }; } );",
	  "t.conf:1: gateways.certificate: found neither fingerprint nor subject; expected one of them: any client has "
	  "some certificate" },
	{ "gateways = ( { name = \"g\"; certificate = { subject = \"/CN=a\"; }; } );",
	  "t.conf:1: gateways.certificate.subject: found \"/CN=a\"; expected a common name of 1 to 255 printable "
	  "bytes, "
	  "such as \"mail.filter.example\"" },
	{ "gateways = ( { name = \"g\"; certificate = { fingerprint = \"5a:5b\"; }; } );",
	  "t.conf:1: gateways.certificate.fingerprint: found \"5a:5b\"; expected the SHA-256 of a certificate or "
	  "public "
	  "key, 64 hexadecimal digits with or without colons" },
	{ "gateways = ( { name = \"g\"; certificate = { finger = \"\"; }; } );",
	  "t.conf:1: gateways.certificate.finger: found an unknown setting; expected fingerprint, subject or "
	  "verified" },
	{ "gateways = ( { name = \"g\"; cert = { }; } );",
	  "t.conf:1: gateways.cert: found an unknown setting; expected name, allow, header, "
	  "certificate or origin" },
	/* names */
	{ "domains = [ \"a.example\", \"b..example\" ];",
	  "t.conf:1: domains: found \"b..example\"; expected a domain name" },
	{ "domains = [ \".example\" ];", "t.conf:1: domains: found \".example\"; expected a domain name" },
	{ "domains = [ \"192.0.2.1\" ];", "t.conf:1: domains: found \"192.0.2.1\"; expected a domain name" },
	{ "default_domain = \"exa mple.com\";",
	  "t.conf:1: default_domain: found \"exa mple.com\"; expected a domain name" },
	{ "trace = { by = [ \"..a\" ]; };", "t.conf:1: trace.by: found \"..a\"; expected a domain name or .suffix" },
	{ "trace = { mta = [ \"postfiks\" ]; };", "t.conf:1: trace.mta: found \"postfiks\"; expected an MTA's name, "
						  "such as \"postfix\" or \"exim\"; mxguard.conf(5) "
						  "lists them" },
	{ "exempt = [ \"@example.com\" ];",
	  "t.conf:1: exempt: found \"@example.com\"; expected \"user@example.com\", or \"user@\" for every domain" },
	{ "exempt = [ \"postmaster\" ];",
	  "t.conf:1: exempt: found \"postmaster\"; expected \"user@example.com\", or \"user@\" for every domain" },
	{ "exempt = [ \"a b@\" ];",
	  "t.conf:1: exempt: found \"a b@\"; expected \"user@example.com\", or \"user@\" for every domain" },
	/* paths and texts */
	{ "domains_file = \"domains\";", "t.conf:1: domains_file: found \"domains\"; expected an absolute path" },
	{ "state_dir = \"\";", "t.conf:1: state_dir: found \"\"; expected an absolute path" },
	{ "authserv_id = \"a b\";", "t.conf:1: authserv_id: found \"a b\"; expected a name of 1 to 253 letters, "
				    "digits, dots, hyphens and underscores" },
	{ "reply_text = \"two\\r\\nlines\";", "t.conf:1: reply_text: found \"two\\x0d\\x0alines\"; expected one line "
					      "of 1 to 450 bytes of printable text without a status code" },
	{ "reply_text = \"550 5.7.1 go away\";",
	  "t.conf:1: reply_text: found \"550 5.7.1 go away\"; expected one line of "
	  "1 to 450 bytes of printable text without a status code" },
	{ "reply_text = \"5.7.1 go away\";", "t.conf:1: reply_text: found \"5.7.1 go away\"; expected one line of 1 to "
					     "450 bytes of printable text without a status code" },
	{ "reply_text = \"\xff\";", "t.conf:1: reply_text: found \"\\xff\"; expected one line of 1 to 450 bytes of "
				    "printable text without a status code" },
	{ "reply_text = \"\xc0\xaf\";", "t.conf:1: reply_text: found \"\\xc0\\xaf\"; expected one line of 1 to 450 "
					"bytes of printable text without a status code" },
	{ "quarantine_mailbox = \"\";",
	  "t.conf:1: quarantine_mailbox: found \"\"; expected a mailbox name of 1 to 255 bytes of printable text, not "
	  "INBOX" },
	{ "quarantine_mailbox = \"inBox\";",
	  "t.conf:1: quarantine_mailbox: found \"inBox\"; expected a mailbox name of 1 to 255 bytes of printable text, "
	  "not INBOX" },
	/* blocks */
	{ "policies = (\n { mode = \"off\"; } );",
	  "t.conf:2: policies: found a block without domains; expected domains = [ ... ]" },
	{ "policies = ( { domains = [ ]; } );",
	  "t.conf:1: policies.domains: found an empty list; expected the domains that the block is for" },
	{ "policies = ( { domains = \"a.example\"; } );",
	  "t.conf:1: policies.domains: found \"a.example\"; expected a list of names, such as [ \"example.com\" ]" },
	{ "policies = ( { domains = [ \"a.example\" ]; },\n { domains = [ \"b.example\",\n   \"A.Example.\" ]; } );",
	  "t.conf:3: policies.domains: found \"a.example\" for the second time; expected each domain in one place (it "
	  "stands "
	  "in line 1)" },
	{ "policies = ( { domains = [ \"*.example\" ]; } );",
	  "t.conf:1: policies.domains: found \"*.example\"; expected a domain name or .suffix" },
};

static void test_mistakes(void **context)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct mxguard_policy *policy = (void *)1;
		const char *text = mistakes[i].text;
		int result = mxguard_policy_parse(&policy, text, strlen(text), "t.conf", 0, message, sizeof(message));
		assert_string_equal(message, mistakes[i].message);
		assert_int_equal(result, MXGUARD_ERROR_CONFIG);
		assert_null(policy);
	}
}

static void test_nul(void **context)
{
	static const char text[] = "mode = \"off\";\n\0mode = \"enforce\";";
	struct mxguard_policy *policy;
	assert_int_equal(mxguard_policy_parse(&policy, text, sizeof(text) - 1, "t.conf", 0, message, sizeof(message)),
			 MXGUARD_ERROR_CONFIG);
	assert_string_equal(message, "t.conf:2: found a NUL byte; expected text");
}

static void test_bad_arguments(void **context)
{
	struct mxguard_policy *policy = (void *)1;
	assert_int_equal(mxguard_policy_parse(&policy, "", 0, "t.conf", 1, message, sizeof(message)),
			 MXGUARD_ERROR_INVALID);
	assert_null(policy);
	assert_int_equal(mxguard_policy_parse(&policy, "", 0, NULL, 0, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_policy_parse(NULL, "", 0, "t.conf", 0, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_policy_parse(&policy, "mode = 1;", 9, "t.conf", 0, NULL, 0), MXGUARD_ERROR_CONFIG);
	assert_int_equal(mxguard_policy_load(&policy, NULL, 0, NULL, 0), MXGUARD_ERROR_INVALID);
	assert_int_equal(mxguard_policy_load(&policy, "/", 2, NULL, 0), MXGUARD_ERROR_INVALID);
}

/* A message is one line whatever stands in the file or is its name. */
static void test_hostile_text(void **context)
{
	struct mxguard_policy *policy;
	const char *text = "mode = \"a\nb\x1b[31mc\";";
	char small[10] = "xxxxxxxxx";
	mxguard_policy_parse(&policy, text, strlen(text), "t\nx.conf", 0, message, sizeof(message));
	assert_string_equal(message,
			    "t\\x0ax.conf:1: mode: found \"a\\x0ab\\x1b[31mc\"; expected \"off\", \"monitor\" or "
			    "\"enforce\"");
	mxguard_policy_parse(&policy, text, strlen(text), "t.conf", 0, small, sizeof(small));
	assert_string_equal(small, "t.conf:1:");
}

/* ---- warnings ------------------------------------------------------------------------------------- */

static void assert_warning(const char *text, const char *warning)
{
	struct mxguard_policy *policy = parse(text);
	const char *first = mxguard_policy_warning(policy, 0);
	if (warning == NULL)
		assert_null(first);
	else
		assert_string_equal(first == NULL ? "none" : first, warning);
	assert_null(mxguard_policy_warning(policy, 1));
	mxguard_policy_unref(policy);
}

static void test_warnings(void **context)
{
	assert_warning(GATEWAY("mx"), NULL);
	assert_warning("", "t.conf: gateways: no gateway is configured, so no peer is ever authorized");
	assert_warning("gateways = ( );",
		       "t.conf:1: gateways: no gateway is configured, so no peer is ever authorized");
	assert_warning(GATEWAY("all"), "t.conf:1: gateways.allow: \"all\" makes every host a gateway");
	assert_warning(GATEWAY("ip4:0.0.0.0/0"),
		       "t.conf:1: gateways.allow: \"ip4:0.0.0.0/0\" makes every host a gateway");
	assert_warning(GATEWAY("ip4:16.0.0.0/7"), "t.conf:1: gateways.allow: \"ip4:16.0.0.0/7\" is a very wide range");
	assert_warning(GATEWAY("ip4:16.0.0.0/12 ip6:2001:db0::/28 a:x.example.com/12//28"), NULL);
	assert_warning(GATEWAY("ip4:16.0.0.0/11"),
		       "t.conf:1: gateways.allow: \"ip4:16.0.0.0/11\" is a very wide range");
	assert_warning(GATEWAY("ip6:2000::/27"), "t.conf:1: gateways.allow: \"ip6:2000::/27\" is a very wide range");
	assert_warning(GATEWAY("exists:%{ir}.x.example.com"), NULL);
	assert_warning(GATEWAY("exists:x.example.com"),
		       "t.conf:1: gateways.allow: \"exists:x.example.com\" makes every "
		       "host a gateway while that name has an address");
	assert_warning(GATEWAY("a:x.example.com/4"),
		       "t.conf:1: gateways.allow: \"a:x.example.com/4\" is a very wide range");
	assert_warning(GATEWAY("mx") "\ninternal = [ \"64.0.0.0/2\" ];",
		       "t.conf:2: internal: \"64.0.0.0/2\" is a very wide range");
	assert_warning(
		GATEWAY("mx") "\ndns = { insecure_client_macros = true; };",
		"t.conf:2: dns.insecure_client_macros: true lets the sender of a message choose whose DNS is asked");
}

#define NO_DOMAINS(label) \
	"t.conf: domains: gateways of policy \"" label \
	"\" depend on the recipient's domain, and no domain is listed: " \
	"refresh keeps nothing of them, so that a gateway is refused at once when the MX moves; set domains or " \
	"domains_file"

/* Nobody enforces what refresh cannot ask for without hearing of it. */
static void test_no_domains(void **context)
{
	assert_warning("mode = \"enforce\"; " GATEWAY("mx"), NO_DOMAINS("default"));
	assert_warning("mode = \"enforce\"; " GATEWAY("exists:%{ir}.%{d}"), NO_DOMAINS("default"));
	assert_warning("mode = \"enforce\"; " GATEWAY("include:spf.example.com"), NULL);
	assert_warning("mode = \"enforce\"; domains = [ \"example.com\" ]; " GATEWAY("mx"), NULL);
	assert_warning("mode = \"enforce\"; domains_file = \"/etc/mxguard/domains\"; " GATEWAY("mx"), NULL);
	assert_warning(GATEWAY("mx") "policies = ( { domains = [ \"a.example\" ]; mode = \"enforce\"; } );", NULL);
	assert_warning(GATEWAY("mx") "policies = ( { domains = [ \".a.example\" ]; mode = \"enforce\"; } );",
		       NO_DOMAINS(".a.example"));
}

/* Overlapping gateways are fine; one that never decides is probably a mistake. */
static void test_overlaps(void **context)
{
	assert_warning("gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.0/25\"; },\n"
		       "{ name = \"b\"; allow = \"ip4:192.0.2.0/24\"; } );",
		       NULL);
	assert_warning("gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.0/24\"; },\n"
		       "{ name = \"b\"; allow = \"ip4:192.0.2.0/25 ip4:192.0.2.200\"; } );",
		       "t.conf:2: gateways: \"b\" never decides: what it covers is covered by \"a\" before it");
	assert_warning("gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.0/24\"; },\n"
		       "{ name = \"b\"; allow = \"ip4:192.0.2.0/25 mx\"; } );",
		       NULL);
	assert_warning("gateways = ( { name = \"a\"; allow = \"ip4:192.0.2.0/24\"; header = { name = \"X-A\"; value = "
		       "\"b\"; }; },\n"
		       "{ name = \"b\"; allow = \"ip4:192.0.2.0/25\"; } );",
		       NULL);
}

/* ---- what is read ------------------------------------------------------------------------------------ */

static void test_defaults(void **context)
{
	struct mxguard_policy *p = parse("");
	const struct mxg_ruleset *r = mxg_policy_ruleset(p, "any.example", 11);
	struct mxg_address loopback;
	size_t count = 1;
	assert_ptr_equal(r, &p->rulesets[0]);
	assert_string_equal(r->label, "default");
	assert_int_equal(r->mode, MXGUARD_MODE_MONITOR);
	assert_int_equal(r->on_direct, MXGUARD_ACTION_REJECT);
	assert_int_equal(r->on_direct_queued, MXGUARD_ACTION_QUARANTINE);
	assert_int_equal(r->on_unknown, MXGUARD_ACTION_DEFER);
	assert_int_equal(r->on_unreadable_door, MXGUARD_ACTION_DEFER);
	assert_int_equal(r->on_unreadable_queued, MXGUARD_ACTION_QUARANTINE);
	assert_int_equal(r->on_untraced, MXGUARD_VERDICT_UNKNOWN);
	assert_int_equal(r->retrieved, MXGUARD_VERDICT_INTERNAL);
	assert_int_equal(r->resubmitted, MXGUARD_VERDICT_UNKNOWN);
	assert_int_equal(r->tag, MXG_TAG_NOT_ACCEPTED);
	assert_string_equal(r->quarantine_mailbox, "Junk");
	assert_null(r->reply_text);
	assert_int_equal(p->timeout_ms, 5000);
	assert_int_equal(p->grace, 172800);
	assert_int_equal(p->keep_stale, 604800);
	assert_int_equal(p->settle, 172800);
	assert_int_equal(p->patience, 14400);
	assert_int_equal(p->log_format, MXG_LOG_TEXT);
	assert_false(p->accept_any_width);
	assert_int_equal(p->reply_rules.max_ttl, 86400);
	assert_string_equal(p->state_dir, "/var/lib/mxguard");
	assert_null(p->dns_servers);
	assert_false(p->by_configured);
	assert_string_equal(p->by.items[0], p->hostname);
	assert_string_equal(p->authserv_id, p->hostname);
	assert_int_equal(p->internal.count, 2);
	assert_int_equal(p->origins.count, 2);
	mxg_address_parse(&loopback, "127.0.0.1", 9, MXG_ADDRESS_BARE);
	mxg_prefix_set_lookup(r->prefixes, &loopback, &count);
	assert_int_equal(count, 0);
	mxguard_policy_unref(p);
}

static const char everything[] =
	"mode = \"enforce\"; // with all kinds of comments\n"
	"internal = [ \"10.1.2.3\", \"::ffff:10.2.0.0/112\" ]; # @include \"/etc\"\n"
	"origins = ( \"127.0.0.0/8\" ); /* @include \"/etc\" */\n"
	"self = [ \"192.0.2.25\" ];\n"
	"domains = [ \"Example.COM\", \"b\xc3\xbc"
	"cher.example.\" ];\n"
	"domains_file = \"/etc/mxguard/domains\";\n"
	"default_domain = \"EXAMPLE.com\";\n"
	"gateways = (\n"
	" { name = \"filters\"; allow = \"ip4:192.0.2.10\n"
	"                             ip6:2001:db8:25::/48\"; },\n"
	" { name = \"shared\"; allow = \"mx ip4:198.51.100.0/24\"; header = { name = \"X-Gw\"; value = \"t0ken\"; }; "
	"}\n"
	");\n"
	"exempt = [ \"Postmaster@\", \"Sales@Example.com\" ];\n"
	"on_direct = \"tag\"; on_direct_queued = \"accept\"; on_unknown = \"quarantine\"; on_unreadable = \"reject\";\n"
	"on_untraced = \"direct\"; retrieved = \"unknown\"; resubmitted = \"accept\"; tag = \"always\";\n"
	"quarantine_mailbox = \"Spam\"; reply_text = \"Use our MX: https://example.com/mx @include\";\n"
	"authserv_id = \"mx.example.com\"; hostname = \"Mail.Example.com\"; state_dir = \"/tmp/x\";\n"
	"trace = { mta = [ \"postfix\", \"exim\" ]; by = [ \"Mail.example.com\", \".in.example.com\" ]; };\n"
	"dns = { timeout = \"2500ms\"; grace = \"12h\"; keep_stale = \"0s\"; settle = \"1w\"; max_ttl = \"90m\";\n"
	" require_dnssec = true;\n"
	" servers = [ \"127.0.0.1\", \"[::1]:5353\", \"192.0.2.53:54\", \"2001:db8::53\" ]; };\n"
	"policies = (\n"
	" { domains = [ \"strict.example\", \".Sub.example\" ]; mode = \"monitor\"; },\n"
	" { domains = [ \".deep.sub.example\" ]; gateways = ( { name = \"own\"; allow = \"ip4:203.0.113.1\"; } ); }\n"
	"); // no line end";

static void test_everything(void **context)
{
	struct mxguard_policy *p = parse(everything);
	const struct mxg_ruleset *r = &p->rulesets[0];
	assert_null(mxguard_policy_warning(p, 0));
	assert_int_equal(r->mode, MXGUARD_MODE_ENFORCE);
	assert_int_equal(p->internal.count, 4);
	assert_int_equal(p->internal.items[3].bits, 16);
	assert_int_equal(p->origins.count, 1);
	assert_int_equal(p->self.count, 1);
	assert_string_equal(p->domains_file, "/etc/mxguard/domains");
	assert_string_equal(p->default_domain, "example.com");
	assert_int_equal(r->gateway_count, 2);
	assert_int_equal(r->term_count, 4);
	assert_int_equal(r->gateways[1].first_term, 2);
	assert_int_equal(r->gateways[1].term_count, 2);
	assert_int_equal(r->dns_count, 1);
	assert_int_equal(r->dns_terms[0], 2);
	assert_string_equal(r->gateways[1].token.field, "X-Gw");
	assert_int_equal(r->gateways[1].token.value_len, 5);
	assert_memory_equal(r->gateways[1].token.value, "t0ken", 6);
	assert_int_equal(r->on_direct, MXGUARD_ACTION_TAG);
	assert_int_equal(r->on_direct_queued, MXGUARD_ACTION_ACCEPT);
	assert_int_equal(r->on_unknown, MXGUARD_ACTION_QUARANTINE);
	assert_int_equal(r->on_unreadable_door, MXGUARD_ACTION_REJECT);
	assert_int_equal(r->on_unreadable_queued, MXGUARD_ACTION_REJECT);
	assert_int_equal(r->on_untraced, MXGUARD_VERDICT_DIRECT);
	assert_int_equal(r->retrieved, MXGUARD_VERDICT_UNKNOWN);
	assert_int_equal(r->resubmitted, MXGUARD_VERDICT_INTERNAL);
	assert_int_equal(r->tag, MXG_TAG_ALWAYS);
	assert_string_equal(r->quarantine_mailbox, "Spam");
	assert_string_equal(r->reply_text, "Use our MX: https://example.com/mx @include");
	assert_string_equal(p->authserv_id, "mx.example.com");
	assert_string_equal(p->hostname, "mail.example.com");
	assert_string_equal(p->state_dir, "/tmp/x");
	assert_true(p->by_configured);
	assert_string_equal(p->by.items[1], ".in.example.com");
	assert_int_equal(p->trace_mta_names.count, 2);
	assert_int_equal(__builtin_popcount(p->trace_mta), 2);
	assert_int_equal(p->timeout_ms, 2500);
	assert_int_equal(p->grace, 43200);
	assert_int_equal(p->keep_stale, 0);
	assert_int_equal(p->settle, 604800);
	assert_int_equal(p->reply_rules.max_ttl, 5400);
	assert_true(p->reply_rules.need_ad);
	assert_string_equal(p->dns_servers, "127.0.0.1:53,[::1]:5353,192.0.2.53:54,[2001:db8::53]:53");
	mxguard_policy_unref(p);
}

static void assert_governed(const struct mxguard_policy *p, const char *domain, const char *label)
{
	assert_string_equal(mxg_policy_ruleset(p, domain, strlen(domain))->label, label);
}

static void test_blocks(void **context)
{
	struct mxguard_policy *p = parse(everything);
	size_t count;
	assert_governed(p, "strict.example", "strict.example");
	assert_governed(p, "not-strict.example", "default");
	assert_governed(p, "www.strict.example", "default");
	assert_governed(p, "sub.example", "default");
	assert_governed(p, "a.sub.example", "strict.example");
	assert_governed(p, "xsub.example", "default");
	assert_governed(p, "deep.sub.example", "strict.example");
	assert_governed(p, "a.b.deep.sub.example", ".deep.sub.example");
	assert_governed(p, "", "default");
	assert_governed(p, ".", "default");
	assert_int_equal(p->rulesets[1].mode, MXGUARD_MODE_MONITOR);
	assert_int_equal(p->rulesets[1].gateway_count, 2);
	assert_ptr_equal(p->rulesets[1].prefixes, p->rulesets[0].prefixes);
	assert_string_equal(p->rulesets[1].quarantine_mailbox, "Spam");
	assert_int_equal(p->rulesets[2].mode, MXGUARD_MODE_ENFORCE);
	assert_int_equal(p->rulesets[2].gateway_count, 1);
	mxg_prefix_set_lookup(p->rulesets[2].prefixes, &p->rulesets[0].terms[0].term.prefix.base, &count);
	assert_int_equal(count, 0);
	assert_string_equal(mxg_policy_listed_domain(p, 0), "strict.example");
	assert_null(mxg_policy_listed_domain(p, 1));
	mxguard_policy_unref(p);
}

static void test_domains(void **context)
{
	struct mxguard_policy *p = parse(everything);
	assert_true(mxg_policy_has_domain(p, "example.com", 11));
	assert_true(mxg_policy_has_domain(p, "xn--bcher-kva.example", 21));
	assert_false(mxg_policy_has_domain(p, "www.example.com", 15));
	assert_false(mxg_policy_has_domain(p, "strict.example", 14));
	mxguard_policy_unref(p);
	p = parse(GATEWAY("mx"));
	assert_false(mxg_policy_has_domain(p, "example.com", 11));
	mxguard_policy_unref(p);
}

static void assert_exempt(const struct mxguard_policy *p, const char *address, bool exempt)
{
	assert_int_equal(mxg_exempts(&p->rulesets[0].exempt, address, strlen(address)), exempt);
}

static void test_exempt(void **context)
{
	struct mxguard_policy *p = parse(everything);
	assert_exempt(p, "postmaster@any.example", true);
	assert_exempt(p, "PostMaster@any.example", true);
	assert_exempt(p, "postmaster", true);
	assert_exempt(p, "postmaster2@any.example", false);
	assert_exempt(p, "my-postmaster@any.example", false);
	assert_exempt(p, "postmaster@x@any.example", false);
	assert_exempt(p, "SALES@example.com", true);
	assert_exempt(p, "sales@other.example", false);
	assert_exempt(p, "", false);
	mxguard_policy_unref(p);
}

/* A snapshot is another configuration's only where it would have to hold something else. */
static void assert_hash(const char *a, const char *b, bool same)
{
	struct mxguard_policy *p = parse(a), *q = parse(b);
	assert_int_equal(memcmp(p->hash, q->hash, sizeof(p->hash)) == 0, same);
	mxguard_policy_unref(p);
	mxguard_policy_unref(q);
}

/* Hosts share a snapshot where the same are gateways. */
static void assert_gateways(const char *a, const char *b, bool same)
{
	struct mxguard_policy *p = parse(a), *q = parse(b);
	uint8_t of_a[MXG_CHECKSUM_BYTES], of_b[MXG_CHECKSUM_BYTES];
	mxg_policy_gateways_hash(p, of_a);
	mxg_policy_gateways_hash(q, of_b);
	assert_int_equal(memcmp(of_a, of_b, sizeof(of_a)) == 0, same);
	mxguard_policy_unref(p);
	mxguard_policy_unref(q);
}

#define ONE_BLOCK(DOMAIN, ALLOW) "policies = ( " BLOCK(DOMAIN, ALLOW)
#define ONE_MORE(DOMAIN, ALLOW) ", " BLOCK(DOMAIN, ALLOW) " );"
#define BLOCK(DOMAIN, ALLOW) \
	"{ domains = [ \"" DOMAIN ".example\" ]; gateways = ( { name = \"g\"; allow = \"" ALLOW "\"; } ); }"

static void test_gateways_hash(void **context)
{
	assert_gateways(everything, everything, true);
	assert_gateways(GATEWAY("mx"), "# other words\n" GATEWAY("mx") "mode = \"enforce\"; domains_file = \"/a\";",
			true);
	assert_gateways(GATEWAY("mx"), GATEWAY("mx ip4:192.0.2.1"), false);
	assert_gateways(GATEWAY("ip4:192.0.2.2"), GATEWAY("ip4:192.0.2.1"), false);
	assert_gateways(GATEWAY("mx"),
			"gateways = ( { name = \"g\"; allow = \"mx\"; certificate = { subject = \"a\"; verified = "
			"true; }; } );",
			false);
	assert_gateways("gateways = ( { name = \"a\"; allow = \"mx\"; }, { name = \"b\"; allow = \"a\"; } );",
			"gateways = ( { name = \"b\"; allow = \"a\"; }, { name = \"a\"; allow = \"mx\"; } );", true);
	assert_gateways(ONE_BLOCK("a", "mx") ONE_MORE("b", "a"), ONE_BLOCK("b", "a") ONE_MORE("a", "mx"), true);
	assert_gateways(ONE_BLOCK("a", "mx") ONE_MORE("b", "a"), ONE_BLOCK("a", "a") ONE_MORE("b", "mx"), false);
}

static void test_hash(void **context)
{
	assert_hash(everything, everything, true);
	assert_hash(GATEWAY("mx"), GATEWAY("mx") "mode = \"enforce\"; tag = \"never\"; dns = { timeout = \"1s\"; };",
		    true);
	assert_hash(GATEWAY("mx"), GATEWAY("mx ip4:192.0.2.1"), true);
	assert_hash(GATEWAY("mx"),
		    "gateways = ( { name = \"g\"; allow = \"mx\"; certificate = { subject = \"a\"; verified = true; }; "
		    "} );",
		    true);
	assert_hash(GATEWAY("mx"), GATEWAY("mx a"), false);
	assert_hash(GATEWAY("mx"), GATEWAY("a"), false);
	assert_hash(GATEWAY("mx"), GATEWAY("mx") "domains = [ \"a.example\" ];", false);
	assert_hash(GATEWAY("mx"), GATEWAY("mx") "domains_file = \"/a\";", false);
	assert_hash(GATEWAY("mx") "domains_file = \"/b\";", GATEWAY("mx") "domains_file = \"/a\";", true);
	assert_hash("domains = [ \"a.example\", \"b.example\" ];", "domains = [ \"b.example\", \"a.example\" ];", true);
	assert_hash(ONE_BLOCK("a", "mx") ONE_MORE("b", "a"), ONE_BLOCK("b", "a") ONE_MORE("a", "mx"), true);
	assert_hash(ONE_BLOCK("a", "mx") ONE_MORE("b", "a"), ONE_BLOCK("a", "a") ONE_MORE("b", "mx"), false);
	assert_hash(GATEWAY("mx"), GATEWAY("mx") "policies = ( { domains = [ \"a.example\" ]; } );", false);
	assert_hash(GATEWAY("mx"), GATEWAY("mx") "dns = { require_dnssec = true; };", false);
}

static void test_bom(void **context)
{
	struct mxguard_policy *p = parse("\xef\xbb\xbfmode = \"off\";");
	assert_int_equal(p->rulesets[0].mode, MXGUARD_MODE_OFF);
	mxguard_policy_unref(p);
}

/* libconfig changes the thread's locale and does not put it back. */
static void test_locale(void **context)
{
	locale_t mine = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
	assert_ptr_not_equal(mine, (locale_t)0);
	locale_t before = uselocale(mine);
	mxguard_policy_unref(parse(everything));
	assert_ptr_equal(uselocale((locale_t)0), mine);
	uselocale(before);
	freelocale(mine);
}

static void test_refs(void **context)
{
	struct mxguard_policy *p = parse("");
	assert_ptr_equal(mxguard_policy_ref(p), p);
	mxguard_policy_unref(p);
	assert_int_equal(p->timeout_ms, 5000);
	mxguard_policy_unref(p);
	mxguard_policy_unref(NULL);
}

static void test_too_many_domains(void **context)
{
	char *text = malloc(40000);
	size_t at = 0;
	struct mxguard_policy *policy;
	at += (size_t)sprintf(text, "\ndomains = [ \"d.example\"");
	for (unsigned i = 1; i < 1000; i++)
		at += (size_t)sprintf(text + at, ", \"d%u.example\"", i);
	strcpy(text + at, " ];");
	mxguard_policy_unref(parse(text));
	strcpy(text + at, ", \"one-more.example\" ];");
	assert_int_equal(mxguard_policy_parse(&policy, text, strlen(text), "t.conf", 0, message, sizeof(message)),
			 MXGUARD_ERROR_CONFIG);
	assert_string_equal(message,
			    "t.conf:2: domains: found 1001 domains; expected at most 1000 here: put them into a "
			    "file, one a line, and name it with domains_file");
	free(text);
}

static void test_hundred_thousand_prefixes(void **context)
{
	size_t room = 3000000, at = 0, count;
	char *text = malloc(room);
	at += (size_t)sprintf(text, "mode = \"enforce\";\ngateways = ( { name = \"many\"; allow = \"");
	for (unsigned i = 0; i < 100000; i++)
		at += (size_t)sprintf(text + at, "ip4:%u.%u.%u.0/24 ", 1 + i / 65536, i / 256 % 256, i % 256);
	strcpy(text + at, "\"; } );");
	struct mxguard_policy *p = parse(text);
	assert_int_equal(p->rulesets[0].term_count, 100000);
	const struct mxg_gateway_term *last = &p->rulesets[0].terms[99999];
	const uint32_t *numbers = mxg_prefix_set_lookup(p->rulesets[0].prefixes, &last->term.prefix.base, &count);
	assert_int_equal(count, 1);
	assert_int_equal(numbers[0], 99999);
	mxguard_policy_unref(p);
	free(text);
}

/* ---- files ------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/mxguard-policy-XXXXXX", path[64], token_path[64];

static int make_folder(void **context)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/mxguard.conf", folder);
	snprintf(token_path, sizeof(token_path), "%s/token", folder);
	return 0;
}

static int remove_folder(void **context)
{
	unlink(path);
	unlink(token_path);
	return rmdir(folder);
}

static void write_file(const char *name, const char *text, size_t len, mode_t mode)
{
	unlink(name);
	FILE *f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(name, mode), 0);
}

static void assert_load(int expected, const char *text)
{
	char line[300];
	struct mxguard_policy *policy = NULL;
	int result = mxguard_policy_load(&policy, path, 0, message, sizeof(message));
	if (text == NULL)
		line[0] = '\0';
	else
		snprintf(line, sizeof(line), "%s: %s", path, text);
	assert_string_equal(message, line);
	assert_int_equal(result, expected);
	assert_int_equal(policy != NULL, expected == MXGUARD_ERROR_NONE);
	mxguard_policy_unref(policy);
}

static void test_files(void **context)
{
	unlink(path);
	assert_load(MXGUARD_ERROR_CONFIG, "found no such file; expected a regular file");
	write_file(path, "", 0, 0644);
	assert_load(MXGUARD_ERROR_CONFIG, "found an empty file; expected settings");
	write_file(path, "mode = \"off\";", 13, 0644);
	assert_load(MXGUARD_ERROR_NONE, NULL);
	assert_int_equal(chmod(path, 0664), 0);
	assert_load(MXGUARD_ERROR_UNTRUSTED, "found mode 0664; expected no write permission for group and others");
	assert_int_equal(chmod(path, 0646), 0);
	assert_load(MXGUARD_ERROR_UNTRUSTED, "found mode 0646; expected no write permission for group and others");
	assert_int_equal(chmod(path, 0644) | chmod(folder, 0777), 0);
	assert_load(MXGUARD_ERROR_UNTRUSTED,
		    "found its folder with mode 0777; expected no write permission for group and others");
	assert_int_equal(chmod(folder, 01777), 0);
	assert_load(MXGUARD_ERROR_NONE, NULL);
	assert_int_equal(chmod(folder, 0700), 0);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_load(MXGUARD_ERROR_CONFIG, "found a symbolic link; expected a regular file");
	unlink(path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_load(MXGUARD_ERROR_CONFIG, "found a folder; expected a regular file");
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_load(MXGUARD_ERROR_CONFIG, "found a pipe or a device; expected a regular file");
	unlink(path);
}

static void test_large_file(void **context)
{
	size_t size = 1024 * 1024 + 1;
	char *text = malloc(size);
	memset(text, '\n', size);
	write_file(path, text, size, 0644);
	assert_load(MXGUARD_ERROR_CONFIG, "found 1048577 bytes; expected at most 1048576");
	write_file(path, text, size - 1, 0644);
	assert_load(MXGUARD_ERROR_NONE, NULL);
	free(text);
}

static void test_owner(void **context)
{
	if (geteuid() != 0)
		skip();
	write_file(path, "mode = \"off\";", 13, 0644);
	if (chown(path, 12345, 12345) != 0)
		skip(); /* root of a user namespace only */
	assert_load(MXGUARD_ERROR_UNTRUSTED, "found owner uid 12345; expected root or uid 0");
}

/* Relative paths start at the file's folder. */
static void test_token_file(void **context)
{
	static const char text[] = "gateways = ( { name = \"g\"; allow = \"mx\";\n"
				   "header = { name = \"X-Gw\"; value_file = \"token\"; }; } );";
	struct mxguard_policy *policy = NULL;
	char line[300];
	write_file(path, text, sizeof(text) - 1, 0644);
	write_file(token_path, "s3cret\n", 7, 0600);
	assert_int_equal(mxguard_policy_load(&policy, path, 0, message, sizeof(message)), MXGUARD_ERROR_NONE);
	assert_string_equal(policy->rulesets[0].gateways[0].token.value, "s3cret");
	assert_int_equal(policy->rulesets[0].gateways[0].token.value_len, 6);
	assert_string_equal(policy->rulesets[0].gateways[0].token.value_file, token_path);
	mxguard_policy_unref(policy);
	assert_int_equal(chmod(token_path, 0640), 0);
	assert_int_equal(mxguard_policy_load(&policy, path, 0, message, sizeof(message)), MXGUARD_ERROR_CONFIG);
	snprintf(line, sizeof(line),
		 "%s:2: gateways.header.value_file: \"%s\": found mode 0640; expected no read or write permission for "
		 "group "
		 "and others",
		 path, token_path);
	assert_string_equal(message, line);
	write_file(token_path, "two\nlines\n", 10, 0600);
	assert_int_equal(mxguard_policy_load(&policy, path, 0, message, sizeof(message)), MXGUARD_ERROR_CONFIG);
	snprintf(line, sizeof(line),
		 "%s:2: gateways.header.value_file: \"%s\": found a content that no header field can hold; expected "
		 "one line "
		 "of 1 to 800 printable ASCII characters",
		 path, token_path);
	assert_string_equal(message, line);
}

/* Who may not read the secret loads the policy all the same, and defers where it counts. */
static void test_token_unreadable(void **context)
{
	struct mxguard_policy *policy = NULL;
	if (geteuid() != 0 || chown(path, 0, 0) != 0)
		skip();
	write_file(token_path, "s3cret\n", 7, 0600);
	assert_int_equal(chmod(folder, 0755) | seteuid(65534), 0);
	int result = mxguard_policy_load(&policy, path, 0, message, sizeof(message));
	assert_int_equal(seteuid(0), 0);
	assert_string_equal(message, "");
	assert_int_equal(result, MXGUARD_ERROR_NONE);
	assert_string_equal(policy->rulesets[0].gateways[0].token.field, "X-Gw");
	assert_null(policy->rulesets[0].gateways[0].token.value);
	mxguard_policy_unref(policy);
}

/* ---- fields that do not reach the mailbox ------------------------------------------------------------- */

static void test_removed_fields(void **context)
{
	static const struct {
		const char *field;
		int removed;
	} cases[] = {
		{ "Authentication-Results: mx.example.com; spf=pass\r\n", 1 },
		{ "AUTHENTICATION-results :\r\n\t(a (b) \\) c) MX.Example.COM 1; none\r\n", 1 },
		{ "Authentication-Results: \"mx.example\\.com\"; none\r\n", 1 },
		{ "Authentication-Results: mx.example.com/1; none\r\n", 1 },
		{ "Authentication-Results: mx.example.com", 1 },
		{ "Authentication-Results: (never ends mx.example.com; none\r\n", 1 },
		{ "Authentication-Results: \"mx.example.com", 1 },
		{ "Authentication-Results: mx.example.com.evil.example; none\r\n", 0 },
		{ "Authentication-Results: mx.example.co; none\r\n", 0 },
		{ "Authentication-Results: other.example; x=mx.example.com\r\n", 0 },
		{ "Authentication-Results-Not: mx.example.com\r\n", 0 },
		{ "Authentication-Results", 0 },
		{ "Authentication-Results:", 0 },
		{ "X-Gw: anything\r\n", 1 },
		{ "x-gw :\r\n", 1 },
		{ "X-Gw2: anything\r\n", 0 },
		{ "Subject: X-Gw: mx.example.com\r\n", 0 },
	};
	struct mxguard_policy *p = parse(everything);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(mxg_removed_field_is(&(struct mxg_removed){ p, false }, cases[i].field,
						      strlen(cases[i].field), false),
				 cases[i].removed);
	mxguard_policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_no_domains),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_gateways_hash),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_bom),
		cmocka_unit_test(test_locale),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_too_many_domains),
		cmocka_unit_test(test_hundred_thousand_prefixes),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_token_file),
		cmocka_unit_test(test_token_unreadable),
		cmocka_unit_test(test_removed_fields),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
