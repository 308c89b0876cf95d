/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_INTERNAL_H
#define MXG_SNAPSHOT_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "snapshot/snapshot.h"
#include "snapshot/format.h"

/* Shared by snapshot.c (reading), bucket.c (hash tables), cache.c, list.c (listing) and open.c only. */

#define MXG_SNAPSHOT_FIRST_READ 1024 /* a record's head, key, and nearly always all of its value */

struct mxg_bucket_filter;
struct mxg_bucket_filters {
	_Atomic(struct mxg_bucket_filter *) of[256]; /* each made once, when its table is looked at; NULL: not yet */
};

struct mxguard_snapshot {
	atomic_uint refs;
	struct mxguard_snapshot *since; /* what is another since this one was written; NULL: nothing. Has none itself */
	dev_t since_device; /* of the file that lay there, taken or not; 0: none did */
	ino_t since_inode;
	atomic_uint checked[8]; /* bit N: hash table N is as it was written */
	struct mxg_bucket_filters *filters; /* of a newer part alone; NULL: no memory for them */
	struct mxg_cache *cache; /* of both parts, locked within; NULL: no memory for it */
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

struct mxg_cache *mxg_cache_new(void);
void mxg_cache_free(struct mxg_cache *cache);
/* True: the value's bytes are the cache's, until they are given back, at once. */
bool mxg_cache_take(struct mxg_cache *cache, uint32_t hash, const uint8_t *key, size_t key_len,
		    struct mxg_snapshot_value *value);
void mxg_cache_give_back(struct mxg_cache *cache, uint32_t hash);
/* A value that is believed. */
void mxg_cache_put(struct mxg_cache *cache, uint32_t hash, const uint8_t *key, size_t key_len,
		   const struct mxg_snapshot_value *value);

struct mxg_bucket {
	uint64_t at;
	uint32_t slots;
};
/* False: not within the file. */
bool mxg_bucket_find(const struct mxguard_snapshot *snapshot, uint32_t hash, struct mxg_bucket *out);
/* A "no" is only as good as the hash table that it came out of: whether that is as it was written. */
bool mxg_bucket_holds(const struct mxguard_snapshot *snapshot, uint32_t hash);
/* False: the table was looked at, and has no such key. */
bool mxg_bucket_may_have(const struct mxguard_snapshot *snapshot, uint32_t hash);
void mxg_bucket_filters_free(struct mxg_bucket_filters *filters);

/* Whether the CRC in a value's first four bytes is that of the key and of the rest. */
bool mxg_snapshot_value_holds(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len);

#endif
