/* SPDX-License-Identifier: MIT */
/* What is said about mistakes in mxguard.conf(5). Messages are written by hand, from the manual's
 * promise: file:line, setting, found, expected. */
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

#include "policies.h"
#include "policy/policy.h"

/* ---- mistakes ------------------------------------------------------------------------------------ */

struct mistake {
	const char *text, *message;
};

#define NEIGHBOURS(line, first, second) \
	"t.conf:" line ": found \"" first "\" and \"" second \
	"\" with nothing between them; expected a comma in a list, a semicolon behind a value, or one string"

static const struct mistake mistakes[] = {
	/* syntax and libconfig's traps */
	{ "mode = \"off\"\nmode = \"monitor\";",
	  "t.conf:2: found \"mode = \"monitor\";\", a setting for the second time; expected each once" },
	{ "\nmode \"off\";", "t.conf:2: found a syntax error in or before \"mode \"off\";\"; expected name = value; "
			     "with text in quotes and no comma at the end of a list" },
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
	{ "mode = \"off\";\ngarbage", "t.conf:3: found a syntax error in or before \"\"; expected name = value; with "
				      "text in quotes and no comma at the end of a list" },
	{ "mode = \"off\";\n}", "t.conf:2: found a syntax error in or before \"}\"; expected name = value; with text "
				"in quotes and no comma at the end of a list" },
	{ "mode = \"off\";\n5", "t.conf:2: found a syntax error in or before \"5\"; expected name = value; with text "
				"in quotes and no comma at the end of a list" },
#if LIBCONFIG_VER_MAJOR == 1 && LIBCONFIG_VER_MINOR < 7 /* later ones take it */
	{ "exempt = [ \"a@\", ];", "t.conf:1: found a syntax error in or before \"exempt = [ \"a@\", ];\"; expected "
				   "name = value; with text in quotes and no comma at the end of a list" },
#endif
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),      cmocka_unit_test(test_nul),
		cmocka_unit_test(test_bad_arguments), cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_warnings),      cmocka_unit_test(test_no_domains),
		cmocka_unit_test(test_overlaps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
