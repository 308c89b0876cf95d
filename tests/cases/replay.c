/* SPDX-License-Identifier: MIT */
/* Runs declarative cases (README.md beside): configuration, scripted DNS, message, virtual
 * clock → expected verdicts. Hermetic: what the script does not hold may not be asked. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"
#include "check/questions.h"
#include "dns/message.h"
#include "mxguard.h"
#include "policy/policy.h"
#include "snapshot_write.h"

#define MAX 64

struct answer {
	char *name, *type, *data;
	bool optional;
	unsigned asked;
};

struct test_case {
	char *config, *message;
	char *peer, *helo, *from, *login, *place, *load_error, *credential;
	char *subject, *issuer, *fingerprint, *key_fingerprint, *certificate; /* NULL: not told */
	long long now, rounds, questions;
	char *rcpt[MAX], *expect[MAX], *step[MAX];
	struct answer dns[MAX];
	char *version[MAX];
	size_t rcpts, expects, answers, versions, steps;
	char folder[64]; /* holds the snapshot; "" where there is none */
};

static const char *current;
static int failures;

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", current);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	failures++;
}

/* ---- reading a case ---------------------------------------------------------- */

static char *append(char *to, const char *text)
{
	size_t old = to == NULL ? 0 : strlen(to);
	char *all = realloc(to, old + strlen(text) + 2);
	if (all == NULL)
		abort();
	strcpy(all + old, text);
	strcat(all, "\n");
	return all;
}

static char *dup_word(const char **p)
{
	*p += strspn(*p, " \t");
	size_t n = strcspn(*p, " \t");
	char *word = strndup(*p, n);
	*p += n;
	*p += strspn(*p, " \t");
	return word;
}

static void read_answer(struct test_case *t, const char *line)
{
	if (t->answers == MAX || *line == '\0')
		return;
	struct answer *a = &t->dns[t->answers++];
	a->optional = *line == '?';
	line += a->optional;
	a->name = dup_word(&line);
	a->type = dup_word(&line);
	a->data = strdup(line);
}

static void read_setting(struct test_case *t, const char *key, const char *value)
{
	struct {
		const char *key;
		char **to;
	} texts[] = { { "peer", &t->peer },
		      { "helo", &t->helo },
		      { "from", &t->from },
		      { "login", &t->login },
		      { "place", &t->place },
		      { "load-error", &t->load_error },
		      { "cert-subject", &t->subject },
		      { "cert-issuer", &t->issuer },
		      { "cert-fingerprint", &t->fingerprint },
		      { "cert-key-fingerprint", &t->key_fingerprint },
		      { "certificate", &t->certificate },
		      { "credential", &t->credential } };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].key, key) == 0) {
			*texts[i].to = strdup(value);
			return;
		}
	if (strcmp(key, "now") == 0)
		t->now = atoll(value);
	else if (strcmp(key, "rounds") == 0)
		t->rounds = atoll(value);
	else if (strcmp(key, "questions") == 0)
		t->questions = atoll(value);
	else if (strcmp(key, "rcpt") == 0 && t->rcpts < MAX)
		t->rcpt[t->rcpts++] = strdup(value);
	else if (strcmp(key, "expect") == 0 && t->expects < MAX)
		t->expect[t->expects++] = strdup(value);
	else if (strcmp(key, "step") == 0 && t->steps < MAX)
		t->step[t->steps++] = strdup(value);
	else
		fail("no such key: %s", key);
}

static void read_block_line(struct test_case *t, char block, const char *line)
{
	if (block == 'c')
		t->config = append(t->config, line);
	else if (block == 'm')
		t->message = append(t->message, line);
	else if (block == 'd')
		read_answer(t, line);
	else if (block == 's' && line[0] != '\0' && t->versions < MAX)
		t->version[t->versions++] = strdup(line);
}

static bool read_case(struct test_case *t, const char *path)
{
	char line[4096], block = 0;
	FILE *f = fopen(path, "r");
	*t = (struct test_case){ .now = 1000000000, .rounds = -1, .questions = -1 };
	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		if (line[0] == '\t' || line[0] == '\0') {
			read_block_line(t, block, line[0] == '\t' ? line + 1 : line);
			continue;
		}
		char *colon = strchr(line, ':');
		if (colon == NULL) {
			fail("no colon: %s", line);
			continue;
		}
		*colon = '\0';
		const char *value = colon + 1 + strspn(colon + 1, " ");
		block = 0;
		if (strcmp(line, "config") == 0 || strcmp(line, "dns") == 0 || strcmp(line, "message") == 0 ||
		    strcmp(line, "snapshot") == 0)
			block = line[0];
		else
			read_setting(t, line, value);
	}
	fclose(f);
	return true;
}

static void free_case(struct test_case *t)
{
	char *all[] = { t->config,          t->message,     t->peer,       t->helo,      t->from,
			t->login,           t->place,       t->subject,    t->issuer,    t->fingerprint,
			t->key_fingerprint, t->certificate, t->load_error, t->credential };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
	for (size_t i = 0; i < t->rcpts; i++)
		free(t->rcpt[i]);
	for (size_t i = 0; i < t->expects; i++)
		free(t->expect[i]);
	for (size_t i = 0; i < t->versions; i++)
		free(t->version[i]);
	for (size_t i = 0; i < t->steps; i++)
		free(t->step[i]);
	for (size_t i = 0; i < t->answers; i++) {
		free(t->dns[i].name);
		free(t->dns[i].type);
		free(t->dns[i].data);
	}
}

/* ---- building replies ----------------------------------------------------------- */

struct reply {
	uint8_t bytes[4096];
	size_t len;
	unsigned answers;
	uint32_t ttl;
};

static void put16(struct reply *r, unsigned v)
{
	r->bytes[r->len++] = (uint8_t)(v >> 8);
	r->bytes[r->len++] = (uint8_t)v;
}

static void put_name(struct reply *r, const char *text)
{
	struct mxg_name name;
	if (!mxg_name_from_text(&name, text, strlen(text)) && strcmp(text, ".") != 0)
		fail("bad name in the script: %s", text);
	if (strcmp(text, ".") == 0) {
		r->bytes[r->len++] = 0;
		return;
	}
	memcpy(r->bytes + r->len, name.wire, name.len);
	r->len += name.len;
}

static unsigned type_number(const char *type)
{
	static const struct {
		const char *text;
		unsigned number;
	} types[] = { { "A", 1 }, { "CNAME", 5 }, { "PTR", 12 }, { "MX", 15 }, { "TXT", 16 }, { "AAAA", 28 } };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].text, type) == 0)
			return types[i].number;
	return 0;
}

/* A record's head; returns where its RDLENGTH stands. */
static size_t begin_record(struct reply *r, const char *owner, unsigned type)
{
	put_name(r, owner);
	put16(r, type);
	put16(r, 1);
	put16(r, r->ttl >> 16);
	put16(r, r->ttl & 0xffff);
	put16(r, 0);
	r->answers++;
	return r->len;
}

static void end_record(struct reply *r, size_t start)
{
	r->bytes[start - 2] = (uint8_t)((r->len - start) >> 8);
	r->bytes[start - 1] = (uint8_t)(r->len - start);
}

static void put_address(struct reply *r, int family, const char *text)
{
	uint8_t bytes[16];
	if (inet_pton(family, text, bytes) != 1)
		fail("bad address in the script: %s", text);
	size_t n = family == AF_INET ? 4 : 16;
	memcpy(r->bytes + r->len, bytes, n);
	r->len += n;
}

/* One quoted text as character-strings of up to 255 bytes; returns what follows it. */
static const char *put_text(struct reply *r, const char *p)
{
	const char *end = strchr(p + 1, '"');
	if (end == NULL)
		end = p + strlen(p);
	for (p++; p < end;) {
		size_t n = (size_t)(end - p) > 255 ? 255 : (size_t)(end - p);
		r->bytes[r->len++] = (uint8_t)n;
		memcpy(r->bytes + r->len, p, n);
		r->len += n;
		p += n;
	}
	return *end == '"' ? end + 1 : end;
}

static const char *put_record(struct reply *r, const char *owner, unsigned type, const char *p)
{
	size_t start = begin_record(r, owner, type);
	if (type == 16) {
		p = put_text(r, p);
		p += strspn(p, " \t");
	} else {
		char *word = dup_word(&p);
		if (type == 15) {
			put16(r, (unsigned)atoi(word));
			free(word);
			word = dup_word(&p);
		}
		if (type == 1 || type == 28)
			put_address(r, type == 1 ? AF_INET : AF_INET6, word);
		else
			put_name(r, word);
		free(word);
	}
	end_record(r, start);
	return p;
}

static void put_records(struct reply *r, const char *owner, unsigned type, const char *p)
{
	char alias[256];
	while (*p != '\0') {
		if (strncmp(p, "cname ", 6) == 0) {
			p += 6;
			char *target = dup_word(&p);
			size_t start = begin_record(r, owner, 5);
			put_name(r, target);
			end_record(r, start);
			snprintf(alias, sizeof(alias), "%s", target);
			owner = alias;
			free(target);
		} else if (strncmp(p, "ttl ", 4) == 0) {
			p += 4;
			free(dup_word(&p));
		} else if (strcmp(p, "ad") == 0) {
			p += 2;
		} else {
			p = put_record(r, owner, type, p);
		}
	}
}

static enum mxguard_dns_failure failure_word(const char *data)
{
	return strcmp(data, "timeout") == 0     ? MXGUARD_DNS_FAILURE_TIMEOUT
	       : strcmp(data, "local") == 0     ? MXGUARD_DNS_FAILURE_LOCAL
	       : strcmp(data, "cancelled") == 0 ? MXGUARD_DNS_FAILURE_CANCELLED
						: (enum mxguard_dns_failure)0;
}

static void build_reply(struct reply *r, const struct answer *a, const uint8_t *query, size_t len)
{
	const char *ttl = strstr(a->data, "ttl ");
	size_t question = 12 + strnlen((const char *)query + 12, len - 12) + 1 + 4;
	*r = (struct reply){ .ttl = ttl == NULL ? 300 : (uint32_t)atol(ttl + 4) };
	memcpy(r->bytes, query, question);
	r->len = question;
	r->bytes[2] = 0x81;
	r->bytes[3] = 0x80;
	memset(r->bytes + 6, 0, 6);
	if (strcmp(a->data, "servfail") == 0)
		r->bytes[3] |= 2;
	else if (strcmp(a->data, "nxdomain") == 0)
		r->bytes[3] |= 3;
	else if (strcmp(a->data, "refused") == 0)
		r->bytes[3] |= 5;
	else if (strcmp(a->data, "truncated") == 0)
		r->bytes[2] |= 2;
	else if (strcmp(a->data, "wrongname") == 0)
		r->bytes[13] ^= 1;
	else if (strcmp(a->data, "garbage") == 0)
		memset(r->bytes + 2, 0x5a, r->len - 2);
	else if (strcmp(a->data, "nodata") != 0)
		put_records(r, a->name, type_number(a->type), a->data);
	if (strcmp(a->data, "garbage") != 0) {
		r->bytes[6] = (uint8_t)(r->answers >> 8);
		r->bytes[7] = (uint8_t)r->answers;
	}
	if (strlen(a->data) > 3 && strcmp(a->data + strlen(a->data) - 3, " ad") == 0)
		r->bytes[3] |= 0x20;
}

/* ---- the snapshot -------------------------------------------------------------------- */

struct version {
	struct mxg_question question;
	struct mxg_answer answer;
	struct mxg_reply reply;
	bool written;
};

/* "from=-5000" and the like: seconds before (or after) the case's clock. */
static bool take_time(const struct test_case *t, const char **p, const char *key, int64_t *out, bool relative)
{
	size_t n = strlen(key);
	if (strncmp(*p, key, n) != 0)
		return false;
	char *word = dup_word(p);
	*out = (relative ? t->now : 0) + atoll(word + n);
	free(word);
	return true;
}

static void read_version(const struct test_case *t, const char *line, struct version *v)
{
	int64_t ttl = 300, alarms = 0, refused = 0;
	uint8_t query[512];
	struct reply reply;
	struct answer a = { 0 };
	*v = (struct version){ .answer = { .from = t->now - 86400, .confirmed = t->now } };
	a.name = dup_word(&line);
	a.type = dup_word(&line);
	while (take_time(t, &line, "from=", &v->answer.from, true) ||
	       take_time(t, &line, "superseded=", &v->answer.superseded, true) ||
	       take_time(t, &line, "confirmed=", &v->answer.confirmed, true) ||
	       take_time(t, &line, "ttl=", &ttl, false) || take_time(t, &line, "alarms=", &alarms, false) ||
	       take_time(t, &line, "refused=", &refused, false))
		;
	a.data = strdup(line);
	mxg_name_from_text(&v->question.name, a.name, strlen(a.name));
	v->question.type = (uint16_t)type_number(a.type);
	build_reply(&reply, &a, query, mxg_dns_query(query, sizeof(query), &v->question, 0));
	if (!mxg_dns_reply_parse(&v->reply, &v->question, reply.bytes, reply.len))
		abort();
	v->answer.kind = v->reply.kind;
	v->answer.ad = v->reply.ad;
	v->answer.ttl = (uint32_t)ttl;
	v->answer.alarms = (uint8_t)alarms;
	v->answer.refused = refused != 0;
	v->answer.count = v->reply.records.count;
	v->answer.size = v->reply.records.size;
	v->answer.data = v->reply.records.data;
	free(a.name);
	free(a.type);
	free(a.data);
}

static bool same_question(const struct version *a, const struct version *b)
{
	return a->question.type == b->question.type && mxg_name_equal(&a->question.name, &b->question.name);
}

/* Versions of one question stand together, newest first, as in the file. */
static void write_versions(struct mxg_writer *w, struct version *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct mxg_answer versions[MAX];
		size_t n = 0;
		for (size_t k = i; k < count && !all[i].written; k++) {
			if (k != i && (all[k].written || !same_question(&all[i], &all[k])))
				continue;
			versions[n++] = all[k].answer;
			all[k].written = k != i;
		}
		if (n > 0)
			mxg_writer_answer(w, &all[i].question, versions, n);
		all[i].written = true;
	}
}

static void write_snapshot(const struct test_case *t, const struct mxguard_policy *policy)
{
	static struct version all[MAX];
	struct mxg_writer w;
	int folder, lock = mxg_state_lock(t->folder, &folder);
	if (lock < 0 || !mxg_writer_open(&w, folder)) {
		fail("the snapshot cannot be written");
		return;
	}
	for (size_t i = 0; i < t->versions; i++)
		read_version(t, t->version[i], &all[i]);
	write_versions(&w, all, t->versions);
	if (!mxg_writer_commit(&w, policy->hash, t->now))
		fail("the snapshot cannot be written");
	for (size_t i = 0; i < t->versions; i++)
		free(all[i].reply.records.data);
	close(folder);
	close(lock);
}

/* ---- running --------------------------------------------------------------------- */

static struct answer *find_answer(struct test_case *t, const uint8_t *query, size_t len)
{
	size_t n = strnlen((const char *)query + 12, len - 12) + 1;
	for (size_t i = 0; i < t->answers; i++) {
		struct mxg_name name;
		struct answer *a = &t->dns[i];
		unsigned type = (unsigned)(query[12 + n] << 8 | query[13 + n]);
		if (mxg_name_from_text(&name, a->name, strlen(a->name)) && name.len == n &&
		    memcmp(name.wire, query + 12, n) == 0 && type_number(a->type) == type)
			return a;
	}
	return NULL;
}

static unsigned answer_questions(struct test_case *t, struct mxguard_check *c)
{
	uint8_t queries[MAX][512];
	size_t lens[MAX];
	size_t numbers[MAX];
	unsigned count = 0;
	while (count < MAX && mxguard_check_next_question(c, &numbers[count], queries[count], 512, &lens[count]) == 1)
		count++;
	for (unsigned i = 0; i < count; i++) {
		struct reply reply;
		struct answer *a = find_answer(t, queries[i], lens[i]);
		if (a == NULL) {
			fail("asked for what the script does not hold: %s", mxg_check_question_text(c, numbers[i]));
			mxguard_check_no_reply(c, numbers[i], MXGUARD_DNS_FAILURE_CANCELLED, t->now);
			continue;
		}
		a->asked++;
		if (failure_word(a->data) != 0) {
			mxguard_check_no_reply(c, numbers[i], failure_word(a->data), t->now);
			continue;
		}
		build_reply(&reply, a, queries[i], lens[i]);
		mxguard_check_reply(c, numbers[i], reply.bytes, reply.len, t->now);
	}
	return count;
}

static void feed_header(const struct test_case *t, struct mxguard_check *c)
{
	const char *p = t->message == NULL ? "" : t->message;
	size_t left = strlen(p);
	while (left > 0) {
		size_t n = left < 7 ? left : 7;
		if (mxguard_check_header(c, p, n) != 1)
			break;
		p += n;
		left -= n;
	}
	mxguard_check_header_end(c);
}

static void run_check(struct test_case *t, struct mxguard_check *c)
{
	long long rounds = 0, questions = 0;
	for (int i = 0; i < 100; i++) {
		int progress = mxguard_check_run(c, t->now);
		if (progress == MXGUARD_PROGRESS_NEED_DNS) {
			unsigned asked = answer_questions(t, c);
			if (asked == 0)
				fail("wants DNS, asks nothing");
			questions += asked;
			rounds++;
		} else if (t->message != NULL &&
			   (progress == MXGUARD_PROGRESS_NEED_HEADER || mxguard_check_wants_header(c) == 1)) {
			feed_header(t, c);
		} else if (progress == MXGUARD_PROGRESS_NEED_HEADER) {
			mxguard_check_give_up(c, t->now);
		} else {
			break;
		}
	}
	if (t->rounds >= 0 && rounds != t->rounds)
		fail("%lld rounds, expected %lld", rounds, t->rounds);
	if (t->questions >= 0 && questions != t->questions)
		fail("%lld questions, expected %lld", questions, t->questions);
}

/* Of the log line, what has no other way out; NULL: it is none of these. */
static const char *line_field(const struct mxguard_check *c, size_t i, const char *wanted)
{
	const char *key, *value;
	if (strncmp(wanted, "origin", 6) != 0 && strcmp(wanted, "helo") != 0)
		return NULL;
	for (size_t n = 0; (value = mxguard_check_log_field(c, i, n, &key)) != NULL; n++)
		if (strcmp(key, wanted) == 0)
			return value;
	return NULL;
}

static const char *actual(const struct mxguard_check *c, size_t i, const char *key, char buf[32])
{
	struct {
		const char *key;
		enum mxguard_text text;
	} texts[] = { { "reason", MXGUARD_TEXT_REASON },
		      { "boundary", MXGUARD_TEXT_BOUNDARY_PEER },
		      { "gateway", MXGUARD_TEXT_GATEWAY },
		      { "term", MXGUARD_TEXT_TERM },
		      { "status", MXGUARD_TEXT_STATUS } };
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		if (strcmp(texts[k].key, key) == 0)
			return mxguard_check_text(c, i, texts[k].text);
	if (strcmp(key, "verdict") == 0)
		return mxguard_verdict_name(mxguard_check_verdict(c, i));
	if (strcmp(key, "action") == 0)
		return mxguard_action_name(mxguard_check_action(c, i));
	if (strcmp(key, "would") == 0)
		return mxguard_action_name(mxguard_check_would(c, i));
	if (strcmp(key, "mode") == 0)
		return mxguard_mode_name(mxguard_check_mode(c, i));
	const char *of_line = line_field(c, i, key);
	if (of_line != NULL)
		return of_line;
	snprintf(buf, 32, "%d", strcmp(key, "hop") == 0 ? mxguard_check_hop(c, i) : mxguard_check_reply_code(c, i));
	return buf;
}

static void compare(const struct mxguard_check *c, size_t i, const char *expect)
{
	char buf[32];
	while (*expect != '\0') {
		char *word = dup_word(&expect);
		char *value = strchr(word, '=');
		if (value == NULL) {
			fail("expect: %s", word);
		} else {
			*value++ = '\0';
			const char *found = actual(c, i, word, buf);
			if (strcmp(found, strcmp(value, "-") == 0 ? "" : value) != 0)
				fail("recipient %zu: %s is %s, expected %s", i, word, found, value);
		}
		free(word);
	}
}

static void add_recipients(const struct test_case *t, struct mxguard_check *c)
{
	for (size_t i = 0; i < t->rcpts; i++) {
		const char *also = strstr(t->rcpt[i], " also "), *p = also == NULL ? "" : also;
		char *address = also == NULL ? strdup(t->rcpt[i]) : strndup(t->rcpt[i], (size_t)(also - t->rcpt[i]));
		size_t index;
		if (mxguard_check_add_recipient(c, address, &index) < 0)
			abort();
		free(address);
		while (*p != '\0') {
			char *word = dup_word(&p);
			if (strcmp(word, "also") != 0)
				mxguard_check_add_recipient_name(c, index, word);
			free(word);
		}
	}
}

/* "certificate: verified dn", either word, or none: what the front end says of it. */
static void set_certificate(const struct test_case *t, struct mxguard_check *c)
{
	const char *p = t->certificate == NULL ? "" : t->certificate;
	unsigned flags = 0;
	while (*p != '\0') {
		char *word = dup_word(&p);
		if (strcmp(word, "verified") == 0)
			flags |= MXGUARD_CERTIFICATE_FLAG_VERIFIED;
		else if (strcmp(word, "dn") == 0)
			flags |= MXGUARD_CERTIFICATE_FLAG_SUBJECT_DN;
		else
			fail("certificate: %s", word);
		free(word);
	}
	if (t->certificate != NULL && mxguard_check_set_certificate(c, t->subject, t->issuer, t->fingerprint,
								    t->key_fingerprint, flags) != MXGUARD_ERROR_NONE)
		fail("the certificate is not taken");
	if (t->certificate == NULL && (t->subject != NULL || t->fingerprint != NULL || t->key_fingerprint != NULL))
		fail("cert-… without \"certificate:\"");
}

static void compare_steps(const struct test_case *t, const struct mxguard_check *c)
{
	for (size_t i = 0; i < t->steps; i++) {
		bool found = false;
		const char *step;
		for (size_t n = 0; (step = mxguard_check_step(c, 0, n)) != NULL; n++)
			found |= strstr(step, t->step[i]) != NULL;
		if (!found)
			fail("no step says \"%s\"", t->step[i]);
	}
}

static void run_loaded(struct test_case *t, struct mxguard_policy *policy)
{
	char message[500] = "";
	struct mxguard_snapshot *snapshot = NULL;
	if (t->versions > 0) {
		write_snapshot(t, policy);
		if (mxguard_snapshot_open(&snapshot, policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE)
			fail("snapshot: %s", message);
	}
	struct mxguard_check *c = NULL;
	mxguard_check_new(&c, policy, snapshot, MXGUARD_CHECK_FLAG_STEPS);
	mxguard_snapshot_unref(snapshot);
	if (c == NULL)
		abort();
	mxguard_check_set_peer_text(c, t->peer);
	if (t->helo != NULL)
		mxguard_check_set_helo(c, t->helo);
	if (t->from != NULL)
		mxguard_check_set_sender(c, t->from);
	if (t->login != NULL)
		mxguard_check_set_login(c, t->login);
	if (t->place != NULL && strcmp(t->place, "queued") == 0)
		mxguard_check_set_place(c, MXGUARD_PLACE_QUEUED);
	set_certificate(t, c);
	add_recipients(t, c);
	run_check(t, c);
	compare_steps(t, c);
	if (t->expects != t->rcpts)
		fail("%zu recipients, %zu expectations", t->rcpts, t->expects);
	for (size_t i = 0; i < t->expects; i++)
		compare(c, i, t->expect[i]);
	for (size_t i = 0; i < t->answers; i++)
		if (t->dns[i].asked == 0 && !t->dns[i].optional)
			fail("never asked: %s %s", t->dns[i].name, t->dns[i].type);
	mxguard_check_free(c);
}

static void make_folder(struct test_case *t)
{
	char setting[120];
	strcpy(t->folder, "/tmp/mxguard-case-XXXXXX");
	if (mkdtemp(t->folder) == NULL || chmod(t->folder, 0755) != 0)
		fail("no folder for the snapshot");
	snprintf(setting, sizeof(setting), "state_dir = \"%s\";", t->folder);
	t->config = append(t->config, setting);
}

static void remove_folder(const struct test_case *t)
{
	static const char *const names[] = { MXG_SNAPSHOT_FILE, "refresh.lock" };
	char path[200];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", t->folder, names[i]);
		unlink(path);
	}
	if (rmdir(t->folder) != 0)
		fail("%s is not empty", t->folder);
}

static void run_case(const char *path)
{
	struct test_case t;
	char message[1000] = "";
	struct mxguard_policy *policy = NULL;
	current = path;
	if (!read_case(&t, path)) {
		fail("cannot be read");
		return;
	}
	if (t.versions > 0)
		make_folder(&t);
	struct secret secret;
	if (!secret_begin(&secret, &t.config, t.credential))
		fail("no secret");
	const char *config = t.config == NULL ? "" : t.config;
	int result = mxguard_policy_parse(&policy, config, strlen(config), "case.conf", 0, message, sizeof(message));
	if (!secret_end(&secret))
		fail("the secret is left behind");
	if (t.load_error != NULL && (result == MXGUARD_ERROR_NONE || strstr(message, t.load_error) == NULL))
		fail("expected the load error \"%s\", got \"%s\"", t.load_error, message);
	else if (t.load_error == NULL && result != MXGUARD_ERROR_NONE)
		fail("%s", message);
	else if (result == MXGUARD_ERROR_NONE)
		run_loaded(&t, policy);
	mxguard_policy_unref(policy);
	if (t.versions > 0)
		remove_folder(&t);
	free_case(&t);
}

int main(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++) {
		failures = 0;
		run_case(argv[i]);
		failed += failures > 0;
	}
	printf("%d cases, %d failed\n", argc - 1, failed);
	return argc < 2 || failed > 0;
}
