/* SPDX-License-Identifier: MIT */
#include "report/seen.h"

#include <stdlib.h>
#include <string.h>

#include "report/room.h"

#define BACK 60 /* seconds that lines of one stretch may be out of order */
#define CHUNK 262144 /* hashes: as much as a large page holds */
#define SECONDS 2 /* lines are put together by four seconds */

/* The lines of one second (or four) in one stretch; `from` and `count` in the run of hashes. A second may have
 * several, where lines are out of order. */
struct group {
	int64_t second;
	uint32_t stretch, count;
	size_t from;
	uint32_t next; /* of the same second; number + 1 */
};

struct mxg_seen {
	uint64_t **chunks;
	size_t chunk_count, lines, most;
	struct group *groups;
	uint32_t group_count;
	size_t group_room;
	uint32_t *slots; /* of seconds: number of the newest group + 1 */
	size_t slot_room, seconds;
	uint32_t stretch, open; /* open: number + 1 of the group that grows */
	bool others; /* other groups have its second */
	int64_t latest;
	bool gave_up;
};

struct mxg_seen *mxg_seen_new(size_t most)
{
	struct mxg_seen *s = calloc(1, sizeof(*s));
	if (s != NULL) {
		s->most = most;
		s->latest = INT64_MIN;
	}
	return s;
}

static void drop_all(struct mxg_seen *s)
{
	for (size_t i = 0; i < s->chunk_count; i++)
		mxg_room_free(s->chunks[i], CHUNK * sizeof(uint64_t));
	free(s->chunks);
	mxg_room_free(s->groups, s->group_room * sizeof(*s->groups));
	mxg_room_free(s->slots, s->slot_room * sizeof(*s->slots));
	s->group_room = s->slot_room = 0;
	s->chunks = NULL;
	s->groups = NULL;
	s->slots = NULL;
	s->chunk_count = 0;
}

void mxg_seen_free(struct mxg_seen *s)
{
	if (s == NULL)
		return;
	drop_all(s);
	free(s);
}

bool mxg_seen_gave_up(const struct mxg_seen *s)
{
	return s->gave_up;
}

void mxg_seen_stretch(struct mxg_seen *s)
{
	s->stretch++;
	s->open = 0;
	s->latest = INT64_MIN;
}

static uint32_t *slot_of(uint32_t *slots, size_t room, const struct group *groups, int64_t second)
{
	size_t at = ((uint64_t)second * UINT64_C(0x9e3779b97f4a7c15) >> 24) & (room - 1);
	while (slots[at] != 0 && groups[slots[at] - 1].second != second)
		at = (at + 1) & (room - 1);
	return &slots[at];
}

static bool widen_slots(struct mxg_seen *s)
{
	size_t room = s->slot_room == 0 ? 4096 : s->slot_room * 2;
	uint32_t *slots = mxg_room_new(room * sizeof(*slots));
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < s->slot_room; i++)
		if (s->slots[i] != 0)
			*slot_of(slots, room, s->groups, s->groups[s->slots[i] - 1].second) = s->slots[i];
	mxg_room_free(s->slots, s->slot_room * sizeof(*slots));
	s->slots = slots;
	s->slot_room = room;
	return true;
}

static bool open_group(struct mxg_seen *s, int64_t second)
{
	if ((s->seconds + 1) * 2 > s->slot_room && !widen_slots(s))
		return false;
	if (s->group_count == s->group_room && !mxg_room_wider((void **)&s->groups, &s->group_room, sizeof(*s->groups)))
		return false;
	uint32_t *slot = slot_of(s->slots, s->slot_room, s->groups, second);
	s->groups[s->group_count] =
		(struct group){ .second = second, .stretch = s->stretch, .from = s->lines, .next = *slot };
	s->seconds += *slot == 0;
	s->others = false;
	for (uint32_t g = *slot; g != 0 && !s->others; g = s->groups[g - 1].next)
		s->others = s->groups[g - 1].stretch != s->stretch;
	*slot = s->open = ++s->group_count;
	return true;
}

static uint64_t hash_at(const struct mxg_seen *s, size_t i)
{
	return s->chunks[i / CHUNK][i % CHUNK];
}

/* How often the stretch of *g has said it. Stretches follow one another, and so do the groups of each: *g is
 * then that of the next. */
static size_t times_said(const struct mxg_seen *s, uint32_t *g, uint64_t hash)
{
	uint32_t stretch = s->groups[*g - 1].stretch;
	size_t n = 0;
	for (; *g != 0 && s->groups[*g - 1].stretch == stretch; *g = s->groups[*g - 1].next) {
		const struct group *group = &s->groups[*g - 1];
		for (size_t i = 0; i < group->count; i++)
			n += hash_at(s, group->from + i) == hash;
	}
	return n;
}

/* Whether another stretch has said it more often than this one until now. */
static bool is_known(const struct mxg_seen *s, uint64_t hash)
{
	uint32_t g = *slot_of(s->slots, s->slot_room, s->groups, s->groups[s->open - 1].second);
	size_t own = times_said(s, &g, hash); /* the newest groups are those of the open one's stretch */
	while (g != 0)
		if (times_said(s, &g, hash) > own)
			return true;
	return false;
}

static bool keep(struct mxg_seen *s, uint64_t hash)
{
	if (s->lines == s->chunk_count * CHUNK) {
		uint64_t **chunks = reallocarray(s->chunks, s->chunk_count + 1, sizeof(*chunks));
		if (chunks == NULL)
			return false;
		s->chunks = chunks;
		chunks[s->chunk_count] = mxg_room_new(CHUNK * sizeof(uint64_t));
		if (chunks[s->chunk_count] == NULL)
			return false;
		s->chunk_count++;
	}
	s->chunks[s->lines / CHUNK][s->lines % CHUNK] = hash;
	s->lines++;
	s->groups[s->open - 1].count++;
	return true;
}

bool mxg_seen_line(struct mxg_seen *s, int64_t time, uint64_t hash)
{
	int64_t second = time >> SECONDS;
	if (s->gave_up || time == 0)
		return false;
	if (s->latest != INT64_MIN && time < s->latest - BACK)
		mxg_seen_stretch(s);
	s->latest = time > s->latest ? time : s->latest;
	bool good = s->lines < s->most;
	if (good && (s->open == 0 || s->groups[s->open - 1].second != second))
		good = open_group(s, second);
	bool known = good && s->others && is_known(s, hash);
	if (good && keep(s, hash))
		return known;
	s->gave_up = true;
	drop_all(s);
	return false;
}
