/* SPDX-License-Identifier: MIT */
#include "export_sets.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "reach/reach.h"

bool mxg_prefixes_add(struct mxg_prefixes *to, const struct mxg_prefix *items, size_t count)
{
	if (count > to->room - to->count) {
		size_t room = to->room * 2 > to->count + count ? to->room * 2 : to->count + count + 16;
		struct mxg_prefix *more = reallocarray(to->items, room, sizeof(*more));
		if (more == NULL)
			return false;
		to->items = more;
		to->room = room;
	}
	if (count > 0)
		memcpy(to->items + to->count, items, count * sizeof(*items));
	to->count += count;
	return true;
}

static bool same_prefix(const struct mxg_prefix *a, const struct mxg_prefix *b)
{
	return a->bits == b->bits && a->base.family == b->base.family &&
	       memcmp(a->base.bytes, b->base.bytes, a->base.family == 6 ? 16 : 4) == 0;
}

static bool same(const struct mxg_prefixes *a, const struct mxg_prefixes *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!same_prefix(&a->items[i], &b->items[i]))
			return false;
	return true;
}

/* Newest first: neighbours in the alphabet mostly belong together. */
static struct mxg_export_set *find(const struct mxg_export_sets *s, const struct mxg_prefixes *prefixes)
{
	for (size_t i = s->count; i > 0; i--)
		if (same(&s->items[i - 1].prefixes, prefixes))
			return &s->items[i - 1];
	return NULL;
}

static struct mxg_export_set *append(struct mxg_export_sets *s)
{
	if (!mxg_grow(&s->items, &s->room, s->count, sizeof(*s->items)))
		return NULL;
	s->items[s->count] = (struct mxg_export_set){ .prefixes = { .items = NULL } };
	return &s->items[s->count++];
}

void mxg_export_sets_add(struct mxg_export_sets *s, struct mxg_prefixes *prefixes, const char *domain)
{
	prefixes->count = mxg_prefixes_merge(prefixes->items, prefixes->count);
	struct mxg_export_set *set = find(s, prefixes);
	if (set == NULL && (set = append(s)) != NULL) {
		set->prefixes = *prefixes;
		*prefixes = (struct mxg_prefixes){ .items = NULL };
	}
	free(prefixes->items);
	*prefixes = (struct mxg_prefixes){ .items = NULL };
	if (set != NULL && domain != NULL)
		mxg_text_list_add(&set->domains, "%s", domain);
	s->nomem |= set == NULL || set->domains.lost;
}

static void free_set(struct mxg_export_set *set)
{
	free(set->prefixes.items);
	mxg_text_list_clear(&set->domains);
}

void mxg_export_sets_merge(struct mxg_export_sets *s)
{
	struct mxg_export_set *one = s->items;
	for (size_t i = 1; i < s->count; i++) {
		struct mxg_export_set *set = &s->items[i];
		s->nomem |= !mxg_prefixes_add(&one->prefixes, set->prefixes.items, set->prefixes.count);
		const char *text = set->domains.text;
		for (size_t d = 0; d < set->domains.count; d++, text += strlen(text) + 1)
			mxg_text_list_add(&one->domains, "%s", text);
		free_set(set);
	}
	if (s->count == 0)
		return;
	s->nomem |= one->domains.lost;
	s->count = 1;
	one->prefixes.count = mxg_prefixes_merge(one->prefixes.items, one->prefixes.count);
}

void mxg_export_sets_drop(struct mxg_export_sets *s, size_t number)
{
	free_set(&s->items[number]);
	s->items[number] = s->items[--s->count];
}

void mxg_export_sets_clear(struct mxg_export_sets *s)
{
	for (size_t i = 0; i < s->count; i++)
		free_set(&s->items[i]);
	free(s->items);
	*s = (struct mxg_export_sets){ .items = NULL };
}
