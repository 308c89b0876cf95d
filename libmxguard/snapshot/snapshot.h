/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_H
#define MXG_SNAPSHOT_H

#include "dns/answers.h"
#include "mxguard.h"

/* Reading side of what `mxguard refresh` writes; see snapshot/format.h for the bytes. */

enum mxg_snapshot_result {
	MXG_SNAPSHOT_ABSENT = 0, /* the question is not in it */
	MXG_SNAPSHOT_FOUND,
	MXG_SNAPSHOT_DAMAGED, /* this value cannot be believed: ask DNS instead */
	MXG_SNAPSHOT_NOMEM
};

/* Puts all versions of the entry's question into the table. pread(2) only; safe from any
 * number of threads. */
enum mxg_snapshot_result mxg_snapshot_load(const struct mxguard_snapshot *snapshot, struct mxg_answers *answers,
					   int entry);

/* Of an entry that is loaded: the alarms of what stands or is held back (*held). */
unsigned mxg_snapshot_alarms(const struct mxg_answers *answers, int entry, bool *held);

/* Whether the domain (lower-case A-label) is one of the local domains that were compiled
 * in: 1, 0, or -1 where the snapshot cannot tell (damaged). */
int mxg_snapshot_has_domain(const struct mxguard_snapshot *snapshot, const char *domain, size_t len);

/* For `mxguard refresh`: answers do not depend on the configuration that they were asked for,
 * so the history is taken over from whatever snapshot stands there. */
int mxg_snapshot_open_any(struct mxguard_snapshot **snapshot, const struct mxguard_policy *policy, char *message,
			  size_t size);
/* Every question that is in it, one after the other; *at starts at 0. False at the end, and
 * where it is damaged. */
bool mxg_snapshot_next(const struct mxguard_snapshot *snapshot, uint64_t *at, struct mxg_question *out);

/* Higher than that of every snapshot that this one took the place of; never 0. */
uint32_t mxg_snapshot_generation(const struct mxguard_snapshot *snapshot);

int64_t mxg_snapshot_written(const struct mxguard_snapshot *snapshot); /* seconds since the epoch */

/* All `len` bytes at `at`. False: errno tells why, 0 where the file ends before. */
bool mxg_snapshot_read_fd(int fd, void *buffer, size_t len, uint64_t at);

#endif
