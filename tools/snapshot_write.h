/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_WRITE_H
#define MXG_SNAPSHOT_WRITE_H

#include <cdb.h>
#include <stdbool.h>

#include "base/checksum.h"
#include "dns/answers.h"
#include "snapshot/format.h"

#define MXG_STATE_NAME_MAX 64

/*
 * Writing a snapshot: to a temporary file beside the real one, which takes its place when all
 * of it is on the disk. Whoever is killed on the way leaves the old one whole. The caller
 * holds the lock (mxg_state_lock): leftovers of killed runs are then nobody's.
 */
struct mxg_writer {
	int folder, fd;
	char name[MXG_STATE_NAME_MAX]; /* of the temporary file */
	struct cdb_make cdb;
	uint32_t domains, questions;
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
/* It becomes the snapshot when its bytes are on the disk; then the folder. False with errno. */
bool mxg_state_put(int folder, int fd, const char *name);
bool mxg_state_sync(int folder);

/* False with w->error. folder stays the caller's. Leftovers are removed first. */
bool mxg_writer_open(struct mxg_writer *w, int folder);
void mxg_writer_domain(struct mxg_writer *w, const char *domain);
/* Newest first, 1 to MXG_VERSIONS_MAX. */
void mxg_writer_answer(struct mxg_writer *w, const struct mxg_question *question, const struct mxg_answer *versions,
		       size_t count);
/* Everything to the disk, then the rename. False with w->error: the old snapshot stands. */
bool mxg_writer_commit(struct mxg_writer *w, const uint8_t hash[32], int64_t now);
void mxg_writer_abort(struct mxg_writer *w);

#endif
