/* SPDX-License-Identifier: MIT */
/* A check's questions, out to whoever asks DNS, and the replies, in. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "check/questions.h"

const struct mxg_question *mxg_check_next_question(struct mxguard_check *c, size_t *number)
{
	while (c->next_question < c->question_count) {
		int entry = c->questions[c->next_question++];
		if ((mxg_answers_flags(c->answers, entry) & MXG_ENTRY_REPLIED) != 0)
			continue; /* answered before it was asked: given up */
		*number = (size_t)entry;
		return mxg_answers_question(c->answers, entry);
	}
	return NULL;
}

int mxguard_check_next_question(struct mxguard_check *c, size_t *number, void *query, size_t room, size_t *length)
{
	const struct mxg_question *question = mxg_check_next_question(c, number);
	if (question == NULL)
		return 0;
	*length = mxg_dns_query(query, room, question, 0);
	if (*length > 0)
		return 1;
	c->next_question--; /* for a call with more room */
	return MXGUARD_ERROR_INVALID;
}

static bool is_question(const struct mxguard_check *c, size_t number)
{
	return c->answers != NULL && number < mxg_answers_count(c->answers) &&
	       (mxg_answers_flags(c->answers, (int)number) & MXG_ENTRY_ASKED) != 0;
}

const char *mxg_check_question_text(struct mxguard_check *c, size_t number)
{
	char name[MXG_NAME_TEXT_MAX];
	if (!is_question(c, number))
		return "";
	const struct mxg_question *q = mxg_answers_question(c->answers, (int)number);
	const char *text = mxg_check_format(c, "%s %s", mxg_name_format(&q->name, name), mxg_dns_type_name(q->type));
	return text == NULL ? "" : text;
}

/* Wakes those domains that waited for the entry. */
static void wake(struct mxguard_check *c, int entry)
{
	for (size_t i = 0; i < c->domain_count; i++) {
		struct mxg_domain_check *d = &c->domains[i];
		size_t kept = sizeof(d->waiting) / sizeof(d->waiting[0]);
		bool waits = d->waiting_count > kept;
		for (size_t w = 0; !waits && w < d->waiting_count; w++)
			waits = d->waiting[w] == entry;
		if (waits && !d->done)
			d->dirty = true;
	}
}

void mxg_check_take(struct mxguard_check *c, size_t number, struct mxg_reply *reply, int64_t now)
{
	if ((mxg_answers_flags(c->answers, (int)number) & MXG_ENTRY_REPLIED) != 0)
		return;
	mxg_answers_put_live(c->answers, (int)number, reply, now);
	mxg_answers_set_flags(c->answers, (int)number, MXG_ENTRY_REPLIED, 0);
	wake(c, (int)number);
}

int mxguard_check_reply(struct mxguard_check *c, size_t number, const void *reply, size_t length, int64_t now)
{
	struct mxg_reply parsed;
	if (reply == NULL || !is_question(c, number))
		return MXGUARD_ERROR_INVALID;
	if (!mxg_dns_reply_parse(&parsed, mxg_answers_question(c->answers, (int)number), reply, length))
		return MXGUARD_ERROR_NOMEM;
	mxg_reply_restrict(&parsed, &c->policy->reply_rules);
	mxg_check_take(c, number, &parsed, now);
	free(parsed.records.data);
	return MXGUARD_ERROR_NONE;
}

/* The public enum is a part of ours: the caller's number is taken as it is. */
static_assert((int)MXGUARD_DNS_FAILURE_TIMEOUT == (int)MXG_DNS_TIMEOUT, "enums agree");
static_assert((int)MXGUARD_DNS_FAILURE_SERVFAIL == (int)MXG_DNS_SERVFAIL, "enums agree");
static_assert((int)MXGUARD_DNS_FAILURE_REFUSED == (int)MXG_DNS_REFUSED, "enums agree");
static_assert((int)MXGUARD_DNS_FAILURE_BROKEN == (int)MXG_DNS_BROKEN, "enums agree");
static_assert((int)MXGUARD_DNS_FAILURE_CANCELLED == (int)MXG_DNS_CANCELLED, "enums agree");
static_assert((int)MXGUARD_DNS_FAILURE_LOCAL == (int)MXG_DNS_LOCAL, "enums agree");

/* Between them stands one that is found here, never told. */
static bool is_failure(enum mxguard_dns_failure why)
{
	return why >= MXGUARD_DNS_FAILURE_TIMEOUT && why <= MXGUARD_DNS_FAILURE_LOCAL && (int)why != MXG_DNS_INSECURE;
}

int mxguard_check_no_reply(struct mxguard_check *c, size_t number, enum mxguard_dns_failure why, int64_t now)
{
	if (!is_failure(why) || !is_question(c, number))
		return MXGUARD_ERROR_INVALID;
	struct mxg_reply none = { .kind = MXG_ANSWER_FAILED, .failure = (enum mxg_dns_failure)why };
	mxg_check_take(c, number, &none, now);
	return MXGUARD_ERROR_NONE;
}
