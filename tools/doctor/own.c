/* SPDX-License-Identifier: MIT */
/* What our own configuration and snapshot say. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "doctor.h"
#include "resolver/driver.h"
#include "snapshot/format.h"
#include "snapshot/snapshot.h"
#include "text.h"

#define MESSAGE_MAX 1024
#define OLD_SNAPSHOT (24 * 3600) /* the timer asks far more often */

/* MTAs whose field a client or an unusual setting can bend; what the reader does about it. */
static const struct {
	const char *mta, *limit, *advice;
	enum mxg_finding_level level;
} limits[] = {
	{ "courier",
	  "Courier copies names from DNS into its Received field unfiltered, line ends too: a client can write a "
	  "whole field",
	  "start it with -nodnslookup, or use a resolver that filters names", MXG_FINDING_WARNING },
	{ "exim",
	  "Exim with helo_accept_junk_hosts or rfc1413 writes what a client says with blanks and brackets; such "
	  "fields are unreadable",
	  "leave helo_accept_junk_hosts empty", MXG_FINDING_NOTE },
	{ "sendmail", "sendmail with AllowBogusHELO cuts what a client says at the first blank",
	  "leave AllowBogusHELO off", MXG_FINDING_NOTE },
	{ "opensmtpd", "OpenSMTPD with mask-src writes no client address: such mail is unreadable",
	  "do not use mask-src on listeners that other hosts reach", MXG_FINDING_NOTE },
	{ "chasquid", "chasquid writes no address for authenticated clients", NULL, MXG_FINDING_NOTE },
	{ "haraka", "Haraka's outbound adds a field without an address on top", NULL, MXG_FINDING_NOTE },
};

static void check_limits(struct mxg_doctor *d)
{
	const struct mxg_string_list *names = &d->policy->trace_mta_names;
	for (size_t i = 0; i < names->count; i++)
		for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++)
			if (strcmp(names->items[i], limits[k].mta) == 0)
				mxg_finding_add(&d->findings, limits[k].level, "trace-limits", limits[k].advice, "%s",
						limits[k].limit);
}

static void check_trace(struct mxg_doctor *d)
{
	if (d->policy->trace_mta_names.count == 0)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "trace-mta",
				"name the MTAs that write Received fields here: trace = { mta = [ \"postfix\" ]; }",
				"trace.mta is not set: each field's own form must tell, strictly");
	if (!d->policy->by_configured)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "trace-by",
				"name the hosts whose fields are ours: trace = { by = [ \"mail.example.com\" ]; }",
				"trace.by is not set: only fields by %s are believed", d->policy->hostname);
	check_limits(d);
}

static void check_mode(struct mxg_doctor *d)
{
	const char *warning;
	for (size_t i = 0; (warning = mxguard_policy_warning(d->policy, i)) != NULL; i++)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "configuration", NULL, "%s", warning);
	if (d->policy->rulesets[0].mode == MXGUARD_MODE_MONITOR)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "mode",
				"when the log shows no mistakes: mode = \"enforce\"",
				"mode is monitor: everything is accepted, and what would be done is logged");
	if (d->policy->rulesets[0].mode == MXGUARD_MODE_OFF)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "mode", "mode = \"monitor\" or \"enforce\"",
				"mode is off");
}

#define ALARMS_MAX 50 /* refresh tells of all of them */

static void tell_alarm(struct mxg_doctor *d, const struct mxg_question *q, unsigned alarms, bool held)
{
	char name[MXG_NAME_TEXT_MAX], names[MXG_ALARM_NAMES_MAX], advice[MXG_NAME_TEXT_MAX + 80];
	mxg_name_format(&q->name, name);
	mxg_alarm_names(names, alarms, ", ");
	snprintf(advice, sizeof(advice), "have it mended, or if it is meant: mxguard refresh --accept %s", name);
	mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "alarm", advice, "%s %s: %s; %s", name,
			mxg_dns_type_name(q->type), names,
			held					  ? "the answers before it stay"
			: (alarms & MXG_ALARMS_DOUBTFUL) != 0 ? "it was taken, and has neither grace nor keep_stale"
							  : "it was taken");
}

/* What refresh was alarmed at, until it is gone. */
static void check_alarms(struct mxg_doctor *d, const struct mxguard_snapshot *snapshot)
{
	struct mxg_answers *table = mxg_answers_new();
	struct mxg_question q;
	uint64_t at = 0;
	size_t count = 0;
	while (table != NULL && mxg_snapshot_next(snapshot, &at, &q)) {
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

static void check_snapshot(struct mxg_doctor *d)
{
	static const char advice[] = "mxguard refresh, and systemctl enable --now mxguard-refresh.timer";
	char message[MESSAGE_MAX] = "", span[MXG_SPAN_MAX];
	struct mxguard_snapshot *snapshot = NULL;
	if (mxguard_snapshot_open(&snapshot, d->policy, 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "snapshot", advice, "%s", message);
		return;
	}
	int64_t age = (int64_t)time(NULL) - mxg_snapshot_written(snapshot);
	mxg_span_format(age < 0 ? 0 : age, span);
	if (age > OLD_SNAPSHOT)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "snapshot", advice, "the snapshot is %s old", span);
	else
		mxg_finding_add(&d->findings, MXG_FINDING_OK, "snapshot", NULL, "the snapshot is %s old", span);
	check_alarms(d, snapshot);
	mxguard_snapshot_unref(snapshot);
}

static bool asks_dns(const struct mxguard_policy *policy)
{
	for (size_t i = 0; i < policy->ruleset_count; i++)
		if (policy->rulesets[i].dns_count > 0)
			return true;
	return false;
}

static void check_resolver(struct mxg_doctor *d)
{
	struct mxg_driver *driver;
	if (!asks_dns(d->policy) || d->policy->reply_rules.need_ad)
		return;
	driver = mxg_driver_new(d->policy, MXG_DRIVER_DEADLINES);
	if (driver != NULL && mxg_driver_asks_outside(driver))
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "resolver",
				"run a validating resolver on this host: dns = { servers = [ \"127.0.0.1\" ]; "
				"require_dnssec = true; };",
				"DNS is asked of another host and nothing is validated: who forges an answer on its "
				"way becomes a gateway");
	mxg_driver_free(driver);
}

void mxg_doctor_policy(struct mxg_doctor *d)
{
	check_resolver(d);
	check_mode(d);
	check_trace(d);
	check_snapshot(d);
}
