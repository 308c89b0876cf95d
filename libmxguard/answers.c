/* SPDX-License-Identifier: MIT */
#include "answers.h"

#include <stdlib.h>
#include <string.h>

#define NO_ENTRY (-1)

struct entry {
	struct mxg_question question;
	uint32_t hash;
	int next; /* in the bucket */
	unsigned flags;
	struct mxg_answer live; /* kind NONE: not asked */
	size_t version_count;
	struct mxg_answer *versions; /* from the snapshot, newest first; each data malloc'd */
};

#define BUCKETS 64

struct mxg_answers {
	struct entry *entries;
	size_t count, room;
	int buckets[BUCKETS];
};

struct mxg_answers *mxg_answers_new(void)
{
	struct mxg_answers *t = calloc(1, sizeof(*t));
	if (t != NULL)
		memset(t->buckets, 0xff, sizeof(t->buckets));
	return t;
}

static void free_data(struct mxg_answer *a)
{
	free((void *)(uintptr_t)a->data);
	a->data = NULL;
}

void mxg_answers_clear(struct mxg_answers *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct entry *e = &t->entries[i];
		free_data(&e->live);
		for (size_t v = 0; v < e->version_count; v++)
			free_data(&e->versions[v]);
		free(e->versions);
	}
	t->count = 0;
	memset(t->buckets, 0xff, sizeof(t->buckets));
}

void mxg_answers_free(struct mxg_answers *t)
{
	if (t == NULL)
		return;
	mxg_answers_clear(t);
	free(t->entries);
	free(t);
}

static bool grow(struct mxg_answers *t)
{
	if (t->count < t->room)
		return true;
	size_t room = t->room == 0 ? 16 : t->room * 2;
	struct entry *entries = reallocarray(t->entries, room, sizeof(*entries));
	if (entries == NULL)
		return false;
	t->entries = entries;
	t->room = room;
	return true;
}

int mxg_answers_entry(struct mxg_answers *t, const struct mxg_name *name, uint16_t type)
{
	uint32_t hash = mxg_name_hash(name) ^ type;
	int *bucket = &t->buckets[hash % BUCKETS];
	for (int i = *bucket; i != NO_ENTRY; i = t->entries[i].next) {
		const struct entry *e = &t->entries[i];
		if (e->hash == hash && e->question.type == type && mxg_name_equal(&e->question.name, name))
			return i;
	}
	if (t->count >= MXG_ANSWERS_MAX || !grow(t))
		return -1;
	t->entries[t->count] = (struct entry){
		.question = { .name = *name, .type = type }, .hash = hash, .next = *bucket
	};
	*bucket = (int)t->count;
	return (int)t->count++;
}

size_t mxg_answers_count(const struct mxg_answers *t)
{
	return t->count;
}

const struct mxg_question *mxg_answers_question(const struct mxg_answers *t, int entry)
{
	return &t->entries[entry].question;
}

unsigned mxg_answers_flags(const struct mxg_answers *t, int entry)
{
	return t->entries[entry].flags;
}

void mxg_answers_set_flags(struct mxg_answers *t, int entry, unsigned set, unsigned clear)
{
	t->entries[entry].flags = (t->entries[entry].flags & ~clear) | set;
}

void mxg_answers_clear_flags(struct mxg_answers *t, unsigned clear)
{
	for (size_t i = 0; i < t->count; i++)
		t->entries[i].flags &= ~clear;
}

void mxg_answers_put_live(struct mxg_answers *t, int entry, struct mxg_reply *reply, int64_t now)
{
	struct entry *e = &t->entries[entry];
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
	struct entry *e = &t->entries[entry];
	struct mxg_answer *versions = reallocarray(e->versions, e->version_count + 1, sizeof(*versions));
	if (versions == NULL)
		return false;
	e->versions = versions;
	uint8_t *data = malloc(version->size == 0 ? 1 : version->size);
	if (data == NULL)
		return false;
	if (version->size > 0)
		memcpy(data, version->data, version->size);
	size_t at = e->version_count++;
	for (; at > 0 && versions[at - 1].from < version->from; at--)
		versions[at] = versions[at - 1];
	versions[at] = *version;
	versions[at].data = data;
	versions[at].live = versions[at].stale = false;
	return true;
}

size_t mxg_answers_versions(const struct mxg_answers *t, int entry, const struct mxg_answer **versions)
{
	*versions = t->entries[entry].versions;
	return t->entries[entry].version_count;
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

static const struct mxg_answer *current_version(const struct entry *e)
{
	for (size_t i = 0; i < e->version_count; i++)
		if (e->versions[i].superseded == 0)
			return &e->versions[i];
	return NULL;
}

bool mxg_answers_live_differs(const struct mxg_answers *t, int entry)
{
	const struct entry *e = &t->entries[entry];
	const struct mxg_answer *current = current_version(e);
	if (current == NULL || e->live.kind == MXG_ANSWER_NONE || e->live.kind == MXG_ANSWER_FAILED)
		return false;
	return current->kind != e->live.kind || !covers(current, &e->live) || !covers(&e->live, current);
}

/* ---- what a view sees -------------------------------------------------------------- */

static void look_back(const struct entry *e, int64_t as_of, struct mxg_answer *out)
{
	for (size_t i = 0; i < e->version_count; i++) {
		const struct mxg_answer *v = &e->versions[i];
		if (v->from < as_of && (v->superseded == 0 || as_of <= v->superseded)) {
			*out = *v;
			return;
		}
	}
}

static void look_now(const struct entry *e, const struct mxg_view *view, struct mxg_answer *out)
{
	const struct mxg_answer *v = current_version(e);
	if (e->live.kind != MXG_ANSWER_NONE && e->live.kind != MXG_ANSWER_FAILED) {
		*out = e->live;
		return;
	}
	/* a snapshot from the future was written under another clock: it is not to be used */
	if (v != NULL && v->confirmed <= view->now) {
		int64_t age = view->now - v->confirmed;
		if (age < (int64_t)v->ttl || (v->kind == MXG_ANSWER_RECORDS &&
					      age < (int64_t)v->ttl + (int64_t)view->keep_stale)) {
			*out = *v;
			out->stale = age >= (int64_t)v->ttl;
			return;
		}
	}
	*out = e->live;
}

void mxg_answers_lookup(const struct mxg_answers *t, int entry, const struct mxg_view *view,
			struct mxg_answer *out)
{
	const struct entry *e = &t->entries[entry];
	*out = (struct mxg_answer){ 0 };
	if (view->as_of != 0)
		look_back(e, view->as_of, out);
	else
		look_now(e, view, out);
}
