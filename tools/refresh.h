/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_H
#define MXG_REFRESH_H

#include "resolver/driver.h"
#include "reach/reach.h"
#include "snapshot/snapshot.h"
#include "snapshot/format.h"

/* `mxguard refresh`: refresh_store.c (what is known about each question), refresh_alarms.c (what is
 * odd about an answer), refresh_run.c (asks until every domain is walked), refresh_versions.c
 * (history, and the writing), refresh_report.c and refresh_tell.c (who hears of it), refresh_publish.c,
 * refresh_fetch.c and refresh_recall.c (from host to host), cmd_refresh.c. */

#define MXG_NEAR_LIMIT 8

/* One question, asked once however many domains need its answer. */
struct mxg_item {
	struct mxg_item *next; /* in its bucket */
	struct mxg_item *queued; /* behind it in the queue */
	uint32_t *waiters; /* domains, by number */
	uint32_t waiter_count, waiter_room;
	enum { MXG_ITEM_QUEUED, MXG_ITEM_ASKED, MXG_ITEM_REPLIED } state;
	bool reached; /* the walk rests on it */
	bool keep_old; /* an alarm holds the new answer back */
	bool accepted; /* --accept, now or when just this answer came in */
	uint8_t alarms;
	uint8_t known_alarms; /* that the last snapshot tells of */
	uint8_t old_count;
	struct mxg_reply reply;
	struct mxg_answer *old; /* versions of the last snapshot, newest first; one piece of memory */
	struct mxg_answer *refused; /* what it holds back, behind them; NULL: nothing */
	size_t old_size, new_size; /* of the set, for the alarms */
	uint16_t type;
	uint8_t name_len;
	uint8_t name[];
};

struct mxg_store {
	const struct mxguard_snapshot *before; /* NULL: there is none */
	struct mxg_answers *scratch;
	const struct mxg_string_list *forget, *accept;
	struct mxg_item **buckets;
	size_t bucket_count, count;
	struct mxg_item *all_next; /* for mxg_store_each() */
};

bool mxg_store_init(struct mxg_store *store, const struct mxguard_snapshot *before,
		    const struct mxg_string_list *forget, const struct mxg_string_list *accept);
void mxg_store_clear(struct mxg_store *store);
/* Made, with its history, where it is new (*fresh). NULL: out of memory. */
struct mxg_item *mxg_store_item(struct mxg_store *store, const struct mxg_question *question, bool *fresh);
struct mxg_item *mxg_store_find(const struct mxg_store *store, const struct mxg_question *question);
/* All of them, in no order; *at starts at 0 and *item at NULL. */
bool mxg_store_each(const struct mxg_store *store, size_t *at, struct mxg_item **item);
void mxg_item_question(const struct mxg_item *item, struct mxg_question *out);
const char *mxg_item_name(const struct mxg_item *item, char buf[MXG_NAME_TEXT_MAX]);
/* The version that stood when the last snapshot was written; NULL: none. */
const struct mxg_answer *mxg_item_current(const struct mxg_item *item);
struct mxg_answer mxg_reply_answer(const struct mxg_reply *reply); /* what it says; the data stays the reply's */
/* Takes the reply, and judges it against what stood before (docs/design.md, "Alarms"). */
void mxg_item_reply(struct mxg_item *item, struct mxg_reply *reply, bool strict);
/* An alarm that only the walk can see; with `strict` a new answer is taken back. True: it was. */
bool mxg_item_alarm(struct mxg_item *item, unsigned alarm, bool strict);
/* refresh_alarms.c; the reply is in */
void mxg_item_judge(struct mxg_item *item, bool strict);
/* Nothing is asked: what its snapshot tells is all there is. known: the alarms of the one before. */
void mxg_item_recall(struct mxg_item *item, unsigned known);
#define MXG_ALARM_TEXT_MAX (MXG_ALARM_NAMES_MAX + 60)
void mxg_item_alarm_text(const struct mxg_item *item, char text[MXG_ALARM_TEXT_MAX]); /* "emptied (0, before 1)" */
bool mxg_item_has_alarm(const struct mxg_item *item);
bool mxg_item_answered(const struct mxg_item *item); /* the new answer counts */
bool mxg_item_changed(const struct mxg_item *item); /* … and it is another than before */
/* What the walk is to see, put into the table. False: out of memory. */
bool mxg_item_show(const struct mxg_item *item, struct mxg_answers *answers, int entry, int64_t now);

/* ---- the run ------------------------------------------------------------------------ */

struct mxg_local_domain {
	const char *name; /* lower-case A-label */
	const struct mxg_ruleset *ruleset;
	uint32_t missing; /* answers that it waits for */
	bool started, mx_is_self;
	bool shared; /* not a domain: the terms of a ruleset that are the same for all */
};

struct mxg_live_term { /* what only a delivery can ask */
	const struct mxg_ruleset *ruleset;
	char text[256], why[64];
};
#define MXG_LIVE_TERMS_MAX 100

struct mxg_refresh {
	const struct mxguard_policy *policy;
	int64_t now;
	bool strict, quiet;
	size_t concurrency;
	struct mxg_store store;
	struct mxg_local_domain *domains; /* rulesets' shared terms first */
	size_t domain_count, done;
	struct mxg_item *queue, **queue_end;
	size_t queue_length;
	struct mxg_driver *driver;
	size_t open; /* questions that are out */
	struct mxg_answers *table;
	struct mxg_reach reach;
	size_t answered, failed, failed_in_a_row;
	bool dead; /* DNS does not answer at all: the rest is not asked */
	bool reverted; /* --strict took a record back: everything is walked again */
	bool nomem;
	struct mxg_live_term live[MXG_LIVE_TERMS_MAX];
	size_t live_count;
	size_t wrong_lines; /* of domains_file */
	size_t written; /* questions in the new snapshot */
	struct mxg_history_writer *history; /* what changes is put there, too; NULL: nowhere */
};

/* False: out of memory. */
bool mxg_refresh_run(struct mxg_refresh *run);

/* Versions of the item as of now: the new answer taken in, what is past its grace dropped. */
size_t mxg_item_versions(const struct mxg_item *item, const struct mxguard_policy *policy, int64_t now,
			 struct mxg_answer out[MXG_VERSIONS_MAX]);

struct mxg_writer;
void mxg_refresh_write(struct mxg_refresh *run, struct mxg_writer *writer);

/* The local domains: `domains`, `domains_file`, the names of `policies`; each once. 0 or an exit
 * status after a message. */
int mxg_refresh_domains(struct mxg_refresh *run);

#endif
