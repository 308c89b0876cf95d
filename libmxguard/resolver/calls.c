/* SPDX-License-Identifier: MIT */
#include "resolver/calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

#define QUESTION_AT 12 /* behind the header (RFC 1035 §4.1) */
#define MASK '*' /* which c-ares lets pass, and which no name that is not masked has in it */

/* The length of the first question, 0 where there is none. */
static size_t question_length(const uint8_t *message, size_t len)
{
	size_t at = QUESTION_AT;
	while (at < len && message[at] != 0 && message[at] < 64)
		at += 1u + message[at];
	return at + 5 <= len && message[at] == 0 ? at + 5 - QUESTION_AT : 0;
}

/* ---- masks ------------------------------------------------------------------------------ */

static bool in_host_names(uint8_t byte)
{
	return mxg_ascii_is_alpha((char)byte) || mxg_ascii_is_digit((char)byte) || byte == '-' || byte == '_' ||
	       byte == '.' || byte == '/';
}

/* Of a byte at `at` behind the start of a question: whether it is one of a label's that has to be masked. *label: where
 * the next length stands. */
static bool is_masked(const uint8_t *question, size_t at, size_t *label)
{
	if (at != *label)
		return at < *label && !in_host_names(question[at]);
	*label = question[at] == 0 ? 0 : at + 1 + question[at];
	return false;
}

bool mxg_question_mask(const uint8_t *query, size_t len, uint8_t *message)
{
	size_t question = question_length(query, len), label = 0;
	bool masked = false;
	for (size_t i = 0; i < question; i++)
		if (is_masked(query + QUESTION_AT, i, &label)) {
			message[QUESTION_AT + i] = MASK;
			masked = true;
		}
	return masked;
}

void mxg_call_unmask(const struct mxg_call *call, uint8_t *message)
{
	size_t question = question_length(call->query, call->query_len), label = 0;
	for (size_t i = 0; i < question; i++)
		if (is_masked(call->query + QUESTION_AT, i, &label))
			message[QUESTION_AT + i] = call->query[QUESTION_AT + i];
}

/* ---- calls ------------------------------------------------------------------------------ */

/* Upper and lower case may have been mixed on the way out; the lengths in a name are below 'A', and
 * what a type folded could be taken for is not asked for. */
static uint8_t folded(uint8_t byte)
{
	return (uint8_t)mxg_ascii_lower((char)byte);
}

/* Of a question and of its mask it is the same. */
static struct mxg_call **bucket_of(struct mxg_calls *c, const uint8_t *message, size_t len)
{
	uint32_t hash = 2166136261u;
	size_t label = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = is_masked(message + QUESTION_AT, i, &label) ? MASK : message[QUESTION_AT + i];
		hash = (hash ^ folded(byte)) * 16777619u;
	}
	return &c->buckets[hash % MXG_CALL_BUCKETS];
}

/* `outward`: the message may have the mask of the call's question. */
static bool asks(const struct mxg_call *call, const uint8_t *message, size_t len, bool outward)
{
	const uint8_t *own = call->query + QUESTION_AT, *its = message + QUESTION_AT;
	size_t i = 0, label = 0;
	if (question_length(call->query, call->query_len) != len)
		return false;
	for (; i < len; i++) {
		bool masked = is_masked(own, i, &label);
		if (folded(own[i]) != folded(its[i]) && !(outward && masked && its[i] == MASK))
			break;
	}
	return i == len;
}

/* A call with this question and id; *unsent, where a message leaves: one that has not gone out yet. */
static struct mxg_call *find_call(struct mxg_calls *c, const uint8_t *message, size_t len, struct mxg_call **unsent)
{
	size_t question = len < QUESTION_AT ? 0 : question_length(message, len);
	if (question == 0)
		return NULL;
	for (struct mxg_call *call = *bucket_of(c, message, question); call != NULL; call = call->next) {
		if (!asks(call, message, question, unsent != NULL))
			continue;
		if (call->id == (message[0] << 8 | message[1]))
			return call;
		if (call->id < 0 && unsent != NULL)
			*unsent = call;
	}
	return NULL;
}

/* Newer ones of c-ares choose ids themselves. */
struct mxg_call *mxg_calls_note_id(struct mxg_calls *c, const uint8_t *message, size_t len)
{
	struct mxg_call *unsent = NULL, *call = find_call(c, message, len, &unsent);
	if (call != NULL || unsent == NULL)
		return call;
	unsent->id = message[0] << 8 | message[1];
	return unsent;
}

/* What is no reply to anything that was asked (NULL) is noise, and c-ares must not see it: 1.34 closes
 * the socket over a datagram that it cannot read, and so gives up the questions that are out by it. */
struct mxg_call *mxg_calls_find(struct mxg_calls *c, const uint8_t *message, size_t len)
{
	bool reply = len >= QUESTION_AT && (message[2] & 0xf8) == 0x80; /* and opcode QUERY */
	reply = reply && message[4] == 0 && message[5] == 1; /* questions: 1.34 reads as many as it says */
	return reply ? find_call(c, message, len, NULL) : NULL;
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
	if (call->masked)
		mxg_question_mask(call->query, call->query_len, message);
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
