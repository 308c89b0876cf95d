/* SPDX-License-Identifier: MIT */
#include "refresh_recall.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "refresh_report.h"
#include "refresh_tell.h"

struct mxg_recall {
	struct mxg_refresh run; /* of which only the store is used */
	struct mxguard_snapshot *old, *new;
	struct mxg_answers *table;
};

static const struct mxg_string_list none;

static int out_of_memory(void)
{
	fputs("mxguard refresh: out of memory; alarms are not told\n", stderr);
	return EX_TEMPFAIL;
}

struct mxg_recall *mxg_recall_new(const struct mxguard_policy *policy)
{
	struct mxg_recall *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->run.policy = policy;
	mxg_snapshot_open_any(&r->old, policy, NULL, 0);
	return r;
}

void mxg_recall_free(struct mxg_recall *r)
{
	if (r == NULL)
		return;
	mxg_store_clear(&r->run.store);
	mxg_answers_free(r->table);
	mxguard_snapshot_unref(r->old);
	mxguard_snapshot_unref(r->new);
	free(r);
}

static unsigned alarms_of(struct mxg_recall *r, const struct mxguard_snapshot *snapshot, const struct mxg_question *q)
{
	bool held;
	mxg_answers_clear(r->table);
	int entry = mxg_answers_entry(r->table, &q->name, q->type);
	if (snapshot == NULL || entry < 0 || mxg_snapshot_load(snapshot, r->table, entry) != MXG_SNAPSHOT_FOUND)
		return 0;
	return mxg_snapshot_alarms(r->table, entry, &held);
}

static bool collect(struct mxg_recall *r)
{
	struct mxg_question q;
	uint64_t at = 0;
	bool fresh;
	while (mxg_snapshot_next(r->new, &at, &q)) {
		if (alarms_of(r, r->new, &q) == 0)
			continue;
		struct mxg_item *item = mxg_store_item(&r->run.store, &q, &fresh);
		if (item == NULL)
			return false;
		mxg_item_recall(item, alarms_of(r, r->old, &q));
	}
	return true;
}

int mxg_recall_tell(struct mxg_recall *r)
{
	char message[512] = "";
	if (r == NULL)
		return out_of_memory();
	if (mxguard_snapshot_open(&r->new, r->run.policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard refresh: warning: deliveries will not use what was fetched: %s\n", message);
		return EX_NOPERM;
	}
	r->table = mxg_answers_new();
	if (!mxg_store_init(&r->run.store, r->new, &none, &none) || r->table == NULL || !collect(r))
		return out_of_memory();
	mxg_refresh_tell(&r->run);
	return 0;
}

json_t *mxg_recall_json(const struct mxg_recall *r)
{
	json_t *alarms = json_array();
	struct mxg_item *item = NULL;
	size_t at = 0;
	while (r != NULL && mxg_store_each(&r->run.store, &at, &item))
		json_array_append_new(alarms, mxg_alarm_json(item));
	return alarms;
}
