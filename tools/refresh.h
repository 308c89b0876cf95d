/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_H
#define MXG_REFRESH_H

#include <signal.h>

#include "resolver/driver.h"
#include "reach/reach.h"
#include "snapshot/snapshot.h"
#include "snapshot/format.h"
#include "name_list.h"
#include "rate.h"

/*
 * `mxguard refresh`: refresh_store.c (what is known about each question), refresh_alarms.c (what is
 * odd about an answer), refresh_run.c (asks until every domain is walked), refresh_due.c (… or only what is due),
 * refresh_versions.c (from one snapshot to the next), refresh_write.c (the writing), refresh_domains.c and
 * refresh_list.c (our domains), refresh_report.c and refresh_tell.c (who hears of it), refresh_publish.c,
 * refresh_fetch.c and refresh_recall.c (from host to host), refresh_pass.c (all of it in order), cmd_refresh.c.
 *
 * A million domains do not fit into memory as questions with their answers. What is asked and walked is written, and
 * leaves the store; should another domain lead to it, it comes back from the file that is being written.
 */
#define MXG_NEAR_LIMIT 8

struct mxg_writer;

/* One question, asked once however many domains need its answer. */
struct mxg_item {
	struct mxg_item *next; /* in its bucket */
	struct mxg_item *queued; /* behind it in the queue */
	uint32_t *waiters; /* domains, by number */
	uint32_t waiter_count, waiter_room;
	enum { MXG_ITEM_QUEUED, MXG_ITEM_ASKED, MXG_ITEM_REPLIED } state;
	bool reached; /* the walk rests on it */
	bool kept; /* not asked: what is known of it is not due yet */
	bool forced; /* asked, whatever is known of it */
	bool written; /* the new snapshot has it; it came back from there */
	bool keep_old; /* an alarm holds the new answer back */
	bool accepted; /* --accept, now or when just this answer came in */
	uint8_t alarms;
	uint8_t known_alarms; /* that the last snapshot tells of */
	uint8_t old_count;
	uint8_t failures; /* in a row, before this run; the last one then: */
	int64_t tried;
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
	int64_t now;
	bool due_only; /* what is not due is not asked */
	bool force; /* … but for what is made now */
	int64_t resumed; /* what was asked since then is not asked again while it is fresh; 0: everything is */
	struct mxg_writer *writer; /* what has left the store already; NULL: nothing */
	struct mxg_item **buckets;
	size_t bucket_count, count;
};

/* Of what has left the store, and what a report says of the whole run. */
struct mxg_refresh_figures {
	size_t domains, questions, failures, alarms, held, changed, self, fresh;
};

bool mxg_store_init(struct mxg_store *store, const struct mxguard_snapshot *before,
		    const struct mxg_string_list *forget, const struct mxg_string_list *accept);
void mxg_store_clear(struct mxg_store *store);
/* Made, with its history, where it is new (*fresh). NULL: out of memory. */
struct mxg_item *mxg_store_item(struct mxg_store *store, const struct mxg_question *question, bool *fresh);
struct mxg_item *mxg_store_find(const struct mxg_store *store, const struct mxg_question *question);
/* What is known of it is not to be carried over. */
bool mxg_store_forgets(const struct mxg_store *store, const struct mxg_question *question);
/* It is of no use any more. */
void mxg_store_drop(struct mxg_store *store, struct mxg_item *item);
/* When a question whose answer is known is to be asked again; where it failed, not before `retry`. */
int64_t mxg_answer_due(const struct mxg_answer *current, const struct mxg_answer *refused);
int64_t mxg_retry_at(int64_t tried, unsigned failures);
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
	bool mx_is_self;
	bool shared; /* not a domain: the terms of a ruleset that are the same for all */
	bool added; /* the last snapshot does not know it */
	bool forced; /* its own questions are asked, due or not */
};

enum mxg_list_state {
	MXG_LIST_CURRENT, /* as it is listed now */
	MXG_LIST_KEPT, /* domains_command failed, or domains_file is no list: as it was */
	MXG_LIST_REMEMBERED /* it was not looked at: as it was, and what was named */
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
	unsigned per_second; /* questions to one server; 0: as many as can be */
	struct mxg_store store;
	struct mxg_names names; /* of the domains */
	struct mxg_local_domain *domains; /* rulesets' shared terms first, then by name */
	size_t domain_count, done;
	enum mxg_list_state list;
	int64_t list_kept; /* since when there is no list to be had; 0: there is one */
	size_t removed_count; /* newly, of `removed` */
	struct mxg_names removed; /* domains that the last snapshot knows and that are ours no more, by name */
	size_t added_count;
	struct mxg_item *queue, **queue_end;
	size_t queue_length;
	struct mxg_driver *driver;
	struct mxg_rate rate;
	size_t open; /* questions that are out */
	struct mxg_answers *table;
	struct mxg_reach reach;
	size_t answered, failed, failed_in_a_row;
	bool dead; /* DNS does not answer at all: the rest is not asked */
	bool nomem;
	const volatile sig_atomic_t *signalled; /* NULL: nobody can end it */
	int64_t deadline; /* mxg_monotonic_ms() at which it ends by itself; 0: never */
	bool ended; /* by either, before everything was asked */
	bool some; /* only what is due and what is new was looked at, not every domain */
	size_t left; /* domains that were not looked at, though they should have been */
	struct mxg_live_term live[MXG_LIVE_TERMS_MAX];
	size_t live_count;
	size_t wrong_lines; /* of domains_file */
	size_t written; /* questions in the new snapshot */
	struct mxg_refresh_figures gone; /* of what has left the store */
	struct mxg_history_writer *history; /* what changes is put there, too; NULL: nowhere */
};

/* Every domain. False: out of memory. */
bool mxg_refresh_run(struct mxg_refresh *run);
/* What is new, forced or due. *all: what has changed may lead any domain elsewhere; then mxg_refresh_run() is next. */
bool mxg_refresh_run_some(struct mxg_refresh *run, bool *all);
/* For those two: */
bool mxg_refresh_begin(struct mxg_refresh *run); /* false: out of memory */
void mxg_refresh_walk(struct mxg_refresh *run, uint32_t domain);
void mxg_refresh_enqueue(struct mxg_refresh *run, struct mxg_item *item);
/* Asks, and waits for something to happen, unless there is more to begin. False: it is to end. */
bool mxg_refresh_step(struct mxg_refresh *run, bool busy);
void mxg_refresh_thin(struct mxg_refresh *run); /* what is done leaves the store, if there is much of it */
struct mxg_local_domain *mxg_refresh_find_domain(const struct mxg_refresh *run, const char *name);

/* Versions of the item as of now: the new answer taken in, what is past its grace dropped. */
size_t mxg_item_versions(const struct mxg_item *item, const struct mxguard_policy *policy, int64_t now,
			 struct mxg_answer out[MXG_VERSIONS_MAX]);

/* It is one more of them. */
void mxg_item_count(const struct mxg_item *item, struct mxg_refresh_figures *figures);
/* Asked, or to be asked, and not answered. */
bool mxg_item_failed(const struct mxg_item *item);

/* The domains, before anything else; of a newer part, what is new about them. */
void mxg_refresh_write_domains(struct mxg_refresh *run, struct mxg_writer *writer);
void mxg_refresh_write_item(struct mxg_refresh *run, struct mxg_writer *writer, struct mxg_item *item);
void mxg_refresh_write(struct mxg_refresh *run, struct mxg_writer *writer);

/* The local domains: `domains`, `domains_file`, what domains_command prints, the names of `policies`; each once. 0 or
 * an exit status after a message. */
struct mxg_domains_wanted {
	const struct mxg_string_list *named; /* --domain: they are added to what the last snapshot knows */
	const struct mxg_string_list *spooled; /* they are asked if they are listed */
	bool remember; /* the lists are not read */
	bool force; /* also where the list has shrunk */
	size_t unknown; /* out: of those that were spooled */
};
int mxg_refresh_domains(struct mxg_refresh *run, struct mxg_domains_wanted *wanted);
/* The same for those who run no command: what it has printed is in the snapshot. */
int mxg_refresh_domains_known(struct mxg_refresh *run, const struct mxguard_snapshot *snapshot);
void mxg_refresh_domains_clear(struct mxg_refresh *run);

/* What a command prints, as a file to read from, which the caller closes. -1 with why: it failed, took longer than
 * MXG_LIST_SECONDS, or printed more than domains_file may have. */
#define MXG_LIST_SECONDS 30
int mxg_list_run(const char *const *command, const volatile sig_atomic_t *signalled, char *why, size_t size);

#endif
