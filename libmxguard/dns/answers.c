/* SPDX-License-Identifier: MIT */
#include "dns/answers.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 32, PAGES = MXG_ANSWERS_MAX / PAGE, SLOTS_FIRST = 64 };

struct entry {
	struct mxg_question question;
	uint32_t hash;
	unsigned flags;
	struct mxg_answer live; /* kind NONE: not asked */
	struct mxg_answer refused; /* kind NONE: none is */
	size_t version_count;
	struct mxg_answer *versions; /* from the snapshot, newest first; each data malloc'd */
};

/* Entries stand in pages that never move: pointers to questions stay good while others are
 * mentioned. slots is an open hash, never more than half full, of entry numbers + 1. */
struct mxg_answers {
	size_t count, slot_count;
	uint16_t *slots;
	struct entry *pages[PAGES];
};

static struct entry *entry_at(const struct mxg_answers *t, size_t i)
{
	return &t->pages[i / PAGE][i % PAGE];
}

struct mxg_answers *mxg_answers_new(void)
{
	return calloc(1, sizeof(struct mxg_answers));
}

static void free_data(struct mxg_answer *a)
{
	free((void *)(uintptr_t)a->data);
	a->data = NULL;
}

void mxg_answers_clear(struct mxg_answers *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct entry *e = entry_at(t, i);
		free_data(&e->live);
		free_data(&e->refused);
		for (size_t v = 0; v < e->version_count; v++)
			free_data(&e->versions[v]);
		free(e->versions);
	}
	t->count = 0;
	if (t->slots != NULL)
		memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
}

void mxg_answers_free(struct mxg_answers *t)
{
	if (t == NULL)
		return;
	mxg_answers_clear(t);
	for (size_t i = 0; i < PAGES; i++)
		free(t->pages[i]);
	free(t->slots);
	free(t);
}

static bool grow_slots(struct mxg_answers *t)
{
	if ((t->count + 1) * 2 <= t->slot_count)
		return true;
	size_t count = t->slot_count == 0 ? SLOTS_FIRST : t->slot_count * 2;
	uint16_t *slots = calloc(count, sizeof(*slots));
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < t->count; i++) {
		size_t at = entry_at(t, i)->hash & (count - 1);
		while (slots[at] != 0)
			at = (at + 1) & (count - 1);
		slots[at] = (uint16_t)(i + 1);
	}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
	return true;
}

/* The slot that holds the question, or the free one where it belongs. */
static uint16_t *find_slot(const struct mxg_answers *t, uint32_t hash, const struct mxg_name *name, uint16_t type)
{
	size_t at = hash & (t->slot_count - 1);
	for (; t->slots[at] != 0; at = (at + 1) & (t->slot_count - 1)) {
		const struct entry *e = entry_at(t, t->slots[at] - 1u);
		if (e->hash == hash && e->question.type == type && mxg_name_equal(&e->question.name, name))
			break;
	}
	return &t->slots[at];
}

static struct entry *new_entry(struct mxg_answers *t)
{
	if (t->count == MXG_ANSWERS_MAX)
		return NULL;
	struct entry **page = &t->pages[t->count / PAGE];
	if (*page == NULL)
		*page = calloc(PAGE, sizeof(**page));
	return *page == NULL ? NULL : &(*page)[t->count++ % PAGE];
}

int mxg_answers_entry(struct mxg_answers *t, const struct mxg_name *name, uint16_t type)
{
	uint32_t hash = mxg_name_hash(name) * 31u + type;
	if (!grow_slots(t))
		return -1;
	uint16_t *slot = find_slot(t, hash, name, type);
	if (*slot != 0)
		return *slot - 1;
	struct entry *e = new_entry(t);
	if (e == NULL)
		return -1;
	*e = (struct entry){ .question = { .name = *name, .type = type }, .hash = hash };
	*slot = (uint16_t)t->count;
	return (int)t->count - 1;
}

size_t mxg_answers_count(const struct mxg_answers *t)
{
	return t->count;
}

const struct mxg_question *mxg_answers_question(const struct mxg_answers *t, int entry)
{
	return &entry_at(t, (size_t)entry)->question;
}

unsigned mxg_answers_flags(const struct mxg_answers *t, int entry)
{
	return entry_at(t, (size_t)entry)->flags;
}

void mxg_answers_set_flags(struct mxg_answers *t, int entry, unsigned set, unsigned clear)
{
	struct entry *e = entry_at(t, (size_t)entry);
	e->flags = (e->flags & ~clear) | set;
}

void mxg_answers_clear_flags(struct mxg_answers *t, unsigned clear)
{
	for (size_t i = 0; i < t->count; i++)
		entry_at(t, i)->flags &= ~clear;
}

void mxg_answers_put_live(struct mxg_answers *t, int entry, struct mxg_reply *reply, int64_t now)
{
	struct entry *e = entry_at(t, (size_t)entry);
	free_data(&e->live);
	e->live = (struct mxg_answer){
		.kind = reply->kind,
		.failure = reply->failure,
		.ad = reply->ad,
		.live = true,
		.from = now,
		.confirmed = now,
		.ttl = reply->ttl,
		.count = reply->records.count,
		.size = reply->records.size,
		.data = reply->records.data,
	};
	reply->records.data = NULL;
}

bool mxg_answers_put_version(struct mxg_answers *t, int entry, const struct mxg_answer *version)
{
	struct entry *e = entry_at(t, (size_t)entry);
	struct mxg_answer *versions = reallocarray(e->versions, e->version_count + 1, sizeof(*versions));
	if (versions == NULL)
		return false;
	e->versions = versions;
	struct mxg_answer copy = *version;
	uint8_t *data = malloc(version->size == 0 ? 1 : version->size);
	if (data == NULL)
		return false;
	if (version->size > 0)
		memcpy(data, version->data, version->size);
	copy.data = data;
	copy.live = copy.stale = false;
	if (copy.refused) {
		free_data(&e->refused);
		e->refused = copy;
		return true;
	}
	size_t at = e->version_count++;
	for (; at > 0 && versions[at - 1].from < version->from; at--)
		versions[at] = versions[at - 1];
	versions[at] = copy;
	return true;
}

size_t mxg_answers_versions(const struct mxg_answers *t, int entry, const struct mxg_answer **versions)
{
	*versions = entry_at(t, (size_t)entry)->versions;
	return entry_at(t, (size_t)entry)->version_count;
}

const struct mxg_answer *mxg_answers_refused(const struct mxg_answers *t, int entry)
{
	const struct mxg_answer *refused = &entry_at(t, (size_t)entry)->refused;
	return refused->kind == MXG_ANSWER_NONE ? NULL : refused;
}

/* ---- comparing ------------------------------------------------------------------- */

static bool has_item(const struct mxg_answer *a, const uint8_t *item, size_t len)
{
	const uint8_t *other;
	size_t at = 0, n;
	while (mxg_rrset_next(a->data, a->size, &at, &other, &n))
		if (n == len && memcmp(other, item, len) == 0)
			return true;
	return false;
}

static bool covers(const struct mxg_answer *a, const struct mxg_answer *b)
{
	const uint8_t *item;
	size_t at = 0, len;
	while (mxg_rrset_next(b->data, b->size, &at, &item, &len))
		if (!has_item(a, item, len))
			return false;
	return true;
}

bool mxg_answers_same(const struct mxg_answer *a, const struct mxg_answer *b)
{
	return a->kind == b->kind && covers(a, b) && covers(b, a);
}

static bool is_answer(const struct mxg_answer *a)
{
	return a->kind != MXG_ANSWER_NONE && a->kind != MXG_ANSWER_FAILED;
}

static const struct mxg_answer *current_version(const struct entry *e)
{
	for (size_t i = 0; i < e->version_count; i++)
		if (e->versions[i].superseded == 0)
			return &e->versions[i];
	return NULL;
}

/* That there is nothing can be said in two ways; both are the same refused answer. */
static bool live_is_refused(const struct entry *e)
{
	const struct mxg_answer *live = &e->live, *refused = &e->refused;
	if (!is_answer(live) || refused->kind == MXG_ANSWER_NONE || current_version(e) == NULL)
		return false;
	if (live->kind != MXG_ANSWER_RECORDS && refused->kind != MXG_ANSWER_RECORDS)
		return true;
	return mxg_answers_same(live, refused);
}

bool mxg_answers_live_differs(const struct mxg_answers *t, int entry)
{
	const struct entry *e = entry_at(t, (size_t)entry);
	const struct mxg_answer *current = current_version(e);
	return current != NULL && is_answer(&e->live) && !live_is_refused(e) && !mxg_answers_same(current, &e->live);
}

/* ---- what a view sees -------------------------------------------------------------- */

static void look_back(const struct entry *e, int64_t as_of, struct mxg_answer *out)
{
	for (size_t i = 0; i < e->version_count; i++) {
		const struct mxg_answer *v = &e->versions[i];
		if (!is_answer(v) || v->from >= as_of || (v->superseded != 0 && as_of > v->superseded))
			continue;
		if (v->doubtful && v->superseded != 0)
			break;
		*out = *v;
		return;
	}
	if ((e->flags & MXG_ENTRY_LOADED) != 0)
		*out = (struct mxg_answer){ .kind = MXG_ANSWER_FAILED, .failure = MXG_DNS_NOT_RECORDED };
}

/* Fresh, or positive and within keep_stale. A snapshot from the future was written under another
 * clock: it is not to be used. */
static bool is_usable(const struct mxg_answer *v, const struct mxg_view *view)
{
	if (v == NULL || !is_answer(v) || v->confirmed > view->now)
		return false;
	int64_t age = view->now - v->confirmed,
		keep = v->kind == MXG_ANSWER_RECORDS && !v->doubtful ? view->keep_stale : 0;
	return age < (int64_t)v->ttl + keep;
}

static void look_now(const struct entry *e, const struct mxg_view *view, struct mxg_answer *out)
{
	const struct mxg_answer *v = current_version(e);
	bool usable = is_usable(v, view), held = usable && (e->flags & MXG_ENTRY_HELD) != 0;
	if (!usable || (is_answer(&e->live) && !held)) {
		*out = live_is_refused(e) ? *v : e->live;
		out->live = e->live.live;
		return;
	}
	*out = *v;
	out->stale = view->now - v->confirmed >= (int64_t)v->ttl;
}

void mxg_answers_lookup(const struct mxg_answers *t, int entry, const struct mxg_view *view, struct mxg_answer *out)
{
	const struct entry *e = entry_at(t, (size_t)entry);
	*out = (struct mxg_answer){ 0 };
	if (view->as_of != 0)
		look_back(e, view->as_of, out);
	else
		look_now(e, view, out);
}
