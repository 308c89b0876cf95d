/* SPDX-License-Identifier: MIT */
/* Chains of Received fields by program: ours, the gateway's, and below them whatever a sender may forge. The oracle is
 * the client that the program put into the gateway's last field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mxguard.h"

#define NOW 1000000000
#define CHAINS 20000
#define ROOM 32768
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char common[] =
	"mode = \"enforce\"; hostname = \"mx.example.test\"; trace = { by = [ \"mx.example.test\" ]; };"
	"gateways = ( { name = \"filter\"; allow = \"ip4:192.0.2.0/28\"; } );";
static const char with_origin[] = "origin = { by = [ \".gateway.example\" ]; };";

static unsigned long long seed = 20261129;

static unsigned pick(unsigned below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % below;
}

struct chain {
	char text[ROOM];
	size_t len;
	char client[32];
	const char *helo;
	unsigned hops, origin_hop;
};

static void put(struct chain *c, const char *helo, const char *name, const char *address, const char *by)
{
	const char *tail = pick(4) == 0 ? " (OpenSMTPD) with ESMTP id 4f" : " (Postfix) with ESMTPS id 4F";
	const char *fold = tail[2] == 'O' ? ";\r\n\t" : "\r\n\tfor <a@example.test>; ";
	c->len += (size_t)snprintf(
		c->text + c->len, ROOM - c->len,
		"Received: from %s (%s [%s])\r\n\tby %s%s%u%sMon, 02 Nov 2026 10:00:00 +0000 (UTC)\r\n", helo, name,
		address, by, tail, c->hops++, fold);
}

/* What a sender may write below, made of the very things that are looked for. */
static void put_forged(struct chain *c)
{
	static const char *const names[] = { "gw1.gateway.example", "gw2.gateway.example", "mx.example.test",
					     "x.bank.example" };
	static const char *const addresses[] = { "192.0.2.1", "192.0.2.2", "127.0.0.1", "198.51.100.99", "10.0.0.1" };
	static const char *const texts[] = {
		"Subject: x\r\n", "X-Received: by 2002\r\n", "this is no field\r\n",
		"Received: (qmail 7 invoked from network); 2 Nov 2026 10:00:00 -0000\r\n",
		"Received: by gw1.gateway.example (Postfix, from userid 5)\r\n\tid 4F; Mon, 02 "
		"Nov 2026 10:00:00 +0000 (UTC)\r\n"
	};
	for (unsigned n = pick(6); n > 0; n--) {
		if (pick(4) == 0)
			c->len += (size_t)snprintf(c->text + c->len, ROOM - c->len, "%s", texts[pick(COUNT(texts))]);
		else
			put(c, names[pick(COUNT(names))], names[pick(COUNT(names))], addresses[pick(COUNT(addresses))],
			    names[pick(COUNT(names))]);
	}
}

/* own: our fields stand above. */
static void make(struct chain *c, bool own)
{
	static const char *const helos[] = { "mx.sender.example", "gw1.gateway.example", "[192.0.2.1]",
					     "mx.example.test", "localhost" };
	char address[32];
	c->len = 0;
	c->hops = 0;
	for (unsigned n = own ? pick(3) : 0; n > 0; n--)
		put(c, "localhost", "localhost", "127.0.0.1", "mx.example.test");
	if (own)
		put(c, "gw1.gateway.example", "unknown", "192.0.2.1", "mx.example.test");
	for (unsigned n = pick(5); n > 0; n--) {
		snprintf(address, sizeof(address), pick(3) == 0 ? "127.0.0.%u" : "192.0.2.%u", 1 + pick(14));
		put(c, "gw2.gateway.example", "unknown", address, "gw1.gateway.example");
	}
	snprintf(c->client, sizeof(c->client), "%s.%u", pick(2) == 0 ? "203.0.113" : "192.0.2", 16 + pick(200));
	c->helo = helos[pick(COUNT(helos))];
	put(c, c->helo, "unknown", c->client, pick(2) == 0 ? "gw2.gateway.example" : "in.gateway.example");
	c->origin_hop = c->hops;
	put_forged(c);
	c->len += (size_t)snprintf(c->text + c->len, ROOM - c->len, "From: a@b\r\n\r\n");
}

static const char *field(const struct mxguard_check *check, const char *wanted)
{
	const char *key, *value;
	for (size_t n = 0; (value = mxguard_check_log_field(check, 0, n, &key)) != NULL; n++)
		if (strcmp(key, wanted) == 0)
			return value;
	return "";
}

static void feed(struct mxguard_check *check, const struct chain *c)
{
	size_t at = 0;
	while (at < c->len) {
		size_t n = 1 + pick(pick(2) == 0 ? 20 : 3000);
		n = n > c->len - at ? c->len - at : n;
		char *piece = malloc(n); /* so that ASan sees its ends */
		assert_non_null(piece);
		memcpy(piece, c->text + at, n);
		int more = mxguard_check_header(check, piece, n);
		free(piece);
		at += n;
		if (more != 1)
			break;
	}
	assert_int_equal(mxguard_check_header_end(check), MXGUARD_ERROR_NONE);
}

static void run(struct mxguard_check *check, const struct chain *c, const char *peer, enum mxguard_place place)
{
	mxguard_check_reset(check);
	mxguard_check_set_peer_text(check, peer);
	mxguard_check_set_place(check, place);
	mxguard_check_add_recipient(check, "a@example.test", NULL);
	int progress = mxguard_check_run(check, NOW);
	if (progress == MXGUARD_PROGRESS_NEED_HEADER || mxguard_check_wants_header(check) == 1) {
		feed(check, c);
		progress = mxguard_check_run(check, NOW);
	}
	assert_int_equal(progress, MXGUARD_PROGRESS_DONE);
	assert_int_equal(mxguard_check_verdict(check, 0), MXGUARD_VERDICT_AUTHORIZED);
}

static struct mxguard_check *check_of(const char *more)
{
	char conf[1000], message[500];
	struct mxguard_policy *policy;
	struct mxguard_check *check = NULL;
	snprintf(conf, sizeof(conf), "%s%s", common, more);
	if (mxguard_policy_parse(&policy, conf, strlen(conf), "test.conf", 0, message, sizeof(message)) != 0)
		fail_msg("%s", message);
	mxguard_check_new(&check, policy, NULL, 0);
	assert_non_null(check);
	mxguard_policy_unref(policy);
	return check;
}

static void assert_origin(const struct mxguard_check *check, const struct chain *c)
{
	char hop[16];
	snprintf(hop, sizeof(hop), "%u", c->origin_hop);
	if (strcmp(field(check, "origin"), c->client) != 0 || strcmp(field(check, "origin_hop"), hop) != 0 ||
	    strcmp(field(check, "origin_helo"), c->helo) != 0)
		fail_msg("origin %s at hop %s instead of %s at %s in:\n%s", field(check, "origin"),
			 field(check, "origin_hop"), c->client, hop, c->text);
}

static void test_chains(void **state)
{
	static struct chain c;
	struct mxguard_check *with = check_of(with_origin), *without = check_of("");
	for (unsigned i = 0; i < CHAINS; i++) {
		make(&c, true);
		run(with, &c, "", MXGUARD_PLACE_QUEUED);
		assert_origin(with, &c);
		run(without, &c, "", MXGUARD_PLACE_QUEUED);
		assert_string_equal(field(without, "origin"), "");
		run(with, &c, "192.0.2.1", MXGUARD_PLACE_QUEUED);
		assert_origin(with, &c);
		make(&c, false);
		run(with, &c, "192.0.2.1", MXGUARD_PLACE_DOOR);
		assert_origin(with, &c);
	}
	mxguard_check_free(with);
	mxguard_check_free(without);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_chains) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
