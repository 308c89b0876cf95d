/* SPDX-License-Identifier: MIT */
/* Hosts that came past the gateways: most of them once. */
#include <stdlib.h>

#include "report/room.h"
#include "report/state.h"

uint64_t mxg_state_address_hash(const struct mxg_address *a)
{
	uint64_t hash = mxg_address_half(a, 0) * UINT64_C(0x9e3779b97f4a7c15) ^ mxg_address_half(a, 1) ^ a->family;
	hash = (hash ^ hash >> 32) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 29;
}

/* The place is used again where the next one fits; so a host has a few at most. */
bool mxg_state_sample(struct mxg_report_state *s, struct mxg_peer_state *p, const char *text, size_t len)
{
	if (p->sample == NULL || len >= p->sample_room) {
		size_t room = (len + 8) & ~(size_t)7;
		char *place = mxg_text_room(&s->samples, room);
		if (place == NULL)
			return false;
		p->sample = place;
		p->sample_room = (uint8_t)room;
	}
	memcpy(p->sample, text, len);
	p->sample[len] = '\0';
	return true;
}

/* ---- too many of them ------------------------------------------------------------------------------------- */

static void free_peer(struct mxg_peer_state *p)
{
	mxg_least_free(&p->senders);
	mxg_least_free(&p->recipients);
	mxg_least_free(&p->days);
	if (p->domain_room > 0)
		free(p->more);
}

void mxg_state_clear_peers(struct mxg_report_state *s)
{
	for (size_t i = 0; i < s->peer_count; i++)
		free_peer(&s->peers[i]);
	mxg_texts_clear(&s->samples);
	mxg_room_free(s->peers, MXG_REPORT_PEERS * sizeof(*s->peers));
	mxg_index_free(&s->peer_index);
}

/* The smallest count that at least a quarter of the peers do not exceed. */
static uint64_t least_messages(const uint64_t *counts, size_t count)
{
	uint64_t low = 1, high = UINT64_MAX;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		size_t over = 0;
		for (size_t i = 0; i < count; i++)
			over += counts[i] > middle;
		if (over > count * 3 / 4)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* False: out of memory. */
static bool drop_least(struct mxg_report_state *s)
{
	uint64_t *counts = mxg_room_new(s->peer_count * sizeof(*counts));
	size_t kept = 0, size = s->peer_count * sizeof(*counts);
	if (counts == NULL)
		return false;
	for (size_t i = 0; i < s->peer_count; i++)
		counts[i] = s->peers[i].messages;
	uint64_t least = least_messages(counts, s->peer_count);
	mxg_room_free(counts, size);
	for (size_t i = 0; i < s->peer_count; i++)
		if (s->peers[i].messages > least)
			s->peers[kept++] = s->peers[i];
		else
			free_peer(&s->peers[i]);
	s->peer_count = kept;
	return true;
}

/* Memory that is given back and asked for again costs more than all else that is done here. */
static bool move_samples(struct mxg_report_state *s)
{
	size_t size = 1, at = 0;
	for (size_t i = 0; i < s->peer_count; i++)
		size += s->peers[i].sample == NULL ? 0 : s->peers[i].sample_room;
	char *copy = mxg_room_new(size);
	if (copy == NULL)
		return false;
	for (size_t i = 0; i < s->peer_count; i++)
		if (s->peers[i].sample != NULL)
			at = (size_t)(stpcpy(copy + at, s->peers[i].sample) + 1 - copy);
	mxg_texts_reset(&s->samples);
	at = 0;
	bool good = true;
	for (size_t i = 0; i < s->peer_count; i++) {
		struct mxg_peer_state *p = &s->peers[i];
		size_t len = strlen(copy + at);
		if (p->sample == NULL)
			continue;
		p->sample = NULL;
		good = mxg_state_sample(s, p, copy + at, len) && good;
		at += len + 1;
	}
	mxg_room_free(copy, size);
	return good;
}

static bool index_peers(struct mxg_report_state *s)
{
	mxg_index_empty(&s->peer_index);
	for (size_t i = 0; i < s->peer_count; i++) {
		uint64_t hash = mxg_state_address_hash(&s->peers[i].address);
		uint32_t number = 0;
		if (!mxg_index_widen(&s->peer_index, i))
			return false;
		size_t at = mxg_index_place(&s->peer_index, hash);
		while (at = mxg_index_look(&s->peer_index, hash, at, &number), number != UINT32_MAX)
			at++;
		mxg_index_set(&s->peer_index, at, hash, i);
	}
	return true;
}

/* Where there are too many, those that sent least go: spammers' hosts mostly come once. */
static bool thin(struct mxg_report_state *s)
{
	s->cut = true;
	return drop_least(s) && move_samples(s) && index_peers(s);
}

/* ---- one of them -------------------------------------------------------------------------------------------- */

static bool has_room(struct mxg_report_state *s)
{
	if (s->peers == NULL)
		s->peers = mxg_room_new(MXG_REPORT_PEERS * sizeof(*s->peers));
	return s->peers != NULL && (s->peer_count < MXG_REPORT_PEERS || thin(s)) &&
	       mxg_index_widen(&s->peer_index, s->peer_count);
}

uint32_t mxg_state_peer(struct mxg_report_state *s, const struct mxg_address *address)
{
	uint64_t hash = mxg_state_address_hash(address);
	if (!has_room(s)) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = mxg_index_look(&s->peer_index, hash, mxg_index_place(&s->peer_index, hash), &number);
	for (; number != UINT32_MAX; at = mxg_index_look(&s->peer_index, hash, at + 1, &number))
		if (mxg_address_equal(&s->peers[number].address, address))
			return number;
	s->peers[s->peer_count] = (struct mxg_peer_state){ .address = *address, .sample_rank = UINT64_MAX };
	mxg_index_set(&s->peer_index, at, hash, s->peer_count);
	return (uint32_t)s->peer_count++;
}

static bool more_room(struct mxg_peer_state *p)
{
	uint32_t room = p->domain_room == 0 ? 4 : p->domain_room * 2, one = p->one;
	if (p->domain_count == 0 || p->domain_count < p->domain_room)
		return true;
	uint32_t *more = reallocarray(p->domain_room == 0 ? NULL : p->more, room, sizeof(*more));
	if (more == NULL)
		return false;
	if (p->domain_room == 0)
		more[0] = one;
	p->more = more;
	p->domain_room = room;
	return true;
}

/* False: out of memory. */
bool mxg_state_peer_domain(struct mxg_report_state *s, struct mxg_peer_state *p, uint32_t domain)
{
	uint32_t low = 0, high = p->domain_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (mxg_peer_domains(p)[middle] < domain)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < p->domain_count && mxg_peer_domains(p)[low] == domain)
		return true;
	if (p->domain_count == MXG_PEER_DOMAINS) {
		p->more_domains = s->cut = true;
		return true;
	}
	if (!more_room(p))
		return false;
	uint32_t *domains = p->domain_room == 0 ? &p->one : p->more;
	memmove(domains + low + 1, domains + low, (p->domain_count - low) * sizeof(*domains));
	domains[low] = domain;
	p->domain_count++;
	return true;
}
