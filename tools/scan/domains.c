/* SPDX-License-Identifier: MIT */
#include "scan/domains.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define SHARDS 64
#define NAME_MAX_LEN 254
#define SLOTS_FIRST 64

struct shard {
	pthread_mutex_t lock;
	struct mxg_scan_domain **slots; /* an open table */
	size_t room, count;
};

struct mxg_scan_domains {
	struct shard shards[SHARDS];
	atomic_size_t domains, months;
	atomic_bool cut;
	const struct mxg_scan_domain **sorted;
};

struct mxg_scan_domains *mxg_scan_domains_new(void)
{
	struct mxg_scan_domains *d = calloc(1, sizeof(*d));
	for (size_t i = 0; d != NULL && i < SHARDS; i++)
		pthread_mutex_init(&d->shards[i].lock, NULL);
	return d;
}

void mxg_scan_domains_free(struct mxg_scan_domains *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		for (size_t n = 0; n < d->shards[i].room; n++) {
			if (d->shards[i].slots[n] == NULL)
				continue;
			free(d->shards[i].slots[n]->months);
			free(d->shards[i].slots[n]->name);
			free(d->shards[i].slots[n]);
		}
		free(d->shards[i].slots);
		pthread_mutex_destroy(&d->shards[i].lock);
	}
	free(d->sorted);
	free(d);
}

static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash ^ hash >> 15;
}

static size_t slot_of(const struct shard *s, const char *name, uint32_t hash)
{
	size_t at = hash / SHARDS & (s->room - 1);
	while (s->slots[at] != NULL && strcmp(s->slots[at]->name, name) != 0)
		at = (at + 1) & (s->room - 1);
	return at;
}

/* At most three quarters are taken. */
static bool make_room(struct shard *s)
{
	struct shard old = *s;
	if (s->count * 4 < s->room * 3)
		return true;
	size_t room = s->room == 0 ? SLOTS_FIRST : s->room * 2;
	s->slots = calloc(room, sizeof(struct mxg_scan_domain *));
	if (s->slots == NULL) {
		s->slots = old.slots;
		return false;
	}
	s->room = room;
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i] != NULL)
			s->slots[slot_of(s, old.slots[i]->name, hash_name(old.slots[i]->name))] = old.slots[i];
	free(old.slots);
	return true;
}

/* NULL: there is no room for a new one. */
static struct mxg_scan_domain *find(struct mxg_scan_domains *all, struct shard *s, const char *name, uint32_t hash)
{
	if (!make_room(s))
		return NULL;
	size_t at = slot_of(s, name, hash);
	if (s->slots[at] != NULL)
		return s->slots[at];
	if (atomic_fetch_add(&all->domains, 1) >= MXG_SCAN_DOMAINS)
		return NULL;
	struct mxg_scan_domain *made = calloc(1, sizeof(*made));
	if (made == NULL || (made->name = strdup(name)) == NULL) {
		free(made);
		return NULL;
	}
	s->slots[at] = made;
	s->count++;
	return made;
}

/* NULL: there is no room. Messages that are read one after the other most often are of the same month. */
static struct mxg_scan_month *month_of(struct mxg_scan_domains *all, struct mxg_scan_domain *d, size_t month)
{
	for (size_t i = d->month_count; i-- > 0;)
		if (d->months[i].month == month)
			return &d->months[i];
	if (atomic_fetch_add(&all->months, 1) >= MXG_SCAN_MONTHS ||
	    !mxg_grow(&d->months, &d->month_room, d->month_count, sizeof(*d->months)))
		return NULL;
	d->months[d->month_count] = (struct mxg_scan_month){ .month = (uint16_t)month };
	return &d->months[d->month_count++];
}

static bool count_message(struct mxg_scan_domains *all, struct mxg_scan_domain *d, const struct mxg_tally_message *m)
{
	size_t month;
	d->paths[m->path]++;
	if (m->path == MXG_PATH_DIRECT)
		mxg_tally_widen(&d->first_direct, &d->last_direct, m->date, m->date);
	if (!mxg_tally_month(m->date, &month))
		return true;
	struct mxg_scan_month *of = month_of(all, d, month);
	if (of != NULL)
		of->paths[m->path]++;
	return of != NULL;
}

void mxg_scan_domains_add(struct mxg_scan_domains *all, const struct mxg_tally_message *m)
{
	char name[NAME_MAX_LEN] = "(none)";
	size_t len = strlen(m->domain);
	if (len > 0 && len < sizeof(name))
		for (size_t i = 0; i <= len; i++)
			name[i] = (char)tolower((unsigned char)m->domain[i]);
	uint32_t hash = hash_name(name);
	struct shard *s = &all->shards[hash % SHARDS];
	pthread_mutex_lock(&s->lock);
	struct mxg_scan_domain *d = find(all, s, name, hash);
	if (d == NULL || !count_message(all, d, m))
		atomic_store(&all->cut, true);
	pthread_mutex_unlock(&s->lock);
}

uint64_t mxg_scan_domain_messages(const struct mxg_scan_domain *d)
{
	uint64_t all = 0;
	for (size_t i = 0; i < MXG_PATHS; i++)
		all += d->paths[i];
	return all;
}

static int more_messages(const void *a, const void *b)
{
	const struct mxg_scan_domain *x = *(const struct mxg_scan_domain *const *)a,
				     *y = *(const struct mxg_scan_domain *const *)b;
	uint64_t nx = mxg_scan_domain_messages(x), ny = mxg_scan_domain_messages(y);
	return nx != ny ? (nx < ny ? 1 : -1) : strcmp(x->name, y->name);
}

const struct mxg_scan_domain *const *mxg_scan_domains_sort(struct mxg_scan_domains *all, size_t *count)
{
	size_t n = 0;
	*count = 0;
	for (size_t i = 0; i < SHARDS; i++)
		n += all->shards[i].count;
	free(all->sorted);
	all->sorted = calloc(n + 1, sizeof(const struct mxg_scan_domain *));
	if (all->sorted == NULL)
		return NULL;
	for (size_t i = 0; i < SHARDS; i++)
		for (size_t at = 0; at < all->shards[i].room; at++)
			if (all->shards[i].slots[at] != NULL)
				all->sorted[(*count)++] = all->shards[i].slots[at];
	qsort(all->sorted, *count, sizeof(all->sorted[0]), more_messages);
	return all->sorted;
}

bool mxg_scan_domains_cut(const struct mxg_scan_domains *all)
{
	return atomic_load(&all->cut);
}
