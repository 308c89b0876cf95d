/* SPDX-License-Identifier: MIT */
#include "report/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "check/reasons.h"

struct mxg_report_state *mxg_report_state_new(void)
{
	struct mxg_report_state *s = calloc(1, sizeof(*s));
	if (s != NULL)
		mxg_sample_init(&s->senders, MXG_REPORT_SENDERS);
	return s;
}

static void free_peer(struct mxg_peer_state *p)
{
	mxg_least_free(&p->senders);
	mxg_least_free(&p->recipients);
	mxg_least_free(&p->days);
	free(p->domains);
	free(p->sample);
}

void mxg_report_state_free(struct mxg_report_state *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->domain_count; i++) {
		struct mxg_domain_state *d = &s->domains[i];
		for (struct mxg_count_by_reason *c = d->held_up, *next; c != NULL; c = next) {
			next = c->next;
			free(c);
		}
		mxg_least_free(&d->recipients);
		free(d->name);
	}
	for (size_t i = 0; i < s->peer_count; i++) {
		free_peer(&s->peers[i]);
	}
	mxg_sample_free(&s->senders);
	free(s->domains);
	free(s->peers);
	free(s->pairs);
	free(s->days);
	free(s->domain_index.slots);
	free(s->peer_index.slots);
	free(s->pair_index.slots);
	free(s->day_index.slots);
	free(s);
}

/* ---- tables --------------------------------------------------------------------------------------------- */

static uint64_t address_hash(const struct mxg_address *a)
{
	uint64_t hash = mxg_address_half(a, 0) * UINT64_C(0x9e3779b97f4a7c15) ^ mxg_address_half(a, 1) ^ a->family;
	hash = (hash ^ hash >> 32) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 29;
}

static uint64_t hash_of_pair(uint32_t domain, const struct mxg_address *host)
{
	return address_hash(host) ^ domain * UINT64_C(0xff51afd7ed558ccd);
}

static uint64_t hash_of_day(uint32_t domain, int32_t day)
{
	return ((uint64_t)domain << 32 | (uint32_t)day) * UINT64_C(0x9e3779b97f4a7c15);
}

/* What stands in a slot above the number: it is also the place, so that a table can be made wider without a
 * look at what it leads to. */
static uint64_t tag_of(uint64_t hash)
{
	return (hash ^ hash >> 32) << 32;
}

static size_t place_of(const struct mxg_index *index, uint64_t tag)
{
	return (tag >> 32) & (index->room - 1);
}

/* Room for one more in the index; false where memory ran out. */
static bool widen_index(struct mxg_index *index, size_t count)
{
	if ((count + 1) * 2 <= index->room)
		return true;
	struct mxg_index wider = { .room = index->room == 0 ? 1024 : index->room * 4 };
	wider.slots = calloc(wider.room, sizeof(*wider.slots));
	if (wider.slots == NULL)
		return false;
	for (size_t i = 0; i < index->room; i++) {
		size_t at = place_of(&wider, index->slots[i]);
		if (index->slots[i] == 0)
			continue;
		while (wider.slots[at] != 0)
			at = (at + 1) & (wider.room - 1);
		wider.slots[at] = index->slots[i];
	}
	free(index->slots);
	*index = wider;
	return true;
}

/* Where to look: the next slot with the tag of the hash, or a free one, where *number is UINT32_MAX. */
static size_t look(const struct mxg_index *index, uint64_t hash, size_t at, uint32_t *number)
{
	uint64_t tag = tag_of(hash);
	for (;; at++) {
		uint64_t slot = index->slots[at & (index->room - 1)];
		*number = (uint32_t)slot - 1;
		if (slot == 0 || (slot ^ tag) >> 32 == 0)
			return at & (index->room - 1);
	}
}

static size_t first_place(const struct mxg_index *index, uint64_t hash)
{
	return place_of(index, tag_of(hash));
}

static void occupy(struct mxg_index *index, size_t at, uint64_t hash, size_t count)
{
	index->slots[at] = tag_of(hash) | count;
}

static bool grow(void **items, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return true;
	size_t more = *room == 0 ? 64 : *room * 2;
	void *bigger = reallocarray(*items, more, size);
	if (bigger == NULL)
		return false;
	*items = bigger;
	*room = more;
	return true;
}

/* Names are kept in lower case. */
static bool is_name(const struct mxg_domain_state *d, const char *name, size_t len, uint64_t hash)
{
	return d->hash == hash && d->len == len &&
	       (memcmp(d->name, name, len) == 0 || strncasecmp(d->name, name, len) == 0);
}

static char *lower_copy(const char *name, size_t len)
{
	char *copy = strndup(name, len);
	for (char *c = copy; c != NULL && *c != '\0'; c++)
		*c = (char)(*c | (*c >= 'A' && *c <= 'Z' ? 0x20 : 0));
	return copy;
}

uint32_t mxg_state_domain(struct mxg_report_state *s, const char *name, size_t len, uint64_t hash)
{
	if (!widen_index(&s->domain_index, s->domain_count) ||
	    !grow((void **)&s->domains, &s->domain_room, s->domain_count, sizeof(*s->domains))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = look(&s->domain_index, hash, first_place(&s->domain_index, hash), &number);
	for (; number != UINT32_MAX; at = look(&s->domain_index, hash, at + 1, &number))
		if (is_name(&s->domains[number], name, len, hash))
			return number;
	char *copy = s->domain_count < MXG_REPORT_DOMAINS ? lower_copy(name, len) : NULL;
	if (copy == NULL) {
		s->cut |= s->domain_count >= MXG_REPORT_DOMAINS;
		s->nomem |= s->domain_count < MXG_REPORT_DOMAINS;
		return UINT32_MAX;
	}
	s->domains[s->domain_count] = (struct mxg_domain_state){ .name = copy, .len = len, .hash = hash };
	s->domains[s->domain_count].watched = s->watch != NULL && s->watch(s->watch_context, copy);
	occupy(&s->domain_index, at, hash, ++s->domain_count);
	return (uint32_t)s->domain_count - 1;
}

static void index_peer(struct mxg_report_state *s, size_t i)
{
	uint64_t hash = address_hash(&s->peers[i].address);
	uint32_t number;
	if (!widen_index(&s->peer_index, i)) {
		s->nomem = true;
		return;
	}
	size_t at = look(&s->peer_index, hash, first_place(&s->peer_index, hash), &number);
	while (number != UINT32_MAX)
		at = look(&s->peer_index, hash, at + 1, &number);
	occupy(&s->peer_index, at, hash, i + 1);
}

/* The smallest count that at least a quarter of the peers do not exceed. */
static uint64_t least_messages(const struct mxg_report_state *s)
{
	uint64_t low = 1, high = UINT64_MAX;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		size_t over = 0;
		for (size_t i = 0; i < s->peer_count; i++)
			over += s->peers[i].messages > middle;
		if (over > s->peer_count * 3 / 4)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where there are too many, those that sent least go: spammers' hosts mostly come once. */
static void thin_peers(struct mxg_report_state *s)
{
	uint64_t least = least_messages(s);
	size_t kept = 0;
	for (size_t i = 0; i < s->peer_count; i++) {
		if (s->peers[i].messages > least) {
			s->peers[kept++] = s->peers[i];
			continue;
		}
		free_peer(&s->peers[i]);
	}
	s->peer_count = kept;
	s->cut = true;
	free(s->peer_index.slots);
	s->peer_index = (struct mxg_index){ 0 };
	for (size_t i = 0; i < kept && !s->nomem; i++)
		index_peer(s, i);
}

uint32_t mxg_state_peer(struct mxg_report_state *s, const struct mxg_address *address)
{
	uint64_t hash = address_hash(address);
	if (s->peer_count == MXG_REPORT_PEERS)
		thin_peers(s);
	if (!widen_index(&s->peer_index, s->peer_count) ||
	    !grow((void **)&s->peers, &s->peer_room, s->peer_count, sizeof(*s->peers))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = look(&s->peer_index, hash, first_place(&s->peer_index, hash), &number);
	for (; number != UINT32_MAX; at = look(&s->peer_index, hash, at + 1, &number))
		if (mxg_address_equal(&s->peers[number].address, address))
			return number;
	s->peers[s->peer_count] = (struct mxg_peer_state){ .address = *address, .sample_rank = UINT64_MAX };
	occupy(&s->peer_index, at, hash, ++s->peer_count);
	return (uint32_t)s->peer_count - 1;
}

#define PAIRS_MAX 2000000
#define DAYS_MAX 4000000

uint32_t mxg_state_pair(struct mxg_report_state *s, uint32_t domain, const struct mxg_address *host)
{
	uint64_t hash = hash_of_pair(domain, host);
	if (!widen_index(&s->pair_index, s->pair_count) ||
	    !grow((void **)&s->pairs, &s->pair_room, s->pair_count, sizeof(*s->pairs))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = look(&s->pair_index, hash, first_place(&s->pair_index, hash), &number);
	for (; number != UINT32_MAX; at = look(&s->pair_index, hash, at + 1, &number))
		if (s->pairs[number].domain == domain && mxg_address_equal(&s->pairs[number].host, host))
			return number;
	if (s->pair_count == PAIRS_MAX) {
		s->cut = true;
		return UINT32_MAX;
	}
	s->pairs[s->pair_count] = (struct mxg_pair_state){ .domain = domain, .host = *host };
	occupy(&s->pair_index, at, hash, ++s->pair_count);
	return (uint32_t)s->pair_count - 1;
}

uint32_t mxg_state_day(struct mxg_report_state *s, uint32_t domain, int32_t day)
{
	uint64_t hash = hash_of_day(domain, day);
	if (!widen_index(&s->day_index, s->day_count) ||
	    !grow((void **)&s->days, &s->day_room, s->day_count, sizeof(*s->days))) {
		s->nomem = true;
		return UINT32_MAX;
	}
	uint32_t number;
	size_t at = look(&s->day_index, hash, first_place(&s->day_index, hash), &number);
	for (; number != UINT32_MAX; at = look(&s->day_index, hash, at + 1, &number))
		if (s->days[number].domain == domain && s->days[number].day == day)
			return number;
	if (s->day_count == DAYS_MAX) {
		s->cut = true;
		return UINT32_MAX;
	}
	s->days[s->day_count] = (struct mxg_day_state){ .domain = domain, .day = day };
	occupy(&s->day_index, at, hash, ++s->day_count);
	return (uint32_t)s->day_count - 1;
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

/* False: out of memory. */
bool mxg_state_peer_domain(struct mxg_report_state *s, struct mxg_peer_state *p, uint32_t domain)
{
	uint32_t low = 0, high = p->domain_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (p->domains[middle] < domain)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < p->domain_count && p->domains[low] == domain)
		return true;
	if (p->domain_count == MXG_PEER_DOMAINS) {
		p->more_domains = s->cut = true;
		return true;
	}
	if (p->domain_count == p->domain_room) {
		uint32_t room = p->domain_room == 0 ? 2 : p->domain_room * 2;
		uint32_t *domains = reallocarray(p->domains, room, sizeof(*domains));
		if (domains == NULL)
			return false;
		p->domains = domains;
		p->domain_room = room;
	}
	memmove(p->domains + low + 1, p->domains + low, (p->domain_count - low) * sizeof(*p->domains));
	p->domains[low] = domain;
	p->domain_count++;
	return true;
}

/* ---- one decision --------------------------------------------------------------------------------------------- */

/* A code that a known one goes on from was cut in the middle. */
static bool is_cut(struct mxg_slice reason)
{
	bool begins = false;
	for (int r = 0;; r++) {
		const char *code = mxg_reason_code((enum mxg_reason)r);
		size_t len = strlen(code);
		if (len == reason.len && memcmp(code, reason.at, len) == 0)
			return false;
		begins |= len > reason.len && memcmp(code, reason.at, reason.len) == 0;
		if (r == MXG_REASON_OUT_OF_MEMORY)
			return begins;
	}
}

static bool reason_of(struct mxg_report_state *s, struct mxg_slice reason, uint16_t *out)
{
	for (size_t i = 0; i < s->reason_count; i++)
		if (s->reasons[i].len == reason.len && memcmp(s->reasons[i].name, reason.at, reason.len) == 0) {
			*out = (uint16_t)i;
			return true;
		}
	if (is_cut(reason))
		return false;
	*out = mxg_state_reason(s, reason.at, reason.len);
	return true;
}

static bool set_sample(struct mxg_peer_state *p, const struct mxg_decision *d)
{
	char text[MXG_SAMPLE_MAX];
	if (d->hash >= p->sample_rank)
		return true;
	const struct mxg_slice id = d->id.len > 0 ? d->id : d->msgid;
	snprintf(text, sizeof(text), "from=<%.*s> rcpt=<%.*s> id=<%.*s>", (int)(d->from.len < 44 ? d->from.len : 44),
		 d->from.at, (int)(d->rcpt.len < 44 ? d->rcpt.len : 44), d->rcpt.at, (int)(id.len < 40 ? id.len : 40),
		 id.at);
	for (char *c = text; *c != '\0'; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c; /* of a damaged line: JSON would not take it */
	free(p->sample);
	p->sample = strdup(text);
	p->sample_rank = d->hash;
	return p->sample != NULL;
}

static void count_watched(struct mxg_report_state *s, const struct mxg_decision *d, uint32_t domain,
			  const struct mxg_address *host, bool direct)
{
	uint32_t number = mxg_state_pair(s, domain, host);
	if (number != UINT32_MAX) {
		struct mxg_pair_state *p = &s->pairs[number];
		p->direct += direct ? d->repeat : 0;
		p->via += direct ? 0 : d->repeat;
		if (direct)
			mxg_state_widen(&p->first_direct, &p->last_direct, d->time, d->time);
		else if (d->time != 0 && (p->first_via == 0 || d->time < p->first_via))
			p->first_via = d->time;
	}
	number = direct && d->time > 0 ? mxg_state_day(s, domain, (int32_t)(d->time / 86400)) : UINT32_MAX;
	if (number != UINT32_MAX) {
		s->days[number].direct += d->repeat;
		s->days[number].seconds += (uint64_t)(d->time % 86400) * d->repeat;
	}
}

static void count_direct(struct mxg_report_state *s, const struct mxg_decision *d, uint32_t domain, bool refused)
{
	s->domains[domain].refused += refused ? d->repeat : 0;
	if (d->peer.family == 0)
		return;
	uint32_t number = mxg_state_peer(s, &d->peer);
	if (number == UINT32_MAX)
		return;
	struct mxg_peer_state *p = &s->peers[number];
	p->messages += d->repeat;
	mxg_state_widen(&p->first, &p->last, d->time, d->time);
	mxg_state_peer_domain(s, p, domain);
	s->nomem |=
		(d->sender_hash != 0 && !mxg_least_add(&p->senders, d->sender_hash)) ||
		!mxg_least_add(&p->recipients, d->rcpt_hash) ||
		(d->time > 0 && !mxg_least_add(&p->days, (uint64_t)(d->time / 86400) * UINT64_C(0x9e3779b97f4a7c15)));
	s->nomem |= !set_sample(p, d);
	if (s->domains[domain].watched)
		count_watched(s, d, domain, &d->peer, true);
}

static void count_authorized(struct mxg_report_state *s, const struct mxg_decision *d, uint32_t domain)
{
	struct mxg_address origin;
	s->nomem |= (d->sender_hash != 0 && !mxg_sample_add(&s->senders, d->sender_hash)) ||
		    !mxg_least_add(&s->domains[domain].recipients, d->rcpt_hash);
	if (s->domains[domain].watched && d->origin.len > 1 &&
	    mxg_address_parse(&origin, d->origin.at, d->origin.len, MXG_ADDRESS_BARE))
		count_watched(s, d, domain, &origin, false);
}

static void count_domain(struct mxg_report_state *s, const struct mxg_decision *d, uint16_t reason)
{
	uint32_t domain = mxg_state_domain(s, d->domain.at, d->domain.len, d->domain_hash);
	if (domain == UINT32_MAX)
		return;
	unsigned enforced = d->would == MXG_NO_WOULD ? d->action : d->would;
	bool refused = enforced != MXGUARD_ACTION_ACCEPT && enforced != MXGUARD_ACTION_TAG;
	s->domains[domain].verdicts[d->verdict] += d->repeat;
	if (d->verdict == MXGUARD_VERDICT_DIRECT)
		count_direct(s, d, domain, refused);
	else if (d->verdict == MXGUARD_VERDICT_AUTHORIZED)
		count_authorized(s, d, domain);
	else if (refused)
		s->nomem |= !mxg_state_held_up(&s->domains[domain], reason, d->repeat);
}

bool mxg_report_count(struct mxg_report_state *s, const struct mxg_decision *d)
{
	uint16_t reason;
	if (!reason_of(s, d->reason, &reason))
		return false;
	s->decisions += d->repeat;
	s->verdicts[d->verdict] += d->repeat;
	s->actions[d->action] += d->repeat;
	if (d->would != MXG_NO_WOULD)
		s->would[d->would] += d->repeat;
	s->reasons[reason].count += d->repeat;
	mxg_state_widen(&s->from, &s->to, d->time, d->time);
	count_domain(s, d, reason);
	return true;
}
