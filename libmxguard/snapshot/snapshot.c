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

/* Reads the record at `at` if it has this key: FOUND, ABSENT where the key is another's. */
static enum mxg_snapshot_result read_record(const struct mxguard_snapshot *s, uint64_t at, const uint8_t *key,
					    size_t key_len, uint32_t hash, struct mxg_snapshot_value *v)
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
		bool other = mxg_cdb_hash(v->first + 8, stored_key) == hash;
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
					     uint32_t hash, struct mxg_snapshot_value *v)
{
	uint8_t slots[SLOTS_AT_ONCE * 8];
	struct mxg_bucket b;
	if (!mxg_bucket_find(s, hash, &b))
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
			enum mxg_snapshot_result r = read_record(s, at, key, key_len, hash, v);
			if (r != MXG_SNAPSHOT_ABSENT)
				return r;
		}
		slot = slot + n == b.slots ? 0 : slot + n;
	}
	return MXG_SNAPSHOT_ABSENT;
}

/* What the newer part should have, and does not, must not be taken from the older one. */
static enum mxg_snapshot_result find(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len,
				     uint32_t hash, struct mxg_snapshot_value *v)
{
	enum mxg_snapshot_result r = MXG_SNAPSHOT_ABSENT;
	v->heap = NULL;
	if (s->since != NULL && mxg_bucket_may_have(s->since, hash)) {
		r = find_in_part(s->since, key, key_len, hash, v);
		if (r == MXG_SNAPSHOT_ABSENT && !mxg_bucket_holds(s->since, hash))
			r = MXG_SNAPSHOT_DAMAGED;
	}
	return r == MXG_SNAPSHOT_ABSENT ? find_in_part(s, key, key_len, hash, v) : r;
}

enum mxg_snapshot_result mxg_snapshot_find(const struct mxguard_snapshot *s, const uint8_t *key, size_t key_len,
					   struct mxg_snapshot_value *v)
{
	return find(s, key, key_len, mxg_cdb_hash(key, key_len), v);
}

bool mxg_snapshot_value_holds(const uint8_t *key, size_t key_len, const uint8_t *value, size_t len)
{
	return len >= 4 && mxg_crc32(mxg_crc32(0, key, key_len), value + 4, len - 4) == mxg_get32(value);
}

static bool crc_holds(const uint8_t *key, size_t key_len, const struct mxg_snapshot_value *v)
{
	return mxg_snapshot_value_holds(key, key_len, v->bytes, v->len);
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
	uint32_t hash = mxg_cdb_hash(key, key_len);
	if (mxg_cache_take(s->cache, hash, key, key_len, &v)) {
		enum mxg_snapshot_result known = put_versions(s, answers, entry, &v);
		mxg_cache_give_back(s->cache, hash);
		return known;
	}
	enum mxg_snapshot_result r = find(s, key, key_len, hash, &v);
	if (r == MXG_SNAPSHOT_FOUND)
		r = crc_holds(key, key_len, &v) ? put_versions(s, answers, entry, &v) : MXG_SNAPSHOT_DAMAGED;
	if (r == MXG_SNAPSHOT_FOUND)
		mxg_cache_put(s->cache, hash, key, key_len, &v);
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
	uint32_t hash = mxg_cdb_hash(key, len + 1);
	bool known = mxg_cache_take(s->cache, hash, key, len + 1, &v);
	enum mxg_snapshot_result r = known ? MXG_SNAPSHOT_FOUND : find(s, key, len + 1, hash, &v);
	if (r == MXG_SNAPSHOT_FOUND && (v.len != MXG_SNAPSHOT_DOMAIN_SIZE || !crc_holds(key, len + 1, &v)))
		r = MXG_SNAPSHOT_DAMAGED;
	bool ours = r == MXG_SNAPSHOT_FOUND && v.bytes[4] != 0;
	if (known)
		mxg_cache_give_back(s->cache, hash);
	else if (r == MXG_SNAPSHOT_FOUND)
		mxg_cache_put(s->cache, hash, key, len + 1, &v);
	free(v.heap);
	if (r == MXG_SNAPSHOT_FOUND)
		return ours;
	return r == MXG_SNAPSHOT_ABSENT && mxg_bucket_holds(s, hash) ? 0 : -1;
}
