/* SPDX-License-Identifier: MIT */
/* Where the state finds what it counts. */
#include <stdlib.h>
#include <strings.h>

#include "report/room.h"
#include "report/state.h"

#define PAIRS_MAX 2000000
#define DAYS_MAX 4000000

static uint64_t hash_of_pair(uint32_t domain, const struct mxg_address *host)
{
	return mxg_state_address_hash(host) ^ domain * UINT64_C(0xff51afd7ed558ccd);
}

static uint64_t hash_of_day(uint32_t domain, int32_t day)
{
	return ((uint64_t)domain << 32 | (uint32_t)day) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
	return count < *room || mxg_room_wider(items, room, size);
}

/* Names are kept in lower case. */
static bool is_name(const struct mxg_domain_state *d, const char *name, size_t len, uint64_t hash)
{
	return d->hash == hash && d->len == len &&
	       (memcmp(d->name, name, len) == 0 || strncasecmp(d->name, name, len) == 0);
}

static char *lower_copy(struct mxg_report_state *s, const char *name, size_t len)
{
	char *copy = mxg_text_room(&s->names, len + 1);
	for (size_t i = 0; copy != NULL && i < len; i++)
		copy[i] = (char)(name[i] | (name[i] >= 'A' && name[i] <= 'Z' ? 0x20 : 0));
	if (copy != NULL)
		copy[len] = '\0';
	return copy;
}

uint32_t mxg_state_domain(struct mxg_report_state *s, const char *name, size_t len, uint64_t hash)
{
	if (!mxg_index_widen(&s->domain_index, s->domain_count) ||
	    !grow((void **)&s->domains, &s->domain_room, s->domain_count, sizeof(*s->domains))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = mxg_index_look(&s->domain_index, hash, mxg_index_place(&s->domain_index, hash), &number);
	for (; number != UINT32_MAX; at = mxg_index_look(&s->domain_index, hash, at + 1, &number))
		if (is_name(&s->domains[number], name, len, hash))
			return number;
	char *copy = s->domain_count < MXG_REPORT_DOMAINS ? lower_copy(s, name, len) : NULL;
	if (copy == NULL) {
		s->cut |= s->domain_count >= MXG_REPORT_DOMAINS;
		s->nomem |= s->domain_count < MXG_REPORT_DOMAINS;
		return UINT32_MAX;
	}
	s->domains[s->domain_count] = (struct mxg_domain_state){ .name = copy, .len = len, .hash = hash };
	s->domains[s->domain_count].watched = s->watch != NULL && s->watch(s->watch_context, copy);
	mxg_index_set(&s->domain_index, at, hash, s->domain_count);
	return (uint32_t)s->domain_count++;
}

uint32_t mxg_state_pair(struct mxg_report_state *s, uint32_t domain, const struct mxg_address *host)
{
	uint64_t hash = hash_of_pair(domain, host);
	if (!mxg_index_widen(&s->pair_index, s->pair_count) ||
	    !grow((void **)&s->pairs, &s->pair_room, s->pair_count, sizeof(*s->pairs))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = mxg_index_look(&s->pair_index, hash, mxg_index_place(&s->pair_index, hash), &number);
	for (; number != UINT32_MAX; at = mxg_index_look(&s->pair_index, hash, at + 1, &number))
		if (s->pairs[number].domain == domain && mxg_address_equal(&s->pairs[number].host, host))
			return number;
	if (s->pair_count == PAIRS_MAX) {
		s->cut = true;
		return UINT32_MAX;
	}
	s->pairs[s->pair_count] = (struct mxg_pair_state){ .domain = domain, .host = *host };
	mxg_index_set(&s->pair_index, at, hash, s->pair_count);
	return (uint32_t)s->pair_count++;
}

uint32_t mxg_state_day(struct mxg_report_state *s, uint32_t domain, int32_t day)
{
	uint64_t hash = hash_of_day(domain, day);
	if (!mxg_index_widen(&s->day_index, s->day_count) ||
	    !grow((void **)&s->days, &s->day_room, s->day_count, sizeof(*s->days))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = mxg_index_look(&s->day_index, hash, mxg_index_place(&s->day_index, hash), &number);
	for (; number != UINT32_MAX; at = mxg_index_look(&s->day_index, hash, at + 1, &number))
		if (s->days[number].domain == domain && s->days[number].day == day)
			return number;
	if (s->day_count == DAYS_MAX) {
		s->cut = true;
		return UINT32_MAX;
	}
	s->days[s->day_count] = (struct mxg_day_state){ .domain = domain, .day = day };
	mxg_index_set(&s->day_index, at, hash, s->day_count);
	return (uint32_t)s->day_count++;
}

static size_t place_of_date(const struct mxg_report_state *s, int32_t day)
{
	size_t low = 0, high = s->date_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->dates[middle].day < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct mxg_date_state *mxg_state_date(struct mxg_report_state *s, int32_t day)
{
	if (s->date_last < s->date_count && s->dates[s->date_last].day == day)
		return &s->dates[s->date_last];
	size_t at = place_of_date(s, day);
	s->date_last = at;
	if (at < s->date_count && s->dates[at].day == day)
		return &s->dates[at];
	s->cut |= s->date_count == MXG_REPORT_DATES;
	if (s->date_count == MXG_REPORT_DATES)
		return NULL;
	if (!grow((void **)&s->dates, &s->date_room, s->date_count, sizeof(*s->dates))) {
		s->nomem = true;
		return NULL;
	}
	memmove(&s->dates[at + 1], &s->dates[at], (s->date_count - at) * sizeof(*s->dates));
	s->dates[at] = (struct mxg_date_state){ .day = day };
	s->date_count++;
	return &s->dates[at];
}

/* The number, made where it is new. */
uint16_t mxg_state_reason(struct mxg_report_state *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->reason_count; i++)
		if (s->reasons[i].len == len && memcmp(s->reasons[i].name, name, len) == 0)
			return (uint16_t)i;
	bool last = s->reason_count == MXG_REPORT_REASONS - 1;
	if (s->reason_count == MXG_REPORT_REASONS)
		return MXG_REPORT_REASONS - 1;
	size_t i = s->reason_count++;
	const char *kept = last ? "(others)" : name;
	len = last ? strlen(kept) : len < sizeof(s->reasons[i].name) ? len : sizeof(s->reasons[i].name) - 1;
	memcpy(s->reasons[i].name, kept, len);
	s->reasons[i].name[len] = '\0';
	s->reasons[i].len = len;
	s->reasons[i].hash = mxg_line_hash(kept, len);
	return (uint16_t)i;
}

bool mxg_state_held_up(struct mxg_domain_state *d, uint16_t reason, uint64_t count)
{
	struct mxg_count_by_reason *c = d->held_up;
	while (c != NULL && c->reason != reason)
		c = c->next;
	if (c == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return false;
		c->reason = reason;
		c->next = d->held_up;
		d->held_up = c;
	}
	c->count += count;
	return true;
}

void mxg_state_widen(int64_t *first, int64_t *last, int64_t from, int64_t to)
{
	if (from != 0 && (*first == 0 || from < *first))
		*first = from;
	if (to > *last)
		*last = to;
}
