/* SPDX-License-Identifier: MIT */
/* Going through all that a snapshot has. */
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "snapshot/internal.h"

/* The records end where the first hash table begins. */
static uint64_t records_end(const struct mxguard_snapshot *s)
{
	uint64_t end = s->size;
	for (size_t i = 0; i < 256; i++) {
		uint64_t at = mxg_get32le(s->table + i * 8);
		if (at < end)
			end = at;
	}
	return end;
}

static bool is_replaced(const struct mxguard_snapshot *s, const uint8_t *key, size_t len)
{
	struct mxg_snapshot_value v;
	if (s->since == NULL)
		return false;
	enum mxg_snapshot_result r = mxg_snapshot_find(s->since, key, len, &v);
	free(v.heap);
	return r != MXG_SNAPSHOT_ABSENT;
}

/* ---- one after the other ------------------------------------------------------------------------- */

#define OLDER (UINT64_C(1) << 63) /* in `at`: the newer part is done */

struct key {
	uint8_t bytes[8 + MXG_SNAPSHOT_KEY_MAX];
	size_t len; /* behind the first 8 */
	size_t value_len;
	uint64_t value_at;
};

/* The next one of this kind in one part. */
static bool next_in_part(const struct mxguard_snapshot *s, uint64_t *at, uint8_t kind, struct key *out)
{
	uint64_t end = records_end(s);
	if (*at < MXG_CDB_TABLE_SIZE)
		*at = MXG_CDB_TABLE_SIZE;
	while (*at + 8 <= end) {
		size_t got = end - *at < sizeof(out->bytes) ? (size_t)(end - *at) : sizeof(out->bytes);
		if (!mxg_snapshot_read_at(s, out->bytes, got, *at))
			return false;
		uint64_t key_len = mxg_get32le(out->bytes), value_len = mxg_get32le(out->bytes + 4);
		uint64_t all = 8 + key_len + value_len;
		if (all > end - *at)
			return false;
		out->value_at = *at + 8 + key_len;
		*at += all;
		if (key_len == 0 || key_len > got - 8 || out->bytes[8] != kind)
			continue;
		out->len = (size_t)key_len;
		out->value_len = (size_t)value_len;
		return true;
	}
	return false;
}

static bool next_key(const struct mxguard_snapshot *s, uint64_t *at, uint8_t kind, struct key *out,
		     const struct mxguard_snapshot **part)
{
	uint64_t older = *at & ~OLDER;
	if (s->since != NULL && (*at & OLDER) == 0) {
		*part = s->since;
		if (next_in_part(s->since, at, kind, out))
			return true;
		older = 0;
	}
	*part = s;
	bool more;
	while ((more = next_in_part(s, &older, kind, out)) && is_replaced(s, out->bytes + 8, out->len))
		;
	*at = older | OLDER;
	return more;
}

bool mxg_snapshot_next(const struct mxguard_snapshot *s, uint64_t *at, struct mxg_question *out)
{
	const struct mxguard_snapshot *part;
	struct key k;
	while (next_key(s, at, 'Q', &k, &part)) {
		if (k.len < 4)
			continue;
		*out = (struct mxg_question){ .type = mxg_get16(k.bytes + 9), .name.len = (uint8_t)(k.len - 3) };
		memcpy(out->name.wire, k.bytes + 11, k.len - 3);
		return true;
	}
	return false;
}

bool mxg_snapshot_next_domain(const struct mxguard_snapshot *s, uint64_t *at, char domain[256])
{
	const struct mxguard_snapshot *part;
	uint8_t value[MXG_SNAPSHOT_DOMAIN_SIZE];
	struct key k;
	while (next_key(s, at, 'D', &k, &part)) {
		if (k.len < 2 || k.len > 256 || k.value_len != sizeof(value) ||
		    !mxg_snapshot_read_at(part, value, sizeof(value), k.value_at) ||
		    !mxg_snapshot_value_holds(k.bytes + 8, k.len, value, sizeof(value)) || value[4] == 0)
			continue;
		memcpy(domain, k.bytes + 9, k.len - 1);
		domain[k.len - 1] = '\0';
		return true;
	}
	return false;
}

/* ---- in large pieces ----------------------------------------------------------------------------- */

#define PIECE (1u << 20)
#define SEEN_BITS (1u << 23)

struct mxg_snapshot_scan {
	const struct mxguard_snapshot *all, *part;
	bool since_only, damaged;
	uint64_t at, end; /* of what is read next into the piece */
	size_t used, taken;
	uint8_t *seen; /* bits, by hash: the newer part may have such a key */
	uint8_t piece[PIECE];
};

static void begin_part(struct mxg_snapshot_scan *scan, const struct mxguard_snapshot *part)
{
	scan->part = part;
	scan->at = MXG_CDB_TABLE_SIZE;
	scan->end = part == NULL ? 0 : records_end(part);
	scan->used = scan->taken = 0;
}

struct mxg_snapshot_scan *mxg_snapshot_scan_new(const struct mxguard_snapshot *s, bool since_only)
{
	struct mxg_snapshot_scan *scan = malloc(sizeof(*scan));
	if (scan == NULL)
		return NULL;
	scan->all = s;
	scan->since_only = since_only;
	scan->damaged = false;
	scan->seen = s->since == NULL || since_only ? NULL : calloc(SEEN_BITS / 8, 1);
	begin_part(scan, s->since != NULL || since_only ? s->since : s);
	if (scan->seen != NULL || s->since == NULL || since_only)
		return scan;
	free(scan);
	return NULL;
}

void mxg_snapshot_scan_free(struct mxg_snapshot_scan *scan)
{
	if (scan != NULL)
		free(scan->seen);
	free(scan);
}

bool mxg_snapshot_scan_is_whole(const struct mxg_snapshot_scan *scan)
{
	return !scan->damaged;
}

/* So many bytes stand in the piece from scan->taken on. */
static bool have(struct mxg_snapshot_scan *scan, size_t wanted)
{
	if (scan->used - scan->taken >= wanted)
		return true;
	memmove(scan->piece, scan->piece + scan->taken, scan->used - scan->taken);
	scan->used -= scan->taken;
	scan->taken = 0;
	size_t room = sizeof(scan->piece) - scan->used;
	if (scan->end - scan->at < room)
		room = (size_t)(scan->end - scan->at);
	if (room > 0 && !mxg_snapshot_read_at(scan->part, scan->piece + scan->used, room, scan->at))
		return false;
	scan->used += room;
	scan->at += room;
	return scan->used >= wanted;
}

/* 1, 0 at the end of the part, -1: damaged. */
static int next_record(struct mxg_snapshot_scan *scan, struct mxg_snapshot_record *r)
{
	if (scan->part == NULL || (scan->at == scan->end && scan->used == scan->taken))
		return 0;
	if (!have(scan, 8))
		return -1;
	uint64_t key_len = mxg_get32le(scan->piece + scan->taken), len = mxg_get32le(scan->piece + scan->taken + 4);
	if (key_len == 0 || key_len > MXG_SNAPSHOT_KEY_MAX || len > MXG_SNAPSHOT_VALUE_MAX ||
	    !have(scan, (size_t)(8 + key_len + len)))
		return -1;
	r->key = scan->piece + scan->taken + 8;
	r->key_len = (size_t)key_len;
	r->value = r->key + key_len;
	r->len = (size_t)len;
	r->kind = r->key[0];
	scan->taken += (size_t)(8 + key_len + len);
	return 1;
}

/* Keys of the newer part are marked; of the older one those are passed over that it has, too. */
static bool counts(struct mxg_snapshot_scan *scan, const struct mxg_snapshot_record *r)
{
	if (scan->seen == NULL)
		return true;
	uint32_t bit = mxg_cdb_hash(r->key, r->key_len) % SEEN_BITS;
	uint8_t *byte = &scan->seen[bit / 8];
	if (scan->part != scan->all) {
		*byte |= (uint8_t)(1u << bit % 8);
		return true;
	}
	return (*byte >> bit % 8 & 1) == 0 || !is_replaced(scan->all, r->key, r->key_len);
}

bool mxg_snapshot_scan_next(struct mxg_snapshot_scan *scan, struct mxg_snapshot_record *out)
{
	for (;;) {
		int got = next_record(scan, out);
		scan->damaged |= got < 0;
		if (got <= 0 && (scan->part == scan->all || scan->since_only))
			return false;
		if (got <= 0) {
			begin_part(scan, scan->all);
			continue;
		}
		if ((out->kind != 'D' && out->kind != 'Q' && out->kind != 'F') || !counts(scan, out))
			continue;
		if (mxg_snapshot_value_holds(out->key, out->key_len, out->value, out->len))
			return true;
		scan->damaged = true;
	}
}

/* They stand in front of everything else. */
bool mxg_snapshot_scan_next_domain(struct mxg_snapshot_scan *scan, struct mxg_snapshot_record *out)
{
	while (mxg_snapshot_scan_next(scan, out)) {
		if (out->kind == 'D' && out->key_len > 1 && out->len == MXG_SNAPSHOT_DOMAIN_SIZE)
			return true;
		if (scan->part == scan->all || scan->since_only)
			return false;
		begin_part(scan, scan->all);
	}
	return false;
}

/* ---- what was asked in vain ------------------------------------------------------------------------ */

bool mxg_snapshot_failed(const struct mxguard_snapshot *s, const struct mxg_question *q, int64_t *tried,
			 unsigned *failures)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'F' };
	size_t key_len = 3u + q->name.len;
	struct mxg_snapshot_value v;
	mxg_put16(key + 1, q->type);
	memcpy(key + 3, q->name.wire, q->name.len);
	bool found = mxg_snapshot_find(s, key, key_len, &v) == MXG_SNAPSHOT_FOUND &&
		     v.len == MXG_SNAPSHOT_FAILED_SIZE && mxg_snapshot_value_holds(key, key_len, v.bytes, v.len);
	if (found) {
		*tried = (int64_t)mxg_get64(v.bytes + 4);
		*failures = v.bytes[12];
	}
	free(v.heap);
	return found && *failures > 0 && *tried > 0 && *tried < INT64_MAX / 4;
}

/* ---- what it says of itself ------------------------------------------------------------------------ */

void mxg_snapshot_facts(const struct mxguard_snapshot *s, const struct mxguard_policy *policy,
			struct mxg_snapshot_facts *out)
{
	const struct mxguard_snapshot *newest = s->since != NULL ? s->since : s;
	*out = (struct mxg_snapshot_facts){
		.whole_written = (int64_t)mxg_get64(s->header + MXG_SNAPSHOT_AT_WRITTEN),
		.whole_size = s->size,
		.since_size = s->since == NULL ? 0 : s->since->size,
		.whole_generation = mxg_get32(s->header + MXG_SNAPSHOT_AT_GENERATION),
		.domains = mxg_get32(newest->header + MXG_SNAPSHOT_AT_DOMAINS),
		.questions = mxg_get32(newest->header + MXG_SNAPSHOT_AT_QUESTIONS),
		.list_kept = (int64_t)mxg_get64(newest->header + MXG_SNAPSHOT_AT_LIST_KEPT),
		.interrupted = (int64_t)mxg_get64(newest->header + MXG_SNAPSHOT_AT_INTERRUPTED),
		.own = policy != NULL &&
		       memcmp(s->header + MXG_SNAPSHOT_AT_HASH, policy->hash, sizeof(policy->hash)) == 0,
	};
}

uint32_t mxg_snapshot_generation(const struct mxguard_snapshot *s)
{
	return s->since != NULL ? s->since->generation : s->generation;
}

int64_t mxg_snapshot_written(const struct mxguard_snapshot *s)
{
	return s->since != NULL ? s->since->written : s->written;
}
