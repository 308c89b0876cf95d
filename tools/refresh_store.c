/* SPDX-License-Identifier: MIT */
/* What refresh knows about each question: the history, the new answer. */
#include "refresh.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot_write.h"

/* ---- the items ---------------------------------------------------------------------- */

bool mxg_store_init(struct mxg_store *s, const struct mxguard_snapshot *before, const struct mxg_string_list *forget,
		    const struct mxg_string_list *accept)
{
	*s = (struct mxg_store){ .before = before, .forget = forget, .accept = accept, .bucket_count = 1024 };
	s->buckets = calloc(s->bucket_count, sizeof(struct mxg_item *));
	s->scratch = mxg_answers_new();
	return s->buckets != NULL && s->scratch != NULL;
}

static void free_item(struct mxg_item *item)
{
	free(item->waiters);
	free(item->reply.records.data);
	free(item->old);
	free(item);
}

void mxg_store_clear(struct mxg_store *s)
{
	for (size_t i = 0; s->buckets != NULL && i < s->bucket_count; i++)
		for (struct mxg_item *item = s->buckets[i], *next; item != NULL; item = next) {
			next = item->next;
			free_item(item);
		}
	free(s->buckets);
	mxg_answers_free(s->scratch);
	*s = (struct mxg_store){ 0 };
}

static struct mxg_item **bucket_of(const struct mxg_store *s, const struct mxg_question *q)
{
	return &s->buckets[(mxg_name_hash(&q->name) ^ q->type) % s->bucket_count];
}

void mxg_item_question(const struct mxg_item *item, struct mxg_question *out)
{
	*out = (struct mxg_question){ .type = item->type, .name.len = item->name_len };
	memcpy(out->name.wire, item->name, item->name_len);
}

const char *mxg_item_name(const struct mxg_item *item, char buf[MXG_NAME_TEXT_MAX])
{
	struct mxg_question q;
	mxg_item_question(item, &q);
	return mxg_name_format(&q.name, buf);
}

void mxg_store_drop(struct mxg_store *s, struct mxg_item *item)
{
	struct mxg_question q;
	mxg_item_question(item, &q);
	struct mxg_item **at = bucket_of(s, &q);
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	s->count--;
	free_item(item);
}

struct mxg_item *mxg_store_find(const struct mxg_store *s, const struct mxg_question *q)
{
	for (struct mxg_item *item = *bucket_of(s, q); item != NULL; item = item->next)
		if (item->type == q->type && item->name_len == q->name.len &&
		    memcmp(item->name, q->name.wire, q->name.len) == 0)
			return item;
	return NULL;
}

bool mxg_store_each(const struct mxg_store *s, size_t *at, struct mxg_item **item)
{
	if (*item != NULL)
		*item = (*item)->next;
	while (*item == NULL && *at < s->bucket_count)
		*item = s->buckets[(*at)++];
	return *item != NULL;
}

static void widen(struct mxg_store *s)
{
	struct mxg_store wider = { .bucket_count = s->bucket_count * 4 };
	wider.buckets = calloc(wider.bucket_count, sizeof(struct mxg_item *));
	if (wider.buckets == NULL)
		return; /* slower, not wrong */
	for (size_t i = 0; i < s->bucket_count; i++)
		for (struct mxg_item *item = s->buckets[i], *next; item != NULL; item = next) {
			struct mxg_question q;
			next = item->next;
			mxg_item_question(item, &q);
			struct mxg_item **bucket = bucket_of(&wider, &q);
			item->next = *bucket;
			*bucket = item;
		}
	free(s->buckets);
	s->buckets = wider.buckets;
	s->bucket_count = wider.bucket_count;
}

/* ---- history ------------------------------------------------------------------------- */

static bool is_named(const struct mxg_string_list *names, const struct mxg_question *q)
{
	struct mxg_name name;
	for (size_t i = 0; i < names->count; i++)
		if (mxg_name_from_text(&name, names->items[i], strlen(names->items[i])) &&
		    mxg_name_equal(&name, &q->name))
			return true;
	return false;
}

bool mxg_store_forgets(const struct mxg_store *s, const struct mxg_question *q)
{
	return is_named(s->forget, q);
}

static uint8_t *copy_version(struct mxg_answer *to, const struct mxg_answer *version, uint8_t *data)
{
	*to = *version;
	to->data = data;
	if (version->size > 0)
		memcpy(data, version->data, version->size);
	return data + version->size;
}

static bool copy_versions(struct mxg_item *item, const struct mxg_answer *versions, size_t count,
			  const struct mxg_answer *refused)
{
	size_t size = (count + 1) * sizeof(*versions) + (refused == NULL ? 0 : refused->size);
	for (size_t i = 0; i < count; i++)
		size += versions[i].size;
	item->old = malloc(size);
	if (item->old == NULL)
		return false;
	uint8_t *data = (uint8_t *)(item->old + count + 1);
	for (size_t i = 0; i < count; i++)
		data = copy_version(&item->old[i], &versions[i], data);
	item->old_count = (uint8_t)count;
	if (refused == NULL || mxg_item_current(item) == NULL)
		return true;
	item->refused = &item->old[count];
	copy_version(item->refused, refused, data);
	return true;
}

/* A value that is damaged has no history; it is asked for like a new one. */
static bool load_history(struct mxg_store *s, struct mxg_item *item, const struct mxg_question *q)
{
	const struct mxg_answer *versions;
	unsigned failures;
	mxg_answers_clear(s->scratch);
	int entry = mxg_answers_entry(s->scratch, &q->name, q->type);
	if (entry < 0)
		return false;
	if (mxg_snapshot_failed(s->before, q, &item->tried, &failures))
		item->failures = (uint8_t)failures;
	switch (mxg_snapshot_load(s->before, s->scratch, entry)) {
	case MXG_SNAPSHOT_FOUND:
		break;
	case MXG_SNAPSHOT_NOMEM:
		return false;
	default:
		return true;
	}
	size_t count = mxg_answers_versions(s->scratch, entry, &versions);
	return count == 0 || copy_versions(item, versions, count > MXG_VERSIONS_MAX ? MXG_VERSIONS_MAX : count,
					   mxg_answers_refused(s->scratch, entry));
}

/* ---- whether it is asked ---------------------------------------------------------------- */

#define RETRY_FIRST 60 /* seconds after a question has failed; twice that after it has failed again, … */
#define RETRY_MOST (3 * 3600)

int64_t mxg_answer_due(const struct mxg_answer *current, const struct mxg_answer *refused)
{
	const struct mxg_answer *said = refused != NULL ? refused : current;
	return said->confirmed + (int64_t)said->ttl;
}

int64_t mxg_retry_at(int64_t tried, unsigned failures)
{
	int64_t after = RETRY_FIRST;
	for (unsigned i = 1; i < failures && after < RETRY_MOST; i++)
		after *= 2;
	return tried + (after < RETRY_MOST ? after : RETRY_MOST);
}

static bool is_due(const struct mxg_store *s, const struct mxg_item *item)
{
	const struct mxg_answer *current = mxg_item_current(item);
	if (s->force || item->accepted)
		return true;
	bool fresh = current != NULL && mxg_answer_due(current, item->refused) > s->now;
	if (!s->due_only)
		return s->resumed == 0 || !fresh || current->confirmed < s->resumed;
	return item->failures > 0 ? mxg_retry_at(item->tried, item->failures) <= s->now : !fresh;
}

static void keep(struct mxg_item *item)
{
	item->state = MXG_ITEM_REPLIED;
	item->kept = true;
	item->reply.kind = MXG_ANSWER_FAILED;
	item->reply.failure = MXG_DNS_CANCELLED;
	mxg_item_judge(item, false);
}

/* It was asked in this run, and is in the file already. False: out of memory. */
static bool take_back(struct mxg_store *s, struct mxg_item *item, const struct mxg_question *q, bool *found)
{
	struct mxg_answer versions[MXG_VERSIONS_MAX];
	size_t len, count = 0;
	uint8_t *value = s->writer == NULL ? NULL : mxg_writer_answer_of(s->writer, q, &len);
	bool failed = s->writer != NULL && mxg_writer_has_failed(s->writer, q), good = true;
	*found = value != NULL || failed;
	if (value != NULL && mxg_snapshot_versions_read(value, len, versions, &count)) {
		size_t first = versions[0].refused;
		good = copy_versions(item, versions + first, count - first, first == 1 ? &versions[0] : NULL);
	}
	free(value);
	if (!*found || !good)
		return good;
	item->written = item->reached = true;
	item->accepted = mxg_item_current(item) != NULL && mxg_item_current(item)->accepted;
	keep(item);
	return true;
}

/* False: out of memory. */
static bool fill(struct mxg_store *s, struct mxg_item *item, const struct mxg_question *q)
{
	bool found;
	if (!take_back(s, item, q, &found))
		return false;
	if (found)
		return true;
	if (s->before != NULL && !is_named(s->forget, q) && !load_history(s, item, q))
		return false;
	item->accepted = is_named(s->accept, q);
	item->forced = s->force;
	if (!is_due(s, item))
		keep(item);
	return true;
}

struct mxg_item *mxg_store_item(struct mxg_store *s, const struct mxg_question *q, bool *fresh)
{
	struct mxg_item *item = mxg_store_find(s, q);
	*fresh = item == NULL;
	if (item != NULL)
		return item;
	if (s->count > s->bucket_count * 2)
		widen(s);
	item = calloc(1, sizeof(*item) + q->name.len);
	if (item == NULL)
		return NULL;
	item->type = q->type;
	item->name_len = q->name.len;
	memcpy(item->name, q->name.wire, q->name.len);
	if (!fill(s, item, q)) {
		free_item(item);
		return NULL;
	}
	struct mxg_item **bucket = bucket_of(s, q);
	item->next = *bucket;
	*bucket = item;
	s->count++;
	return item;
}

const struct mxg_answer *mxg_item_current(const struct mxg_item *item)
{
	return item->old_count > 0 && item->old[0].superseded == 0 ? &item->old[0] : NULL;
}

/* ---- the new answer -------------------------------------------------------------------- */

struct mxg_answer mxg_reply_answer(const struct mxg_reply *r)
{
	return (struct mxg_answer){ .kind = r->kind,
				    .ad = r->ad,
				    .ttl = r->ttl,
				    .count = r->records.count,
				    .size = r->records.size,
				    .data = r->records.data };
}

bool mxg_item_failed(const struct mxg_item *item)
{
	return item->state == MXG_ITEM_REPLIED && item->reply.kind == MXG_ANSWER_FAILED && !item->kept;
}

bool mxg_item_answered(const struct mxg_item *item)
{
	return item->state == MXG_ITEM_REPLIED && item->reply.kind != MXG_ANSWER_FAILED && !item->keep_old;
}

bool mxg_item_changed(const struct mxg_item *item)
{
	const struct mxg_answer *old = mxg_item_current(item), new = mxg_reply_answer(&item->reply);
	return item->reply.kind != MXG_ANSWER_FAILED && (old == NULL || !mxg_answers_same(old, &new));
}

void mxg_item_reply(struct mxg_item *item, struct mxg_reply *reply, bool strict)
{
	item->state = MXG_ITEM_REPLIED;
	item->reply = *reply;
	reply->records.data = NULL;
	if (item->reply.records.size > 0) { /* 8 KiB were taken for it, a few bytes are used */
		uint8_t *less = realloc(item->reply.records.data, item->reply.records.size);
		if (less != NULL)
			item->reply.records.data = less;
	} else {
		free(item->reply.records.data);
		item->reply.records.data = NULL;
	}
	mxg_item_judge(item, strict);
}

bool mxg_item_show(const struct mxg_item *item, struct mxg_answers *answers, int entry, int64_t now)
{
	const struct mxg_answer *old = mxg_item_answered(item) ? NULL : mxg_item_current(item);
	struct mxg_reply shown = item->reply;
	const uint8_t *data = item->reply.records.data;
	if (old != NULL) {
		shown = (struct mxg_reply){ .kind = old->kind, .ttl = old->ttl };
		shown.records = (struct mxg_rrset){ .count = old->count, .size = old->size };
		data = old->data;
	}
	shown.records.data = NULL;
	if (shown.records.size > 0) {
		shown.records.data = malloc(shown.records.size);
		if (shown.records.data == NULL)
			return false;
		memcpy(shown.records.data, data, shown.records.size);
	}
	mxg_answers_put_live(answers, entry, &shown, now);
	return true;
}

void mxg_item_count(const struct mxg_item *item, struct mxg_refresh_figures *f)
{
	f->questions += item->state == MXG_ITEM_REPLIED && !item->kept;
	f->fresh += item->kept && !item->written;
	f->failures += mxg_item_failed(item);
	f->alarms += mxg_item_has_alarm(item);
	f->held += item->keep_old && !item->kept && !mxg_item_failed(item);
	f->changed += mxg_item_current(item) != NULL && mxg_item_answered(item) && mxg_item_changed(item);
}
