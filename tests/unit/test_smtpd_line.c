/* SPDX-License-Identifier: MIT */
/* Lines of smtpd-filters(7), in each version of the protocol, and lines that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "filter/line.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text;
	enum mxg_filter_event event;
	const char *value;
	bool good, token_first;
} lines[] = {
	{ "config|ready", MXG_FILTER_READY, "", false, false },
	{ "config|protocol|0.7", MXG_FILTER_OTHER, "", false, false },
	{ "report|0.7|1.2|smtp-in|link-connect|ab|r|pass|192.0.2.7:40000|192.0.2.1:25", MXG_FILTER_LINK_CONNECT,
	  "192.0.2.7", false, false },
	{ "report|0.6|1.2|smtp-in|link-connect|ab||fail|[2001:db8::7]:4|[2001:db8::1]:25", MXG_FILTER_LINK_CONNECT,
	  "[2001:db8::7]", false, false },
	{ "report|0.7|1.2|smtp-in|link-connect|ab|localhost|pass|unix:/var/run/smtpd.sock|unix:/var/run/smtpd.sock",
	  MXG_FILTER_LINK_CONNECT, "", false, false },
	{ "report|0.4|1.2|smtp-in|link-identify|ab|EHLO", MXG_FILTER_LINK_IDENTIFY, "EHLO", false, true },
	{ "report|0.5|1.2|smtp-in|link-identify|ab|EHLO|a|b", MXG_FILTER_LINK_IDENTIFY, "a|b", false, false },
	{ "report|0.6|1.2|smtp-in|link-auth|ab|x|pass|fail", MXG_FILTER_LINK_AUTH, "x|pass", false, false },
	{ "report|0.6|1.2|smtp-in|link-auth|ab|x|y|pass", MXG_FILTER_LINK_AUTH, "x|y", true, false },
	{ "report|0.7|1.2|smtp-in|link-auth|ab|fail|x|pass", MXG_FILTER_LINK_AUTH, "x|pass", false, false },
	{ "report|0.7|1.2|smtp-in|link-auth|ab|pass|x|y", MXG_FILTER_LINK_AUTH, "x|y", true, false },
	{ "report|0.5|1.2|smtp-in|tx-mail|ab|deadbeef|a@b|ok", MXG_FILTER_TX_MAIL, "a@b", true, false },
	{ "report|0.6|1.2|smtp-in|tx-mail|ab|deadbeef|ok|", MXG_FILTER_TX_MAIL, "", true, false },
	{ "report|0.6|1.2|smtp-in|tx-rcpt|ab|deadbeef|permfail|a|b@c", MXG_FILTER_TX_RCPT, "a|b@c", false, false },
	{ "report|0.9|1.2|smtp-in|tx-commit|ab|deadbeef|100", MXG_FILTER_TX_END, "", false, false },
	{ "report|0.7|1.2|smtp-in|link-disconnect|ab", MXG_FILTER_LINK_DISCONNECT, "", false, false },
	{ "report|0.7|1.2|smtp-out|link-disconnect|ab", MXG_FILTER_OTHER, "", false, false },
	{ "filter|0.4|1.2|smtp-in|rcpt-to|ab|cd|a@b", MXG_FILTER_RCPT_TO, "a@b", false, true },
	{ "filter|0.7|1.2|smtp-in|data-line|ab|cd|a|b", MXG_FILTER_DATA_LINE, "a|b", false, false },
	{ "filter|0.7|1.2|smtp-in|data-line|ab|cd|", MXG_FILTER_DATA_LINE, "", false, false },
	{ "filter|0.7|1.2|smtp-in|commit|ab|cd|", MXG_FILTER_COMMIT, "", false, false },
	{ "filter|0.7|1.2|smtp-in|brandnew|ab|cd|x", MXG_FILTER_OTHER, "", false, false },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		char text[200];
		struct mxg_filter_line line;
		strcpy(text, lines[i].text);
		if (!mxg_filter_line_read(&line, text, strlen(text)) || line.event != lines[i].event ||
		    line.length != strlen(lines[i].value) || strcmp(line.value, lines[i].value) != 0 ||
		    line.good != lines[i].good || line.token_first != lines[i].token_first)
			fail_msg("%s", lines[i].text);
		if (line.stream == MXG_FILTER_REQUEST)
			assert_string_equal(line.token, "cd");
	}
}

/* Cut anywhere, a line says nothing that it did not say whole: nobody has another address. */
static void test_cut_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		for (size_t cut = 0; cut < strlen(lines[i].text); cut++) {
			char *text = malloc(cut + 1); /* so that a sanitizer sees its end */
			struct mxg_filter_line line;
			assert_non_null(text);
			memcpy(text, lines[i].text, cut);
			bool read = mxg_filter_line_read(&line, text, cut);
			if (read && line.event != MXG_FILTER_OTHER)
				assert_true(line.event == lines[i].event);
			if (read && line.event == MXG_FILTER_LINK_CONNECT)
				assert_string_equal(line.value, lines[i].value);
			if (line.good && line.event != MXG_FILTER_LINK_AUTH) /* "x|pass" is a name in one of them */
				assert_true(lines[i].good);
			free(text);
		}
}

static void test_none(void **state)
{
	static const char *const wrong[] = {
		"",
		"|",
		"nonsense",
		"config",
		"report",
		"report|",
		"filter|0.7|1|smtp-in|rcpt-to|ab",
		"filter|0.7|1|smtp-in|rcpt-to|ab|cd",
		"filter|0.7|1|smtp-in|rcpt-to|xyz|cd|a",
		"report|0.7|1|smtp-in|link-connect|ab|a|b|192.0.2.1:25",
		"report|0.7|1|smtp-in|link-connect|ab|a|pass|192.0.2.1:1|192.0.2.1:25|pass|192.0.2.7:4|192.0.2.1:25",
		"report|0.7|1|smtp-in|link-connect|ab|a|pass|local||pass|192.0.2.7:4|192.0.2.1:25",
		"report|0.7|1|smtp-in|tx-mail|0123456789012345678901234567890123|a|ok|b"
	};
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char text[200];
		struct mxg_filter_line line;
		strcpy(text, wrong[i]);
		if (mxg_filter_line_read(&line, text, strlen(text)))
			fail_msg("%s", wrong[i]);
		assert_false(line.good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cut_lines),
		cmocka_unit_test(test_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
