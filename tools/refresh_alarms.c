/* SPDX-License-Identifier: MIT */
/* What is odd about an answer, and whether it is held back for it (docs/design.md, "Alarms"). */
#include <stdio.h>
#include <string.h>

#include "refresh.h"
#include "spf/macro.h"
#include "spf/terms.h"

/* Seen when the answer came, and by nothing in the answer itself. */
#define TRANSITIONS (MXG_ALARM_EMPTIED | MXG_ALARM_GONE | MXG_ALARM_DOUBLED)

struct measure {
	size_t size; /* addresses, hosts, or terms that may authorize */
	bool wide, broken;
};

/* An exists: that names too little of the peer's address only the evaluation can tell from one that
 * names enough; one that names nothing of it is told here. */
static bool is_wide(const struct mxg_term *t)
{
	if (t->mechanism == MXG_MECHANISM_EXISTS)
		return !mxg_macro_uses(t->target, t->target_len, "i");
	return mxg_term_is_wide(t, 4) || mxg_term_is_wide(t, 6);
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

/* Not the null MX of RFC 7505, a preference and the root's name. */
static size_t mx_hosts(const struct mxg_answer *a)
{
	const uint8_t *item;
	size_t at = 0, len, hosts = 0;
	while (mxg_rrset_next(a->data, a->size, &at, &item, &len))
		hosts += len > 3;
	return hosts;
}

static struct measure measure(uint16_t type, const struct mxg_answer *a)
{
	struct measure m = { .size = type == MXG_DNS_MX ? mx_hosts(a) : a->count };
	const uint8_t *item;
	size_t at = 0, len;
	if (type != MXG_DNS_TXT || a->count == 0)
		return m;
	m.broken = a->count > 1;
	m.size = 0;
	if (a->count == 1 && mxg_rrset_next(a->data, a->size, &at, &item, &len))
		measure_record(&m, (const char *)item, len);
	return m;
}

static unsigned compare(struct mxg_item *item, const struct mxg_answer *new, const struct mxg_answer *old)
{
	struct measure m = measure(item->type, new), before = { .size = 0 };
	unsigned alarms = 0;
	if (old != NULL)
		before = measure(item->type, old);
	item->old_size = before.size;
	item->new_size = m.size;
	if (m.broken)
		alarms |= MXG_ALARM_BROKEN;
	else if (before.size > 0 && m.size == 0)
		alarms |= MXG_ALARM_EMPTIED;
	else if (before.size > 0 && m.size > 2 * before.size)
		alarms |= MXG_ALARM_DOUBLED;
	if ((alarms & MXG_ALARM_EMPTIED) != 0 && new->kind == MXG_ANSWER_NXDOMAIN)
		alarms |= MXG_ALARM_GONE;
	return alarms | (m.wide ? MXG_ALARM_WIDE : 0);
}

/* The last refresh held just this back, and nobody has accepted it since. */
static bool was_refused(const struct mxg_item *item, const struct mxg_answer *new)
{
	if (item->refused == NULL)
		return false;
	if (new->kind != MXG_ANSWER_RECORDS && item->refused->kind != MXG_ANSWER_RECORDS)
		return true;
	return mxg_answers_same(new, item->refused);
}

/* What covers everybody is worse than whatever takes its place. */
static bool worth_keeping(const struct mxg_answer *old)
{
	return old != NULL && (old->alarms & MXG_ALARM_WIDE) == 0;
}

static void judge_answer(struct mxg_item *item, bool strict)
{
	const struct mxg_answer *old = mxg_item_current(item), new = mxg_reply_answer(&item->reply);
	bool changed = mxg_item_changed(item), refused = changed && was_refused(item, &new);
	item->accepted |= old != NULL && !changed && old->accepted;
	unsigned alarms = compare(item, &new, old);
	if (!changed)
		alarms |= old->alarms & TRANSITIONS;
	if (refused)
		alarms |= item->refused->alarms;
	if (item->accepted)
		return;
	item->alarms = (uint8_t)alarms;
	item->keep_old = changed && worth_keeping(old) &&
			 (refused || (alarms & MXG_ALARM_EMPTIED) != 0 || (strict && alarms != 0));
}

void mxg_item_judge(struct mxg_item *item, bool strict)
{
	const struct mxg_answer *old = mxg_item_current(item);
	item->known_alarms =
		(uint8_t)((old == NULL ? 0 : old->alarms) | (item->refused == NULL ? 0 : item->refused->alarms));
	if (item->reply.kind != MXG_ANSWER_FAILED) {
		judge_answer(item, strict);
	} else if (!item->accepted) { /* nothing new is known: what was to be heard still is */
		item->alarms = item->known_alarms;
		item->keep_old = item->refused != NULL;
	}
}

void mxg_item_recall(struct mxg_item *item, unsigned known)
{
	const struct mxg_answer *stands = mxg_item_current(item), *new = item->refused, *old = stands;
	if (new == NULL) {
		new = stands;
		old = item->old_count > 1 ? &item->old[1] : NULL;
	}
	item->state = MXG_ITEM_REPLIED;
	item->reply.kind = MXG_ANSWER_FAILED;
	item->keep_old = item->refused != NULL;
	item->alarms = (uint8_t)((stands == NULL ? 0 : stands->alarms) | (new == NULL ? 0 : new->alarms));
	item->known_alarms = (uint8_t)known;
	item->old_size = old == NULL ? 0 : measure(item->type, old).size;
	item->new_size = new == NULL ? 0 : measure(item->type, new).size;
}

bool mxg_item_alarm(struct mxg_item *item, unsigned alarm, bool strict)
{
	const struct mxg_answer *old = mxg_item_current(item);
	bool answered = mxg_item_answered(item);
	if (item->keep_old || item->accepted || (!answered && old != NULL && old->accepted))
		return false;
	item->alarms |= (uint8_t)alarm;
	if (strict && answered && mxg_item_changed(item) && worth_keeping(old))
		item->keep_old = true;
	return item->keep_old;
}

bool mxg_item_has_alarm(const struct mxg_item *item)
{
	return item->state == MXG_ITEM_REPLIED && item->alarms != 0;
}

void mxg_item_alarm_text(const struct mxg_item *item, char text[MXG_ALARM_TEXT_MAX])
{
	size_t at = mxg_alarm_names(text, item->alarms, ", ");
	if ((item->alarms & (MXG_ALARM_EMPTIED | MXG_ALARM_DOUBLED)) != 0 && item->new_size != item->old_size)
		snprintf(text + at, MXG_ALARM_TEXT_MAX - at, " (%zu, before %zu)", item->new_size, item->old_size);
}
