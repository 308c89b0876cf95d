/* SPDX-License-Identifier: MIT */
/*
 * History under a clock of our own: whole refreshes (walk, questions, versions, the file) at
 * times of our choosing, against DNS written as text, and decisions from what they wrote one
 * second before and after every boundary of TTL, grace and keep_stale. The channel is replaced
 * by one that answers from the zone; the rest is what `mxguard refresh` runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "check/questions.h"
#include "refresh.h"
#include "resolver/channel.h"
#include "snapshot_write.h"
#include "zone.h"

#define DAY 86400
#define T 1700000000 /* the first refresh */
#define TTL 300 /* of every record in a zone */
#define GRACE (2 * DAY)
#define STALE (7 * DAY)
#define CONCURRENCY 4 /* questions that may be open at once */
#define STRANGER "203.0.113.66"

static char folder[64];
static struct mxguard_policy *policy;
static struct zone *zone;
static bool dead; /* no question is answered any more, neither a refresh's nor a delivery's */

/* ---- the channel ---------------------------------------------------------------------- */

struct mxg_channel {
	size_t count;
	struct mxg_call *calls[64];
};

struct mxg_channel *mxg_channel_new(const struct mxg_channel_options *options)
{
	return calloc(1, sizeof(struct mxg_channel));
}

void mxg_channel_free(struct mxg_channel *c)
{
	if (c != NULL)
		assert_int_equal(c->count, 0);
	free(c);
}

size_t mxg_channel_servers(const struct mxg_channel *c)
{
	return 1;
}

bool mxg_channel_is_local(const struct mxg_channel *c)
{
	return true;
}

bool mxg_channel_is_worn(const struct mxg_channel *c)
{
	return false;
}

void mxg_channel_send(struct mxg_channel *c, const uint8_t *query, size_t len, struct mxg_call *call)
{
	assert_in_range(len, 12 + 1 + 4, 512);
	call->query = query;
	call->silent = 0;
	c->calls[c->count++] = call;
	assert_in_range(c->count, 1, CONCURRENCY);
}

size_t mxg_channel_pollfds(const struct mxg_channel *c, struct pollfd *fds, size_t count)
{
	return 0;
}

int mxg_channel_timeout(const struct mxg_channel *c)
{
	return c->count == 0 ? -1 : 0;
}

void mxg_channel_process(struct mxg_channel *c, const struct pollfd *fds, size_t count)
{
}

static void answer(struct mxg_call *call)
{
	uint8_t bytes[9000];
	struct mxg_question q = { .name.len = (uint8_t)(strlen((const char *)call->query + 12) + 1) };
	memcpy(q.name.wire, call->query + 12, q.name.len);
	q.type = (uint16_t)(call->query[12 + q.name.len] << 8 | call->query[13 + q.name.len]);
	size_t len = dead ? 0 : zone_reply(zone, &q, bytes, sizeof(bytes));
	call->done(call, len == 0 ? NULL : bytes, len, MXG_DNS_TIMEOUT);
}

void mxg_channel_expire(struct mxg_channel *c)
{
	while (c->count > 0)
		answer(c->calls[--c->count]);
}

/* ---- refreshing ------------------------------------------------------------------------ */

static void publish(const char *lines)
{
	zone_free(zone);
	zone = zone_new();
	zone_add(zone, lines);
}

static void write_run(struct mxg_refresh *run)
{
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0);
	assert_true(mxg_writer_open(&w, dir));
	mxg_refresh_write(run, &w);
	assert_true(mxg_writer_commit(&w, policy->hash, run->now));
	close(dir);
	close(lock);
}

static void refresh_with(int64_t now, bool strict, const char *forget, const char *accept)
{
	struct mxg_local_domain domains[] = { { .ruleset = &policy->rulesets[0], .shared = true },
					      { .name = "d.test", .ruleset = &policy->rulesets[0] } };
	struct mxg_string_list names = { .items = &forget, .count = forget == NULL ? 0 : 1 };
	struct mxg_string_list accepted = { .items = &accept, .count = accept == NULL ? 0 : 1 };
	static struct mxg_refresh run;
	struct mxguard_snapshot *before = NULL;
	run = (struct mxg_refresh){ .policy = policy,
				    .now = now,
				    .strict = strict,
				    .quiet = true,
				    .concurrency = CONCURRENCY,
				    .domains = domains,
				    .domain_count = 2 };
	mxg_snapshot_open_any(&before, policy, NULL, 0);
	assert_true(mxg_store_init(&run.store, before, &names, &accepted));
	assert_true(mxg_refresh_run(&run));
	write_run(&run);
	mxg_driver_free(run.driver);
	mxg_reach_clear(&run.reach);
	mxg_store_clear(&run.store);
	mxguard_snapshot_unref(before);
}

static void refresh_so(int64_t now, bool strict, const char *forget)
{
	refresh_with(now, strict, forget, NULL);
}

static void refresh(int64_t now)
{
	refresh_so(now, false, NULL);
}

/* ---- deciding ---------------------------------------------------------------------------- */

static void reply_to(struct mxguard_check *c, size_t number, int64_t now)
{
	uint8_t bytes[9000];
	char name[256], type[8];
	struct mxg_question q = { .type = MXG_DNS_TXT };
	static const uint16_t types[] = { MXG_DNS_A, MXG_DNS_AAAA, MXG_DNS_MX, MXG_DNS_TXT };
	assert_int_equal(sscanf(mxg_check_question_text(c, number), "%255s %7s", name, type), 2);
	assert_true(mxg_name_from_text(&q.name, name, strlen(name)));
	for (size_t i = 0; i < 4; i++)
		if (strcmp(zone_type_name(types[i]), type) == 0)
			q.type = types[i];
	size_t len = dead ? 0 : zone_reply(zone, &q, bytes, sizeof(bytes));
	if (len > 0)
		mxguard_check_reply(c, number, bytes, len, now);
	else
		mxguard_check_no_reply(c, number, MXGUARD_DNS_FAILURE_TIMEOUT, now);
}

static struct mxguard_check *decide(int64_t now, const char *peer)
{
	struct mxguard_snapshot *s;
	uint8_t query[512];
	size_t number;
	size_t len;
	assert_int_equal(mxguard_snapshot_open(&s, policy, 0, NULL, 0), MXGUARD_ERROR_NONE);
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policy, s, 0);
	mxguard_snapshot_unref(s);
	assert_int_equal(mxguard_check_set_peer_text(c, peer), MXGUARD_ERROR_NONE);
	assert_int_equal(mxguard_check_add_recipient(c, "a@d.test", NULL), 0);
	while (mxguard_check_run(c, now) == MXGUARD_PROGRESS_NEED_DNS)
		while (mxguard_check_next_question(c, &number, query, sizeof(query), &len) == 1)
			reply_to(c, number, now);
	return c;
}

static void expect_at(int64_t now, const char *peer, const char *verdict, int line)
{
	struct mxguard_check *c = decide(now, peer);
	const char *found = mxguard_verdict_name(mxguard_check_verdict(c, 0));
	if (strcmp(found, verdict) != 0)
		fail_msg("line %d: %s at T%+lld is %s (%s), expected %s", line, peer, (long long)(now - T), found,
			 mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), verdict);
	mxguard_check_free(c);
}
#define expect(now, peer, verdict) expect_at(now, peer, verdict, __LINE__)

/* ---- its life ------------------------------------------------------------------------------ */

static const char site[] = "d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\n"
			   "spf.test TXT v=spf1 ip4:198.51.100.1 ip4:198.51.100.2 include:part.test -all\n"
			   "part.test TXT v=spf1 ip4:198.51.100.8 ip4:198.51.100.9 -all\n";

static int set_up(void **state)
{
	char text[600], message[300];
	strcpy(folder, "/tmp/mxg-unit-XXXXXX");
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	int n = snprintf(
		text, sizeof(text),
		"mode = \"enforce\"; self = [ \"198.51.100.200\" ]; domains = [ \"d.test\" ]; state_dir = \"%s\";"
		"gateways = ( { name = \"mx\"; allow = \"mx\"; }, { name = \"filter\"; allow = \"include:spf.test\"; } "
		");"
		"dns = { grace = \"2d\"; keep_stale = \"7d\"; settle = \"0s\"; };",
		folder);
	if (mxguard_policy_parse(&policy, text, (size_t)n, "clock.conf", 0, message, sizeof(message)) !=
	    MXGUARD_ERROR_NONE) {
		print_error("%s\n", message);
		return -1;
	}
	dead = false;
	publish(site);
	refresh(T);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { MXG_SNAPSHOT_FILE, "refresh.lock" };
	char path[128];
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	mxguard_policy_unref(policy);
	zone_free(zone);
	zone = NULL;
	return rmdir(folder);
}

/* ---- tests --------------------------------------------------------------------------------- */

static const char *const gateways[] = { "192.0.2.10", "2001:db8::10", "198.51.100.1", "198.51.100.9" };

static void test_unchanged(void **state)
{
	refresh(T + DAY);
	dead = true;
	for (size_t i = 0; i < 4; i++) {
		expect(T + DAY + TTL - 1, gateways[i], "authorized");
		expect(T + DAY + TTL + STALE - 1, gateways[i], "authorized");
		expect(T + DAY + TTL + STALE, gateways[i], "unknown");
	}
	expect(T + DAY + TTL - 1, STRANGER, "direct");
	expect(T + DAY + TTL, STRANGER, "unknown");
}

/* A refresh without answers confirms nothing and takes nothing away. */
static void test_failed(void **state)
{
	dead = true;
	refresh(T + DAY);
	refresh(T + 5 * DAY);
	expect(T + TTL + STALE - 1, gateways[0], "authorized");
	expect(T + TTL + STALE, gateways[0], "unknown");
	expect(T + 5 * DAY, STRANGER, "unknown");
	dead = false;
	refresh(T + 6 * DAY);
	dead = true;
	expect(T + 6 * DAY + TTL + STALE - 1, gateways[0], "authorized");
	expect(T + 6 * DAY + TTL - 1, STRANGER, "direct");
}

/* Until the old answer's TTL has passed it may refuse; from then on DNS is asked. */
static void test_added_late_is_asked_for(void **state)
{
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test A 192.0.2.11\ngw.test AAAA 2001:db8::10\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 -all");
	expect(T + TTL - 1, "192.0.2.11", "direct");
	expect(T + TTL, "192.0.2.11", "authorized");
	refresh(T + 100);
	expect(T + 100, "192.0.2.11", "authorized");
}

/* No DNS from the refresh on: TTL, grace and keep_stale end when they end. */
static void without_dns(int64_t changed, const char *dropped, const char *kept)
{
	dead = true;
	expect(changed + TTL - 1, STRANGER, "direct");
	expect(changed + TTL, STRANGER, "unknown");
	expect(changed + TTL - 1, dropped, "authorized");
	expect(changed + TTL, dropped, "authorized");
	expect(changed + GRACE - 1, dropped, "authorized");
	expect(changed + GRACE, dropped, "unknown");
	expect(changed + TTL - 1, kept, "authorized");
	expect(changed + TTL + STALE - 1, kept, "authorized");
	expect(changed + TTL + STALE, kept, "unknown");
	dead = false;
}

/* Refreshed often, as a timer does, and long after: the version's own times count, not the
 * moment of a later refresh. */
static void after_a_drop(int64_t changed, const char *dropped, const char *kept)
{
	refresh(changed);
	without_dns(changed, dropped, kept);
	expect(changed + 1, dropped, "authorized");
	expect(changed + 1, STRANGER, "direct");
	for (int64_t now = changed + 6 * 3600; now < changed + GRACE; now += 6 * 3600) {
		refresh(now);
		expect(now, dropped, "authorized");
	}
	refresh(changed + GRACE - 1);
	expect(changed + GRACE - 1, dropped, "authorized");
	expect(changed + GRACE, dropped, "direct");
	expect(changed + GRACE + 1, dropped, "direct");
	refresh(changed + GRACE);
	expect(changed + GRACE, dropped, "direct");
	expect(changed + GRACE - 1, STRANGER, "direct");
}

static void test_one_ip4_dropped_from_an_include(void **state)
{
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 ip4:198.51.100.2 include:part.test -all\n"
		"part.test TXT v=spf1 ip4:198.51.100.8 -all");
	after_a_drop(T + DAY, "198.51.100.9", "198.51.100.8");
	expect(T + DAY + GRACE, "198.51.100.8", "authorized");
}

static void test_include_removed_and_its_name_gone(void **state)
{
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 ip4:198.51.100.2 -all");
	after_a_drop(T + DAY, "198.51.100.9", "198.51.100.2");
	expect(T + DAY + GRACE, "198.51.100.2", "authorized");
}

/* The name first, the include that leads to it a day later: nothing was ever off. */
static void test_name_gone_before_its_include(void **state)
{
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 ip4:198.51.100.2 include:part.test -all");
	refresh(T + DAY);
	expect(T + DAY + 1, "198.51.100.9", "authorized");
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 ip4:198.51.100.2 -all");
	after_a_drop(T + 2 * DAY, "198.51.100.9", "198.51.100.2");
}

static void test_mx_swapped(void **state)
{
	publish("d.test MX 10 new.test\nnew.test A 192.0.2.20\nnew.test AAAA 2001:db8::20\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 -all");
	after_a_drop(T + DAY, "192.0.2.10", "192.0.2.20");
	expect(T + DAY + GRACE, "192.0.2.20", "authorized");
	expect(T + DAY + GRACE, "2001:db8::20", "authorized");
	expect(T + DAY + GRACE, "2001:db8::10", "direct");
}

/* Back again within grace: as if nothing had been, and the grace of the new one runs. */
static void test_swapped_back(void **state)
{
	publish("d.test MX 10 new.test\nnew.test A 192.0.2.20\nspf.test TXT v=spf1 ip4:198.51.100.1 -all");
	refresh(T + DAY);
	publish(site);
	after_a_drop(T + DAY + 3600, "192.0.2.20", "192.0.2.10");
	expect(T + DAY + 3600 + GRACE, "192.0.2.10", "authorized");
}

/* An alarm holds it, against the refresh and against DNS, until somebody says that it is meant. */
static void test_emptied(void **state)
{
	int64_t accepted = T + 31 * DAY;
	publish("d.test MX 10 gw.test\ngw.test TXT here\nspf.test TXT v=spf1 ip4:198.51.100.1 -all\n");
	refresh(T + 3600);
	dead = true;
	expect(T + 3600 + TTL, "192.0.2.10", "authorized");
	expect(T + TTL + STALE - 1, "192.0.2.10", "authorized");
	expect(T + TTL + STALE, "192.0.2.10", "unknown");
	dead = false;
	for (int64_t now = T + DAY; now < accepted; now += 6 * DAY) {
		refresh(now);
		expect(now, "192.0.2.10", "authorized");
		expect(now, "2001:db8::10", "authorized");
		expect(now, STRANGER, "direct");
	}
	refresh_with(accepted, false, NULL, "GW.test");
	dead = true;
	expect(accepted + 1, "192.0.2.10", "authorized"); /* taken out now: grace begins */
	expect(accepted + GRACE, "192.0.2.10", "unknown");
	dead = false;
	expect(accepted + GRACE, "192.0.2.10", "direct");
}

/* That a name is not there can be said in two ways. */
static void test_emptied_and_gone(void **state)
{
	publish("d.test MX 10 gw.test\ngw.test TXT here\nspf.test TXT v=spf1 ip4:198.51.100.1 -all\n");
	refresh(T + DAY);
	publish("d.test MX 10 gw.test\nspf.test TXT v=spf1 ip4:198.51.100.1 -all\n");
	expect(T + 30 * DAY, "192.0.2.10", "authorized");
	refresh(T + 30 * DAY);
	expect(T + 60 * DAY, "192.0.2.10", "authorized");
}

static const char doubled[] = "d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test A 192.0.2.11\n"
			      "gw.test A 192.0.2.12\ngw.test AAAA 2001:db8::10\n"
			      "spf.test TXT v=spf1 ip4:198.51.100.1 -all";

static void test_strict(void **state)
{
	publish(doubled);
	refresh_so(T + DAY, true, NULL);
	dead = true;
	expect(T + DAY, "192.0.2.12", "unknown"); /* what was held back authorizes nobody */
	expect(T + TTL + STALE - 1, "192.0.2.10", "authorized");
	dead = false;
	expect(T + DAY, "192.0.2.12", "direct"); /* … also where DNS says it at the delivery */
	expect(T + 30 * DAY, "192.0.2.12", "direct");
	expect(T + 30 * DAY, "192.0.2.10", "authorized");
	refresh(T + 30 * DAY); /* by hand, without --strict */
	expect(T + 30 * DAY, "192.0.2.12", "direct");
	dead = true;
	refresh(T + 31 * DAY); /* which learns nothing */
	dead = false;
	expect(T + 31 * DAY, "192.0.2.12", "direct");
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test A 192.0.2.12\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 -all");
	expect(T + 31 * DAY, "192.0.2.12", "authorized"); /* another answer than the refused one */
}

static void test_accepted(void **state)
{
	publish(doubled);
	refresh_so(T + DAY, true, NULL);
	refresh_with(T + 2 * DAY, true, NULL, "gw.test");
	expect(T + 2 * DAY, "192.0.2.12", "authorized");
	refresh_so(T + 3 * DAY, true, NULL);
	dead = true; /* it is like any other now */
	expect(T + 3 * DAY + TTL + STALE - 1, "192.0.2.12", "authorized");
	expect(T + 3 * DAY + TTL + STALE, "192.0.2.12", "unknown");
	dead = false;
	publish(site);
	refresh(T + 4 * DAY);
	expect(T + 4 * DAY + GRACE - 1, "192.0.2.12", "authorized");
	expect(T + 4 * DAY + GRACE, "192.0.2.12", "direct");
}

/* Taken with an alarm, it counts while it stands and is fresh, and no longer. */
static void test_doubtful(void **state)
{
	publish(doubled);
	refresh(T + DAY);
	refresh(T + DAY + 60);
	dead = true;
	expect(T + DAY + 60 + TTL - 1, "192.0.2.12", "authorized");
	expect(T + DAY + 60 + TTL, "192.0.2.12", "unknown");
	expect(T + DAY + 60 + TTL, "192.0.2.10", "authorized"); /* by the version before, in grace */
	dead = false;
	expect(T + DAY + 60 + TTL, "192.0.2.12", "authorized");
	publish(site);
	refresh(T + 2 * DAY);
	expect(T + 2 * DAY, "192.0.2.12", "direct");
	expect(T + 2 * DAY, "192.0.2.10", "authorized");
}

#define WIDE \
	"d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\nspf.test TXT v=spf1 ip4:0.0.0.0/0 " \
	"-all"

/* Wide open for an hour, by a slip of somebody else's; mended, it is as if it had not been. */
static void test_wide_and_mended(void **state)
{
	policy->accept_any_width = true;
	publish(WIDE);
	refresh(T + DAY);
	expect(T + DAY, STRANGER, "authorized");
	publish(site);
	refresh(T + DAY + 3600);
	expect(T + DAY + 3600, STRANGER, "direct");
	expect(T + DAY + 3600, "198.51.100.9", "authorized");
}

/* Mended to nothing at all: that it empties is no reason to keep what covers everybody. */
static void test_wide_and_emptied(void **state)
{
	policy->accept_any_width = true;
	publish(WIDE);
	refresh(T + DAY);
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.10\ngw.test AAAA 2001:db8::10\nspf.test TXT v=spf1 -all");
	refresh_so(T + DAY + 3600, true, NULL);
	expect(T + DAY + 3600, STRANGER, "direct");
	expect(T + DAY + 3600, "192.0.2.10", "authorized");
}

/* Something else changed while it was wide open: the state before that change holds it, too. */
static void test_wide_in_another_ones_past(void **state)
{
	policy->accept_any_width = true;
	publish(WIDE);
	refresh(T + DAY);
	publish("d.test MX 10 new.test\nnew.test A 192.0.2.20\nspf.test TXT v=spf1 ip4:0.0.0.0/0 -all");
	refresh(T + DAY + 1800);
	publish("d.test MX 10 new.test\nnew.test A 192.0.2.20\nspf.test TXT v=spf1 ip4:198.51.100.1 -all");
	refresh(T + DAY + 3600);
	expect(T + DAY + 3600, STRANGER, "direct");
	expect(T + DAY + 3600, "192.0.2.10", "authorized");
}

static void test_forgotten(void **state)
{
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.11\ngw.test AAAA 2001:db8::10\n"
		"spf.test TXT v=spf1 ip4:198.51.100.1 -all");
	refresh_so(T + DAY, false, "gw.test");
	expect(T + DAY + 1, "192.0.2.10", "direct");
	expect(T + DAY + 1, "192.0.2.11", "authorized");
	expect(T + DAY + 1, "198.51.100.9", "authorized"); /* not forgotten: in grace */
}

/* A TTL of 68 years, in answers and in a snapshot of times without max_ttl: it counts as one of a day,
 * and once it is corrected, grace is what ends it. */
static void poison(void)
{
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.66\nspf.test TXT v=spf1 ip4:192.0.2.66 -all");
	for (size_t i = 0; i < zone->count; i++)
		zone->records[i].ttl = 0x7fffffff;
	refresh_so(T, false, "gw.test");
}

static void ends_after_a_day(void)
{
	int64_t changed = T + DAY / 2;
	dead = true;
	expect(T + DAY - 1, STRANGER, "direct");
	expect(T + DAY, STRANGER, "unknown");
	expect(T + DAY + STALE - 1, "192.0.2.66", "authorized");
	expect(T + DAY + STALE, "192.0.2.66", "unknown");
	dead = false;
	publish(site);
	refresh(changed);
	expect(changed + GRACE - 1, "192.0.2.66", "authorized");
	expect(changed + GRACE, "192.0.2.66", "direct");
	refresh(changed + GRACE + 1);
	expect(changed + GRACE + 1, "192.0.2.66", "direct");
}

static void test_endless_ttl(void **state)
{
	poison();
	ends_after_a_day();
}

static void test_endless_ttl_of_an_old_snapshot(void **state)
{
	policy->reply_rules.max_ttl = 0x7fffffff;
	poison();
	policy->reply_rules.max_ttl = DAY;
	ends_after_a_day();
}

/* The clock jumps back a year and forth again: nobody is authorized who never was. */
static void test_clock_set_back(void **state)
{
	refresh(T - 365 * DAY);
	expect(T - 365 * DAY, STRANGER, "direct");
	publish("d.test MX 10 gw.test\ngw.test A 192.0.2.11\nspf.test TXT v=spf1 ip4:198.51.100.1 -all");
	refresh(T - 364 * DAY);
	expect(T - 364 * DAY, "192.0.2.11", "authorized");
	refresh(T + DAY);
	expect(T + DAY, STRANGER, "direct");
	expect(T + DAY, "192.0.2.11", "authorized");
}

#define clock_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		clock_test(test_unchanged),
		clock_test(test_failed),
		clock_test(test_added_late_is_asked_for),
		clock_test(test_one_ip4_dropped_from_an_include),
		clock_test(test_include_removed_and_its_name_gone),
		clock_test(test_name_gone_before_its_include),
		clock_test(test_mx_swapped),
		clock_test(test_swapped_back),
		clock_test(test_emptied),
		clock_test(test_emptied_and_gone),
		clock_test(test_strict),
		clock_test(test_accepted),
		clock_test(test_doubtful),
		clock_test(test_wide_and_mended),
		clock_test(test_wide_and_emptied),
		clock_test(test_wide_in_another_ones_past),
		clock_test(test_forgotten),
		clock_test(test_clock_set_back),
		clock_test(test_endless_ttl),
		clock_test(test_endless_ttl_of_an_old_snapshot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
