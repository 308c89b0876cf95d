/* SPDX-License-Identifier: MIT */
/*
 * Values that have been read and believed, for those who keep a snapshot open: the records of filter vendors, which
 * every decision wants, and of the domains that get the most mail. Each key has one place, and takes it from whatever
 * lies there. A place is used by one at a time, and nobody waits: who finds it taken reads the file.
 */
#include <stdlib.h>
#include <string.h>

#include "snapshot/internal.h"

#define SHELVES 64u /* each made when it is wanted first: a process that decides once needs two or three */
#define PLACES 128u /* of each */
#define VALUE_MAX 4096u /* with both, what it can grow to; nearly all values have less than 200 bytes */

struct cached {
	size_t key_len, len;
	uint8_t bytes[]; /* the key, then the value */
};

struct place {
	atomic_bool taken;
	struct cached *cached;
};

struct shelf {
	struct place places[PLACES];
};

struct mxg_cache {
	_Atomic(struct shelf *) shelves[SHELVES];
};

struct mxg_cache *mxg_cache_new(void)
{
	return calloc(1, sizeof(struct mxg_cache));
}

void mxg_cache_free(struct mxg_cache *cache)
{
	for (size_t i = 0; cache != NULL && i < SHELVES; i++) {
		struct shelf *shelf = atomic_load_explicit(&cache->shelves[i], memory_order_relaxed);
		for (size_t n = 0; shelf != NULL && n < PLACES; n++)
			free(shelf->places[n].cached);
		free(shelf);
	}
	free(cache);
}

/* cdb's hash is weak in its low bits where keys differ at their end alone. */
static uint32_t spread(uint32_t hash)
{
	return (uint32_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* NULL: there is no such shelf yet. */
static struct place *place_of(struct mxg_cache *cache, uint32_t hash)
{
	uint32_t at = spread(hash);
	struct shelf *shelf =
		cache == NULL ? NULL : atomic_load_explicit(&cache->shelves[at % SHELVES], memory_order_acquire);
	return shelf == NULL ? NULL : &shelf->places[at / SHELVES % PLACES];
}

static struct place *make_place(struct mxg_cache *cache, uint32_t hash)
{
	struct shelf *none = NULL, *shelf = cache == NULL ? NULL : calloc(1, sizeof(*shelf));
	if (shelf == NULL)
		return NULL;
	if (!atomic_compare_exchange_strong_explicit(&cache->shelves[spread(hash) % SHELVES], &none, shelf,
						     memory_order_acq_rel, memory_order_acquire))
		free(shelf);
	return place_of(cache, hash);
}

static bool take(struct place *place)
{
	return place != NULL && !atomic_exchange_explicit(&place->taken, true, memory_order_acquire);
}

static void give_back(struct place *place)
{
	atomic_store_explicit(&place->taken, false, memory_order_release);
}

bool mxg_cache_take(struct mxg_cache *cache, uint32_t hash, const uint8_t *key, size_t key_len,
		    struct mxg_snapshot_value *v)
{
	struct place *place = place_of(cache, hash);
	if (!take(place))
		return false;
	const struct cached *c = place->cached;
	if (c != NULL && c->key_len == key_len && memcmp(c->bytes, key, key_len) == 0) {
		v->heap = NULL;
		v->bytes = c->bytes + key_len;
		v->len = c->len;
		return true;
	}
	give_back(place);
	return false;
}

void mxg_cache_give_back(struct mxg_cache *cache, uint32_t hash)
{
	give_back(place_of(cache, hash));
}

void mxg_cache_put(struct mxg_cache *cache, uint32_t hash, const uint8_t *key, size_t key_len,
		   const struct mxg_snapshot_value *v)
{
	struct cached *c = v->len > VALUE_MAX ? NULL : malloc(sizeof(*c) + key_len + v->len);
	struct place *place = c == NULL ? NULL : place_of(cache, hash);
	if (c != NULL && place == NULL)
		place = make_place(cache, hash);
	if (!take(place)) {
		free(c);
		return;
	}
	c->key_len = key_len;
	c->len = v->len;
	memcpy(c->bytes, key, key_len);
	memcpy(c->bytes + key_len, v->bytes, v->len);
	free(place->cached);
	place->cached = c;
	give_back(place);
}
