/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_INTERNAL_H
#define MXG_SNAPSHOT_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "snapshot/snapshot.h"
#include "snapshot/format.h"

/* Shared by snapshot.c (reading), list.c (listing) and open.c only. */

#define MXG_SNAPSHOT_FIRST_READ 1024 /* a record's head, key, and nearly always all of its value */

/*
 * Values that have been read and believed, for those who keep a snapshot open: the records of
 * filter vendors are wanted by every decision. A place is filled once and never again, so
 * that readers need no lock; bounded by MXG_CACHE_PLACES * MXG_CACHE_VALUE_MAX.
 */
#define MXG_CACHE_PLACES 128
#define MXG_CACHE_VALUE_MAX 4096

struct mxg_cached {
	size_t key_len, len;
	uint8_t bytes[]; /* the key, then the value */
};

struct mxg_cache {
	_Atomic(struct mxg_cached *) places[MXG_CACHE_PLACES];
};

struct mxguard_snapshot {
	atomic_uint refs;
	struct mxguard_snapshot *since; /* what is another since this one was written; NULL: nothing. Has none itself */
	dev_t since_device; /* of the file that lay there, taken or not; 0: none did */
	ino_t since_inode;
	atomic_uint checked[8]; /* bit N: hash table N is as it was written */
	struct mxg_cache *cache; /* of both parts; NULL: no memory for it */
	int fd;
	dev_t device;
	ino_t inode;
	uint64_t size;
	int64_t written;
	uint32_t generation;
	struct mxg_reply_rules rules; /* also for what was written under others */
	uint8_t table[MXG_CDB_TABLE_SIZE];
	uint8_t header[MXG_SNAPSHOT_HEADER_SIZE];
};

/* One value as it was read; heap is NULL where it fitted into `first`. */
struct mxg_snapshot_value {
	const uint8_t *bytes;
	size_t len;
	uint8_t first[MXG_SNAPSHOT_FIRST_READ];
	uint8_t *heap;
};

/* All of it or nothing; false where the file has become shorter or cannot be read. */
bool mxg_snapshot_read_at(const struct mxguard_snapshot *snapshot, void *buffer, size_t len, uint64_t at);
/* The value of the key in whichever part has it, its CRC not looked at; value->heap is the caller's to free,
 * whatever is returned. */
enum mxg_snapshot_result mxg_snapshot_find(const struct mxguard_snapshot *snapshot, const uint8_t *key, size_t key_len,
					   struct mxg_snapshot_value *value);

/* Whether the CRC in a value's first four bytes is that of the key and of the rest. */
bool mxg_snapshot_value_holds(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len);

#endif
