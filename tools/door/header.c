/* SPDX-License-Identifier: MIT */
/* One message's header: the library's filter names bytes, an MTA wants fields. */
#include "header.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "mxguard.h"
#include "names.h"

#define REMOVALS_MAX 1000 /* each costs an MTA a walk through its queue file */
#define FIELD_CUTS_MAX 32 /* within one field; a field with more goes as a whole */

struct field {
	char *bytes; /* name, colon, value, LF */
	size_t len, room, name_len;
	uint64_t from;
	size_t index; /* in the names */
	struct mxg_door_cut cuts[FIELD_CUTS_MAX];
	size_t cut_count;
};

struct mxg_door_header {
	struct mxguard_filter *filter;
	struct mxguard_check *check; /* NULL: it wants no more */
	uint64_t fed;
	bool by_field;
	struct field at_hand, before; /* the filter lags behind by one field at the most */
	struct mxg_door_names names;
	struct mxg_door_removal *removals;
	struct mxg_door_cut *cuts;
	size_t removal_count, cut_count, removal_room, cut_room;
	bool excessive, no_memory;
};

struct mxg_door_header *mxg_door_header_new(struct mxguard_policy *policy, struct mxguard_check *check,
					    bool keep_secrets)
{
	struct mxg_door_header *h = calloc(1, sizeof(*h));
	if (h == NULL || mxguard_filter_new(&h->filter, policy, keep_secrets ? MXGUARD_FILTER_FLAG_KEEP_SECRETS : 0) !=
				 MXGUARD_ERROR_NONE) {
		free(h);
		return NULL;
	}
	h->check = check;
	return h;
}

void mxg_door_header_free(struct mxg_door_header *h)
{
	if (h == NULL)
		return;
	mxguard_filter_free(h->filter);
	mxg_door_names_free(&h->names);
	for (size_t i = 0; i < h->removal_count; i++) {
		free(h->removals[i].name);
		free(h->removals[i].value);
	}
	free(h->removals);
	free(h->cuts);
	free(h->at_hand.bytes);
	free(h->before.bytes);
	free(h);
}

/* ---- what goes --------------------------------------------------------------------------- */

static bool grow(struct mxg_door_header *h, void *array, size_t *room, size_t count, size_t size)
{
	if (count >= REMOVALS_MAX) {
		h->excessive = true;
		return false;
	}
	bool ok = mxg_grow(array, room, count, size);
	h->no_memory |= !ok;
	return ok;
}

/* Cuts that touch are one. */
static bool join(struct mxg_door_cut *cuts, size_t count, const struct mxg_door_cut *next)
{
	if (count == 0 || cuts[count - 1].to != next->from)
		return false;
	cuts[count - 1].to = next->to;
	return true;
}

static void cut_field(struct field *f, const struct mxg_door_cut *cut)
{
	if (join(f->cuts, f->cut_count, cut))
		return;
	if (f->cut_count < FIELD_CUTS_MAX)
		f->cuts[f->cut_count++] = *cut;
	else
		f->cuts[0] = (struct mxg_door_cut){ f->from, f->from + f->len };
}

static void take_cut(struct mxg_door_header *h)
{
	struct mxg_door_cut cut;
	mxguard_filter_cut(h->filter, &cut.from, &cut.to);
	if (h->by_field)
		cut_field(cut.from >= h->at_hand.from ? &h->at_hand : &h->before, &cut);
	else if (!join(h->cuts, h->cut_count, &cut) && grow(h, &h->cuts, &h->cut_room, h->cut_count, sizeof(*h->cuts)))
		h->cuts[h->cut_count++] = cut;
}

/* What is left of the value; NULL: nothing, since the cut touches the name. */
static char *value_left(struct mxg_door_header *h, const struct field *f)
{
	size_t at = f->name_len + 1, end = f->len - 1, len = 0;
	if (f->cuts[0].from < f->from + at)
		return NULL;
	char *value = malloc(f->len);
	h->no_memory |= value == NULL;
	for (size_t i = 0; value != NULL && i <= f->cut_count; i++) {
		size_t until = i < f->cut_count ? (size_t)(f->cuts[i].from - f->from) : end;
		if (until > end)
			until = end;
		if (until > at)
			memcpy(value + len, f->bytes + at, until - at);
		len += until > at ? until - at : 0;
		at = i < f->cut_count ? (size_t)(f->cuts[i].to - f->from) : end;
	}
	if (value != NULL)
		value[len] = '\0';
	return value;
}

/* No cut comes for this one any more. */
static void settle(struct mxg_door_header *h, struct field *f)
{
	if (f->cut_count == 0 || !grow(h, &h->removals, &h->removal_room, h->removal_count, sizeof(*h->removals)))
		return;
	char *name = strndup(f->bytes, f->name_len);
	h->no_memory |= name == NULL;
	if (name != NULL)
		h->removals[h->removal_count++] =
			(struct mxg_door_removal){ name, value_left(h, f), mxg_door_names_number(&h->names, f->index) };
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

static bool keep_field(struct mxg_door_header *h, struct field *f, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value), len = name_len + value_len + 2;
	if (len > f->room) {
		char *bigger = realloc(f->bytes, len);
		if (bigger == NULL)
			return false;
		f->bytes = bigger;
		f->room = len;
	}
	memcpy(f->bytes, name, name_len);
	f->bytes[name_len] = ':';
	memcpy(f->bytes + name_len + 1, value, value_len);
	f->bytes[len - 1] = '\n';
	f->len = len;
	f->name_len = name_len;
	f->from = h->fed;
	f->index = h->names.list.count - 1;
	f->cut_count = 0;
	return true;
}

void mxg_door_header_field(struct mxg_door_header *h, const char *name, const char *value)
{
	struct field old = h->before;
	settle(h, &old);
	h->before = h->at_hand;
	h->at_hand = old; /* its memory */
	h->at_hand.cut_count = 0;
	h->by_field = true;
	if (!mxg_door_names_add(&h->names, name))
		h->excessive = true;
	else if (!keep_field(h, &h->at_hand, name, value))
		h->no_memory = true;
	else
		mxg_door_header_feed(h, h->at_hand.bytes, h->at_hand.len);
}

void mxg_door_header_close(struct mxg_door_header *h)
{
	while (mxguard_filter_end(h->filter) == MXGUARD_FILTER_RESULT_CUT)
		take_cut(h);
	settle(h, &h->before);
	settle(h, &h->at_hand);
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
