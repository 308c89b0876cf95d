/* SPDX-License-Identifier: MIT */
/*
 * Reading a snapshot. With pread(2) only: a mapped file that shrinks kills the host with
 * SIGBUS. The file is hostile: every offset is checked against the size it had when it was
 * opened, every value against its CRC.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/internal.h"

#define SLOTS_AT_ONCE 16 /* of 8 bytes: at a load of one half, hardly ever a second read */

bool mxg_snapshot_read_fd(int fd, void *buffer, size_t len, uint64_t at)
{
	uint8_t *p = buffer;
	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = 0;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

bool mxg_snapshot_read_at(const struct mxguard_snapshot *s, void *buffer, size_t len, uint64_t at)
{
	return at <= s->size && len <= s->size - at && mxg_snapshot_read_fd(s->fd, buffer, len, at);
}

/* ---- cdb ---------------------------------------------------------------------------- */

struct bucket {
	uint64_t at;
	uint32_t slots;
};

/* False: not within the file. */
static bool find_bucket(const struct mxguard_snapshot *s, uint32_t hash, struct bucket *out)
{
	const uint8_t *p = s->table + (hash & 0xff) * 8;
	out->at = mxg_get32le(p);
	out->slots = mxg_get32le(p + 4);
	if (out->slots == 0)
		return true;
	return out->at >= MXG_CDB_TABLE_SIZE && out->at <= s->size && out->slots <= (s->size - out->at) / 8;
}

/* Reads the record at `at` if it has this key: FOUND, ABSENT where the key is another's. */
static enum mxg_snapshot_result read_record(const struct mxguard_snapshot *s, uint64_t at, const uint8_t *key,
					    size_t key_len, struct mxg_snapshot_value *v)
{
	uint64_t left = at < s->size ? s->size - at : 0;
	size_t got = left < MXG_SNAPSHOT_FIRST_READ ? (size_t)left : MXG_SNAPSHOT_FIRST_READ;
	if (at < MXG_CDB_TABLE_SIZE || got < 8 || !mxg_snapshot_read_at(s, v->first, got, at))
		return MXG_SNAPSHOT_DAMAGED;
	uint32_t stored_key = mxg_get32le(v->first), len = mxg_get32le(v->first + 4);
	if (stored_key > MXG_SNAPSHOT_KEY_MAX || got < 8 + stored_key)
		return MXG_SNAPSHOT_DAMAGED;
	if (stored_key != key_len || memcmp(v->first + 8, key, key_len) != 0) {
		/* another key with the same hash; or this one, damaged: then "absent" would be a lie */
		bool other = mxg_cdb_hash(v->first + 8, stored_key) == mxg_cdb_hash(key, key_len);
		return other ? MXG_SNAPSHOT_ABSENT : MXG_SNAPSHOT_DAMAGED;
	}
	if (len > MXG_SNAPSHOT_VALUE_MAX || len > left - 8 - key_len)
		return MXG_SNAPSHOT_DAMAGED;
	v->len = len;
	v->bytes = v->first + 8 + key_len;
	if (8 + key_len + len <= got)
		return MXG_SNAPSHOT_FOUND;
	v->bytes = v->heap = malloc(len);
	if (v->heap == NULL)
		return MXG_SNAPSHOT_NOMEM;
	return mxg_snapshot_read_at(s, v->heap, len, at + 8 + key_len) ? MXG_SNAPSHOT_FOUND : MXG_SNAPSHOT_DAMAGED;
}

static enum mxg_snapshot_result find_in_part(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len,
					     struct mxg_snapshot_value *v)
{
	uint8_t slots[SLOTS_AT_ONCE * 8];
	uint32_t hash = mxg_cdb_hash(key, key_len);
	struct bucket b;
	v->heap = NULL;
	if (!find_bucket(s, hash, &b))
		return MXG_SNAPSHOT_DAMAGED;
	uint32_t slot = b.slots == 0 ? 0 : (hash >> 8) % b.slots;
	for (uint32_t seen = 0; seen < b.slots;) {
		uint32_t n = b.slots - slot < SLOTS_AT_ONCE ? b.slots - slot : SLOTS_AT_ONCE;
		if (!mxg_snapshot_read_at(s, slots, (size_t)n * 8, b.at + (uint64_t)slot * 8))
			return MXG_SNAPSHOT_DAMAGED;
		for (uint32_t i = 0; i < n && seen < b.slots; i++, seen++) {
			uint32_t at = mxg_get32le(slots + (size_t)i * 8 + 4);
			if (at == 0)
				return MXG_SNAPSHOT_ABSENT;
			if (mxg_get32le(slots + (size_t)i * 8) != hash)
				continue;
			enum mxg_snapshot_result r = read_record(s, at, key, key_len, v);
			if (r != MXG_SNAPSHOT_ABSENT)
				return r;
		}
		slot = slot + n == b.slots ? 0 : slot + n;
	}
	return MXG_SNAPSHOT_ABSENT;
}

/* A "no" is only as good as the hash table that it came out of. */
static bool read_bucket(const struct mxguard_snapshot *s, uint32_t hash)
{
	uint8_t piece[4096];
	struct bucket b;
	uint32_t crc = 0;
	if (!find_bucket(s, hash, &b))
		return false;
	for (uint64_t left = (uint64_t)b.slots * 8, at = b.at; left > 0;) {
		size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		if (!mxg_snapshot_read_at(s, piece, n, at))
			return false;
		crc = mxg_crc32(crc, piece, n);
		at += n;
		left -= n;
	}
	return crc == mxg_get32(s->header + MXG_SNAPSHOT_AT_BUCKET_CRC + (hash & 0xff) * 4);
}

/* Looked at once for each who holds the snapshot open. */
static bool bucket_holds(const struct mxguard_snapshot *s, uint32_t hash)
{
	atomic_uint *checked = (atomic_uint *)(uintptr_t)&s->checked[(hash & 0xff) / 32];
	unsigned bit = 1u << (hash & 31);
	if ((atomic_load_explicit(checked, memory_order_relaxed) & bit) != 0)
		return true;
	if (!read_bucket(s, hash))
		return false;
	atomic_fetch_or_explicit(checked, bit, memory_order_relaxed);
	return true;
}

/* What the newer part should have, and does not, must not be taken from the older one. */
enum mxg_snapshot_result mxg_snapshot_find(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len,
					   struct mxg_snapshot_value *v)
{
	enum mxg_snapshot_result r = MXG_SNAPSHOT_ABSENT;
	v->heap = NULL;
	if (s->since != NULL)
		r = find_in_part(s->since, key, key_len, v);
	if (r != MXG_SNAPSHOT_ABSENT)
		return r;
	if (s->since != NULL && !bucket_holds(s->since, mxg_cdb_hash(key, key_len)))
		return MXG_SNAPSHOT_DAMAGED;
	return find_in_part(s, key, key_len, v);
}

bool mxg_snapshot_value_holds(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	return len >= 4 && mxg_crc32(mxg_crc32(0, key, key_len), value + 4, len - 4) == mxg_get32(value);
}

static bool crc_holds(const uint8_t *key, size_t key_len, const struct mxg_snapshot_value *v)
{
	return mxg_snapshot_value_holds(key, key_len, v->bytes, v->len);
}

static const struct mxg_cached *find_cached(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len)
{
	if (s->cache == NULL)
		return NULL;
	const struct mxg_cached *c = atomic_load_explicit(
		&s->cache->places[mxg_cdb_hash(key, key_len) % MXG_CACHE_PLACES], memory_order_acquire);
	return c != NULL && c->key_len == key_len && memcmp(c->bytes, key, key_len) == 0 ? c : NULL;
}

static void put_cached(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len,
		       const struct mxg_snapshot_value *v)
{
	if (s->cache == NULL || v->len > MXG_CACHE_VALUE_MAX)
		return;
	_Atomic(struct mxg_cached *) *place = &s->cache->places[mxg_cdb_hash(key, key_len) % MXG_CACHE_PLACES];
	struct mxg_cached *none = NULL, *c;
	if (atomic_load_explicit(place, memory_order_relaxed) != NULL ||
	    (c = malloc(sizeof(*c) + key_len + v->len)) == NULL)
		return;
	c->key_len = key_len;
	c->len = v->len;
	memcpy(c->bytes, key, key_len);
	memcpy(c->bytes + key_len, v->bytes, v->len);
	if (!atomic_compare_exchange_strong_explicit(place, &none, c, memory_order_release, memory_order_relaxed))
		free(c);
}

/* ---- answers ------------------------------------------------------------------------- */

/* The items of an answer fill its data exactly, and are as many as it says. */
static bool items_hold(const uint8_t *data, size_t size, unsigned count)
{
	const uint8_t *item;
	size_t at = 0, len;
	unsigned n = 0;
	while (mxg_rrset_next(data, size, &at, &item, &len))
		n++;
	return n == count && at == size;
}

static bool kind_holds(const struct mxg_answer *a)
{
	switch (a->kind) {
	case MXG_ANSWER_RECORDS:
		return true;
	case MXG_ANSWER_NODATA:
	case MXG_ANSWER_NXDOMAIN:
		return a->count == 0 && a->size == 0;
	default:
		return false;
	}
}

/* One version at *at; moves *at behind it. */
static bool read_version(const uint8_t *value, size_t all, size_t *at, struct mxg_answer *out)
{
	if (all - *at < MXG_VERSION_HEAD_SIZE)
		return false;
	const uint8_t *p = value + *at;
	*out = (struct mxg_answer){
		.from = (int64_t)mxg_get64(p + MXG_VERSION_AT_FROM),
		.superseded = (int64_t)mxg_get64(p + MXG_VERSION_AT_SUPERSEDED),
		.confirmed = (int64_t)mxg_get64(p + MXG_VERSION_AT_CONFIRMED),
		.ttl = mxg_get32(p + MXG_VERSION_AT_TTL),
		.kind = (enum mxg_answer_kind)p[MXG_VERSION_AT_KIND],
		.ad = (p[MXG_VERSION_AT_FLAGS] & MXG_VERSION_FLAG_AD) != 0,
		.refused = (p[MXG_VERSION_AT_FLAGS] & MXG_VERSION_FLAG_REFUSED) != 0,
		.accepted = (p[MXG_VERSION_AT_FLAGS] & MXG_VERSION_FLAG_ACCEPTED) != 0,
		.alarms = p[MXG_VERSION_AT_ALARMS],
		.doubtful = (p[MXG_VERSION_AT_ALARMS] & MXG_ALARMS_DOUBTFUL) != 0,
		.count = mxg_get16(p + MXG_VERSION_AT_COUNT),
		.size = mxg_get32(p + MXG_VERSION_AT_SIZE),
		.data = p + MXG_VERSION_HEAD_SIZE,
	};
	*at += MXG_VERSION_HEAD_SIZE;
	if (out->size > MXG_RRSET_MAX || out->size > all - *at)
		return false;
	*at += out->size;
	return kind_holds(out) && items_hold(out->data, out->size, out->count);
}

/* Times that no refresh can have written: they would overflow sums or never expire. */
static bool times_hold(const struct mxg_answer *a)
{
	const int64_t most = INT64_MAX / 4;
	return a->from > 0 && a->from < most && a->confirmed >= a->from && a->confirmed < most &&
	       a->ttl <= 0x7fffffffu && (a->superseded == 0 || (a->superseded >= a->from && a->superseded < most));
}

/* Everything is looked at before the first version goes into the table: half a history
 * would be another history. */
bool mxg_snapshot_versions_read(const uint8_t *value, size_t len, struct mxg_answer versions[MXG_VERSIONS_MAX],
				size_t *count)
{
	size_t at = 5;
	if (len < 5)
		return false;
	*count = value[4];
	if (*count == 0 || *count > MXG_VERSIONS_MAX)
		return false;
	size_t first = 0; /* of the versions that stand or stood */
	for (size_t i = 0; i < *count; i++) {
		if (!read_version(value, len, &at, &versions[i]) || !times_hold(&versions[i]))
			return false;
		if (versions[i].refused) {
			first = 1;
			if (i != 0 || versions[i].superseded != 0)
				return false;
		} else if (i > first &&
			   (versions[i].superseded == 0 || versions[i].superseded > versions[i - 1].from)) {
			return false;
		}
	}
	/* it is refused for what stands */
	return at == len && (first == 0 || (*count > 1 && versions[1].superseded == 0));
}

/* A refresh takes history over from snapshots of other configurations, so what came before
 * require_dnssec or another max_ttl may stand beside what came after it. */
static enum mxg_snapshot_result put_versions(const struct mxguard_snapshot *s, struct mxg_answers *answers, int entry,
					     const struct mxg_snapshot_value *v)
{
	struct mxg_answer versions[MXG_VERSIONS_MAX];
	enum mxg_snapshot_result result = MXG_SNAPSHOT_ABSENT;
	size_t count;
	if (!mxg_snapshot_versions_read(v->bytes, v->len, versions, &count))
		return MXG_SNAPSHOT_DAMAGED;
	for (size_t i = 0; i < count; i++) {
		if (s->rules.need_ad && !versions[i].ad)
			continue;
		versions[i].ttl = mxg_capped_ttl(versions[i].kind, versions[i].ttl, s->rules.max_ttl);
		if (!mxg_answers_put_version(answers, entry, &versions[i]))
			return MXG_SNAPSHOT_NOMEM;
		if (!versions[i].refused)
			result = MXG_SNAPSHOT_FOUND;
	}
	return result;
}

enum mxg_snapshot_result mxg_snapshot_load(const struct mxguard_snapshot *s, struct mxg_answers *answers, int entry)
{
	const struct mxg_question *q = mxg_answers_question(answers, entry);
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'Q' };
	size_t key_len = 3u + q->name.len;
	struct mxg_snapshot_value v;
	mxg_put16(key + 1, q->type);
	memcpy(key + 3, q->name.wire, q->name.len);
	const struct mxg_cached *c = find_cached(s, key, key_len);
	if (c != NULL) {
		v.bytes = c->bytes + key_len;
		v.len = c->len;
		return put_versions(s, answers, entry, &v);
	}
	enum mxg_snapshot_result r = mxg_snapshot_find(s, key, key_len, &v);
	if (r == MXG_SNAPSHOT_FOUND)
		r = crc_holds(key, key_len, &v) ? put_versions(s, answers, entry, &v) : MXG_SNAPSHOT_DAMAGED;
	if (r == MXG_SNAPSHOT_FOUND)
		put_cached(s, key, key_len, &v);
	free(v.heap);
	return r;
}

unsigned mxg_snapshot_alarms(const struct mxg_answers *answers, int entry, bool *held)
{
	const struct mxg_answer *versions, *refused = mxg_answers_refused(answers, entry);
	unsigned alarms = refused == NULL ? 0 : refused->alarms;
	if (mxg_answers_versions(answers, entry, &versions) > 0 && versions[0].superseded == 0)
		alarms |= versions[0].alarms;
	*held = refused != NULL;
	return alarms;
}

int mxg_snapshot_has_domain(const struct mxguard_snapshot *s, const char *domain, size_t len)
{
	uint8_t key[MXG_SNAPSHOT_KEY_MAX] = { 'D' };
	struct mxg_snapshot_value v;
	if (len > 255)
		return 0;
	memcpy(key + 1, domain, len);
	enum mxg_snapshot_result r = mxg_snapshot_find(s, key, len + 1, &v);
	if (r == MXG_SNAPSHOT_FOUND && (v.len != MXG_SNAPSHOT_DOMAIN_SIZE || !crc_holds(key, len + 1, &v)))
		r = MXG_SNAPSHOT_DAMAGED;
	bool ours = r == MXG_SNAPSHOT_FOUND && v.bytes[4] != 0;
	free(v.heap);
	if (r == MXG_SNAPSHOT_FOUND)
		return ours;
	return r == MXG_SNAPSHOT_ABSENT && bucket_holds(s, mxg_cdb_hash(key, len + 1)) ? 0 : -1;
}
