/* SPDX-License-Identifier: MIT */
/* Other names of the same mailboxes. */
#include "names.h"

#include <stdio.h>
#include <string.h>

#include "base/domain_text.h"
#include "policy/domains_file.h"
#include "snapshot/snapshot.h"

const char *mxg_other_names_stricter(const struct mxguard_policy *policy, enum mxguard_mode mode)
{
	for (size_t i = 1; i < policy->ruleset_count; i++)
		if (policy->rulesets[i].mode > mode)
			return policy->rulesets[i].label;
	return policy->rulesets[0].mode > mode ? "others" : NULL;
}

bool mxg_doctor_lacks_list(const struct mxg_doctor *d)
{
	return d->policy->domains_command.count > 0 && mxguard_session_snapshot(d->session) == NULL;
}

static bool is_listed_elsewhere(const struct mxg_doctor *d, const char *name, size_t len)
{
	const struct mxguard_snapshot *snapshot = mxguard_session_snapshot(d->session);
	if (d->policy->domains_file != NULL)
		return mxg_domains_find(d->policy->domains_file, name, len) == 1;
	return d->policy->domains_command.count > 0 && snapshot != NULL &&
	       mxg_snapshot_has_domain(snapshot, name, len) == 1;
}

static bool has_domains(const struct mxguard_policy *policy)
{
	return mxg_policy_has_domains(policy);
}

static bool is_listed(const struct mxg_doctor *d, const char *name, size_t len)
{
	return mxg_policy_has_domain(d->policy, name, len) || is_listed_elsewhere(d, name, len);
}

/* A domain of its own under a mode that was chosen for it is no other name of something. */
static bool is_way_round(const struct mxg_doctor *d, const char *name, size_t len)
{
	const struct mxguard_policy *policy = d->policy;
	const struct mxg_ruleset *ruleset = mxg_policy_ruleset(policy, name, len);
	if (is_listed(d, name, len) || mxg_doctor_lacks_list(d))
		return false;
	return has_domains(policy) ||
	       (ruleset == &policy->rulesets[0] && mxg_other_names_stricter(policy, ruleset->mode) != NULL);
}

void mxg_other_names_add(struct mxg_other_names *names, const char *name)
{
	char domain[256];
	size_t used = strlen(names->text);
	if (mxg_domain_text(domain, name, strlen(name)) != NULL || !is_way_round(names->doctor, domain, strlen(domain)))
		return;
	names->count++;
	int n = snprintf(names->text + used, sizeof(names->text) - used, "%s%s", used == 0 ? "" : ", ", domain);
	if (n > 0 && (size_t)n < sizeof(names->text) - used)
		names->told++;
	else
		names->text[used] = '\0';
}

void mxg_other_names_tell(const struct mxg_other_names *names, const char *check, const char *where)
{
	struct mxg_doctor *d = names->doctor;
	const char *stricter = mxg_other_names_stricter(d->policy, d->policy->rulesets[0].mode);
	char more[64] = "";
	if (names->count == 0)
		return;
	if (names->told < names->count)
		snprintf(more, sizeof(more), " and %zu more", names->count - names->told);
	mxg_finding_add(&d->findings, MXG_FINDING_WARNING, check,
			"list them in domains under the mode of the mailboxes that they reach, or let the MTA refuse "
			"them",
			"%s takes mail for %s%s, %s%s%s: where these are the same mailboxes, they are a way round",
			where, names->text, more,
			has_domains(d->policy) ? "outside domains" : "under the mode of the whole",
			stricter == NULL ? "" : ", which is milder than that of ", stricter == NULL ? "" : stricter);
}
