/* SPDX-License-Identifier: MIT */
/* What refresh knows about each question: the history, the new answer, the alarms. */
#include "refresh.h"

#include <stdlib.h>
#include <string.h>

#include "spf/terms.h"

const char *mxg_alarm_name(unsigned alarm)
{
	switch (alarm) {
	case MXG_ALARM_EMPTIED:
		return "emptied";
	case MXG_ALARM_GONE:
		return "gone";
	case MXG_ALARM_DOUBLED:
		return "doubled";
	case MXG_ALARM_WIDE:
		return "wide";
	case MXG_ALARM_BROKEN:
		return "broken";
	case MXG_ALARM_NEAR_LIMIT:
		return "near-limit";
	default:
		return "unknown";
	}
}

/* ---- the items ---------------------------------------------------------------------- */

bool mxg_store_init(struct mxg_store *s, const struct mxguard_snapshot *before, const struct mxg_string_list *forget)
{
	*s = (struct mxg_store){ .before = before, .forget = forget, .bucket_count = 1024 };
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

static bool is_forgotten(const struct mxg_store *s, const struct mxg_question *q)
{
	struct mxg_name name;
	for (size_t i = 0; i < s->forget->count; i++)
		if (mxg_name_from_text(&name, s->forget->items[i], strlen(s->forget->items[i])) &&
		    mxg_name_equal(&name, &q->name))
			return true;
	return false;
}

static bool copy_versions(struct mxg_item *item, const struct mxg_answer *versions, size_t count)
{
	size_t size = count * sizeof(*versions);
	for (size_t i = 0; i < count; i++)
		size += versions[i].size;
	item->old = malloc(size);
	if (item->old == NULL)
		return false;
	uint8_t *data = (uint8_t *)(item->old + count);
	for (size_t i = 0; i < count; i++) {
		item->old[i] = versions[i];
		item->old[i].data = data;
		if (versions[i].size > 0)
			memcpy(data, versions[i].data, versions[i].size);
		data += versions[i].size;
	}
	item->old_count = (uint8_t)count;
	return true;
}

/* A value that is damaged has no history; it is asked for like a new one. */
static bool load_history(struct mxg_store *s, struct mxg_item *item, const struct mxg_question *q)
{
	const struct mxg_answer *versions;
	if (s->before == NULL || is_forgotten(s, q))
		return true;
	mxg_answers_clear(s->scratch);
	int entry = mxg_answers_entry(s->scratch, &q->name, q->type);
	if (entry < 0)
		return false;
	switch (mxg_snapshot_load(s->before, s->scratch, entry)) {
	case MXG_SNAPSHOT_FOUND:
		break;
	case MXG_SNAPSHOT_NOMEM:
		return false;
	default:
		return true;
	}
	size_t count = mxg_answers_versions(s->scratch, entry, &versions);
	return count == 0 || copy_versions(item, versions, count > MXG_VERSIONS_MAX ? MXG_VERSIONS_MAX : count);
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
	if (!load_history(s, item, q)) {
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

static bool has_item(const uint8_t *data, size_t size, const uint8_t *wanted, size_t wanted_len)
{
	const uint8_t *item;
	size_t at = 0, len;
	while (mxg_rrset_next(data, size, &at, &item, &len))
		if (len == wanted_len && memcmp(item, wanted, len) == 0)
			return true;
	return false;
}

static bool covers(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	const uint8_t *item;
	size_t at = 0, len;
	while (mxg_rrset_next(b, b_size, &at, &item, &len))
		if (!has_item(a, a_size, item, len))
			return false;
	return true;
}

/* The order of records means nothing. */
static bool same_set(const struct mxg_answer *old, const struct mxg_reply *r)
{
	const struct mxg_rrset *s = &r->records;
	return old->kind == r->kind && old->count == s->count && old->size == s->size &&
	       covers(old->data, old->size, s->data, s->size) && covers(s->data, s->size, old->data, old->size);
}

bool mxg_item_answered(const struct mxg_item *item)
{
	return item->state == MXG_ITEM_REPLIED && item->reply.kind != MXG_ANSWER_FAILED && !item->keep_old;
}

bool mxg_item_changed(const struct mxg_item *item)
{
	const struct mxg_answer *old = mxg_item_current(item);
	return item->reply.kind != MXG_ANSWER_FAILED && (old == NULL || !same_set(old, &item->reply));
}

/* ---- alarms ------------------------------------------------------------------------------ */

struct measure {
	size_t size; /* addresses, hosts, or terms that may authorize */
	bool wide, broken;
};

static bool is_wide(const struct mxg_term *t)
{
	switch (t->mechanism) {
	case MXG_MECHANISM_ALL:
		return true;
	case MXG_MECHANISM_IP4:
	case MXG_MECHANISM_IP6:
		return t->prefix.bits < (t->prefix.base.family == 4 ? 12 : 28);
	case MXG_MECHANISM_A:
	case MXG_MECHANISM_MX:
		return t->cidr4 < 12 || t->cidr6 < 28;
	default:
		return false;
	}
}

static void measure_record(struct measure *m, const char *text, size_t len)
{
	struct mxg_record record;
	struct mxg_term_error error;
	m->broken = mxg_record_parse(&record, text, len, &error) != MXG_RECORD_OK;
	for (size_t i = 0; !m->broken && i < record.count; i++) {
		if (record.terms[i].qualifier != '+')
			continue;
		m->size++;
		m->wide |= is_wide(&record.terms[i]);
	}
	m->size += !m->broken && record.redirect != NULL;
	mxg_record_clear(&record);
}

static struct measure measure(uint16_t type, const uint8_t *data, size_t size, size_t count)
{
	struct measure m = { .size = count };
	const uint8_t *item;
	size_t at = 0, len;
	if (type != MXG_DNS_TXT || count == 0)
		return m;
	m.broken = count > 1;
	m.size = 0;
	if (count == 1 && mxg_rrset_next(data, size, &at, &item, &len))
		measure_record(&m, (const char *)item, len);
	return m;
}

/* A set that has been empty for as long as stale answers count is empty. */
static bool too_old_to_keep(const struct mxg_answer *old, const struct mxguard_policy *policy, int64_t now)
{
	return old->confirmed + (int64_t)old->ttl + (int64_t)policy->keep_stale <= now;
}

static void judge(struct mxg_item *item, const struct mxguard_policy *policy, int64_t now, bool strict)
{
	const struct mxg_answer *old = mxg_item_current(item);
	const struct mxg_rrset *set = &item->reply.records;
	struct measure m = measure(item->type, set->data, set->size, set->count), before = { .size = 0 };
	if (old != NULL)
		before = measure(item->type, old->data, old->size, old->count);
	item->old_size = before.size;
	item->new_size = m.size;
	if (m.broken)
		item->alarms |= MXG_ALARM_BROKEN;
	else if (before.size > 0 && m.size == 0)
		item->alarms |= MXG_ALARM_EMPTIED;
	else if (before.size > 0 && m.size > 2 * before.size)
		item->alarms |= MXG_ALARM_DOUBLED;
	if ((item->alarms & MXG_ALARM_EMPTIED) != 0 && item->reply.kind == MXG_ANSWER_NXDOMAIN)
		item->alarms |= MXG_ALARM_GONE;
	if (m.wide)
		item->alarms |= MXG_ALARM_WIDE;
	if (old == NULL || !mxg_item_changed(item) || too_old_to_keep(old, policy, now))
		return;
	item->keep_old = (item->alarms & MXG_ALARM_EMPTIED) != 0 || (strict && item->alarms != 0);
}

void mxg_item_reply(struct mxg_item *item, struct mxg_reply *reply, const struct mxguard_policy *policy, int64_t now,
		    bool strict)
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
	if (item->reply.kind != MXG_ANSWER_FAILED)
		judge(item, policy, now, strict);
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
