/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_WRITE_H
#define MXG_SNAPSHOT_WRITE_H

#include <stdbool.h>

#include "base/checksum.h"
#include "cdb_make.h"
#include "dns/answers.h"
#include "snapshot/format.h"
#include "snapshot/snapshot.h"

#define MXG_STATE_NAME_MAX 64

/*
 * Writing a snapshot: to a temporary file beside the real one, which takes its place when all
 * of it is on the disk. Whoever is killed on the way leaves the old one whole. The caller
 * holds the lock (mxg_state_lock): leftovers of killed runs are then nobody's.
 */
struct mxg_writer {
	int folder, fd;
	char name[MXG_STATE_NAME_MAX]; /* of the temporary file */
	bool since; /* what is another since the whole one was written, to lie beside it */
	struct mxg_cdb cdb;
	uint32_t domains, questions; /* of both parts; of a newer part the caller says them */
	uint32_t adds_to; /* since: the generation of the whole one */
	int64_t list_kept, interrupted; /* format.h */
	uint8_t gateways[MXG_CHECKSUM_BYTES]; /* mxg_policy_gateways_hash() */
	uint32_t after; /* the generation that this one follows; 0: none is known */
	int error; /* errno of the first failure, 0: none */
};

/* The state directory, made where it is missing, and in it the lock. Returns the lock's file
 * descriptor and the directory's in *folder; -1 with errno, EWOULDBLOCK where another refresh
 * holds it. */
int mxg_state_lock(const char *state_dir, int *folder);

/* A file of its own beside the snapshot, open; -1 with errno. Whoever holds the lock alone has one, so that
 * those of killed runs are removed first. */
int mxg_state_temporary(int folder, char name[MXG_STATE_NAME_MAX]);
/* It becomes the snapshot, or what lies beside it, when its bytes are on the disk; then the folder. A newer part that
 * lay beside a whole one goes with it. False with errno. */
bool mxg_state_put(int folder, int fd, const char *name, bool since);
bool mxg_state_sync(int folder);

/* False with w->error. folder stays the caller's. Leftovers are removed first. */
bool mxg_writer_open(struct mxg_writer *w, int folder);
void mxg_writer_domain(struct mxg_writer *w, const char *domain);
void mxg_writer_no_domain(struct mxg_writer *w, const char *domain); /* it is none of ours any more */
/* The question failed so often in a row, the last time then; 0: it does not any more. */
void mxg_writer_failed(struct mxg_writer *w, const struct mxg_question *question, int64_t tried, unsigned failures);
/* Of another snapshot, as it is. */
void mxg_writer_copy(struct mxg_writer *w, const struct mxg_snapshot_record *record);
bool mxg_writer_has(struct mxg_writer *w, const uint8_t *key, size_t key_len);
/* What it has of a question already: the value of its answer, malloc'd; NULL: none. */
uint8_t *mxg_writer_answer_of(struct mxg_writer *w, const struct mxg_question *question, size_t *len);
bool mxg_writer_has_failed(struct mxg_writer *w, const struct mxg_question *question);
/* Newest first, 1 to MXG_VERSIONS_MAX. */
void mxg_writer_answer(struct mxg_writer *w, const struct mxg_question *question, const struct mxg_answer *versions,
		       size_t count);
/* Everything to the disk, then the rename. False with w->error: the old snapshot stands. */
bool mxg_writer_commit(struct mxg_writer *w, const uint8_t hash[32], int64_t now);
void mxg_writer_abort(struct mxg_writer *w);

#endif
