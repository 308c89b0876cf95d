/* SPDX-License-Identifier: MIT */
/* The log line in both formats: one line, the same fields, and nothing from outside that is more than a value. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "mxguard.h"
#include "scripted_dns.h"

#define NOW 1000000000
#define GATEWAY "192.0.2.10"
#define SPAMMER "203.0.113.66"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GATEWAYS "hostname = \"mx.example.com\"; gateways = ( { name = \"filters\"; allow = \"ip4:192.0.2.0/24\"; } ); "
#define JSON "log_format = \"json\"; "

/* What the specification says, in its order. */
static const char *const keys[] = {
	"verdict", "action", "would", "mode", "place", "peer",  "boundary", "hop",    "gateway",
	"term",    "helo",   "from",  "rcpt", "id",    "msgid", "gen",      "origin", "reason",
};

static struct mxguard_check *check_of(const char *conf)
{
	struct mxguard_policy *policy;
	struct mxguard_check *check = NULL;
	char message[500];
	if (mxguard_policy_parse(&policy, conf, strlen(conf), "test.conf", 0, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	mxguard_check_new(&check, policy, NULL, 0);
	assert_non_null(check);
	mxguard_policy_unref(policy);
	return check;
}

/* One text in every place that takes what comes from outside. */
static struct mxguard_check *fed_with(const char *conf, const char *text)
{
	struct mxguard_check *c = check_of(conf);
	char recipient[3000];
	snprintf(recipient, sizeof(recipient), "%s@example.com", text);
	mxguard_check_set_peer_text(c, SPAMMER);
	mxguard_check_set_helo(c, text);
	mxguard_check_set_sender(c, text);
	mxguard_check_set_ids(c, text, text);
	mxguard_check_add_recipient(c, recipient, NULL);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	return c;
}

static const char *line_of(const struct mxguard_check *c)
{
	static char line[4096];
	size_t len = mxguard_check_log_line(c, 0, line, sizeof(line));
	assert_int_equal(len, strlen(line));
	return line;
}

static void assert_line(const char *conf, const char *expected)
{
	struct mxguard_check *c = check_of(conf);
	mxguard_check_set_peer_text(c, SPAMMER);
	mxguard_check_set_helo(c, "b\"o\\b");
	mxguard_check_set_sender(c, "<spam@example.net>");
	mxguard_check_set_ids(c, "4F2", "<1@x>");
	mxguard_check_add_recipient(c, "<Alice@EXAMPLE.com.>", NULL);
	mxguard_check_run(c, NOW);
	assert_string_equal(line_of(c), expected);
	mxguard_check_free(c);
}

static void test_text(void **state)
{
	assert_line(GATEWAYS "mode = \"enforce\";",
		    "mxguard: verdict=direct action=reject would=- mode=enforce place=door "
		    "peer=203.0.113.66 boundary=203.0.113.66 hop=0 gateway=- term=- helo=<b\\x22o\\x5cb> "
		    "from=<spam@example.net> rcpt=<Alice@example.com> id=<4F2> msgid=<\\x3c1@x\\x3e> gen=- origin=- "
		    "reason=peer-not-a-gateway");
}

static void test_json(void **state)
{
	assert_line(GATEWAYS JSON "mode = \"monitor\";",
		    "{\"verdict\":\"direct\",\"action\":\"accept\",\"would\":\"reject\",\"mode\":\"monitor\","
		    "\"place\":\"door\",\"peer\":\"203.0.113.66\",\"boundary\":\"203.0.113.66\",\"hop\":0,"
		    "\"gateway\":null,\"term\":null,\"helo\":\"b\\\"o\\\\x5cb\",\"from\":\"spam@example.net\","
		    "\"rcpt\":\"Alice@example.com\",\"id\":\"4F2\",\"msgid\":\"<1@x>\",\"gen\":null,\"origin\":null,"
		    "\"reason\":\"peer-not-a-gateway\"}");
}

/* ---- a reader ------------------------------------------------------------------------------------ */

static json_t *parsed(const char *line)
{
	json_error_t error;
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL)
		fail_msg("%s: %s", error.text, line);
	return object;
}

/* \xHH back into its byte. */
static const char *bytes_of(const char *value, size_t len)
{
	static char out[2000];
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char digits[3] = { 0 };
		if (value[i] != '\\') {
			out[n++] = value[i];
			continue;
		}
		assert_true(i + 3 < len && value[i + 1] == 'x' && isxdigit(value[i + 2]) && isxdigit(value[i + 3]));
		memcpy(digits, value + i + 2, 2);
		out[n++] = (char)strtol(digits, NULL, 16);
		i += 3;
	}
	out[n] = '\0';
	return out;
}

static void assert_one_line(const char *line)
{
	for (const char *p = line; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			fail_msg("byte 0x%02x in %s", (unsigned char)*p, line);
}

/* The keys of a text line in turn; each value is checked to be as the key before it wants it. */
static void assert_text_value(const char *line, const char *key, const char *expected)
{
	char start[40];
	snprintf(start, sizeof(start), " %s=<", key);
	const char *at = strstr(line, start);
	assert_non_null(at);
	at += strlen(start);
	assert_string_equal(bytes_of(at, strcspn(at, ">")), expected);
}

static void assert_text_keys(const char *line)
{
	const char *p = line;
	assert_memory_equal(p, "mxguard:", 8);
	for (size_t i = 0; i < COUNT(keys); i++) {
		p = strchr(p, ' ');
		assert_non_null(p);
		p++;
		assert_memory_equal(p, keys[i], strlen(keys[i]));
		assert_int_equal(p[strlen(keys[i])], '=');
	}
	assert_null(strchr(p, ' '));
}

static void assert_json_keys(json_t *object)
{
	size_t i = 0;
	for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
		assert_string_equal(json_object_iter_key(at), keys[i++]);
	assert_int_equal(i, COUNT(keys));
}

static void try_text(const char *text)
{
	static const char *const places[] = { "helo", "from", "id", "msgid" };
	struct mxguard_check *plain = fed_with(GATEWAYS, text), *json = fed_with(GATEWAYS JSON, text);
	char line[4096];
	strcpy(line, line_of(plain));
	assert_one_line(line);
	assert_text_keys(line);
	assert_one_line(line_of(json));
	json_t *object = parsed(line_of(json));
	assert_json_keys(object);
	for (size_t i = 0; i < COUNT(places); i++) {
		const char *value = json_string_value(json_object_get(object, places[i]));
		assert_non_null(value);
		assert_string_equal(bytes_of(value, strlen(value)), text);
		assert_text_value(line, places[i], text);
	}
	json_decref(object);
	mxguard_check_free(plain);
	mxguard_check_free(json);
}

static void test_hostile_text(void **state)
{
	for (int byte = 1; byte < 256; byte++) {
		char text[] = "a b";
		text[1] = (char)byte;
		try_text(text);
	}
	try_text("x\",\"verdict\":\"authorized");
	try_text("x\"}\r\n{\"verdict\":\"authorized\"}");
	try_text("x> reason=gateway-match rcpt=<y\r\nmxguard: verdict=authorized");
	try_text("\\u0000 \\x00 \\\" \\");
	try_text("\xc3\xa9 \xed\xa0\x80 \xff\xfe \xe2\x80\xa8 \xf4\x90\x80\x80 \xc0\x80");
}

/* ---- sizes ----------------------------------------------------------------------------------------- */

/* Everything as long as it can be, and all of it to be escaped. */
static struct mxguard_check *longest(const char *format)
{
	static const struct scripted_record script[] = {
		RECORD("spf.example.net TXT",
		       "\377v=spf1 \001\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001"),
	};
	char text[1000], name[200], conf[700], recipient[2000];
	memset(text, '\\', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(name, 'n', sizeof(name));
	snprintf(conf, sizeof(conf),
		 "%s gateways = ( { name = \"%.64s\"; allow = \"include:%.63s.%.63s.%.63s.example.net\"; } );", format,
		 name, name, name, name);
	struct mxguard_check *c = check_of(conf);
	mxguard_check_set_peer_text(c, "2001:db8:1111:2222:3333:4444:5555:6666");
	mxguard_check_set_helo(c, text);
	mxguard_check_set_sender(c, text);
	mxguard_check_set_ids(c, text, text);
	snprintf(recipient, sizeof(recipient), "%s@example.com", text);
	mxguard_check_add_recipient(c, recipient, NULL);
	int progress = scripted_run(c, script, COUNT(script), NOW);
	if (progress != MXGUARD_PROGRESS_DONE)
		assert_int_equal(mxguard_check_give_up(c, NOW), MXGUARD_PROGRESS_DONE);
	return c;
}

/* Cut where it must be, never beyond the buffer (ASan looks), and 4,096 bytes are enough. */
static void assert_sizes(const char *format)
{
	struct mxguard_check *c = longest(format);
	char whole[5000];
	size_t len = mxguard_check_log_line(c, 0, whole, sizeof(whole));
	assert_true(len > 2500 && len < 4096);
	for (size_t size = 1; size <= 4096; size++) {
		char *buffer = malloc(size);
		assert_non_null(buffer);
		size_t got = mxguard_check_log_line(c, 0, buffer, size);
		assert_int_equal(got, len < size ? len : size - 1);
		assert_memory_equal(buffer, whole, got);
		assert_int_equal(buffer[got], 0);
		free(buffer);
	}
	assert_int_equal(mxguard_check_log_line(c, 0, whole, 0), 0);
	mxguard_check_free(c);
}

static void test_sizes(void **state)
{
	assert_sizes("");
	assert_sizes(JSON);
	struct mxguard_check *c = longest(JSON);
	json_decref(parsed(line_of(c)));
	mxguard_check_free(c);
}

/* ---- where the trace tells --------------------------------------------------------------------------- */

static void test_helo_is_the_boundary_peers(void **state)
{
	static const char header[] = "Received: from out.filter.example (out.filter.example [192.0.2.10])\r\n"
				     "\tby mx.example.com (Postfix) with ESMTPS id 4F2;\r\n"
				     "\tSun, 29 Nov 2026 04:00:00 +0000 (UTC)\r\n\r\n";
	struct mxguard_check *c = check_of(GATEWAYS);
	mxguard_check_set_peer_text(c, "127.0.0.1");
	mxguard_check_set_helo(c, "relay.inside");
	mxguard_check_add_recipient(c, "alice@example.com", NULL);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_NEED_HEADER);
	mxguard_check_header(c, header, sizeof(header) - 1);
	mxguard_check_header_end(c);
	assert_int_equal(mxguard_check_run(c, NOW), MXGUARD_PROGRESS_DONE);
	assert_non_null(strstr(line_of(c), " peer=127.0.0.1 boundary=192.0.2.10 hop=1 gateway=filters "
					   "term=ip4:192.0.2.0/24 helo=<out.filter.example> "));
	mxguard_check_free(c);
}

/* ---- fields and trouble ------------------------------------------------------------------------------- */

static void test_fields(void **state)
{
	struct mxguard_check *c = fed_with(GATEWAYS, "b\x01");
	const char *key, *value;
	for (size_t i = 0; i < COUNT(keys); i++) {
		value = mxguard_check_log_field(c, 0, i, &key);
		assert_non_null(value);
		assert_string_equal(key, keys[i]);
		if (strcmp(key, "helo") == 0 || strcmp(key, "from") == 0 || strcmp(key, "msgid") == 0)
			assert_string_equal(value, "b\\x01");
		if (strcmp(key, "gateway") == 0 || strcmp(key, "gen") == 0 || strcmp(key, "origin") == 0)
			assert_string_equal(value, "");
		if (strcmp(key, "reason") == 0)
			assert_string_equal(value, "peer-not-a-gateway");
	}
	for (size_t i = COUNT(keys); (value = mxguard_check_log_field(c, 0, i, &key)) != NULL; i++)
		assert_string_equal(value, "");
	mxguard_check_free(c);
}

static void test_trouble(void **state)
{
	struct mxguard_policy *policy;
	char line[4096], message[500];
	const char *conf = GATEWAYS JSON;
	assert_int_equal(mxguard_policy_parse(&policy, conf, strlen(conf), "t", 0, message, sizeof(message)), 0);
	size_t len =
		mxguard_policy_trouble_line(NULL, "configuration", NULL, NULL, "a b", "c@d>", "q", line, sizeof(line));
	assert_int_equal(len, strlen(line));
	assert_string_equal(line, "mxguard: verdict=undecided action=defer would=- mode=- place=- peer=- boundary=- "
				  "hop=0 gateway=- term=- helo=<> from=<a\\x20b> rcpt=<c@d\\x3e> id=<q> msgid=<> gen=- "
				  "origin=- reason=configuration");
	mxguard_policy_trouble_line(policy, "userdb", GATEWAY, "\"", "", "c@d", "q", line, sizeof(line));
	json_t *object = parsed(line);
	assert_json_keys(object);
	assert_string_equal(json_string_value(json_object_get(object, "helo")), "\"");
	assert_string_equal(json_string_value(json_object_get(object, "action")), "defer");
	assert_true(json_is_null(json_object_get(object, "mode")));
	json_decref(object);
	assert_int_equal(mxguard_policy_trouble_line(policy, "x", "", "", "", "", "", line, 0), 0);
	mxguard_policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_helo_is_the_boundary_peers),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
