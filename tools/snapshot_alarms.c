/* SPDX-License-Identifier: MIT */
/* What a snapshot says of refresh's alarms. */
#include "snapshot_alarms.h"

#include "dns/answers.h"
#include "snapshot/snapshot.h"

bool mxg_snapshot_alarms_walk(const struct mxguard_snapshot *snapshot, mxg_on_alarm on_alarm, void *context)
{
	struct mxg_answers *table = mxg_answers_new();
	struct mxg_question q;
	uint64_t at = 0;
	while (table != NULL && snapshot != NULL && mxg_snapshot_next(snapshot, &at, &q)) {
		bool held;
		mxg_answers_clear(table);
		int entry = mxg_answers_entry(table, &q.name, q.type);
		if (entry < 0 || mxg_snapshot_load(snapshot, table, entry) != MXG_SNAPSHOT_FOUND)
			continue;
		unsigned alarms = mxg_snapshot_alarms(table, entry, &held);
		if (alarms != 0 || held)
			on_alarm(context, &q, alarms, held);
	}
	mxg_answers_free(table);
	return table != NULL;
}
