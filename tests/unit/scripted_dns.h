/* SPDX-License-Identifier: MIT */
#ifndef TEST_SCRIPTED_DNS_H
#define TEST_SCRIPTED_DNS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "check/questions.h"
#include "mxguard.h"

/* Replies made by hand, out of a table, for tests that are their own transport. Nothing here
 * allocates: one of the tests counts allocations. */
struct scripted_record {
	const char *question; /* as mxg_check_question_text() gives it */
	const char *rdata;
	size_t len;
};
#define RECORD(question, rdata) \
	{ \
		question, rdata, sizeof(rdata) - 1 \
	}

static inline void scripted_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1035 §4.1.3; owner and type are the question's, the TTL is 300 seconds. */
static inline size_t scripted_answer(uint8_t *out, const uint8_t *type, const struct scripted_record *r)
{
	static const uint8_t owner[] = { 0xc0, 12 }, class_and_ttl[] = { 0, 1, 0, 0, 1, 44 };
	memcpy(out, owner, 2);
	memcpy(out + 2, type, 2);
	memcpy(out + 4, class_and_ttl, 6);
	scripted_put16(out + 10, (unsigned)r->len);
	memcpy(out + 12, r->rdata, r->len);
	return 12 + r->len;
}

/* The reply to one query; a question that the table does not hold has no records. */
static inline size_t scripted_reply(uint8_t out[2048], const uint8_t *query, const char *question,
				    const struct scripted_record *script, size_t count)
{
	size_t name = strlen((const char *)query + 12) + 1, len = 12 + name + 4;
	unsigned answers = 0;
	memcpy(out, query, len);
	memset(out + 2, 0, 10);
	scripted_put16(out + 2, 0x8180);
	scripted_put16(out + 4, 1);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(script[i].question, question) != 0)
			continue;
		len += scripted_answer(out + len, query + 12 + name, &script[i]);
		scripted_put16(out + 6, ++answers);
	}
	return len;
}

/* Answers all that is asked now; false where nothing is. */
static inline bool scripted_round(struct mxguard_check *check, const struct scripted_record *script, size_t count,
				  int64_t now)
{
	uint8_t query[512], reply[2048];
	size_t number;
	size_t len;
	bool any = false;
	while (mxguard_check_next_question(check, &number, query, sizeof(query), &len) == 1) {
		any = true;
		len = scripted_reply(reply, query, mxg_check_question_text(check, number), script, count);
		if (mxguard_check_reply(check, number, reply, len, now) != MXGUARD_ERROR_NONE)
			mxguard_check_no_reply(check, number, MXGUARD_DNS_FAILURE_LOCAL, now);
	}
	return any;
}

static inline int scripted_run(struct mxguard_check *check, const struct scripted_record *script, size_t count,
			       int64_t now)
{
	int progress;
	while ((progress = mxguard_check_run(check, now)) == MXGUARD_PROGRESS_NEED_DNS)
		if (!scripted_round(check, script, count, now))
			break;
	return progress;
}

#endif
