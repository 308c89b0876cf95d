/* SPDX-License-Identifier: MIT */
/* Metrics as text. */
#include "metrics/exposition.h"

#include "mxguard.h"
#include "snapshot/snapshot.h"
#include "snapshot_alarms.h"

static const char *suffix(enum mxg_metric_type type)
{
	return type == MXG_METRIC_COUNTER ? "_total" : "";
}

void mxg_exposition_family(struct mxg_exposition *out, const char *name, enum mxg_metric_type type, const char *help)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const char *end = out->openmetrics ? "" : suffix(type);
	fprintf(out->file, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, end, help, name, end, types[type]);
}

void mxg_exposition_value(struct mxg_exposition *out, const char *name, const char *labels, double value)
{
	fprintf(out->file, "%s%s%s%s ", name, labels[0] == '\0' ? "" : "{", labels, labels[0] == '\0' ? "" : "}");
	if (value > -1e15 && value < 1e15 && (double)(int64_t)value == value)
		fprintf(out->file, "%.0f\n", value);
	else
		fprintf(out->file, "%.6f\n", value);
}

void mxg_exposition_gauge(struct mxg_exposition *out, const char *name, const char *help, double value)
{
	mxg_exposition_family(out, name, MXG_METRIC_GAUGE, help);
	mxg_exposition_value(out, name, "", value);
}

void mxg_exposition_end(struct mxg_exposition *out)
{
	if (out->openmetrics)
		fputs("# EOF\n", out->file);
}

void mxg_exposition_build(struct mxg_exposition *out)
{
	char labels[80];
	snprintf(labels, sizeof(labels), "version=\"%s\"", mxguard_version());
	mxg_exposition_family(out, "mxguard_build_info", MXG_METRIC_GAUGE, "The version of mxguard that runs.");
	mxg_exposition_value(out, "mxguard_build_info", labels, 1);
}

/* Without one there is nothing to be said: alerts use absent(). */
void mxg_exposition_snapshot(struct mxg_exposition *out, const struct mxguard_snapshot *snapshot, int64_t now)
{
	if (snapshot == NULL)
		return;
	int64_t written = mxg_snapshot_written(snapshot);
	mxg_exposition_gauge(out, "mxguard_snapshot_written_timestamp_seconds",
			     "When the snapshot in use was written by mxguard refresh.", (double)written);
	mxg_exposition_gauge(out, "mxguard_snapshot_age_seconds", "How old the snapshot in use is.",
			     (double)(now > written ? now - written : 0));
	mxg_exposition_gauge(out, "mxguard_snapshot_generation",
			     "The number of the snapshot in use; each one has a higher one than those before.",
			     (double)mxg_snapshot_generation(snapshot));
	struct mxg_snapshot_facts facts;
	mxg_snapshot_facts(snapshot, NULL, &facts);
	mxg_exposition_gauge(
		out, "mxguard_domains_kept",
		"1 where domains_command failed, or domains_file is no list, and the list of domains is the "
		"one from before.",
		facts.list_kept != 0);
}

void mxg_exposition_alarms(struct mxg_exposition *out, const struct mxg_alarm_count *count)
{
	mxg_exposition_gauge(out, "mxguard_alarms", "Names at whose answers refresh is alarmed.",
			     (double)count->alarms);
	mxg_exposition_gauge(out, "mxguard_alarms_held",
			     "Those of them whose new answer is held back until it is accepted.", (double)count->held);
}

static void count_alarm(void *context, const struct mxg_question *question, unsigned alarms, bool held)
{
	struct mxg_alarm_count *count = context;
	count->alarms++;
	count->held += held;
}

bool mxg_alarms_count(const struct mxguard_snapshot *snapshot, struct mxg_alarm_count *count)
{
	*count = (struct mxg_alarm_count){ 0, 0 };
	return mxg_snapshot_alarms_walk(snapshot, count_alarm, count);
}
