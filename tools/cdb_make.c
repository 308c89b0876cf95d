/* SPDX-License-Identifier: MIT */
#include "cdb_make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/format.h"
#include "snapshot/snapshot.h"

#define BUFFER (1u << 18)
#define FIRST_ROOM 1024u
#define HEAD 8u /* lengths of key and value */
#define GONE 'X' /* the first byte of a key that gave way */

static void note(struct mxg_cdb *c)
{
	if (c->error == 0)
		c->error = errno != 0 ? errno : EIO;
}

static void put32le(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static void write_at(struct mxg_cdb *c, const uint8_t *bytes, size_t len, uint64_t at)
{
	while (len > 0 && c->error == 0) {
		ssize_t n = pwrite(c->fd, bytes, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			note(c);
			return;
		}
		bytes += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
}

static void flush(struct mxg_cdb *c)
{
	write_at(c, c->buffer, c->used, c->flushed);
	c->flushed += c->used;
	c->used = 0;
}

static void append(struct mxg_cdb *c, const uint8_t *bytes, size_t len)
{
	while (len > 0 && c->error == 0) {
		size_t n = len < BUFFER - c->used ? len : BUFFER - c->used;
		memcpy(c->buffer + c->used, bytes, n);
		c->used += n;
		bytes += n;
		len -= n;
		if (c->used == BUFFER)
			flush(c);
	}
}

bool mxg_cdb_begin(struct mxg_cdb *c, int fd)
{
	*c = (struct mxg_cdb){ .fd = fd, .flushed = MXG_CDB_TABLE_SIZE, .room = FIRST_ROOM };
	c->buffer = malloc(BUFFER);
	c->slots = calloc(c->room, sizeof(*c->slots));
	if (c->buffer == NULL || c->slots == NULL) {
		errno = ENOMEM;
		note(c);
	}
	return c->error == 0;
}

void mxg_cdb_free(struct mxg_cdb *c)
{
	free(c->buffer);
	free(c->slots);
	c->buffer = NULL;
	c->slots = NULL;
	c->room = c->count = 0;
}

/* ---- what it has ----------------------------------------------------------------------------------- */

/* cdb's hash is weak in its low bits where keys differ at their end alone. */
static size_t place_of(const struct mxg_cdb *c, uint32_t hash)
{
	return (size_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (c->room - 1);
}

static bool read_at(struct mxg_cdb *c, uint8_t *out, size_t len, uint64_t at)
{
	if (at >= c->flushed) {
		if (at - c->flushed > c->used || len > c->used - (size_t)(at - c->flushed))
			return false;
		memcpy(out, c->buffer + (at - c->flushed), len);
		return true;
	}
	if (len > c->flushed - at) { /* it begins in the file and ends in the buffer */
		size_t first = (size_t)(c->flushed - at);
		return read_at(c, out, first, at) && read_at(c, out + first, len - first, c->flushed);
	}
	if (mxg_snapshot_read_fd(c->fd, out, len, at))
		return true;
	note(c);
	return false;
}

static bool has_key(struct mxg_cdb *c, uint32_t at, const uint8_t *key, size_t key_len, size_t *len)
{
	uint8_t head[HEAD + MXG_SNAPSHOT_KEY_MAX];
	if (key_len > MXG_SNAPSHOT_KEY_MAX || !read_at(c, head, HEAD + key_len, at) || mxg_get32le(head) != key_len)
		return false;
	*len = mxg_get32le(head + 4);
	return memcmp(head + HEAD, key, key_len) == 0;
}

static struct mxg_cdb_slot *find(struct mxg_cdb *c, uint32_t hash, const uint8_t *key, size_t key_len, size_t *len)
{
	for (size_t i = place_of(c, hash); c->slots[i].at != 0; i = (i + 1) & (c->room - 1))
		if (c->slots[i].hash == hash && has_key(c, c->slots[i].at, key, key_len, len))
			return &c->slots[i];
	return NULL;
}

bool mxg_cdb_has(struct mxg_cdb *c, const uint8_t *key, size_t key_len)
{
	size_t len;
	return c->error == 0 && find(c, mxg_cdb_hash(key, key_len), key, key_len, &len) != NULL;
}

uint8_t *mxg_cdb_get(struct mxg_cdb *c, const uint8_t *key, size_t key_len, size_t *len)
{
	if (c->error != 0)
		return NULL;
	const struct mxg_cdb_slot *slot = find(c, mxg_cdb_hash(key, key_len), key, key_len, len);
	uint8_t *value = slot == NULL ? NULL : malloc(*len + 1);
	if (slot == NULL)
		return NULL;
	if (value == NULL) {
		errno = ENOMEM;
		note(c);
		return NULL;
	}
	if (read_at(c, value, *len, (uint64_t)slot->at + HEAD + key_len))
		return value;
	free(value);
	return NULL;
}

/* ---- one more -------------------------------------------------------------------------------------- */

static void put_slot(struct mxg_cdb *c, struct mxg_cdb_slot slot)
{
	size_t i = place_of(c, slot.hash);
	while (c->slots[i].at != 0)
		i = (i + 1) & (c->room - 1);
	c->slots[i] = slot;
}

static bool widen(struct mxg_cdb *c)
{
	struct mxg_cdb_slot *old = c->slots;
	size_t room = c->room;
	struct mxg_cdb_slot *wider = calloc(room * 2, sizeof(*wider));
	if (wider == NULL) {
		errno = ENOMEM;
		note(c);
		return false;
	}
	c->slots = wider;
	c->room = room * 2;
	for (size_t i = 0; i < room; i++)
		if (old[i].at != 0)
			put_slot(c, old[i]);
	free(old);
	return true;
}

static void forget(struct mxg_cdb *c, uint32_t at)
{
	const uint8_t gone = GONE;
	if ((uint64_t)at + HEAD >= c->flushed)
		c->buffer[at + HEAD - c->flushed] = gone;
	else
		write_at(c, &gone, 1, (uint64_t)at + HEAD);
}

void mxg_cdb_put(struct mxg_cdb *c, const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	uint8_t head[HEAD];
	uint64_t at = c->flushed + c->used;
	size_t old_len;
	if (c->error != 0 || (c->count * 4 >= c->room * 3 && !widen(c)))
		return;
	/* behind the records come 16 bytes for each of them */
	if (at + HEAD + key_len + len + (c->count + 1) * 16 > UINT32_MAX) {
		errno = EFBIG;
		note(c);
		return;
	}
	struct mxg_cdb_slot *slot, new = { mxg_cdb_hash(key, key_len), (uint32_t)at };
	if ((slot = find(c, new.hash, key, key_len, &old_len)) != NULL) {
		forget(c, slot->at);
		slot->at = new.at;
	} else {
		put_slot(c, new);
		c->count++;
	}
	put32le(head, (uint32_t)key_len);
	put32le(head + 4, (uint32_t)len);
	append(c, head, sizeof(head));
	append(c, key, key_len);
	append(c, value, len);
}

/* ---- the end --------------------------------------------------------------------------------------- */

/* Those of each table together, in the memory of the index. Returns how many the tables before each have. */
static void sort_by_table(struct mxg_cdb *c, size_t begins[257])
{
	size_t counts[256] = { 0 }, kept = 0;
	for (size_t i = 0; i < c->room; i++)
		if (c->slots[i].at != 0)
			c->slots[kept++] = c->slots[i];
	for (size_t i = 0; i < kept; i++)
		counts[c->slots[i].hash & 255]++;
	begins[0] = 0;
	for (size_t t = 0; t < 256; t++)
		begins[t + 1] = begins[t] + counts[t];
	size_t at[256];
	memcpy(at, begins, sizeof(at));
	for (size_t t = 0; t < 256; t++) /* each swap puts one where it belongs */
		while (at[t] < begins[t + 1]) {
			struct mxg_cdb_slot slot = c->slots[at[t]];
			size_t to = slot.hash & 255;
			if (to == t) {
				at[t]++;
				continue;
			}
			c->slots[at[t]] = c->slots[at[to]];
			c->slots[at[to]++] = slot;
		}
}

static void put_table(struct mxg_cdb *c, const struct mxg_cdb_slot *from, size_t count, uint8_t *table)
{
	size_t slots = count * 2;
	memset(table, 0, slots * 8);
	for (size_t i = 0; i < count; i++) {
		size_t at = (from[i].hash >> 8) % slots;
		while (mxg_get32le(table + at * 8 + 4) != 0)
			at = at + 1 == slots ? 0 : at + 1;
		put32le(table + at * 8, from[i].hash);
		put32le(table + at * 8 + 4, from[i].at);
	}
	append(c, table, slots * 8);
}

bool mxg_cdb_finish(struct mxg_cdb *c)
{
	uint8_t head[MXG_CDB_TABLE_SIZE];
	size_t begins[257], most = 0;
	if (c->error != 0)
		return false;
	sort_by_table(c, begins);
	for (size_t t = 0; t < 256; t++)
		if (begins[t + 1] - begins[t] > most)
			most = begins[t + 1] - begins[t];
	uint8_t *table = malloc(most * 16 + 1);
	if (table == NULL) {
		errno = ENOMEM;
		note(c);
		return false;
	}
	for (size_t t = 0; t < 256; t++) {
		size_t count = begins[t + 1] - begins[t];
		put32le(head + t * 8, (uint32_t)(c->flushed + c->used));
		put32le(head + t * 8 + 4, (uint32_t)(count * 2));
		put_table(c, c->slots + begins[t], count, table);
		c->table_crc[t] = mxg_crc32(0, table, count * 16);
	}
	free(table);
	flush(c);
	write_at(c, head, sizeof(head), 0);
	return c->error == 0;
}
