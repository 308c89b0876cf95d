/* SPDX-License-Identifier: MIT */
/* What our own configuration and snapshot say. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "doctor.h"
#include "names.h"
#include "resolver/driver.h"
#include "snapshot/snapshot.h"
#include "text.h"

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

static const char refresh_advice[] = "mxguard refresh, and systemctl enable --now mxguard-refresh.timer";

/* What every front end says of configuration and snapshot. True where the snapshot is spoken of. */
static bool check_notices(struct mxg_doctor *d)
{
	enum mxguard_level level;
	const char *text;
	bool snapshot = false;
	while ((text = mxguard_session_notice(d->session, &level)) != NULL) {
		bool own = level == MXGUARD_LEVEL_REMARK;
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, own ? "configuration" : "snapshot",
				own ? NULL : refresh_advice, "%s", text);
		snapshot = snapshot || !own;
	}
	return snapshot;
}

static void check_mode(struct mxg_doctor *d)
{
	if (d->policy->rulesets[0].mode == MXGUARD_MODE_MONITOR)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "mode",
				"when the log shows no mistakes: mode = \"enforce\"",
				"mode is monitor: everything is accepted, and what would be done is logged");
	if (d->policy->rulesets[0].mode == MXGUARD_MODE_OFF)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "mode", "mode = \"monitor\" or \"enforce\"",
				"mode is off");
}

static void check_snapshot(struct mxg_doctor *d)
{
	char span[MXG_SPAN_MAX];
	int64_t age = (int64_t)time(NULL) - mxg_snapshot_written(mxguard_session_snapshot(d->session));
	mxg_span_format(age < 0 ? 0 : age, span);
	bool old = age > OLD_SNAPSHOT;
	mxg_finding_add(&d->findings, old ? MXG_FINDING_WARNING : MXG_FINDING_OK, "snapshot",
			old ? refresh_advice : NULL, "the snapshot is %s old", span);
}

static void check_list(struct mxg_doctor *d)
{
	struct mxg_snapshot_facts facts;
	char span[MXG_SPAN_MAX];
	mxg_snapshot_facts(mxguard_session_snapshot(d->session), d->policy, &facts);
	if (facts.list_kept == 0)
		return;
	int64_t age = (int64_t)time(NULL) - facts.list_kept;
	mxg_span_format(age < 0 ? 0 : age, span);
	mxg_finding_add(&d->findings, MXG_FINDING_ERROR,
			d->policy->domains_file != NULL ? "domains-file" : "domains-command",
			"mxguard refresh says why; if the shorter list is meant: mxguard refresh --force",
			"%s has %s for %s: the list of %u %s from before stays, and new domains are nobody's",
			mxg_policy_list_setting(d->policy), d->policy->domains_file != NULL ? "been no list" : "failed",
			span, facts.domains, mxg_noun(facts.domains, "domain", "domains"));
}

static void check_missing_list(struct mxg_doctor *d)
{
	if (mxg_doctor_lacks_list(d))
		mxg_finding_add(
			&d->findings, MXG_FINDING_ERROR, "domains-command", refresh_advice,
			"domains_command has given no list yet, and mxguard refresh alone runs it: until then a domain "
			"that the configuration does not name is unknown (domains-unreadable)");
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
	bool told = check_notices(d);
	check_resolver(d);
	check_mode(d);
	check_trace(d);
	check_missing_list(d);
	if (!told) {
		check_snapshot(d);
		check_list(d);
	}
	mxg_doctor_alarms(d);
}
