/* SPDX-License-Identifier: MIT */
/* What a refresh leaves for node_exporter. */
#include "metrics/refresh_file.h"

#include <stdio.h>
#include <time.h>

#include "metrics/exposition.h"
#include "output_file.h"

static void tell_run(struct mxg_exposition *out, const struct mxg_refresh *run)
{
	struct mxg_refresh_figures f;
	mxg_refresh_count(run, &f);
	mxg_exposition_gauge(out, "mxguard_refresh_domains", "Domains of ours that the last refresh asked for.",
			     (double)f.domains);
	mxg_exposition_gauge(out, "mxguard_refresh_questions", "Questions of the last refresh, each counted once.",
			     (double)f.questions);
	mxg_exposition_gauge(out, "mxguard_refresh_failures", "Those of them that got no answer that can be used.",
			     (double)f.failures);
	mxg_exposition_gauge(out, "mxguard_refresh_changed", "Those of them whose answer is another than before.",
			     (double)f.changed);
}

/* Of the snapshot that stands now, whoever wrote it: time() minus its time grows when refresh fails. */
static void tell_snapshot(struct mxg_exposition *out, const struct mxguard_policy *policy, int64_t now)
{
	char message[512];
	struct mxguard_snapshot *snapshot = NULL;
	struct mxg_alarm_count alarms;
	if (mxg_snapshot_open_any(&snapshot, policy, message, sizeof(message)) != MXGUARD_ERROR_NONE)
		return;
	mxg_exposition_snapshot(out, snapshot, now);
	if (mxg_alarms_count(snapshot, &alarms))
		mxg_exposition_alarms(out, &alarms);
	mxguard_snapshot_unref(snapshot);
}

bool mxg_refresh_file_write(const char *path, const struct mxguard_policy *policy, const struct mxg_refresh *run,
			    int status, double seconds)
{
	struct mxg_output_file file;
	int64_t now = (int64_t)time(NULL);
	bool good = mxg_output_open(&file, path);
	if (good) {
		struct mxg_exposition out = { .file = file.file };
		mxg_exposition_build(&out);
		mxg_exposition_gauge(&out, "mxguard_refresh_last_run_timestamp_seconds",
				     "When refresh ran last, whatever came of it.", (double)now);
		mxg_exposition_gauge(&out, "mxguard_refresh_last_exit_status", "Its exit status; 0: all is well.",
				     status);
		mxg_exposition_gauge(&out, "mxguard_refresh_duration_seconds", "How long it took.", seconds);
		if (run != NULL)
			tell_run(&out, run);
		tell_snapshot(&out, policy, now);
		mxg_exposition_end(&out);
		good = mxg_output_finish(&file);
	}
	if (!good)
		fprintf(stderr, "mxguard refresh: warning: %s: cannot be written: %s\n", path, file.why);
	return good;
}
