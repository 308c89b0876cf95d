/* SPDX-License-Identifier: MIT */
/* From one snapshot to the next: what is confirmed, superseded, dropped. */
#include "refresh.h"
#include "snapshot/grace.h"

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
