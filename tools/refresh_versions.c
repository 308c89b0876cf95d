/* SPDX-License-Identifier: MIT */
/* From one snapshot to the next: what is confirmed, superseded, dropped. */
#include "history_write.h"
#include "refresh.h"
#include "snapshot/grace.h"
#include "snapshot/snapshot.h"
#include "snapshot_write.h"

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Whether a version that stands no more may still matter: for grace, and an MX set for
 * `settle` (docs/design.md, "Settle"). */
static bool still_matters(const struct mxg_answer *v, uint16_t type, const struct mxguard_policy *policy, int64_t now)
{
	int64_t settled = type == MXG_DNS_MX ? v->superseded + (int64_t)policy->settle : 0;
	return most(mxg_grace_end(v, policy->grace), settled) > now;
}

static void mark(struct mxg_answer *v, const struct mxg_item *item)
{
	v->alarms = item->alarms;
	v->doubtful = (item->alarms & MXG_ALARMS_DOUBTFUL) != 0;
	v->accepted = item->accepted;
}

/* A clock that was set back must not make a history that contradicts itself. */
static struct mxg_answer new_version(const struct mxg_item *item, int64_t now)
{
	struct mxg_answer v = mxg_reply_answer(&item->reply);
	if (item->old_count > 0)
		now = most(now, most(item->old[0].from, item->old[0].superseded));
	v.from = v.confirmed = now;
	mark(&v, item);
	return v;
}

/* What deliveries are not to believe, behind which the old version stands; as fresh as when DNS
 * last said it. False: nothing. */
static bool refused_version(const struct mxg_item *item, int64_t now, struct mxg_answer *out)
{
	if (!item->reached || !item->keep_old)
		return false;
	if (item->reply.kind == MXG_ANSWER_FAILED) {
		*out = *item->refused;
		return true;
	}
	*out = new_version(item, now);
	out->refused = true;
	return true;
}

size_t mxg_item_versions(const struct mxg_item *item, const struct mxguard_policy *policy, int64_t now,
			 struct mxg_answer out[MXG_VERSIONS_MAX])
{
	size_t count = 0;
	bool answered = item->reached && mxg_item_answered(item), changed = answered && mxg_item_changed(item);
	if (changed)
		out[count++] = new_version(item, now);
	count += refused_version(item, now, &out[count]);
	for (size_t i = 0; i < item->old_count && count < MXG_VERSIONS_MAX; i++) {
		struct mxg_answer v = item->old[i];
		if (v.superseded == 0 && answered && !changed) {
			v.confirmed = most(now, v.from);
			v.ttl = item->reply.ttl;
			v.ad = item->reply.ad;
			mark(&v, item);
		} else if (v.superseded == 0 && item->accepted && !changed && item->reached) {
			mark(&v, item); /* the question failed */
		} else if (v.superseded == 0 && (changed || !item->reached)) {
			v.superseded = most(now, v.from);
		}
		if (v.superseded == 0 || still_matters(&v, item->type, policy, now))
			out[count++] = v;
	}
	return count;
}

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

static void write_item(struct mxg_refresh *run, struct mxg_writer *writer, const struct mxg_item *item)
{
	struct mxg_answer versions[MXG_VERSIONS_MAX];
	struct mxg_question q;
	size_t count = mxg_item_versions(item, run->policy, run->now, versions);
	mxg_item_question(item, &q);
	note_change(run, item, &q, versions, count);
	if (count == 0)
		return;
	mxg_writer_answer(writer, &q, versions, count);
	run->written++;
}

/* Names that nothing leads to any more stay for as long as the past may be looked at: what
 * led to them may be in grace. */
static void carry_over(struct mxg_refresh *run)
{
	struct mxg_question q;
	uint64_t at = 0;
	bool fresh;
	if (run->store.before == NULL)
		return;
	while (!run->nomem && mxg_snapshot_next(run->store.before, &at, &q))
		run->nomem |= mxg_store_item(&run->store, &q, &fresh) == NULL;
}

void mxg_refresh_write(struct mxg_refresh *run, struct mxg_writer *writer)
{
	struct mxg_item *item = NULL;
	size_t at = 0;
	for (size_t i = 0; i < run->domain_count; i++)
		if (!run->domains[i].shared)
			mxg_writer_domain(writer, run->domains[i].name);
	writer->after = run->store.before == NULL ? 0 : mxg_snapshot_generation(run->store.before);
	mxg_policy_gateways_hash(run->policy, writer->gateways);
	carry_over(run);
	while (!run->nomem && mxg_store_each(&run->store, &at, &item))
		write_item(run, writer, item);
}
