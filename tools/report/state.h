/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_STATE_H
#define MXG_REPORT_STATE_H

#include "base/address.h"
#include "mxguard.h"
#include "report/decision.h"
#include "report/index.h"
#include "report/sketch.h"
#include "report/texts.h"

/*
 * What is counted. Two states add up to the state of both inputs together, as long as nothing in them is
 * marked `cut` (docs/report.md): that is what --partial hands on.
 */
#define MXG_REPORT_VERDICTS 7
#define MXG_REPORT_ACTIONS 5
#define MXG_REPORT_REASONS 128 /* kinds; more count as "(others)" */
#define MXG_REPORT_PEERS 262144 /* direct peers that are kept */
#define MXG_REPORT_DOMAINS 4000000
#define MXG_REPORT_SENDERS 1000000 /* of mail that came through gateways */
#define MXG_PEER_DOMAINS 65536 /* of one peer */
#define MXG_PEER_DAYS 64 /* different days that are remembered */
#define MXG_REPORT_DATES 4096
#define MXG_SAMPLE_MAX 160

struct mxg_count_by_reason {
	uint16_t reason;
	uint64_t count;
	struct mxg_count_by_reason *next;
};

struct mxg_domain_state {
	char *name;
	uint64_t hash;
	size_t len;
	uint64_t verdicts[MXG_REPORT_VERDICTS];
	uint64_t refused; /* direct ones that enforce would not have accepted */
	struct mxg_count_by_reason *held_up; /* unknown ones that it would not have accepted */
	struct mxg_least recipients; /* of mail that came through gateways */
	uint64_t left_out; /* of what has no time: not authorized ones, which might stand in the way */
	bool watched; /* the time line is wanted */
	bool unwatched; /* some of its decisions were counted where it was not */
};

struct mxg_peer_state {
	struct mxg_address address;
	uint64_t messages;
	int64_t first, last;
	union { /* numbers of domains, ascending: mxg_peer_domains() */
		uint32_t *more; /* where domain_room > 0 */
		uint32_t one; /* most came once */
	};
	uint32_t domain_count, domain_room;
	struct mxg_least senders, recipients, days;
	uint64_t sample_rank; /* of the sample's line: the smallest one stays */
	char *sample; /* NULL: none */
	uint8_t sample_room;
	bool more_domains; /* than MXG_PEER_DOMAINS */
};

static inline const uint32_t *mxg_peer_domains(const struct mxg_peer_state *peer)
{
	return peer->domain_room > 0 ? peer->more : &peer->one;
}

/* A host and a watched domain: mail past the gateways, and through them. */
struct mxg_pair_state {
	uint32_t domain;
	struct mxg_address host;
	uint64_t direct, via;
	int64_t first_direct, last_direct, first_via;
};

/* All decisions of one day. */
struct mxg_date_state {
	int32_t day; /* since 1970 */
	uint64_t verdicts[MXG_REPORT_VERDICTS];
};

/* Direct mail of a watched domain on one day. */
struct mxg_day_state {
	uint32_t domain;
	int32_t day; /* since 1970 */
	uint64_t direct;
	uint64_t seconds; /* of the day, summed up over its messages */
};

struct mxg_report_state {
	uint64_t lines, decisions, duplicates, unread;
	uint64_t undated, left_out; /* decisions without a time: counted ones, and those that --since leaves out */
	int64_t from, to; /* 0: no decision has a time */
	uint64_t verdicts[MXG_REPORT_VERDICTS], actions[MXG_REPORT_ACTIONS], would[MXG_REPORT_ACTIONS];
	struct {
		char name[64];
		size_t len;
		uint64_t hash, count;
	} reasons[MXG_REPORT_REASONS];
	size_t reason_count;
	struct mxg_domain_state *domains;
	size_t domain_count, domain_room;
	struct mxg_index domain_index;
	struct mxg_texts names; /* of domains */
	struct mxg_peer_state *peers; /* room for MXG_REPORT_PEERS, or NULL */
	size_t peer_count;
	struct mxg_index peer_index;
	struct mxg_texts samples;
	struct mxg_pair_state *pairs;
	size_t pair_count, pair_room;
	struct mxg_index pair_index;
	struct mxg_day_state *days;
	size_t day_count, day_room;
	struct mxg_index day_index;
	struct mxg_date_state *dates; /* ascending */
	size_t date_count, date_room, date_last; /* date_last: the one that was looked for last */
	struct mxg_sample senders;
	bool cut; /* something had no room: what it says of peers is not all */
	bool doubled; /* there were more lines than can be looked through for duplicates */
	bool nomem;
	/* which domains have a time line; NULL: none */
	bool (*watch)(void *context, const char *domain);
	void *watch_context;
};

struct mxg_report_state *mxg_report_state_new(void);
void mxg_report_state_free(struct mxg_report_state *state);
/* Takes a decision in. False: the line is cut, it is not one. */
bool mxg_report_count(struct mxg_report_state *state, const struct mxg_decision *decision);
/* It has no time, and only those since one are wanted: it does not count, but its domain is not ready without it. */
void mxg_report_leave_out(struct mxg_report_state *state, const struct mxg_decision *decision);
/* It will be counted before long, then soon, then next but few; to be said in this order. */
void mxg_report_expect(const struct mxg_report_state *state, const struct mxg_decision *decision);
void mxg_report_expect_soon(const struct mxg_report_state *state, const struct mxg_decision *decision);
void mxg_report_expect_next(const struct mxg_report_state *state, const struct mxg_decision *decision);
void mxg_report_merge(struct mxg_report_state *into, const struct mxg_report_state *from);

/* For the partial form as well. Numbers; UINT32_MAX: no room. */
uint32_t mxg_state_domain(struct mxg_report_state *state, const char *name, size_t len, uint64_t hash);
uint32_t mxg_state_peer(struct mxg_report_state *state, const struct mxg_address *address);
uint32_t mxg_state_pair(struct mxg_report_state *state, uint32_t domain, const struct mxg_address *host);
uint32_t mxg_state_day(struct mxg_report_state *state, uint32_t domain, int32_t day);
struct mxg_date_state *mxg_state_date(struct mxg_report_state *state, int32_t day); /* NULL: no room */
uint16_t mxg_state_reason(struct mxg_report_state *state, const char *name, size_t len);
bool mxg_state_peer_domain(struct mxg_report_state *state, struct mxg_peer_state *peer, uint32_t domain);
bool mxg_state_sample(struct mxg_report_state *state, struct mxg_peer_state *peer, const char *text, size_t len);
void mxg_state_clear_peers(struct mxg_report_state *state);
uint64_t mxg_state_address_hash(const struct mxg_address *address);
bool mxg_state_held_up(struct mxg_domain_state *domain, uint16_t reason, uint64_t count);
void mxg_state_widen(int64_t *first, int64_t *last, int64_t from, int64_t to);

#endif
