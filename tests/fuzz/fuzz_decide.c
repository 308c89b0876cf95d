/* SPDX-License-Identifier: MIT */
/*
 * A history and a present, made from the input: versions of five answers in a snapshot, live
 * answers or their failure, a peer, a time. The whole decision runs over them by way of the
 * public functions. The oracle: `authorized` only for a peer that the configuration or some
 * answer, of whatever time, has covered, and by something narrow enough; and never a decision from nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"
#include "snapshot_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000000
#define QUESTIONS 6
#define HOSTS 8 /* peers are 192.0.2.0 to .7; .7 is configured */
#define CONFIGURED 7

static const struct {
	const char *name;
	uint16_t type;
} questions[QUESTIONS] = { { "d.test", MXG_DNS_MX },    { "gw.test", MXG_DNS_A },     { "old.test", MXG_DNS_A },
			   { "spf.test", MXG_DNS_TXT }, { "part.test", MXG_DNS_TXT }, { "d.test", MXG_DNS_TXT } };

/* Records of one set, in the form of struct mxg_rrset. */
struct set {
	enum mxg_answer_kind kind;
	uint16_t count;
	uint32_t size;
	uint8_t data[2048];
};

struct input {
	const uint8_t *at, *end;
};

static char folder[64];
static struct mxguard_policy *policy;
static bool covered[HOSTS]; /* by anything that the input holds */

static void require(int condition)
{
	if (!condition)
		abort();
}

static void clean_up(void)
{
	static const char *const names[] = { MXG_SNAPSHOT_FILE, "refresh.lock" };
	char path[128];
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	mxguard_policy_unref(policy);
}

static void set_up(void)
{
	char text[700], message[300];
	snprintf(folder, sizeof(folder), "%s/mxg-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	require(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
	int n = snprintf(
		text, sizeof(text),
		"mode = \"enforce\"; self = [ \"198.51.100.200\" ]; domains = [ \"d.test\" ]; state_dir = \"%s\";"
		"gateways = ( { name = \"static\"; allow = \"ip4:192.0.2.7\"; }, { name = \"mx\"; allow = \"mx\"; },"
		"{ name = \"filter\"; allow = \"include:spf.test\"; }, { name = \"a\"; allow = \"a:old.test\"; } );"
		"dns = { grace = \"2d\"; keep_stale = \"7d\"; settle = \"1d\"; };",
		folder);
	require(mxguard_policy_parse(&policy, text, (size_t)n, "fuzz.conf", 0, message, sizeof(message)) ==
		MXGUARD_ERROR_NONE);
	atexit(clean_up);
}

/* ---- from bytes to answers -------------------------------------------------------------- */

static unsigned take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static void add_record(struct set *s, const void *bytes, size_t len)
{
	if (s->size + 2 + len > sizeof(s->data))
		return;
	mxg_put16(s->data + s->size, (unsigned)len);
	memcpy(s->data + s->size + 2, bytes, len);
	s->size += (uint32_t)(2 + len);
	s->count++;
}

static void add_exchange(struct set *s, unsigned which)
{
	static const char *const names[] = { "gw.test", "old.test", "none.test", "d.test" };
	struct mxg_name name;
	uint8_t bytes[300] = { 0, 10 };
	require(mxg_name_from_text(&name, names[which % 4], strlen(names[which % 4])));
	memcpy(bytes + 2, name.wire, name.len);
	add_record(s, bytes, 2u + name.len);
}

static size_t add_term(struct input *in, char *text, size_t room)
{
	static const char *const others[] = { "include:part.test", "include:spf.test", "mx:d.test", "a:gw.test",
					      "redirect=part.test", "-all", "~all", "?all", "bogus:x",
					      "exists:%{i}.none.test", "a:old.test", "mod=x",
					      /* and what covers everybody, which authorizes nobody */
					      "all", "ip4:0.0.0.0/0", "ip4:192.0.0.0/11", "a:gw.test/0", "mx:d.test/11",
					      "exists:gw.test", "exists:%{i1r}.test", "?all" };
	static const char qualifiers[] = "+++-~?";
	unsigned what = take(in), host = what % 7;
	if (what >= 128)
		return (size_t)snprintf(text, room, " %s", others[what % (sizeof(others) / sizeof(others[0]))]);
	char q = qualifiers[what / 7 % 6];
	covered[host] |= q == '+';
	return (size_t)snprintf(text, room, " %cip4:192.0.2.%u", q, host);
}

static void add_text(struct input *in, struct set *s)
{
	char text[400] = "v=spf1";
	size_t n = 6;
	for (unsigned terms = take(in) % 8; terms > 0; terms--)
		n += add_term(in, text + n, sizeof(text) - n);
	add_record(s, text, n);
}

static void take_set(struct input *in, uint16_t type, struct set *s)
{
	unsigned what = take(in);
	*s = (struct set){ .kind = what % 8 == 0   ? MXG_ANSWER_NODATA
				   : what % 8 == 1 ? MXG_ANSWER_NXDOMAIN
						   : MXG_ANSWER_RECORDS };
	if (s->kind != MXG_ANSWER_RECORDS)
		return;
	for (unsigned n = 1 + what / 8 % 3; n > 0 && (type != MXG_DNS_TXT || s->count == 0 || what >= 224); n--) {
		uint8_t address[4] = { 192, 0, 2, 0 };
		if (type == MXG_DNS_MX) {
			add_exchange(s, take(in));
		} else if (type == MXG_DNS_A) {
			address[3] = (uint8_t)(take(in) % CONFIGURED);
			covered[address[3]] = true;
			add_record(s, address, sizeof(address));
		} else {
			add_text(in, s);
		}
	}
}

/* ---- the snapshot ------------------------------------------------------------------------ */

static int64_t span(struct input *in)
{
	static const int64_t spans[] = { 0,      1,      299,    300,    301,    3600,   86399,  86400,
					 172799, 172800, 172801, 604800, 604801, 605099, 605100, 31536000 };
	return spans[take(in) % 16];
}

/* Newest first; each ends at or before the beginning of the next. */
static size_t take_versions(struct input *in, uint16_t type, struct mxg_answer v[4], struct set sets[4])
{
	size_t count = take(in) % 5;
	int64_t end = NOW + 400 - span(in);
	for (size_t i = 0; i < count; i++) {
		bool current = i == 0 && take(in) % 4 != 0;
		take_set(in, type, &sets[i]);
		int64_t confirmed = end - (current ? 0 : span(in) % 1000), from = confirmed - span(in);
		v[i] = (struct mxg_answer){ .kind = sets[i].kind,
					    .from = from,
					    .confirmed = confirmed,
					    .superseded = current ? 0 : end,
					    .ttl = (uint32_t)(span(in) % 90000),
					    .count = sets[i].count,
					    .size = sets[i].size,
					    .data = sets[i].data };
		end = from - span(in);
	}
	return count;
}

static void write_snapshot(struct input *in)
{
	static struct set sets[4];
	struct mxg_answer versions[4];
	struct mxg_writer w;
	int dir, lock = mxg_state_lock(folder, &dir);
	require(lock >= 0 && mxg_writer_open(&w, dir));
	mxg_writer_domain(&w, "d.test");
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct mxg_question q = { .type = questions[i].type };
		require(mxg_name_from_text(&q.name, questions[i].name, strlen(questions[i].name)));
		size_t count = take_versions(in, q.type, versions, sets);
		if (count > 0)
			mxg_writer_answer(&w, &q, versions, count);
	}
	require(mxg_writer_commit(&w, policy->hash, NOW));
	close(dir);
	close(lock);
}

/* ---- the present --------------------------------------------------------------------------- */

static size_t put_record(uint8_t *out, uint16_t type, const uint8_t *item, size_t len)
{
	static const uint8_t head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 1, 44 };
	uint8_t *rdata = out + 12;
	size_t n = 0;
	memcpy(out, head, sizeof(head));
	out[3] = (uint8_t)type;
	for (size_t at = 0; at < len && type == MXG_DNS_TXT; at += 255) {
		size_t piece = len - at < 255 ? len - at : 255;
		rdata[n++] = (uint8_t)piece;
		memcpy(rdata + n, item + at, piece);
		n += piece;
	}
	if (type != MXG_DNS_TXT) {
		memcpy(rdata, item, len);
		n = len;
	}
	mxg_put16(out + 10, (unsigned)n);
	return 12 + n;
}

static size_t make_reply(uint8_t reply[4096], const uint8_t *query, uint16_t type, const struct set *s)
{
	size_t n = 12 + strlen((const char *)query + 12) + 5, at = 0, len;
	const uint8_t *item;
	memcpy(reply, query, n);
	memset(reply + 6, 0, 6);
	reply[2] = 0x81;
	reply[3] = s->kind == MXG_ANSWER_NXDOMAIN ? 0x83 : 0x80;
	mxg_put16(reply + 6, s->count);
	while (mxg_rrset_next(s->data, s->size, &at, &item, &len))
		n += put_record(reply + n, type, item, len);
	return n;
}

static void answer(struct mxguard_check *c, size_t number, const uint8_t *query, const struct set sets[QUESTIONS],
		   const unsigned fails[QUESTIONS], int64_t now)
{
	static const struct set nothing = { .kind = MXG_ANSWER_NXDOMAIN };
	static const enum mxguard_dns_failure failures[] = { MXGUARD_DNS_FAILURE_TIMEOUT, MXGUARD_DNS_FAILURE_SERVFAIL,
							     MXGUARD_DNS_FAILURE_REFUSED, MXGUARD_DNS_FAILURE_BROKEN };
	uint8_t reply[4096];
	const struct set *s = &nothing;
	uint16_t type = mxg_get16(query + 12 + strlen((const char *)query + 12) + 1);
	for (size_t i = 0; i < QUESTIONS; i++) {
		struct mxg_name name;
		require(mxg_name_from_text(&name, questions[i].name, strlen(questions[i].name)));
		if (questions[i].type != type || memcmp(name.wire, query + 12, name.len) != 0)
			continue;
		if (fails[i] % 3 == 0) {
			mxguard_check_no_reply(c, number, failures[fails[i] / 3 % 4], now);
			return;
		}
		s = &sets[i];
	}
	mxguard_check_reply(c, number, reply, make_reply(reply, query, type, s), now);
}

static enum mxguard_verdict decide(struct mxguard_snapshot *snapshot, unsigned host, int64_t now,
				   const struct set sets[QUESTIONS], const unsigned fails[QUESTIONS])
{
	const uint8_t peer[4] = { 192, 0, 2, (uint8_t)host };
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policy, snapshot, MXGUARD_CHECK_FLAG_STEPS);
	uint8_t query[512];
	size_t number, rounds = 0;
	size_t len;
	require(c != NULL && mxguard_check_set_peer_bytes(c, peer, 4) == MXGUARD_ERROR_NONE);
	require(mxguard_check_add_recipient(c, "a@d.test", NULL) == 0);
	while (mxguard_check_run(c, now) == MXGUARD_PROGRESS_NEED_DNS) {
		unsigned asked = 0;
		for (; mxguard_check_next_question(c, &number, query, sizeof(query), &len) == 1; asked++)
			answer(c, number, query, sets, fails, now);
		require(asked > 0 && ++rounds < 100);
	}
	enum mxguard_verdict verdict = mxguard_check_verdict(c, 0);
	mxguard_check_free(c);
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct set live[QUESTIONS];
	struct input in = { data, data + size };
	struct mxguard_snapshot *snapshot = NULL;
	unsigned fails[QUESTIONS];
	if (policy == NULL)
		set_up();
	memset(covered, 0, sizeof(covered));
	covered[CONFIGURED] = true;
	int64_t now = NOW + span(&in) - span(&in);
	for (size_t i = 0; i < QUESTIONS; i++) {
		fails[i] = take(&in);
		take_set(&in, questions[i].type, &live[i]);
	}
	write_snapshot(&in);
	require(mxguard_snapshot_open(&snapshot, policy, 0, NULL, 0) == MXGUARD_ERROR_NONE);
	for (unsigned host = 0; host < HOSTS; host++) {
		enum mxguard_verdict verdict = decide(snapshot, host, now, live, fails);
		require(verdict == MXGUARD_VERDICT_AUTHORIZED || verdict == MXGUARD_VERDICT_DIRECT ||
			verdict == MXGUARD_VERDICT_UNKNOWN);
		require(verdict != MXGUARD_VERDICT_AUTHORIZED || covered[host]);
		require(host != CONFIGURED || verdict == MXGUARD_VERDICT_AUTHORIZED);
	}
	mxguard_snapshot_unref(snapshot);
	return 0;
}
