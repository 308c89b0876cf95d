/* SPDX-License-Identifier: MIT */
/* One message's header: the library's filter names bytes, an MTA wants fields. */
#include "header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check/removed_field.h"
#include "mxguard.h"

#define REMOVALS_MAX 1000 /* each costs an MTA a walk through its queue file */
#define NAMES_MAX 64 /* spellings of names that are ours to remove */
#define HEAD_MAX 256

enum { NO_NAME = -1 };

struct field {
	uint64_t from;
	int name; /* in names, or NO_NAME: it is none that could go */
	unsigned number;
};

struct name {
	char *text;
	unsigned count;
};

struct mxg_door_header {
	struct mxguard_filter *filter;
	struct mxguard_policy *policy; /* the filter's */
	struct mxguard_check *check; /* NULL: it wants no more */
	uint64_t fed;
	bool by_field;
	struct field at_hand, before; /* the filter lags behind by one field at the most */
	struct name names[NAMES_MAX];
	size_t name_count;
	struct mxg_door_removal *removals;
	struct mxg_door_cut *cuts;
	size_t removal_count, cut_count, removal_room, cut_room;
	bool excessive, no_memory;
};

struct mxg_door_header *mxg_door_header_new(struct mxguard_policy *policy, struct mxguard_check *check)
{
	struct mxg_door_header *h = calloc(1, sizeof(*h));
	if (h == NULL || mxguard_filter_new(&h->filter, policy, 0) != MXGUARD_ERROR_NONE) {
		free(h);
		return NULL;
	}
	h->policy = policy;
	h->check = check;
	h->at_hand.name = h->before.name = NO_NAME;
	return h;
}

void mxg_door_header_free(struct mxg_door_header *h)
{
	if (h == NULL)
		return;
	mxguard_filter_free(h->filter);
	for (size_t i = 0; i < h->name_count; i++)
		free(h->names[i].text);
	free(h->removals);
	free(h->cuts);
	free(h);
}

/* ---- what goes --------------------------------------------------------------------------- */

static bool grow(struct mxg_door_header *h, void **array, size_t *room, size_t count, size_t size)
{
	if (count >= REMOVALS_MAX) {
		h->excessive = true;
		return false;
	}
	if (count < *room)
		return true;
	size_t bigger = *room == 0 ? 4 : *room * 2;
	void *grown = reallocarray(*array, bigger, size);
	h->no_memory |= grown == NULL;
	if (grown == NULL)
		return false;
	*array = grown;
	*room = bigger;
	return true;
}

static void remove_field(struct mxg_door_header *h, const struct field *f)
{
	const struct mxg_door_removal *last = h->removal_count == 0 ? NULL : &h->removals[h->removal_count - 1];
	if (f->name == NO_NAME) {
		h->excessive = true; /* a field within a field: it has no number */
		return;
	}
	const char *name = h->names[f->name].text;
	if (last != NULL && last->name == name && last->number == f->number)
		return; /* the next piece of a long one */
	if (grow(h, (void **)&h->removals, &h->removal_room, h->removal_count, sizeof(*h->removals)))
		h->removals[h->removal_count++] = (struct mxg_door_removal){ name, f->number };
}

static void take_cut(struct mxg_door_header *h)
{
	struct mxg_door_cut cut;
	mxguard_filter_cut(h->filter, &cut.from, &cut.to);
	if (h->by_field)
		remove_field(h, cut.from >= h->at_hand.from ? &h->at_hand : &h->before);
	if (h->cut_count > 0 && h->cuts[h->cut_count - 1].to == cut.from)
		h->cuts[h->cut_count - 1].to = cut.to;
	else if (grow(h, (void **)&h->cuts, &h->cut_room, h->cut_count, sizeof(*h->cuts)))
		h->cuts[h->cut_count++] = cut;
}

void mxg_door_header_feed(struct mxg_door_header *h, const char *bytes, size_t length)
{
	int result = MXGUARD_FILTER_RESULT_CUT;
	for (size_t used, at = 0; result == MXGUARD_FILTER_RESULT_CUT; at += used) {
		result = mxguard_filter_feed(h->filter, bytes + at, length - at, &used);
		if (result == MXGUARD_FILTER_RESULT_CUT)
			take_cut(h);
	}
	if (h->check != NULL && length > 0) {
		int more = mxguard_check_header(h->check, bytes, length);
		h->no_memory |= more == MXGUARD_ERROR_NOMEM;
		if (more != 1)
			h->check = NULL;
	}
	h->fed += length;
}

/* ---- fields ------------------------------------------------------------------------------- */

static int number_name(struct mxg_door_header *h, const char *text)
{
	for (size_t i = 0; i < h->name_count; i++)
		if (strcasecmp(h->names[i].text, text) == 0)
			return (int)i;
	if (h->name_count == NAMES_MAX) {
		h->excessive = true;
		return NO_NAME;
	}
	char *copy = strdup(text);
	h->no_memory |= copy == NULL;
	if (copy == NULL)
		return NO_NAME;
	h->names[h->name_count] = (struct name){ .text = copy };
	return (int)h->name_count++;
}

/* Only fields that may have to go are counted. A name that is longer than any of these is none. */
static struct field begin_field(struct mxg_door_header *h, const char *name)
{
	char head[HEAD_MAX];
	struct field f = { .from = h->fed, .name = NO_NAME };
	int len = snprintf(head, sizeof(head), "%s:", name);
	size_t known = len < (int)sizeof(head) ? (size_t)len : sizeof(head) - 1;
	if (mxg_removed_field_may_be(h->policy, head, known, false))
		f.name = number_name(h, name);
	if (f.name != NO_NAME)
		f.number = ++h->names[f.name].count;
	return f;
}

void mxg_door_header_field(struct mxg_door_header *h, const char *name, const char *value)
{
	h->by_field = true;
	h->before = h->at_hand;
	h->at_hand = begin_field(h, name);
	mxg_door_header_feed(h, name, strlen(name));
	mxg_door_header_feed(h, ":", 1);
	mxg_door_header_feed(h, value, strlen(value));
	mxg_door_header_feed(h, "\n", 1);
}

void mxg_door_header_close(struct mxg_door_header *h)
{
	while (mxguard_filter_end(h->filter) == MXGUARD_FILTER_RESULT_CUT)
		take_cut(h);
}

/* ---- results ------------------------------------------------------------------------------- */

const struct mxg_door_removal *mxg_door_header_removals(const struct mxg_door_header *h, size_t *count)
{
	*count = h->removal_count;
	return h->removals;
}

const struct mxg_door_cut *mxg_door_header_cuts(const struct mxg_door_header *h, size_t *count)
{
	*count = h->cut_count;
	return h->cuts;
}

const char *mxg_door_header_message_id(const struct mxg_door_header *h)
{
	return mxguard_filter_message_id(h->filter);
}

bool mxg_door_header_is_excessive(const struct mxg_door_header *h)
{
	return h->excessive;
}

bool mxg_door_header_is_short_of_memory(const struct mxg_door_header *h)
{
	return h->no_memory;
}
