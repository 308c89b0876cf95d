/* SPDX-License-Identifier: MIT */
#include "resolver/calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

#define QUESTION_AT 12 /* behind the header (RFC 1035 §4.1) */

/* The length of the first question, 0 where there is none. */
static size_t question_length(const uint8_t *message, size_t len)
{
	size_t at = QUESTION_AT;
	while (at < len && message[at] != 0 && message[at] < 64)
		at += 1u + message[at];
	return at + 5 <= len && message[at] == 0 ? at + 5 - QUESTION_AT : 0;
}

/* Upper and lower case may have been mixed on the way out; the lengths in a name are below 'A', and
 * what a type folded could be taken for is not asked for. */
static uint8_t folded(const uint8_t *message, size_t i)
{
	return (uint8_t)mxg_ascii_lower((char)message[QUESTION_AT + i]);
}

static struct mxg_call **bucket_of(struct mxg_calls *c, const uint8_t *message, size_t len)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ folded(message, i)) * 16777619u;
	return &c->buckets[hash % MXG_CALL_BUCKETS];
}

static bool asks(const struct mxg_call *call, const uint8_t *message, size_t len)
{
	size_t i = 0;
	if (question_length(call->query, call->query_len) != len)
		return false;
	while (i < len && folded(call->query, i) == folded(message, i))
		i++;
	return i == len;
}

/* A call with this question and id; *unsent: one that has not gone out yet. */
static struct mxg_call *find_call(struct mxg_calls *c, const uint8_t *message, size_t len, struct mxg_call **unsent)
{
	size_t question = len < QUESTION_AT ? 0 : question_length(message, len);
	if (question == 0)
		return NULL;
	for (struct mxg_call *call = *bucket_of(c, message, question); call != NULL; call = call->next) {
		if (!asks(call, message, question))
			continue;
		if (call->id == (message[0] << 8 | message[1]))
			return call;
		if (call->id < 0)
			*unsent = call;
	}
	return NULL;
}

/* What leaves. Newer ones of c-ares choose ids themselves. Over TCP a length stands before the
 * message, which is then no question of ours. */
void mxg_calls_note_id(struct mxg_calls *c, const uint8_t *message, size_t len)
{
	struct mxg_call *unsent = NULL;
	if (find_call(c, message, len, &unsent) == NULL && unsent != NULL)
		unsent->id = message[0] << 8 | message[1];
}

/* What is no reply to anything that was asked (NULL) is noise, and c-ares must not see it: 1.34 closes
 * the socket over a datagram that it cannot read, and so gives up the questions that are out by it. */
struct mxg_call *mxg_calls_find(struct mxg_calls *c, const uint8_t *message, size_t len)
{
	struct mxg_call *unsent = NULL;
	bool reply = len >= QUESTION_AT && (message[2] & 0xf8) == 0x80; /* and opcode QUERY */
	return reply ? find_call(c, message, len, &unsent) : NULL;
}

/* What stands behind the question is for our own reader: 1.34 would refuse the whole for one record
 * that it does not like, and write the rest anew. */
size_t mxg_call_take(struct mxg_call *call, uint8_t *message, size_t len, bool over_tcp)
{
	bool again = (message[2] & 0x02) != 0 && !over_tcp;
	free(call->reply);
	call->reply = again ? NULL : malloc(len);
	if (!again && call->reply == NULL)
		return len;
	if (!again)
		memcpy(call->reply, message, len);
	call->reply_len = len;
	memset(message + 6, 0, 6); /* the counts of all records */
	return QUESTION_AT + question_length(message, len);
}

void mxg_calls_add(struct mxg_calls *c, struct mxg_call *call)
{
	struct mxg_call **bucket = bucket_of(c, call->query, question_length(call->query, call->query_len));
	call->next = *bucket;
	*bucket = call;
}

void mxg_calls_remove(struct mxg_calls *c, struct mxg_call *call)
{
	struct mxg_call **at = bucket_of(c, call->query, question_length(call->query, call->query_len));
	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
}
