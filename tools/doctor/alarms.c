/* SPDX-License-Identifier: MIT */
/* What refresh was alarmed at, until it is gone. */
#include <stdio.h>

#include "doctor.h"
#include "snapshot/format.h"
#include "snapshot_alarms.h"
#include "text.h"

#define NAME_WORD_MAX MXG_SHELL_WORD_MAX(MXG_NAME_TEXT_MAX)
#define ALARMS_MAX 50 /* refresh tells of all of them */

static void tell_alarm(struct mxg_doctor *d, const struct mxg_question *q, unsigned alarms, bool held)
{
	char name[MXG_NAME_TEXT_MAX], names[MXG_ALARM_NAMES_MAX], word[NAME_WORD_MAX], advice[NAME_WORD_MAX + 80];
	mxg_name_format(&q->name, name);
	mxg_alarm_names(names, alarms, ", ");
	snprintf(advice, sizeof(advice), "have it mended, or if it is meant: mxguard refresh --accept %s",
		 mxg_shell_word(word, sizeof(word), name));
	mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "alarm", advice, "%s %s: %s; %s", name,
			mxg_dns_type_name(q->type), names,
			held                                  ? "the answers before it stay"
			: (alarms & MXG_ALARMS_DOUBTFUL) != 0 ? "it was taken, and has neither grace nor keep_stale"
							      : "it was taken");
}

struct counted {
	struct mxg_doctor *doctor;
	size_t count;
};

static void on_alarm(void *context, const struct mxg_question *q, unsigned alarms, bool held)
{
	struct counted *c = context;
	if (c->count++ < ALARMS_MAX)
		tell_alarm(c->doctor, q, alarms, held);
}

void mxg_doctor_alarms(struct mxg_doctor *d)
{
	struct counted c = { d, 0 };
	(void)mxg_snapshot_alarms_walk(mxguard_session_snapshot(d->session), on_alarm, &c);
	if (c.count > ALARMS_MAX)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "alarm", NULL, "… and %zu %s more",
				c.count - ALARMS_MAX, mxg_noun(c.count - ALARMS_MAX, "alarm", "alarms"));
}
