/* SPDX-License-Identifier: MIT */
#include "report/sketch.h"

#include <stdlib.h>
#include <string.h>

#include "report/room.h"

static bool widen_least(struct mxg_least *s)
{
	uint8_t room = s->room == 0 ? 4 : (uint8_t)(s->room * 2);
	uint64_t one = s->one, *more = reallocarray(s->room == 0 ? NULL : s->more, room, sizeof(*more));
	if (more == NULL)
		return false;
	if (s->room == 0)
		more[0] = one;
	s->more = more;
	s->room = room;
	return true;
}

/* How many are smaller. Without a branch on what they are, which nothing foretells. */
static size_t smaller(const uint64_t *items, size_t count, uint64_t hash)
{
	const uint64_t *at = items;
	for (size_t half; count > 1; count -= half) {
		half = count / 2;
		at += half & -(size_t)(at[half - 1] < hash);
	}
	return (size_t)(at - items) + (count == 1 && *at < hash);
}

bool mxg_least_add(struct mxg_least *s, uint64_t hash)
{
	uint64_t *items = s->room > 0 ? s->more : &s->one;
	if (s->count == MXG_LEAST_MAX && hash > items[MXG_LEAST_MAX - 1]) {
		s->full = true;
		return true;
	}
	size_t at = smaller(items, s->count, hash);
	if (at < s->count && items[at] == hash)
		return true;
	if (s->count == MXG_LEAST_MAX) {
		s->full = true;
		s->count--;
	} else if (s->count > 0 && s->count >= s->room) {
		if (!widen_least(s))
			return false;
		items = s->more;
	}
	memmove(items + at + 1, items + at, (s->count - at) * sizeof(*items));
	items[at] = hash;
	s->count++;
	return true;
}

bool mxg_least_merge(struct mxg_least *into, const struct mxg_least *from)
{
	into->full |= from->full;
	for (size_t i = 0; i < from->count; i++)
		if (!mxg_least_add(into, mxg_least_items(from)[i]))
			return false;
	return true;
}

uint64_t mxg_least_count(const struct mxg_least *s)
{
	if (!s->full)
		return s->count;
	double share = (double)mxg_least_items(s)[s->count - 1] / 18446744073709551616.0;
	double estimate = (double)(s->count - 1) / share;
	return estimate < 1e15 ? (uint64_t)(estimate + 0.5) : UINT64_C(1000000000000000); /* damaged */
}

void mxg_least_free(struct mxg_least *s)
{
	if (s->room > 0)
		free(s->more);
	*s = (struct mxg_least){ 0 };
}

/* ---- the sample -------------------------------------------------------------------------------------- */

void mxg_sample_init(struct mxg_sample *s, size_t most)
{
	*s = (struct mxg_sample){ .most = most, .limit = UINT64_MAX };
}

static size_t place_of(size_t room, uint64_t hash)
{
	return (hash * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);
}

void mxg_sample_expect(const struct mxg_sample *s, uint64_t hash)
{
	if (s->room > 0)
		__builtin_prefetch(&s->slots[place_of(s->room, hash)]);
}

static uint64_t *slot_of(uint64_t *slots, size_t room, uint64_t hash)
{
	size_t at = place_of(room, hash);
	while (slots[at] != 0 && slots[at] != hash)
		at = (at + 1) & (room - 1);
	return &slots[at];
}

/* Into a table of that size, without what is over the limit. */
static bool rebuild(struct mxg_sample *s, size_t room)
{
	uint64_t *slots = mxg_room_new(room * sizeof(*slots));
	if (slots == NULL)
		return false;
	size_t count = 0;
	for (size_t i = 0; i < s->room; i++)
		if (s->slots[i] != 0 && s->slots[i] <= s->limit) {
			*slot_of(slots, room, s->slots[i]) = s->slots[i];
			count++;
		}
	mxg_room_free(s->slots, s->room * sizeof(*s->slots));
	s->slots = slots;
	s->room = room;
	s->count = count;
	return true;
}

bool mxg_sample_limit(struct mxg_sample *s, uint64_t limit)
{
	if (limit >= s->limit)
		return true;
	s->limit = limit;
	return s->room == 0 || rebuild(s, s->room);
}

bool mxg_sample_add(struct mxg_sample *s, uint64_t hash)
{
	hash |= hash == 0;
	if (hash > s->limit)
		return true;
	if ((s->count + 1) * 2 > s->room && !rebuild(s, s->room == 0 ? 1024 : s->room * 2))
		return false;
	uint64_t *slot = slot_of(s->slots, s->room, hash);
	if (*slot == hash)
		return true;
	*slot = hash;
	s->count++;
	while (s->count > s->most)
		if (!mxg_sample_limit(s, s->limit >> 1))
			return false;
	return true;
}

bool mxg_sample_has(const struct mxg_sample *s, uint64_t hash)
{
	hash |= hash == 0;
	return s->room > 0 && hash <= s->limit && *slot_of(s->slots, s->room, hash) == hash;
}

void mxg_sample_free(struct mxg_sample *s)
{
	mxg_room_free(s->slots, s->room * sizeof(*s->slots));
	s->slots = NULL;
	s->count = s->room = 0;
}
