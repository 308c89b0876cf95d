/* SPDX-License-Identifier: MIT */
/* What refresh was alarmed at, until it is gone. */
#include <stdio.h>

#include "doctor.h"
#include "snapshot/format.h"
#include "snapshot/snapshot.h"

#define ALARMS_MAX 50 /* refresh tells of all of them */

static void tell_alarm(struct mxg_doctor *d, const struct mxg_question *q, unsigned alarms, bool held)
{
	char name[MXG_NAME_TEXT_MAX], names[MXG_ALARM_NAMES_MAX], advice[MXG_NAME_TEXT_MAX + 80];
	mxg_name_format(&q->name, name);
	mxg_alarm_names(names, alarms, ", ");
	snprintf(advice, sizeof(advice), "have it mended, or if it is meant: mxguard refresh --accept %s", name);
	mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "alarm", advice, "%s %s: %s; %s", name,
			mxg_dns_type_name(q->type), names,
			held                                  ? "the answers before it stay"
			: (alarms & MXG_ALARMS_DOUBTFUL) != 0 ? "it was taken, and has neither grace nor keep_stale"
							      : "it was taken");
}

void mxg_doctor_alarms(struct mxg_doctor *d)
{
	const struct mxguard_snapshot *snapshot = mxguard_session_snapshot(d->session);
	struct mxg_answers *table = mxg_answers_new();
	struct mxg_question q;
	uint64_t at = 0;
	size_t count = 0;
	while (snapshot != NULL && table != NULL && mxg_snapshot_next(snapshot, &at, &q)) {
		bool held;
		mxg_answers_clear(table);
		int entry = mxg_answers_entry(table, &q.name, q.type);
		if (entry < 0 || mxg_snapshot_load(snapshot, table, entry) != MXG_SNAPSHOT_FOUND)
			continue;
		unsigned alarms = mxg_snapshot_alarms(table, entry, &held);
		if ((alarms != 0 || held) && count++ < ALARMS_MAX)
			tell_alarm(d, &q, alarms, held);
	}
	if (count > ALARMS_MAX)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "alarm", NULL, "… and %zu alarms more",
				count - ALARMS_MAX);
	mxg_answers_free(table);
}
