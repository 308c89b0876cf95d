/* SPDX-License-Identifier: MIT */
/*
 * Histories made at random: a little DNS that changes and fails, a refresh that looks at it now
 * and then, and a delivery at the end, in a DNS that may have changed once more. The whole
 * decision, by the public functions and from a snapshot file, must agree with a naive one that
 * is written from DESIGN §2.4, §4 and §7 and goes on the naive evaluator: for each moment it
 * puts a zone together out of what was known, and asks that.
 * MXG_TEST_HISTORIES: how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "naive_spf.h"
#include "policy.h"
#include "scripted.h"
#include "snapshot_write.h"

#define NOW 1700000000
#define DAY 86400
#define EPOCHS_MAX 6 /* states of the DNS; the last one is the present */
#define VERSIONS (EPOCHS_MAX)
#define STATES_MAX 8
#define PEERS 6 /* 192.0.2.1 to .6 */

static const struct {
	const char *name;
	uint16_t type;
} names[] = {
	{ "d.test", MXG_DNS_MX },     { "h0.test", MXG_DNS_A },	    { "h1.test", MXG_DNS_A }, { "h2.test", MXG_DNS_A },
	{ "spf.test", MXG_DNS_TXT }, { "part.test", MXG_DNS_TXT }, { "old.test", MXG_DNS_A },
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* How long things count, as configured. */
struct rules {
	int64_t grace, keep_stale, settle;
};
static const struct rules settings[] = {
	{ 2 * DAY, 7 * DAY, 2 * DAY }, { 3600, 0, 3600 }, { 0, DAY, 0 }, { 7 * DAY, 3600, 600 },
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* What a refresh learned: the answer is that of an epoch's zone. */
struct version {
	int epoch;
	int64_t from, confirmed, superseded;
	uint32_t ttl;
	struct mxg_reply reply;
};

struct history {
	struct zone *zones[EPOCHS_MAX];
	int64_t times[EPOCHS_MAX]; /* when the refresh looked; the last one's is the delivery's */
	int count;
	struct version versions[NAMES][VERSIONS]; /* newest first */
	size_t version_count[NAMES];
};

static uint64_t state;
static char folder[64];
static struct mxguard_policy *policies[SETTINGS];

static uint32_t below(uint32_t n)
{
	return scripted_random(&state) % n;
}

/* ---- a DNS that changes ---------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void add(struct zone *z, const char *format, ...)
{
	char line[300];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	zone_add(z, line);
}

static void add_text(struct zone *z, const char *owner)
{
	static const char *const others[] = { "include:part.test", "a:h2.test", "mx:d.test", "-all", "?all", "bogus",
					      "redirect=part.test", "include:gone.test" };
	static const char qualifiers[] = "++++-~?";
	char text[300] = "v=spf1";
	for (uint32_t n = below(4); n > 0; n--) {
		size_t len = strlen(text);
		if (below(3) == 0)
			snprintf(text + len, sizeof(text) - len, " %s", others[below(8)]);
		else
			snprintf(text + len, sizeof(text) - len, " %cip4:192.0.2.%u", qualifiers[below(7)], 1 + below(PEERS));
	}
	add(z, "%s TXT %s", owner, text);
}

/* One name's records; `fresh` decides whether they are made anew or are as they were. */
static void add_name(struct zone *z, size_t i, uint32_t seed)
{
	static const char *const failures[] = { "!timeout", "!servfail", "!refused" };
	uint64_t kept = state;
	state = seed;
	below(2); /* the first numbers of near seeds are near */
	below(2);
	uint32_t kind = below(10);
	if (kind == 0) {
		add(z, "%s %s %s", names[i].name, zone_type_name(names[i].type), failures[below(3)]);
	} else if (kind > 1 && names[i].type == MXG_DNS_TXT) {
		add_text(z, names[i].name);
	} else if (kind > 1) {
		for (uint32_t n = 1 + below(2); n > 0; n--) {
			if (names[i].type == MXG_DNS_A)
				add(z, "%s A 192.0.2.%u", names[i].name, 1 + below(PEERS));
			else
				add(z, "%s MX %u h%u.test", names[i].name, n, below(3));
		}
	}
	state = kept;
}

static void make_zones(struct history *h)
{
	uint32_t seeds[NAMES];
	for (size_t i = 0; i < NAMES; i++)
		seeds[i] = below(1u << 30);
	for (int e = 0; e < h->count; e++) {
		h->zones[e] = zone_new();
		for (size_t i = 0; i < NAMES; i++) {
			if (below(3) == 0)
				seeds[i] = below(1u << 30);
			add_name(h->zones[e], i, seeds[i]);
		}
	}
}

/* Spans that meet the ends of TTL (300), grace, keep_stale and settle, and a second beside. */
static int64_t span(void)
{
	static const int64_t ends[] = { 1, 300, 600, 3600, DAY, 2 * DAY, 7 * DAY, 3600 + 300, DAY + 300, 7 * DAY + 300 };
	int64_t around = ends[below(10)] + (int64_t)below(3) - 1;
	return around < 1 ? 1 : around;
}

static void make_times(struct history *h)
{
	int64_t t = NOW;
	for (int e = h->count - 1; e >= 0; e--) {
		h->times[e] = t;
		t -= span();
	}
}

/* ---- the refresh -------------------------------------------------------------------------------- */

static void ask(const struct zone *z, size_t name, struct mxg_reply *reply)
{
	struct mxg_question q = { .type = names[name].type };
	mxg_name_from_text(&q.name, names[name].name, strlen(names[name].name));
	zone_answer(z, &q, reply);
}

static bool same_answer(const struct mxg_reply *a, const struct mxg_reply *b)
{
	return a->kind == b->kind && a->records.count == b->records.count && a->records.size == b->records.size &&
	       (a->records.size == 0 || memcmp(a->records.data, b->records.data, a->records.size) == 0);
}

/* What a refresh at that time makes of one name. */
static void learn(struct history *h, size_t name, int epoch)
{
	struct version *v = h->versions[name];
	int64_t now = h->times[epoch];
	struct mxg_reply reply;
	ask(h->zones[epoch], name, &reply);
	if (reply.kind == MXG_ANSWER_FAILED || below(8) == 0) { /* or this question got lost */
		free(reply.records.data);
	} else if (h->version_count[name] > 0 && same_answer(&v[0].reply, &reply)) {
		v[0].confirmed = now;
		v[0].ttl = reply.ttl;
		free(reply.records.data);
	} else {
		memmove(v + 1, v, (VERSIONS - 1) * sizeof(*v));
		if (h->version_count[name]++ > 0)
			v[1].superseded = now;
		v[0] = (struct version){ .epoch = epoch, .from = now, .confirmed = now, .ttl = reply.ttl, .reply = reply };
	}
}

static void write_snapshot(const struct history *h, const struct mxguard_policy *policy)
{
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	assert_true(lock >= 0 && mxg_writer_open(&w, dir));
	mxg_writer_domain(&w, "d.test");
	for (size_t i = 0; i < NAMES; i++) {
		struct mxg_question q = { .type = names[i].type };
		struct mxg_answer answers[VERSIONS];
		mxg_name_from_text(&q.name, names[i].name, strlen(names[i].name));
		for (size_t k = 0; k < h->version_count[i]; k++) {
			const struct version *v = &h->versions[i][k];
			answers[k] = (struct mxg_answer){ .kind = v->reply.kind, .from = v->from, .confirmed = v->confirmed,
							  .superseded = v->superseded, .ttl = v->ttl,
							  .count = v->reply.records.count, .size = v->reply.records.size,
							  .data = v->reply.records.data };
		}
		if (h->version_count[i] > 0)
			mxg_writer_answer(&w, &q, answers, h->version_count[i]);
	}
	assert_true(mxg_writer_commit(&w, policy->hash, h->times[h->count - 1]));
	close(dir);
	close(lock);
}

static void make_history(struct history *h)
{
	*h = (struct history){ .count = 1 + (int)below(EPOCHS_MAX) };
	make_zones(h);
	make_times(h);
	for (int e = 0; e + 1 < h->count; e++)
		for (size_t i = 0; i < NAMES; i++)
			learn(h, i, e);
}

static void free_history(struct history *h)
{
	for (int e = 0; e < h->count; e++)
		zone_free(h->zones[e]);
	for (size_t i = 0; i < NAMES; i++)
		for (size_t k = 0; k < h->version_count[i]; k++)
			free(h->versions[i][k].reply.records.data);
}

/* ---- the naive decision --------------------------------------------------------------------------- */

enum source { UNKNOWN_THEN = -2, LIVE = -1 }; /* else: an epoch */

struct opinion {
	bool authorized, failed;
	bool consulted[NAMES];
};

/* A zone that holds, for each name, the records of one epoch. The strings stay the epochs'. */
static void compose(const struct history *h, const int sources[NAMES], struct zone *out)
{
	out->count = 0;
	for (size_t i = 0; i < NAMES; i++) {
		const struct zone *z = sources[i] == UNKNOWN_THEN ? NULL
				       : h->zones[sources[i] == LIVE ? h->count - 1 : sources[i]];
		if (z == NULL) {
			struct zone_record *r = &out->records[out->count++];
			*r = (struct zone_record){ .type = names[i].type, .failure = MXG_DNS_TIMEOUT };
			strcpy(r->name, names[i].name);
			continue;
		}
		for (size_t k = 0; k < z->count; k++)
			if (strcmp(z->records[k].name, names[i].name) == 0)
				out->records[out->count++] = z->records[k];
	}
}

/* DESIGN §2.3: entries are alternatives, each by itself; a match wins over any trouble. */
static void evaluate(const struct history *h, const int sources[NAMES], const struct mxg_address *peer, struct opinion *o)
{
	static const char *const terms[] = { "mx", "include:spf.test", "a:old.test" };
	static struct zone z;
	static struct naive n;
	compose(h, sources, &z);
	*o = (struct opinion){ 0 };
	for (size_t t = 0; t < 3 && !o->authorized; t++) {
		n = (struct naive){ .zone = &z, .peer = *peer, .sender = "", .helo = "", .domain = "d.test" };
		enum mxg_term_result result = naive_term(&n, terms[t]);
		o->authorized = result == MXG_TERM_MATCH;
		o->failed |= result != MXG_TERM_MATCH && result != MXG_TERM_NO_MATCH;
		for (size_t q = 0; q < n.count; q++)
			for (size_t i = 0; i < NAMES; i++)
				o->consulted[i] |= n.log[q].type == names[i].type && strcmp(n.log[q].name, names[i].name) == 0;
	}
}

static bool live_fails(const struct history *h, size_t name)
{
	struct mxg_reply reply;
	ask(h->zones[h->count - 1], name, &reply);
	free(reply.records.data);
	return reply.kind == MXG_ANSWER_FAILED;
}

/* What a name says now: the last refresh's answer while fresh; past that a positive one up to
 * keep_stale, unless DNS was asked and answered; else DNS. */
static int source_now(const struct history *h, const struct rules *r, size_t name, bool asked, bool *stale)
{
	const struct version *v = &h->versions[name][0];
	int64_t age = NOW - v->confirmed;
	*stale = false;
	if (h->version_count[name] == 0)
		return LIVE;
	if (age < (int64_t)v->ttl)
		return v->epoch;
	if (v->reply.kind != MXG_ANSWER_RECORDS || age >= (int64_t)v->ttl + r->keep_stale)
		return LIVE;
	*stale = !asked || live_fails(h, name);
	return *stale ? v->epoch : LIVE;
}

/* As things stood just before the moment, by the versions alone. */
static int source_then(const struct history *h, size_t name, int64_t moment)
{
	for (size_t k = 0; k < h->version_count[name]; k++) {
		const struct version *v = &h->versions[name][k];
		if (v->from < moment && (v->superseded == 0 || moment <= v->superseded))
			return v->epoch;
	}
	return UNKNOWN_THEN;
}

/* The newest change before `before` among these names that is still within grace; 0: none. */
static int64_t last_change(const struct history *h, const struct rules *r, const bool of[NAMES], int64_t before)
{
	int64_t last = 0;
	for (size_t i = 0; i < NAMES; i++) {
		for (size_t k = 0; of[i] && k < h->version_count[i]; k++) {
			const struct version *v = &h->versions[i][k];
			int64_t counts = (int64_t)v->ttl > r->grace ? (int64_t)v->ttl : r->grace;
			if (v->superseded != 0 && v->superseded < before && NOW < v->superseded + counts && v->superseded > last)
				last = v->superseded;
		}
	}
	return last;
}

static bool authorized_in_grace(const struct history *h, const struct rules *r, const struct mxg_address *peer,
				const bool touched[NAMES])
{
	int64_t moment = INT64_MAX;
	for (int n = 0; n < STATES_MAX && (moment = last_change(h, r, touched, moment)) != 0; n++) {
		int sources[NAMES];
		struct opinion o;
		for (size_t i = 0; i < NAMES; i++)
			sources[i] = source_then(h, i, moment);
		evaluate(h, sources, peer, &o);
		if (o.authorized)
			return true;
	}
	return false;
}

static bool mx_changed(const struct history *h, const struct rules *r, bool asked)
{
	struct mxg_reply reply;
	const struct version *v = h->versions[0];
	for (size_t k = 1; k < h->version_count[0]; k++)
		if (NOW < v[k].superseded + r->settle && r->settle > 0)
			return true;
	if (!asked || h->version_count[0] == 0 || r->settle == 0)
		return false;
	ask(h->zones[h->count - 1], 0, &reply);
	bool differs = reply.kind != MXG_ANSWER_FAILED && !same_answer(&reply, &v[0].reply);
	free(reply.records.data);
	return differs;
}

struct decision {
	enum mxguard_verdict verdict;
	enum mxguard_action action;
	bool grace;
};

static struct decision decide_naively(const struct history *h, const struct rules *r, const struct mxg_address *peer)
{
	bool asked[NAMES] = { false }, stale[NAMES];
	int sources[NAMES];
	struct opinion o;
	for (;;) {
		bool more = false, rests_on_stale = false;
		for (size_t i = 0; i < NAMES; i++)
			sources[i] = source_now(h, r, i, asked[i], &stale[i]);
		evaluate(h, sources, peer, &o);
		if (o.authorized)
			return (struct decision){ MXGUARD_VERDICT_AUTHORIZED, MXGUARD_ACTION_ACCEPT, false };
		for (size_t i = 0; i < NAMES; i++) {
			more |= o.consulted[i] && stale[i] && !asked[i];
			asked[i] |= o.consulted[i] && (stale[i] || sources[i] == LIVE);
			rests_on_stale |= o.consulted[i] && stale[i];
		}
		if (more)
			continue;
		if (authorized_in_grace(h, r, peer, o.consulted))
			return (struct decision){ MXGUARD_VERDICT_AUTHORIZED, MXGUARD_ACTION_ACCEPT, true };
		if (o.failed || rests_on_stale)
			return (struct decision){ MXGUARD_VERDICT_UNKNOWN, MXGUARD_ACTION_DEFER, false };
		return (struct decision){ MXGUARD_VERDICT_DIRECT,
					  mx_changed(h, r, asked[0]) ? MXGUARD_ACTION_DEFER : MXGUARD_ACTION_REJECT, false };
	}
}

/* ---- the real one ------------------------------------------------------------------------------------ */

static void reply_to(struct mxguard_check *c, unsigned number, const uint8_t *query, const struct zone *z)
{
	uint8_t reply[4096];
	size_t labels = strlen((const char *)query + 12) + 1;
	struct mxg_question q = { .type = (uint16_t)(query[12 + labels] << 8 | query[13 + labels]) };
	q.name.len = (uint8_t)labels;
	memcpy(q.name.wire, query + 12, labels);
	size_t len = zone_reply(z, &q, reply, sizeof(reply));
	if (len == 0)
		mxguard_check_no_reply(c, number, MXGUARD_DNS_TIMEOUT, NOW);
	else
		mxguard_check_reply(c, number, reply, len, NOW);
}

static struct decision decide(const struct history *h, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot,
			      const struct mxg_address *peer)
{
	struct mxguard_check *c = mxguard_check_new(policy, snapshot, 0);
	uint8_t query[512];
	unsigned number, rounds = 0;
	size_t len;
	assert_int_equal(mxguard_check_set_peer_bytes(c, peer->bytes, 4), MXGUARD_OK);
	assert_int_equal(mxguard_check_add_recipient(c, "a@d.test"), 0);
	while (mxguard_check_run(c, NOW) == MXGUARD_NEED_DNS) {
		while (mxguard_check_next_question(c, &number, query, sizeof(query), &len) == 1)
			reply_to(c, number, query, h->zones[h->count - 1]);
		assert_in_range(++rounds, 1, 30);
	}
	struct decision d = { mxguard_check_verdict(c, 0), mxguard_check_would(c, 0),
			      strcmp(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "gateway-match-grace") == 0 };
	mxguard_check_free(c);
	return d;
}

/* ---- comparing ----------------------------------------------------------------------------------------- */

static void show(const struct history *h, const struct rules *r, const struct mxg_address *peer)
{
	fprintf(stderr, "peer 192.0.2.%u, grace %lld, keep_stale %lld, settle %lld\n", peer->bytes[3], (long long)r->grace,
		(long long)r->keep_stale, (long long)r->settle);
	for (size_t i = 0; i < NAMES; i++)
		for (size_t k = 0; k < h->version_count[i]; k++)
			fprintf(stderr, "  %s: epoch %d from %lld confirmed %lld superseded %lld ttl %u\n", names[i].name,
				h->versions[i][k].epoch, (long long)(h->versions[i][k].from - NOW),
				(long long)(h->versions[i][k].confirmed - NOW),
				h->versions[i][k].superseded == 0 ? 0 : (long long)(h->versions[i][k].superseded - NOW),
				h->versions[i][k].ttl);
	for (int e = 0; e < h->count; e++) {
		for (size_t k = 0; k < h->zones[e]->count; k++) {
			char address[MXG_ADDRESS_TEXT_MAX];
			const struct zone_record *z = &h->zones[e]->records[k];
			fprintf(stderr, "  epoch %d: %s %s %s%s%s%s\n", e, z->name, zone_type_name(z->type),
				z->text == NULL ? "" : z->text, z->target, z->failure != MXG_DNS_OK ? "!" : "",
				mxg_address_format(&z->address, address));
		}
	}
}

static unsigned verdicts[8], by_grace, settling;

static void compare(const struct history *h, size_t which)
{
	struct mxguard_snapshot *snapshot = NULL;
	char message[300] = "";
	write_snapshot(h, policies[which]);
	if (mxguard_snapshot_open(&snapshot, policies[which], 0, message, sizeof(message)) != MXGUARD_OK)
		fail_msg("%s", message);
	for (uint8_t host = 1; host <= PEERS; host++) {
		const uint8_t bytes[4] = { 192, 0, 2, host };
		struct mxg_address peer;
		mxg_address_from_bytes(&peer, 4, bytes);
		struct decision naive = decide_naively(h, &settings[which], &peer);
		struct decision ours = decide(h, policies[which], snapshot, &peer);
		if (ours.verdict != naive.verdict || ours.action != naive.action || ours.grace != naive.grace) {
			show(h, &settings[which], &peer);
			fail_msg("ours: verdict %d action %d grace %d; naive: verdict %d action %d grace %d", (int)ours.verdict,
				 (int)ours.action, ours.grace, (int)naive.verdict, (int)naive.action, naive.grace);
		}
		verdicts[ours.verdict]++;
		by_grace += ours.grace;
		settling += ours.verdict == MXGUARD_VERDICT_DIRECT && ours.action == MXGUARD_ACTION_DEFER;
	}
	mxguard_snapshot_unref(snapshot);
}

static void test_histories(void **unused)
{
	(void)unused;
	const char *wanted = getenv("MXG_TEST_HISTORIES");
	uint32_t count = wanted == NULL ? 1000 : (uint32_t)strtoul(wanted, NULL, 10);
	for (uint32_t i = 0; i < count; i++) {
		struct history h;
		state = 1034 + (uint64_t)i * 1000003;
		make_history(&h);
		compare(&h, below(SETTINGS));
		free_history(&h);
	}
	print_message("%u histories: %u authorized (%u in grace), %u direct (%u deferred, the MX set being new), %u unknown\n",
		      count, verdicts[MXGUARD_VERDICT_AUTHORIZED], by_grace, verdicts[MXGUARD_VERDICT_DIRECT], settling,
		      verdicts[MXGUARD_VERDICT_UNKNOWN]);
	/* else the comparison would prove little */
	assert_true(by_grace > count / 50 && settling > count / 50 && verdicts[MXGUARD_VERDICT_UNKNOWN] > count / 50);
}

static int set_up(void **unused)
{
	(void)unused;
	snprintf(folder, sizeof(folder), "%s/mxg-histories-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	for (size_t i = 0; i < SETTINGS; i++) {
		char text[600], message[300];
		int n = snprintf(text, sizeof(text),
				 "mode = \"enforce\"; self = [ \"198.51.100.200\" ]; domains = [ \"d.test\" ]; state_dir = \"%s\";"
				 "gateways = ( { name = \"static\"; allow = \"ip4:192.0.2.200\"; }, { name = \"mx\"; allow = \"mx\"; },"
				 "{ name = \"filter\"; allow = \"include:spf.test\"; }, { name = \"a\"; allow = \"a:old.test\"; } );"
				 "dns = { grace = \"%llds\"; keep_stale = \"%llds\"; settle = \"%llds\"; };", folder,
				 (long long)settings[i].grace, (long long)settings[i].keep_stale,
				 (long long)settings[i].settle);
		if (mxguard_policy_parse(&policies[i], text, (size_t)n, "t.conf", 0, message, sizeof(message)) != MXGUARD_OK) {
			fprintf(stderr, "%s\n", message);
			return -1;
		}
	}
	return 0;
}

static int tear_down(void **unused)
{
	static const char *const files[] = { MXG_SNAPSHOT_FILE, "refresh.lock" };
	char path[128];
	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
	for (size_t i = 0; i < SETTINGS; i++)
		mxguard_policy_unref(policies[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_histories) };
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
