/* SPDX-License-Identifier: MIT */
/*
 * Random histories: the whole decision, by the public functions, over a snapshot that holds them
 * and a DNS that answers or fails, must be the naive one's, in whatever order the replies come in,
 * with a run after each. MXG_TEST_HISTORIES says how many (20,000), MXG_TEST_HISTORIES_FROM which
 * is the first.
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
#include "failing_memory.h"
#include "histories.h"
#include "policy/policy.h"
#include "scripted.h"

#define BEGIN 1700000000
#define DAY 86400
#define A_SNAPSHOT 200 /* histories in one */
#define POLICIES 9

static const struct naive_policy rules[POLICIES] = {
	{ { "mx" }, 2 * DAY, 7 * DAY, 2 * DAY, DAY, NAIVE_LISTED },
	{ { "include:spf.%{d}" }, 2 * DAY, 7 * DAY, 2 * DAY, 365 * DAY, NAIVE_NO_LIST },
	{ { "ip4:192.0.2.7", "mx", "include:spf.%{d}", "a:old.%{d}" }, 2 * DAY, 7 * DAY, DAY, 2 * DAY, NAIVE_LISTED },
	{ { "include:spf.%{d}", "mx", "exists:e.%{d}" }, 3600, DAY, 2 * DAY, 7200, NAIVE_NO_LIST },
	{ { "mx", "include:part.%{d}", "include:spf.%{d}" }, 2 * DAY, 0, 0, 3600, NAIVE_LISTED },
	{ { "include:spf.%{d}", "a:gw.%{d}" }, 0, 7 * DAY, 0, 365 * DAY, NAIVE_NO_LIST },
	{ { "a:gw.%{d}", "mx:m.%{d}", "mx" }, 0, 0, 3600, 60, NAIVE_LISTED },
	{ { "include:more.%{d}", "ip6:2001:db8::3", "mx:m.%{d}", "include:spf.%{d}", "mx" },
	  8 * DAY,
	  3600,
	  DAY,
	  0,
	  NAIVE_NO_LIST },
	{ { "ip4:192.0.2.7", "mx", "include:spf.%{d}" }, 2 * DAY, 7 * DAY, 2 * DAY, DAY, NAIVE_FOREIGN },
};

static char folders[POLICIES][40];
static struct mxguard_policy *policies[POLICIES];
static unsigned figures[4][2]; /* by what naive_decide says and why */
static unsigned authorized[3];

/* ---- policies ------------------------------------------------------------------------------ */

static void make_policy(size_t p)
{
	char text[1500], message[300];
	const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(folders[p], sizeof(folders[p]), "%s/mxg-unit-XXXXXX", where);
	assert_non_null(mkdtemp(folders[p]));
	assert_int_equal(chmod(folders[p], 0755), 0);
	/* the snapshot holds the domains; there is no file to fall back on */
	static const char *const lists[] = { "", "domains_file = \"/nonexistent/domains\";",
					     "domains = [ \"other.test\" ];" };
	int n = snprintf(
		text, sizeof(text),
		"mode = \"enforce\"; self = [ \"%s\" ]; state_dir = \"%s\"; %s"
		"dns = { grace = \"%llds\"; keep_stale = \"%llds\"; settle = \"%llds\"; max_ttl = \"%llds\"; }; "
		"gateways = (",
		history_self, folders[p], lists[rules[p].list], (long long)rules[p].grace,
		(long long)rules[p].keep_stale, (long long)rules[p].settle, (long long)rules[p].max_ttl);
	for (size_t t = 0; t < 6 && rules[p].terms[t] != NULL; t++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s { name = \"%zu\"; allow = \"%s\"; }",
			      t > 0 ? "," : "", t, rules[p].terms[t]);
	n += snprintf(text + n, sizeof(text) - (size_t)n, ");");
	if (mxguard_policy_parse(&policies[p], text, (size_t)n, "histories.conf", 0, message, sizeof(message)) != 0)
		fail_msg("%s", message);
}

static int tear_down(void **state)
{
	static const char *const names[] = { MXG_SNAPSHOT_FILE, "refresh.lock" };
	char path[128];
	(void)state;
	for (size_t p = 0; p < POLICIES; p++) {
		for (size_t i = 0; i < 2; i++) {
			snprintf(path, sizeof(path), "%.39s/%s", folders[p], names[i]);
			unlink(path);
		}
		rmdir(folders[p]);
		mxguard_policy_unref(policies[p]);
	}
	return 0;
}

static struct mxguard_snapshot *write_for(struct mxguard_policy *policy, const struct history *all, size_t count)
{
	struct mxguard_snapshot *s;
	struct mxg_writer w;
	char message[300];
	int dir, lock = mxg_state_lock(policy->state_dir, &dir);
	assert_true(lock >= 0 && mxg_writer_open(&w, dir));
	for (size_t i = 0; i < count; i++)
		history_write(&all[i], &w);
	assert_true(mxg_writer_commit(&w, policy->hash, BEGIN));
	close(dir);
	close(lock);
	if (mxguard_snapshot_open(&s, policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	return s;
}

static struct mxguard_snapshot *write_snapshot(size_t p, const struct history *all, size_t count)
{
	return write_for(policies[p], all, count);
}

/* ---- deciding -------------------------------------------------------------------------------- */

struct question {
	size_t number;
	uint8_t query[512];
};

static void reply_to(struct mxguard_check *c, const struct question *asked, const struct history *h, int64_t now)
{
	uint8_t reply[4096];
	uint16_t type = mxg_get16(asked->query + 12 + strlen((const char *)asked->query + 12) + 1);
	for (size_t i = 0; i < h->count; i++) {
		const struct history_question *q = &h->questions[i];
		struct mxg_name name;
		assert_true(mxg_name_from_text(&name, q->name, strlen(q->name)));
		if (q->type != type || memcmp(name.wire, asked->query + 12, name.len) != 0)
			continue;
		size_t len = history_reply(q, asked->query, reply);
		int result = MXGUARD_ERROR_NOMEM;
		for (int turn = 0; turn < 2 && len > 0 && result == MXGUARD_ERROR_NOMEM; turn++)
			result = mxguard_check_reply(c, asked->number, reply, len, now);
		if (len == 0 || (result == MXGUARD_ERROR_NOMEM && memory_failed))
			result = mxguard_check_no_reply(c, asked->number, MXGUARD_DNS_FAILURE_TIMEOUT, now);
		assert_int_equal(result, MXGUARD_ERROR_NONE);
		return;
	}
	fail_msg("asked for %s", mxg_check_question_text(c, asked->number));
}

/* One reply at a time, any of those that are out. */
static void decide(struct mxguard_check *c, const struct naive_case *k, uint64_t *random)
{
	static struct question open[200];
	uint32_t count = 0;
	size_t len;
	mxguard_check_reset(c);
	assert_int_equal(mxguard_check_set_peer_bytes(c, k->peer.bytes, k->peer.family == 6 ? 16 : 4),
			 MXGUARD_ERROR_NONE);
	char recipient[64];
	snprintf(recipient, sizeof(recipient), "a@%s", k->history->domain);
	int added = mxguard_check_add_recipient(c, recipient, NULL);
	assert_true(added == MXGUARD_ERROR_NONE || (added == MXGUARD_ERROR_NOMEM && memory_failed));
	while (mxguard_check_run(c, k->now) == MXGUARD_PROGRESS_NEED_DNS) {
		while (count < 200 && mxguard_check_next_question(c, &open[count].number, open[count].query,
								  sizeof(open[count].query), &len) == 1)
			count++;
		assert_in_range(count, 1, 199);
		uint32_t i = scripted_random(random) % count;
		reply_to(c, &open[i], k->history, k->now);
		open[i] = open[--count];
	}
}

/* ---- comparing ------------------------------------------------------------------------------- */

static const char *reason_of(const struct naive_decision *d)
{
	static const char *const matches[] = { "gateway-match", "gateway-match-stale", "gateway-match-grace" };
	if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		return matches[d->why];
	return d->why == NAIVE_SELF                   ? "mx-is-self"
	       : d->why == NAIVE_EMPTY                ? "no-gateway-published"
	       : d->why == NAIVE_ANOTHERS             ? "foreign-domain"
	       : d->verdict == MXGUARD_VERDICT_DIRECT ? "peer-not-a-gateway"
						      : NULL;
}

static enum mxguard_action action_of(const struct naive_decision *d)
{
	switch (d->verdict) {
	case MXGUARD_VERDICT_AUTHORIZED:
	case MXGUARD_VERDICT_EXEMPT:
		return MXGUARD_ACTION_ACCEPT;
	case MXGUARD_VERDICT_DIRECT:
		return d->settling ? MXGUARD_ACTION_DEFER : MXGUARD_ACTION_REJECT;
	default:
		return MXGUARD_ACTION_DEFER;
	}
}

static const char *difference(struct mxguard_check *c, const struct naive_decision *want)
{
	const char *reason = mxguard_check_text(c, 0, MXGUARD_TEXT_REASON);
	const char *gateway = mxguard_check_text(c, 0, MXGUARD_TEXT_GATEWAY);
	char entry[12] = "";
	if (mxguard_check_verdict(c, 0) != want->verdict)
		return "another verdict";
	if (mxguard_check_action(c, 0) != action_of(want))
		return "another action";
	if (reason_of(want) != NULL ? strcmp(reason, reason_of(want)) != 0
				    : strcmp(reason, "no-gateway-published") == 0)
		return "another reason";
	snprintf(entry, sizeof(entry), "%d", want->entry);
	if (want->entry >= 0 && strcmp(gateway, entry) != 0)
		return "another entry";
	return NULL;
}

static void explain(struct mxguard_check *c, const struct naive_case *k, const struct naive_decision *want,
		    const char *what, unsigned number)
{
	char peer[MXG_ADDRESS_TEXT_MAX];
	fprintf(stderr,
		"history %u, policy %d, peer %s: %s: naive says %s, entry %d, why %d, settling %d; it is %s, %s\n",
		number, (int)(k->policy - rules), mxg_address_format(&k->peer, peer), what,
		mxguard_verdict_name(want->verdict), want->entry, (int)want->why, want->settling,
		mxguard_verdict_name(mxguard_check_verdict(c, 0)), mxguard_check_text(c, 0, MXGUARD_TEXT_REASON));
	for (size_t i = 0; mxguard_check_step(c, 0, i) != NULL; i++)
		fprintf(stderr, "  > %s\n", mxguard_check_step(c, 0, i));
	history_show(k->history, k->now);
	fail_msg("history %u", number);
}

static void count(const struct naive_decision *d)
{
	static const unsigned columns[] = { [MXGUARD_VERDICT_AUTHORIZED] = 0,
					    [MXGUARD_VERDICT_EXEMPT] = 1,
					    [MXGUARD_VERDICT_DIRECT] = 2,
					    [MXGUARD_VERDICT_UNKNOWN] = 3 };
	figures[columns[d->verdict]][d->settling || d->why == NAIVE_EMPTY]++;
	if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		authorized[d->why]++;
}

static void compare(struct mxguard_check *c, struct history *h, size_t p, unsigned number, uint64_t *random)
{
	struct naive_case k = { .policy = &rules[p], .history = h };
	assert_true(mxg_address_parse(&k.self, history_self, strlen(history_self), MXG_ADDRESS_BARE));
	for (unsigned turn = 0; turn < 2; turn++) {
		history_peer(&k.peer, random);
		k.now = history_moment(h, &rules[p], BEGIN, random);
		struct naive_decision want = naive_decide(&k);
		decide(c, &k, random);
		const char *what = difference(c, &want);
		if (what != NULL)
			explain(c, &k, &want, what, number);
		count(&want);
	}
}

static unsigned setting(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

/* Each history is made from its own number alone, so that one can be looked at again. */
static void run_some(size_t p, unsigned first, size_t some)
{
	static struct history all[A_SNAPSHOT];
	uint64_t random[A_SNAPSHOT];
	for (size_t i = 0; i < some; i++) {
		random[i] = 7208 + (first + i) * 1000003;
		history_make(&all[i], first + (unsigned)i, BEGIN, &random[i]);
	}
	struct mxguard_snapshot *s = write_snapshot(p, all, some);
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policies[p], s, MXGUARD_CHECK_FLAG_STEPS);
	assert_non_null(c);
	for (size_t i = 0; i < some; i++)
		compare(c, &all[i], p, first + (unsigned)i, &random[i]);
	mxguard_check_free(c);
	mxguard_snapshot_unref(s);
}

/* Memory runs out at each allocation in turn: then it is what it should be, or open. Where all
 * replies are lost, something else may be known; nobody is refused for it. */
static void compare_without_memory(struct mxguard_snapshot *s, const struct naive_case *k, unsigned flags, bool lasting)
{
	const struct naive_decision want = naive_decide(k);
	memory_failed = true;
	for (unsigned long which = 1; memory_failed; which++) {
		uint64_t order = which;
		struct mxguard_check *c = NULL;
		mxguard_check_new(&c, policies[k->policy - rules], s, flags);
		assert_non_null(c);
		memory_fail_at(which, lasting);
		decide(c, k, &order);
		memory_suffices();
		enum mxguard_verdict verdict = mxguard_check_verdict(c, 0);
		bool open = verdict == MXGUARD_VERDICT_UNDECIDED || verdict == MXGUARD_VERDICT_UNKNOWN;
		open |= lasting && verdict != MXGUARD_VERDICT_DIRECT;
		if (verdict != want.verdict && !(memory_failed && open))
			explain(c, k, &want, "without memory", (unsigned)which);
		mxguard_check_free(c);
	}
}

static void test_memory_runs_out(void **state)
{
	static struct history all[A_SNAPSHOT];
	const size_t p = 2; /* mx, include and a beside a static range */
	uint64_t random = 1;
	(void)state;
	for (unsigned i = 0; i < A_SNAPSHOT; i++)
		history_make(&all[i], i, BEGIN, &random);
	struct mxguard_snapshot *s = write_snapshot(p, all, A_SNAPSHOT);
	for (unsigned i = 0; i < A_SNAPSHOT; i++) {
		struct naive_case k = { .policy = &rules[p], .history = &all[i] };
		assert_true(mxg_address_parse(&k.self, history_self, strlen(history_self), MXG_ADDRESS_BARE));
		history_peer(&k.peer, &random);
		k.now = history_moment(&all[i], &rules[p], BEGIN, &random);
		compare_without_memory(s, &k, MXGUARD_CHECK_FLAG_STEPS, false);
		compare_without_memory(s, &k, 0, false);
		compare_without_memory(s, &k, 0, true);
	}
	mxguard_snapshot_unref(s);
}

static void test_random_histories(void **state)
{
	unsigned wanted = setting("MXG_TEST_HISTORIES", 20000), from = setting("MXG_TEST_HISTORIES_FROM", 0);
	(void)state;
	for (unsigned first = from - from % A_SNAPSHOT; first < from + wanted; first += A_SNAPSHOT)
		run_some(first / A_SNAPSHOT % POLICIES, first, A_SNAPSHOT);
	print_message("%u histories, each twice: authorized %u fresh, %u stale, %u in grace; exempt %u; direct %u, "
		      "settling %u; unknown %u, nothing published %u\n",
		      wanted, authorized[0], authorized[1], authorized[2], figures[1][0], figures[2][0], figures[2][1],
		      figures[3][0], figures[3][1]);
	for (size_t i = 0; i < 3 && wanted >= 20000; i++)
		assert_true(authorized[i] > 0 && figures[i + 1][0] > 0);
}

/* ---- some that are told in words ----------------------------------------------------------------- */

static void add(struct history *h, const char *name, const char *stale, const char *live)
{
	const struct history_set set = { .kind = MXG_ANSWER_RECORDS, .count = 1 };
	struct history_question *q = &h->questions[h->count++];
	*q = (struct history_question){ .type = MXG_DNS_TXT, .count = 1, .live = set };
	strcpy(q->name, name);
	q->versions[0] = (struct history_version){ .set = set, .from = BEGIN, .confirmed = BEGIN, .ttl = 300 };
	strcpy(q->versions[0].set.records[0].text, stale);
	strcpy(q->live.records[0].text, live);
}

/* Both records are stale and were rested on. One half of the present with one half of the past
 * would cover the peer; which of the replies comes first may not make it so. */
static void test_one_reply_does_not_decide(void **state)
{
	struct history h = { .domain = "d.test" };
	struct naive_case k = { .policy = &rules[1], .history = &h, .now = BEGIN + 300 };
	(void)state;
	assert_true(mxg_address_parse(&k.peer, "192.0.2.5", 9, MXG_ADDRESS_BARE));
	add(&h, "spf.d.test", "v=spf1 ?include:part.d.test ip4:192.0.2.1", "v=spf1 include:part.d.test -all");
	add(&h, "part.d.test", "v=spf1 ip4:192.0.2.5 -all", "v=spf1 ip4:192.0.2.1 -all");
	struct mxguard_snapshot *s = write_snapshot(1, &h, 1);
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policies[1], s, 0);
	for (uint64_t random = 0; random < 20; random++) {
		uint64_t order = random;
		decide(c, &k, &order);
		assert_string_equal(mxguard_verdict_name(mxguard_check_verdict(c, 0)), "direct");
	}
	mxguard_check_free(c);
	mxguard_snapshot_unref(s);
}

static void expect_step(struct mxguard_check *c, const char *words)
{
	for (size_t i = 0; mxguard_check_step(c, 0, i) != NULL; i++)
		if (strstr(mxguard_check_step(c, 0, i), words) != NULL)
			return;
	fail_msg("no step says \"%s\"", words);
}

/* Which answer was stale and by how much; how long ago the state ended that is in grace. */
static void test_steps_tell_the_past(void **state)
{
	struct history h = { .domain = "d.test" };
	struct naive_case k = { .policy = &rules[1], .history = &h, .now = BEGIN + 307 };
	uint64_t random = 1;
	(void)state;
	add(&h, "spf.d.test", "v=spf1 ip4:192.0.2.5 -all", "v=spf1 ip4:192.0.2.1 -all");
	struct mxguard_snapshot *s = write_snapshot(1, &h, 1);
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policies[1], s, MXGUARD_CHECK_FLAG_STEPS);
	assert_true(mxg_address_parse(&k.peer, "192.0.2.5", 9, MXG_ADDRESS_BARE));
	decide(c, &k, &random);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "gateway-match-stale");
	expect_step(c, "spf.d.test: answer stale by 7 s");
	mxguard_check_free(c);
	mxguard_snapshot_unref(s);

	struct history_question *q = &h.questions[0];
	q->versions[1] = q->versions[0];
	q->versions[1].superseded = q->versions[0].from = q->versions[0].confirmed = BEGIN + 200;
	q->versions[0].set = q->live;
	q->count = 2;
	s = write_snapshot(1, &h, 1);
	mxguard_check_new(&c, policies[1], s, MXGUARD_CHECK_FLAG_STEPS);
	decide(c, &k, &random);
	assert_string_equal(mxguard_check_text(c, 0, MXGUARD_TEXT_REASON), "gateway-match-grace");
	expect_step(c, "as things stood 107 s ago, before spf.d.test changed (in grace for 172693 s more):");
	assert_non_null(strstr(mxguard_check_text(c, 0, MXGUARD_TEXT_EXPLANATION), "until 107 s ago"));
	mxguard_check_free(c);
	mxguard_snapshot_unref(s);
}

/* Which domains are ours stands in the snapshot: domains_file itself may be gone. */
static void test_domains_are_in_the_snapshot(void **state)
{
	struct history both[2] = { { .domain = "d.test" }, { .domain = "alias.test" } };
	struct mxguard_policy *policy;
	char text[500], message[300];
	(void)state;
	int n = snprintf(text, sizeof(text),
			 "mode = \"enforce\"; self = []; state_dir = \"%s\"; domains_file = \"/nonexistent/domains\";"
			 "gateways = ( { name = \"filter\"; allow = \"include:spf.%%{d}\"; } );",
			 folders[0]);
	if (mxguard_policy_parse(&policy, text, (size_t)n, "d.conf", 0, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		fail_msg("%s", message);
	add(&both[0], "spf.d.test", "v=spf1 ip4:192.0.2.1 -all", "");
	add(&both[1], "spf.alias.test", "v=spf1 ip4:192.0.2.5 -all", "");
	struct mxguard_snapshot *whole = write_for(policy, both, 2), *half = write_for(policy, both, 1);
	for (int in = 0; in < 2; in++) {
		const uint8_t peer[4] = { 192, 0, 2, 5 };
		struct mxguard_check *c = NULL;
		mxguard_check_new(&c, policy, in ? whole : half, 0);
		assert_int_equal(mxguard_check_set_peer_bytes(c, peer, 4), MXGUARD_ERROR_NONE);
		assert_int_equal(mxguard_check_add_recipient(c, "a@d.test", NULL), 0);
		assert_int_equal(mxguard_check_add_recipient_name(c, 0, "a@alias.test"), MXGUARD_ERROR_NONE);
		assert_int_equal(mxguard_check_run(c, BEGIN), MXGUARD_PROGRESS_DONE);
		assert_string_equal(mxguard_verdict_name(mxguard_check_verdict(c, 0)), in ? "authorized" : "direct");
		mxguard_check_free(c);
	}
	mxguard_snapshot_unref(whole);
	mxguard_snapshot_unref(half);
	mxguard_policy_unref(policy);
}

static int set_up(void **state)
{
	(void)state;
	for (size_t p = 0; p < POLICIES; p++)
		make_policy(p);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_reply_does_not_decide),
		cmocka_unit_test(test_steps_tell_the_past),
		cmocka_unit_test(test_domains_are_in_the_snapshot),
		cmocka_unit_test(test_memory_runs_out),
		cmocka_unit_test(test_random_histories),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
