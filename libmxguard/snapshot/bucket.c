/* SPDX-License-Identifier: MIT */
/* The 256 hash tables of a snapshot: where a key would be, and what a "no" of theirs is worth. */
#include <stdlib.h>

#include "snapshot/internal.h"

/*
 * Of a table that was looked at: which hashes may be in it. Who keeps a newer part open beside a large snapshot would
 * else read it in vain for nearly every key. BITS_A_SLOT bits for each slot, of which half are used: one in 16 of those
 * that are not there is looked for in the file all the same.
 */
#define BITS_A_SLOT 8u
#define BITS_MOST (1u << 19)

struct mxg_bucket_filter {
	uint32_t bits; /* a power of two */
	uint8_t bytes[];
};

bool mxg_bucket_find(const struct mxguard_snapshot *s, uint32_t hash, struct mxg_bucket *out)
{
	const uint8_t *p = s->table + (hash & 0xff) * 8;
	out->at = mxg_get32le(p);
	out->slots = mxg_get32le(p + 4);
	if (out->slots == 0)
		return true;
	return out->at >= MXG_CDB_TABLE_SIZE && out->at <= s->size && out->slots <= (s->size - out->at) / 8;
}

/* cdb takes the low bits for the table, and the higher ones for the slot. */
static uint32_t bit_of(const struct mxg_bucket_filter *f, uint32_t hash)
{
	return (hash * 0x9e3779b1u >> 8) & (f->bits - 1);
}

static struct mxg_bucket_filter *new_filter(uint32_t slots)
{
	uint32_t bits = 8;
	while (bits < (uint64_t)slots * BITS_A_SLOT && bits < BITS_MOST)
		bits *= 2;
	struct mxg_bucket_filter *f = calloc(1, sizeof(*f) + bits / 8);
	if (f != NULL)
		f->bits = bits;
	return f;
}

static void note_slots(struct mxg_bucket_filter *f, const uint8_t *slots, size_t size)
{
	for (size_t i = 0; f != NULL && i + 8 <= size; i += 8) {
		if (mxg_get32le(slots + i + 4) == 0)
			continue;
		uint32_t bit = bit_of(f, mxg_get32le(slots + i));
		f->bytes[bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

/* All of the table, against its checksum. */
static bool read_bucket(const struct mxguard_snapshot *s, uint32_t hash, const struct mxg_bucket *b,
			struct mxg_bucket_filter *filter)
{
	uint8_t piece[8192];
	uint32_t crc = 0;
	for (uint64_t left = (uint64_t)b->slots * 8, at = b->at; left > 0;) {
		size_t n = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		if (!mxg_snapshot_read_at(s, piece, n, at))
			return false;
		crc = mxg_crc32(crc, piece, n);
		note_slots(filter, piece, n);
		at += n;
		left -= n;
	}
	return crc == mxg_get32(s->header + MXG_SNAPSHOT_AT_BUCKET_CRC + (hash & 0xff) * 4);
}

static void put_filter(const struct mxguard_snapshot *s, uint32_t hash, struct mxg_bucket_filter *f)
{
	struct mxg_bucket_filter *none = NULL;
	if (f != NULL && !atomic_compare_exchange_strong_explicit(&s->filters->of[hash & 0xff], &none, f,
								  memory_order_release, memory_order_relaxed))
		free(f);
}

/* Looked at once for each who holds the snapshot open. */
bool mxg_bucket_holds(const struct mxguard_snapshot *s, uint32_t hash)
{
	atomic_uint *checked = (atomic_uint *)(uintptr_t)&s->checked[(hash & 0xff) / 32];
	unsigned bit = 1u << (hash & 31);
	struct mxg_bucket b;
	if ((atomic_load_explicit(checked, memory_order_relaxed) & bit) != 0)
		return true;
	if (!mxg_bucket_find(s, hash, &b))
		return false;
	struct mxg_bucket_filter *f = s->filters == NULL ? NULL : new_filter(b.slots);
	if (!read_bucket(s, hash, &b, f)) {
		free(f);
		return false;
	}
	put_filter(s, hash, f);
	atomic_fetch_or_explicit(checked, bit, memory_order_relaxed);
	return true;
}

bool mxg_bucket_may_have(const struct mxguard_snapshot *s, uint32_t hash)
{
	if (s->filters == NULL)
		return true;
	const struct mxg_bucket_filter *f = atomic_load_explicit(&s->filters->of[hash & 0xff], memory_order_acquire);
	uint32_t bit = f == NULL ? 0 : bit_of(f, hash);
	return f == NULL || (f->bytes[bit / 8] >> bit % 8 & 1) != 0;
}

void mxg_bucket_filters_free(struct mxg_bucket_filters *filters)
{
	for (size_t i = 0; filters != NULL && i < 256; i++)
		free(atomic_load_explicit(&filters->of[i], memory_order_relaxed));
	free(filters);
}
