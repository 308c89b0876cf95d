/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdlib.h>

#include "snapshot.h"

#define STATES_MAX 8 /* past states that are looked at */

static int newest_first(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

/* The end of a version's grace: it may authorize while now is before it. */
static int64_t grace_end(const struct mxguard_check *c, const struct mxg_answer *version)
{
	uint32_t span = version->ttl > c->policy->grace ? version->ttl : c->policy->grace;
	return version->superseded + span;
}

/* The moments of change among the names touched, newest first, at most STATES_MAX. */
static size_t recent_changes(const struct mxguard_check *c, int64_t moments[STATES_MAX])
{
	int64_t all[256];
	size_t count = 0;
	for (int e = 0; e < (int)mxg_answers_count(c->answers); e++) {
		const struct mxg_answer *versions;
		if ((mxg_answers_flags(c->answers, e) & MXG_ENTRY_TOUCHED) == 0)
			continue;
		size_t n = mxg_answers_versions(c->answers, e, &versions);
		for (size_t v = 0; v < n && count < 256; v++)
			if (versions[v].superseded > 0 && versions[v].superseded <= c->now &&
			    c->now < grace_end(c, &versions[v]))
				all[count++] = versions[v].superseded;
	}
	qsort(all, count, sizeof(all[0]), newest_first);
	size_t kept = 0;
	for (size_t i = 0; i < count && kept < STATES_MAX; i++)
		if (kept == 0 || moments[kept - 1] != all[i])
			moments[kept++] = all[i];
	return kept;
}

/* One past state, from the snapshot alone: nothing is asked for it. What was not known then, or is
 * forgotten, proves nothing, and takes nothing from what another term proves. */
static bool state_matches(struct mxguard_check *c, struct mxg_domain_check *d, int64_t moment, struct mxg_pass *p)
{
	mxg_pass_init(p);
	if (mxg_pass_steps(c, d) != NULL)
		mxg_text_list_add(&d->steps, "as things stood %lld s ago, before a change:",
				  (long long)(c->now - moment));
	mxg_pass_terms(c, d, moment, false, p);
	return p->match != NULL;
}

const struct mxg_gateway_term *mxg_history_match(struct mxguard_check *c, struct mxg_domain_check *d,
						 int64_t *moment, bool *needs_header)
{
	int64_t moments[STATES_MAX];
	size_t count = recent_changes(c, moments);
	for (size_t i = 0; i < count; i++) {
		struct mxg_pass p;
		*moment = moments[i];
		if (state_matches(c, d, moments[i], &p))
			return p.match;
		*needs_header |= p.needs_header;
	}
	return NULL;
}

bool mxg_history_mx_changed(struct mxguard_check *c, const struct mxg_domain_check *d)
{
	struct mxg_name name;
	if (c->policy->settle == 0 || !mxg_name_from_text(&name, d->domain, d->domain_len))
		return false;
	int entry = mxg_answers_entry(c->answers, &name, MXG_DNS_MX);
	if (entry < 0)
		return false;
	if ((mxg_answers_flags(c->answers, entry) & MXG_ENTRY_LOADED) == 0)
		mxg_pass_load(c, entry);
	if (mxg_answers_live_differs(c->answers, entry))
		return true;
	const struct mxg_answer *versions;
	size_t n = mxg_answers_versions(c->answers, entry, &versions);
	for (size_t i = 0; i < n; i++)
		if (versions[i].superseded > 0 && versions[i].superseded <= c->now &&
		    c->now < versions[i].superseded + (int64_t)c->policy->settle)
			return true;
	return false;
}
