/* SPDX-License-Identifier: MIT */
#ifndef TEST_NAIVE_DECISION_H
#define TEST_NAIVE_DECISION_H

#include "mxguard.h"
#include "naive_spf.h"

/*
 * docs/design.md, "Gateways", "Settle" and "Grace", once more, for comparing: what a domain's names said at which time,
 * what DNS says now, and from that the decision, by way of whole zones: one for the present, one
 * for each moment of the past, each judged by the naive evaluation. Nothing is kept between them.
 */
enum { HISTORY_QUESTIONS_MAX = 16, HISTORY_VERSIONS_MAX = 8, HISTORY_RECORDS_MAX = 3, HISTORY_TEXT_MAX = 200 };

struct history_record {
	struct mxg_address address; /* A, AAAA */
	char text[HISTORY_TEXT_MAX]; /* TXT; the target of an MX */
};

struct history_set {
	enum mxg_answer_kind kind; /* FAILED only in the present */
	unsigned count;
	struct history_record records[HISTORY_RECORDS_MAX];
};

struct history_version {
	struct history_set set;
	int64_t from, confirmed, superseded; /* 0: it still stands */
	uint32_t ttl;
	bool alarm; /* it was taken with one */
};

struct history_question {
	char name[64];
	uint16_t type;
	size_t count;
	struct history_version versions[HISTORY_VERSIONS_MAX]; /* newest first */
	struct history_set refused; /* held back behind the version that stands; kind NONE: nothing is */
	struct history_set live;
	/* written by naive_decide: */
	bool touched, again;
};

struct history {
	char domain[32];
	size_t count;
	struct history_question questions[HISTORY_QUESTIONS_MAX];
};

struct naive_policy {
	const char *terms[6]; /* an entry each, in order; ip4/ip6 ones are static */
	int64_t grace, keep_stale, settle, max_ttl;
	enum { NAIVE_NO_LIST, NAIVE_LISTED, NAIVE_FOREIGN } list; /* of domains: there is none, or this one is … */
};

/* As long as a version counts as fresh: never longer than max_ttl, a "no" never longer than 3 h. */
int64_t naive_ttl(const struct naive_policy *policy, const struct history_version *version);

struct naive_case {
	const struct naive_policy *policy;
	struct history *history;
	struct mxg_address peer, self;
	int64_t now;
};

enum naive_why { NAIVE_PLAIN, NAIVE_STALE, NAIVE_GRACE, NAIVE_SELF, NAIVE_EMPTY, NAIVE_ANOTHERS };

struct naive_decision {
	enum mxguard_verdict verdict;
	bool settling; /* `direct` is deferred at the door */
	int entry; /* of the match; -1: none */
	enum naive_why why;
};

struct naive_decision naive_decide(const struct naive_case *c);

#endif
