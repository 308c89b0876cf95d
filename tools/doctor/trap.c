/* SPDX-License-Identifier: MIT */
/* Copies of other people's mail: what privacy demands. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "doctor.h"
#include "text.h"
#include "trap/entry.h"

#define KEEP_LONG (90 * 86400)
#define PURGE_EVERY (2 * 86400)

static void check_age(struct mxg_doctor *d, const struct mxg_trap_folder *folder)
{
	struct mxg_trap_entries entries = { 0 };
	char span[MXG_SPAN_MAX];
	for (enum mxg_trap_part part = MXG_TRAP_NEW; part < MXG_TRAP_PART_COUNT; part++)
		(void)mxg_trap_entries_add(&entries, folder, part);
	mxg_trap_entries_sort(&entries);
	int64_t age = entries.count == 0 ? 0 : (int64_t)time(NULL) - entries.items[0].told.time;
	if (age > (int64_t)d->policy->trap.keep + PURGE_EVERY)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "trap-keep",
				"systemctl enable --now mxguard-trap.timer, or mxguard trap purge every day",
				"the oldest copy in the trap is %s old: nobody removes those older than trap.keep",
				mxg_span_format(age, span));
	else
		mxg_finding_add(&d->findings, MXG_FINDING_OK, "trap", NULL, "%zu %s in the trap", entries.count,
				mxg_noun(entries.count, "copy", "copies"));
	mxg_trap_entries_free(&entries);
}

/* A backup keeps what was removed. */
static void check_backups(struct mxg_doctor *d, const struct mxg_trap_folder *folder)
{
	if (faccessat(folder->self, "CACHEDIR.TAG", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "trap-backups",
				"exclude it, or mark it with a CACHEDIR.TAG; mxguard-trap(8) says how",
				"the trap has no CACHEDIR.TAG: backups may keep copies for longer than trap.keep");
}

static void check_settings(struct mxg_doctor *d)
{
	char span[MXG_SPAN_MAX];
	if (d->policy->trap.keep > KEEP_LONG)
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "trap-keep",
				"trap = { keep = \"30d\"; … }: a filter learns from new mail",
				"the trap keeps other people's mail for %s",
				mxg_span_format(d->policy->trap.keep, span));
	if (d->policy->rulesets[0].mode != MXGUARD_MODE_ENFORCE)
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "trap", NULL,
				"the trap keeps only what is refused: nothing, where mode is not enforce");
}

void mxg_doctor_trap(struct mxg_doctor *d)
{
	struct mxg_trap_folder folder;
	struct mxg_trap_result result;
	struct stat st;
	const char *directory = d->policy->trap.directory;
	if (directory == NULL)
		return;
	check_settings(d);
	if (lstat(directory, &st) != 0)
		return; /* nothing was kept yet */
	if (!mxg_trap_folder_open(&folder, directory, false, &result)) {
		mxg_finding_add(
			&d->findings, MXG_FINDING_WARNING, "trap",
			"give it to the user of the front end, with mode 0700, in a folder that others cannot write to",
			"no copies can be kept: %s", result.why);
		return;
	}
	check_age(d, &folder);
	check_backups(d, &folder);
	mxg_trap_folder_close(&folder);
}
