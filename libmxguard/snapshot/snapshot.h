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

/* Whether refresh has asked in vain, when the last time and how often in a row. */
bool mxg_snapshot_failed(const struct mxguard_snapshot *snapshot, const struct mxg_question *question, int64_t *tried,
			 unsigned *failures);

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

/* The same with the local domains, in lower case. */
bool mxg_snapshot_next_domain(const struct mxguard_snapshot *snapshot, uint64_t *at, char domain[256]);

/* Every record of either kind, read in large pieces, for those who go through all of it. What the newer part has takes
 * the place of what the older one has; the CRC of the value holds. */
struct mxg_snapshot_scan;
struct mxg_snapshot_record {
	uint8_t kind; /* 'D', 'Q', 'F': format.h */
	const uint8_t *key, *value; /* the scan's, until the next one */
	size_t key_len, len;
};
/* since_only: the newer part alone. NULL: out of memory. */
struct mxg_snapshot_scan *mxg_snapshot_scan_new(const struct mxguard_snapshot *snapshot, bool since_only);
bool mxg_snapshot_scan_next(struct mxg_snapshot_scan *scan, struct mxg_snapshot_record *out);
/* Domains alone, in the order in which they were written; passes over all else without a look. */
bool mxg_snapshot_scan_next_domain(struct mxg_snapshot_scan *scan, struct mxg_snapshot_record *out);
bool mxg_snapshot_scan_is_whole(const struct mxg_snapshot_scan *scan); /* nothing was damaged so far */
void mxg_snapshot_scan_free(struct mxg_snapshot_scan *scan);

/* The versions in a value of "Q", newest first, a refused one before them; their data is the value's. False:
 * damaged. */
struct mxg_answer;
#define MXG_SNAPSHOT_VERSIONS 8
bool mxg_snapshot_versions_read(const uint8_t *value, size_t len, struct mxg_answer versions[MXG_SNAPSHOT_VERSIONS],
				size_t *count);

struct mxg_snapshot_facts {
	int64_t whole_written; /* when all of it was written last */
	uint64_t whole_size, since_size; /* bytes; 0: there is no newer part */
	uint32_t whole_generation, domains, questions;
	int64_t list_kept, interrupted; /* format.h */
	bool own; /* written for this configuration */
};
/* policy NULL: nobody wants to know whether it is for his configuration. */
void mxg_snapshot_facts(const struct mxguard_snapshot *snapshot, const struct mxguard_policy *policy,
			struct mxg_snapshot_facts *out);

/* Higher than that of every snapshot that this one took the place of; never 0. */
uint32_t mxg_snapshot_generation(const struct mxguard_snapshot *snapshot);

int64_t mxg_snapshot_written(const struct mxguard_snapshot *snapshot); /* seconds since the epoch */

/* All `len` bytes at `at`. False: errno tells why, 0 where the file ends before. */
bool mxg_snapshot_read_fd(int fd, void *buffer, size_t len, uint64_t at);

#endif
