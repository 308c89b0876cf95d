/* SPDX-License-Identifier: MIT */
#ifndef MXG_ANSWERS_H
#define MXG_ANSWERS_H

#include "dns/message.h"

/*
 * The table over which the evaluation runs: what is known about each question,
 * now and in the past. It knows no sockets, no files and no clock; whoever drives
 * the decision fills it from live replies and from the snapshot.
 */
struct mxg_answers;

/* One version of an answer: what stood from `from` until `superseded`. */
struct mxg_answer {
	enum mxg_answer_kind kind;
	enum mxg_dns_failure failure; /* where kind is FAILED */
	bool ad;
	bool live; /* asked for in this check; else from the snapshot */
	bool stale; /* set by lookup: past its TTL, may prove `authorized` only */
	bool refused; /* seen and not taken: where DNS gives just this, the current version stands */
	bool doubtful; /* alarms that take grace and keep_stale from it */
	bool accepted; /* … by the administrator, alarms or not */
	uint8_t alarms; /* whoever writes versions knows what they mean; 0: none */
	int64_t from; /* when first seen, seconds since the epoch */
	int64_t superseded; /* when another answer took its place; 0 for the current one */
	int64_t confirmed; /* when last seen */
	uint32_t ttl; /* from `confirmed` on */
	uint16_t count;
	uint32_t size;
	const uint8_t *data; /* as in struct mxg_rrset; the table's */
};

/* The moment an evaluation looks at. Zero-initialised plus `now` is the present. */
struct mxg_view {
	int64_t now;
	int64_t as_of; /* 0: the present; else the state just before this moment, from the
			* snapshot's versions alone: states are never mixed */
	uint32_t keep_stale; /* seconds past its TTL that a positive answer may still authorize */
};

struct mxg_answers *mxg_answers_new(void);
void mxg_answers_free(struct mxg_answers *t);
void mxg_answers_clear(struct mxg_answers *t); /* keeps the memory for the next transaction */

/* An entry number for the question, made where it is new; negative: out of memory
 * or more than MXG_ANSWERS_MAX questions (hostile records). Numbers are 0, 1, 2 …
 * in the order of first mention and stay; so do pointers to the questions. */
int mxg_answers_entry(struct mxg_answers *t, const struct mxg_name *name, uint16_t type);
#define MXG_ANSWERS_MAX 4096
size_t mxg_answers_count(const struct mxg_answers *t);
const struct mxg_question *mxg_answers_question(const struct mxg_answers *t, int entry);

/* The state that drivers keep an entry in. */
enum mxg_entry_flag {
	MXG_ENTRY_WANTED = 1 << 0, /* the last evaluation could foresee it and does not have it */
	MXG_ENTRY_CONSULTED = 1 << 1, /* the *sequential* evaluation rested on it (since the flags were cleared) */
	MXG_ENTRY_STALE = 1 << 2, /* … and it was stale */
	MXG_ENTRY_LOADED = 1 << 3, /* the snapshot has been looked at */
	MXG_ENTRY_ASKED = 1 << 4, /* a question is out */
	MXG_ENTRY_REPLIED = 1 << 5, /* a live reply or failure is in */
	MXG_ENTRY_HELD = 1 << 6 /* … but not looked at where the snapshot has something usable */
};
unsigned mxg_answers_flags(const struct mxg_answers *t, int entry);
void mxg_answers_set_flags(struct mxg_answers *t, int entry, unsigned set, unsigned clear);
void mxg_answers_clear_flags(struct mxg_answers *t, unsigned clear); /* in every entry */

/* A live result. reply->records.data is taken over (and NULLed). */
void mxg_answers_put_live(struct mxg_answers *t, int entry, struct mxg_reply *reply, int64_t now);
/* A version from the snapshot, or the one answer that is refused; data is copied. False: out of memory. */
bool mxg_answers_put_version(struct mxg_answers *t, int entry, const struct mxg_answer *version);
/* All versions of an entry, newest first, but for the refused one; for grace and for printing. */
size_t mxg_answers_versions(const struct mxg_answers *t, int entry, const struct mxg_answer **versions);

const struct mxg_answer *mxg_answers_refused(const struct mxg_answers *t, int entry); /* NULL: none */

/* The same records, in whatever order, or the same lack of them. */
bool mxg_answers_same(const struct mxg_answer *a, const struct mxg_answer *b);

/* Whether a live answer is in that says something else than the snapshot's current version, and is
 * not refused: the change happened since the last refresh. */
bool mxg_answers_live_differs(const struct mxg_answers *t, int entry);

/*
 * What the view sees, copied to *out; kind NONE where nothing usable is known.
 * Present: the live answer (HELD: only where nothing below is usable), or in the place of a refused
 * one the snapshot's current version, as if DNS had given it; else that version while fresh; else,
 * positive, not doubtful and within keep_stale, that version with `stale` set (also where the live
 * question failed); else a live failure; else NONE. Negative answers are never stale.
 * Past (as_of): the version with from < as_of <= superseded (0 = forever); where the snapshot
 * does not say, or what stood then and not now is doubtful, FAILED: nobody can be asked any more
 * (NONE before it is LOADED). Freshness plays no role in the past. `live` answers are never part of it.
 */
void mxg_answers_lookup(const struct mxg_answers *t, int entry, const struct mxg_view *view, struct mxg_answer *out);

#endif
