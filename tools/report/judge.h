/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_JUDGE_H
#define MXG_REPORT_JUDGE_H

#include "generations.h"
#include "report/state.h"

/* From what was counted to what it means; everything that is shown stands here. */

/* Why a host looks like a forgotten gateway and not like a spammer (docs/report.md, "Candidates"). */
enum mxg_why {
	MXG_WHY_KNOWN_SENDERS = 1 << 0,
	MXG_WHY_MANY_RECIPIENTS = 1 << 1,
	MXG_WHY_STEADY = 1 << 2,
	MXG_WHY_FEW_HOSTS = 1 << 3,
	MXG_WHY_NAMED = 1 << 4
};

#define MXG_CANDIDATE_HOSTS 8
struct mxg_candidate {
	struct mxg_address hosts[MXG_CANDIDATE_HOSTS];
	size_t host_count;
	uint64_t messages, senders_known, senders_tested, recipients, days;
	int64_t first, last;
	uint32_t *domains; /* numbers, ascending */
	size_t domain_count;
	bool more_domains;
	unsigned why;
	char names[256]; /* confirmed ones; "" */
	char term[512];
	bool proven; /* a check with the term says authorized */
};

struct mxg_domain_verdict {
	uint32_t domain;
	bool ready, no_gateway_mail;
	uint64_t candidate_messages; /* 0: none */
	char candidate[MXG_ADDRESS_TEXT_MAX]; /* the first one */
};

struct mxg_moved {
	struct mxg_address host;
	double after_days;
};

struct mxg_stayed {
	struct mxg_address host;
	uint64_t messages;
	int64_t last;
};

struct mxg_unpublished { /* unpublished.c */
	struct mxg_address host;
	uint64_t messages;
	int64_t first;
};

struct mxg_day_count {
	int32_t day;
	uint64_t direct;
};

struct mxg_time_line { /* of a generation of a domain */
	uint32_t domain;
	int64_t from, until; /* 0: before the log; still */
	char (*gateways)[MXG_PREFIX_TEXT_MAX];
	size_t gateway_count;
	bool logged; /* false: the log has nothing of its time; what follows is not known then */
	bool counted; /* false: some of the domain's mail was, without the time line; what follows is not known then */
	double direct_per_day, half_life_days; /* half_life_days < 0: it does not fall */
	int32_t dry; /* the first day without any more; -1: none */
	struct mxg_moved *moved;
	size_t moved_count;
	struct mxg_stayed *stayed;
	size_t stayed_count;
	int64_t unpublished_since; /* 0: the address is published still, or nobody knows */
	struct mxg_unpublished *unpublished; /* most messages first */
	size_t unpublished_count;
	uint64_t unpublished_messages;
	int64_t unpublished_first;
	struct mxg_day_count *days;
	size_t day_count;
};

struct mxg_change { /* --changed */
	char domain[256];
	int64_t at;
};

struct mxg_report_result {
	const struct mxg_report_state *state;
	struct mxg_candidate *candidates; /* most messages first */
	size_t candidate_count;
	struct mxg_domain_verdict *domains; /* most decisions first */
	size_t domain_count;
	uint32_t *peers; /* those with most messages, most first */
	size_t peer_count;
	struct mxg_time_line *lines; /* by domain, the oldest first */
	size_t line_count;
	int64_t history; /* where it begins; 0: there is none */
	bool interrupted;
};

struct mxg_report_inputs { /* beside the state */
	struct mxguard_policy *policy; /* NULL: no configuration */
	const struct mxg_history *history; /* NULL: none */
	const struct mxg_change *changes;
	size_t change_count;
	bool ask_dns;
	int64_t now;
	size_t top; /* how many peers are wanted */
};

/* False: out of memory. */
bool mxg_report_judge(struct mxg_report_result *result, const struct mxg_report_state *state,
		      const struct mxg_report_inputs *inputs);
void mxg_report_result_clear(struct mxg_report_result *result);

/* candidates.c */
bool mxg_report_candidates(struct mxg_report_result *result, const struct mxg_report_inputs *inputs);
struct mxg_prefix mxg_candidate_network(const struct mxg_address *host); /* whose hosts are one candidate */
/* names.c: names whose addresses are those of the hosts again. */
void mxg_report_names(struct mxg_report_result *result, const struct mxg_report_inputs *inputs);
/* prove.c */
void mxg_report_prove(struct mxg_report_result *result);
/* timeline.c */
bool mxg_report_time_lines(struct mxg_report_result *result, const struct mxg_report_inputs *inputs);
/* unpublished.c: since when no MX of the domain leads to this host; 0: it still does, or nobody knows. */
int64_t mxg_unpublished_since(const struct mxguard_policy *policy, const struct mxg_generations *known);
/* Fills the line's part; `pairs` are in order, and those of its domain begin there. False: out of memory. */
bool mxg_report_unpublished(const struct mxg_report_result *result, const uint32_t *pairs, size_t begin,
			    struct mxg_time_line *line);

#endif
