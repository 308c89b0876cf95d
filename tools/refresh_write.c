/* SPDX-License-Identifier: MIT */
/* What a run knows goes into the snapshot, and what is new into the history. */
#include "history_write.h"
#include "refresh.h"
#include "snapshot_write.h"

/* Versions are newest first; the history begins with the oldest. */
static void put_all(struct mxg_history_writer *history, const struct mxg_question *q, const struct mxg_answer *versions,
		    size_t count)
{
	for (size_t i = count; i-- > 0;)
		if (!versions[i].refused)
			mxg_history_put(history, q, &versions[i], versions[i].from);
	if (count > 0 && versions[0].superseded != 0)
		mxg_history_put_end(history, q, versions[0].superseded);
}

/* What is another than the last snapshot said goes into the history. */
static void note_change(struct mxg_refresh *run, const struct mxg_item *item, const struct mxg_question *q,
			const struct mxg_answer *versions, size_t count)
{
	const struct mxg_answer *old = mxg_item_current(item), *new = &versions[0];
	bool changed = item->reached && mxg_item_answered(item) && mxg_item_changed(item);
	if (run->history == NULL)
		return;
	if (run->history->whole || run->store.before == NULL)
		put_all(run->history, q, versions, count);
	else if (changed)
		mxg_history_put(run->history, q, new, new->from);
	else if (old != NULL && (count == 0 || new->superseded != 0))
		mxg_history_put_end(run->history, q, count > 0 ? new->superseded : run->now);
}

/* ---- one question --------------------------------------------------------------------- */

static void write_failure(const struct mxg_refresh *run, struct mxg_writer *writer, const struct mxg_item *item,
			  const struct mxg_question *q)
{
	bool asked = mxg_item_failed(item) && item->reply.failure != MXG_DNS_CANCELLED;
	if (asked)
		mxg_writer_failed(writer, q, run->now, item->failures < 255 ? item->failures + 1u : 255u);
	else if (item->failures > 0 && !mxg_item_answered(item))
		mxg_writer_failed(writer, q, item->tried, item->failures);
	else if (item->failures > 0 && writer->since)
		mxg_writer_failed(writer, q, run->now, 0);
}

void mxg_refresh_write_item(struct mxg_refresh *run, struct mxg_writer *writer, struct mxg_item *item)
{
	struct mxg_answer versions[MXG_VERSIONS_MAX];
	struct mxg_question q;
	if (item->written || (writer->since && (item->kept || item->state != MXG_ITEM_REPLIED)))
		return;
	item->reached |= run->some || run->ended;
	size_t count = mxg_item_versions(item, run->policy, run->now, versions);
	mxg_item_question(item, &q);
	note_change(run, item, &q, versions, count);
	write_failure(run, writer, item, &q);
	if (count == 0)
		return;
	mxg_writer_answer(writer, &q, versions, count);
	run->written++;
	if (writer->since && item->old_count == 0)
		writer->questions++;
}

/* ---- what nobody looked at ------------------------------------------------------------- */

static bool is_in_store(const struct mxg_refresh *run, const struct mxg_snapshot_record *r, struct mxg_question *q)
{
	if (r->key_len < 4 || r->key_len - 3 > sizeof(q->name.wire))
		return true;
	*q = (struct mxg_question){ .type = mxg_get16(r->key + 1), .name.len = (uint8_t)(r->key_len - 3) };
	memcpy(q->name.wire, r->key + 3, r->key_len - 3);
	return mxg_store_find(&run->store, q) != NULL;
}

/* Names that nothing leads to any more stay for as long as the past may be looked at: what
 * led to them may be in grace. */
static void write_unreached(struct mxg_refresh *run, struct mxg_writer *writer, const struct mxg_question *q)
{
	bool fresh;
	struct mxg_item *item = mxg_store_item(&run->store, q, &fresh);
	if (item == NULL) {
		run->nomem = true;
		return;
	}
	mxg_refresh_write_item(run, writer, item);
	mxg_store_drop(&run->store, item);
}

static void carry_record(struct mxg_refresh *run, struct mxg_writer *writer, const struct mxg_snapshot_record *r)
{
	struct mxg_question q;
	bool partly = run->some || run->ended;
	if (!writer->since && (r->kind == 'D' || is_in_store(run, r, &q)))
		return;
	if (mxg_writer_has(writer, r->key, r->key_len))
		return;
	if (r->kind == 'Q' && !writer->since && mxg_store_forgets(&run->store, &q))
		return;
	if (partly) {
		mxg_writer_copy(writer, r);
		run->written += r->kind == 'Q' && !writer->since;
	} else if (r->kind == 'Q') {
		write_unreached(run, writer, &q);
	}
}

static void carry_over(struct mxg_refresh *run, struct mxg_writer *writer)
{
	struct mxg_snapshot_record r;
	if (run->store.before == NULL)
		return;
	struct mxg_snapshot_scan *scan = mxg_snapshot_scan_new(run->store.before, writer->since);
	run->nomem |= scan == NULL;
	while (!run->nomem && mxg_snapshot_scan_next(scan, &r))
		carry_record(run, writer, &r);
	mxg_snapshot_scan_free(scan);
}

/* ---- all of it -------------------------------------------------------------------------- */

/* What the part before had to say of domains, and nobody takes back, stands in front of the questions as well. */
static void carry_domains(struct mxg_refresh *run, struct mxg_writer *writer)
{
	struct mxg_snapshot_record r;
	struct mxg_snapshot_scan *scan = mxg_snapshot_scan_new(run->store.before, true);
	run->nomem |= scan == NULL;
	while (!run->nomem && mxg_snapshot_scan_next_domain(scan, &r))
		carry_record(run, writer, &r);
	mxg_snapshot_scan_free(scan);
}

void mxg_refresh_write_domains(struct mxg_refresh *run, struct mxg_writer *writer)
{
	for (size_t i = 0; i < run->domain_count; i++)
		if (!run->domains[i].shared && (!writer->since || run->domains[i].added))
			mxg_writer_domain(writer, run->domains[i].name);
	for (size_t i = 0; writer->since && i < run->removed.count; i++)
		mxg_writer_no_domain(writer, mxg_names_get(&run->removed, i));
	if (writer->since) {
		writer->domains = (uint32_t)(run->domain_count - run->policy->ruleset_count);
		carry_domains(run, writer);
	}
	writer->after = run->store.before == NULL ? 0 : mxg_snapshot_generation(run->store.before);
	mxg_policy_gateways_hash(run->policy, writer->gateways);
}

void mxg_refresh_write(struct mxg_refresh *run, struct mxg_writer *writer)
{
	struct mxg_item *item = NULL;
	size_t at = 0;
	if (run->store.writer == NULL)
		mxg_refresh_write_domains(run, writer);
	while (!run->nomem && mxg_store_each(&run->store, &at, &item))
		mxg_refresh_write_item(run, writer, item);
	carry_over(run, writer);
	writer->list_kept = run->list_kept;
}
