/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPOSITION_H
#define MXG_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct mxguard_snapshot;

/* Metrics as text: OpenMetrics 1.0, or the older form that node_exporter's files have. They differ in
 * how the family of a counter is called, and in the end. */
struct mxg_exposition {
	FILE *file;
	bool openmetrics;
};

enum mxg_metric_type { MXG_METRIC_COUNTER, MXG_METRIC_GAUGE, MXG_METRIC_HISTOGRAM };

/* A family: `name` without "_total". */
void mxg_exposition_family(struct mxg_exposition *out, const char *name, enum mxg_metric_type type, const char *help);
/* A value; labels as they stand between the braces, "": none. Integers stay whole. */
void mxg_exposition_value(struct mxg_exposition *out, const char *name, const char *labels, double value);
/* A gauge that stands alone. */
void mxg_exposition_gauge(struct mxg_exposition *out, const char *name, const char *help, double value);
void mxg_exposition_end(struct mxg_exposition *out);

/* Alarms that stand in a snapshot, and those of them for which an answer is held back. */
struct mxg_alarm_count {
	size_t alarms, held;
};
/* Reads all of it. False: no memory. */
bool mxg_alarms_count(const struct mxguard_snapshot *snapshot, struct mxg_alarm_count *count);

/* What every exposition has. */
void mxg_exposition_build(struct mxg_exposition *out);
void mxg_exposition_snapshot(struct mxg_exposition *out, const struct mxguard_snapshot *snapshot, int64_t now);
void mxg_exposition_alarms(struct mxg_exposition *out, const struct mxg_alarm_count *count);

#endif
