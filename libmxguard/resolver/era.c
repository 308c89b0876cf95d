/* SPDX-License-Identifier: MIT */
#include "resolver/era.h"

#include <stdio.h>
#include <stdlib.h>

#include "check/internal.h"
#include "policy/domains_file.h"
#include "policy/policy.h"
#include "resolver/resolver.h"

#define SPARE_MAX 64

struct mxg_era *mxg_era_of(struct mxguard_policy *policy, struct mxguard_snapshot *snapshot)
{
	struct mxg_era *era = calloc(1, sizeof(*era));
	if (era == NULL) {
		mxguard_snapshot_unref(snapshot);
		mxguard_policy_unref(policy);
		return NULL;
	}
	era->policy = policy;
	era->snapshot = snapshot;
	return era;
}

int mxg_era_new(struct mxg_era **era, const char *config, char *message, size_t size)
{
	struct mxguard_policy *policy;
	int result = mxguard_policy_load(&policy, config, 0, message, size);
	*era = NULL;
	if (result != MXGUARD_ERROR_NONE)
		return result;
	*era = mxg_era_of(policy, NULL);
	if (*era != NULL)
		return MXGUARD_ERROR_NONE;
	if (size > 0)
		snprintf(message, size, "out of memory");
	return MXGUARD_ERROR_NOMEM;
}

static void free_checks(struct mxguard_check **list)
{
	while (*list != NULL) {
		struct mxguard_check *check = *list;
		*list = check->kept.next;
		mxguard_check_free(check);
	}
}

void mxg_era_drop_spares(struct mxg_era *era)
{
	free_checks(&era->spare);
	era->spare_count = 0;
}

void mxg_era_free(struct mxg_era *era)
{
	if (era == NULL)
		return;
	mxguard_resolver_free(era->resolver); /* cancels: before the checks go */
	free_checks(&era->out);
	free_checks(&era->spare);
	mxguard_snapshot_unref(era->snapshot);
	mxguard_policy_unref(era->policy);
	free(era);
}

void mxg_era_set_snapshot(struct mxg_era *era, struct mxguard_snapshot *snapshot)
{
	mxguard_snapshot_unref(era->snapshot);
	era->snapshot = snapshot;
	mxg_era_drop_spares(era); /* they hold the old one */
}

/* ---- checks ------------------------------------------------------------------------------ */

static struct mxguard_check *take_spare(struct mxg_era *era, unsigned flags)
{
	struct mxguard_check *check = era->spare;
	if (check == NULL || flags != 0)
		return NULL;
	era->spare = check->kept.next;
	era->spare_count--;
	return check;
}

static void put_out(struct mxg_era *era, struct mxguard_check *check)
{
	check->kept = (struct mxg_check_place){ .era = era, .next = era->out };
	if (era->out != NULL)
		era->out->kept.prev = check;
	era->out = check;
}

int mxg_era_check(struct mxg_era *era, struct mxguard_check **check, unsigned flags)
{
	int result = MXGUARD_ERROR_NONE;
	*check = take_spare(era, flags);
	if (*check == NULL)
		result = mxguard_check_new(check, era->policy, era->snapshot, flags);
	if (*check != NULL)
		put_out(era, *check);
	return result;
}

static void unlink_out(const struct mxguard_check *check)
{
	const struct mxg_check_place *at = &check->kept;
	if (at->prev != NULL)
		at->prev->kept.next = at->next;
	else
		at->era->out = at->next;
	if (at->next != NULL)
		at->next->kept.prev = at->prev;
}

void mxg_era_take_back(struct mxguard_check *check, bool keep)
{
	struct mxg_era *era = check->kept.era;
	unlink_out(check);
	if (!keep || check->flags != 0 || check->snapshot != era->snapshot || era->spare_count >= SPARE_MAX) {
		mxguard_check_free(check);
		return;
	}
	mxguard_check_reset(check);
	check->kept.next = era->spare;
	era->spare = check;
	era->spare_count++;
}

struct mxguard_resolver *mxg_era_resolver(struct mxg_era *era)
{
	if (era->resolver == NULL)
		mxguard_resolver_new(&era->resolver, era->policy, 0);
	if (era->resolver != NULL)
		mxg_resolver_count(era->resolver, era->counts);
	return era->resolver;
}

/* ---- what is to be said ---------------------------------------------------------------------- */

/* Not until somebody asks: who decides a single message has no time for it. */
static const char *look_at_domains_file(const struct mxguard_policy *policy, char *room, size_t size)
{
	struct mxg_domains_reader *reader = NULL;
	char message[1024];
	if (policy->domains_file == NULL)
		return NULL;
	int result = mxg_domains_open(&reader, policy->domains_file, message, sizeof(message));
	mxg_domains_close(reader);
	if (result == MXGUARD_ERROR_NONE)
		return NULL;
	snprintf(room, size, "domains_file: %s", message);
	return room;
}

const char *mxg_era_remark(struct mxg_era *era, char *room, size_t size)
{
	size_t warnings = era->policy->warnings.count;
	if (era->remarks > warnings)
		return NULL;
	if (era->remarks++ < warnings)
		return mxguard_policy_warning(era->policy, era->remarks - 1);
	return look_at_domains_file(era->policy, room, size);
}
