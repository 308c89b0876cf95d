/* SPDX-License-Identifier: MIT */
#ifndef MXG_CDB_MAKE_H
#define MXG_CDB_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A cdb in the making (https://cr.yp.to/cdb.html), which can already be asked what it has: eight bytes of memory a
 * record and some slack, whatever the record's size. The records of a run of `refresh` need not stay in memory.
 */
struct mxg_cdb_slot {
	uint32_t hash, at; /* at 0: empty */
};

struct mxg_cdb {
	int fd;
	int error; /* errno of the first failure, 0: none */
	uint64_t flushed; /* bytes in the file; the buffer follows */
	uint8_t *buffer;
	size_t used;
	struct mxg_cdb_slot *slots;
	size_t count, room; /* room: a power of two */
	uint32_t table_crc[256]; /* of the finished hash tables */
};

bool mxg_cdb_begin(struct mxg_cdb *cdb, int fd);
/* One that is there under this key gives way to the new one, and becomes a record under a key that nobody looks for. */
void mxg_cdb_put(struct mxg_cdb *cdb, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len);
bool mxg_cdb_has(struct mxg_cdb *cdb, const uint8_t *key, size_t key_len);
/* Its value, malloc'd; NULL: it has none (or cdb->error). */
uint8_t *mxg_cdb_get(struct mxg_cdb *cdb, const uint8_t *key, size_t key_len, size_t *len);
/* The hash tables. False with cdb->error. */
bool mxg_cdb_finish(struct mxg_cdb *cdb);
void mxg_cdb_free(struct mxg_cdb *cdb); /* its memory; the file stays open */

#endif
