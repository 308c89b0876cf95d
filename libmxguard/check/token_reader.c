/* SPDX-License-Identifier: MIT */
#include "check/token_reader.h"

#include <string.h>

#include "base/ascii.h"

static bool has_tokens(const struct mxguard_policy *policy)
{
	for (size_t r = 0; r < policy->ruleset_count; r++)
		for (size_t g = 0; g < policy->rulesets[r].gateway_count; g++)
			if (policy->rulesets[r].gateways[g].token.field != NULL)
				return true;
	return false;
}

void mxg_token_reader_init(struct mxg_token_reader *reader, const struct mxguard_policy *policy)
{
	if (reader->policy != policy)
		reader->any = has_tokens(policy);
	reader->policy = policy;
	reader->ended = false;
	reader->seen_count = 0;
	if (reader->any)
		mxg_header_init(&reader->cutter, reader->field, sizeof(reader->field));
}

static bool same_folded(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (mxg_ascii_lower(a[i]) != mxg_ascii_lower(b[i]))
			return false;
	return true;
}

static bool names(const struct mxg_token *token, const char *name, size_t len)
{
	return token->field != NULL && strlen(token->field) == len && same_folded(token->field, name, len);
}

/* Takes as long for a wrong value as for the right one (of the same length). */
static bool equal_in_constant_time(const char *a, const char *b, size_t len)
{
	volatile unsigned char differs = 0;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}

static bool value_matches(const struct mxg_token *token, const char *field, size_t len)
{
	const char *value = memchr(field, ':', len);
	if (value == NULL || token->value == NULL)
		return false;
	const char *end = field + len;
	value++;
	while (value < end && mxg_ascii_is_blank(*value))
		value++;
	while (end > value && mxg_ascii_is_blank(end[-1]))
		end--;
	return (size_t)(end - value) == token->value_len && token->value_len > 0 &&
	       equal_in_constant_time(value, token->value, token->value_len);
}

static void note(struct mxg_token_reader *reader, const struct mxg_token *token)
{
	if (!mxg_token_reader_saw(reader, token) && reader->seen_count < sizeof(reader->seen) / sizeof(reader->seen[0]))
		reader->seen[reader->seen_count++] = token;
}

/* With `value` notes the tokens that the field holds; without, tells whether it may hold one. */
static bool look(struct mxg_token_reader *reader, bool value)
{
	const struct mxg_header_cutter *c = &reader->cutter;
	bool any = false;
	for (size_t r = 0; r < reader->policy->ruleset_count; r++) {
		const struct mxg_ruleset *ruleset = &reader->policy->rulesets[r];
		for (size_t g = 0; g < ruleset->gateway_count; g++) {
			const struct mxg_token *token = &ruleset->gateways[g].token;
			if (!names(token, c->bytes, c->name_len))
				continue;
			any = true;
			if (value && value_matches(token, c->bytes, c->len))
				note(reader, token);
		}
	}
	return any;
}

static void take(struct mxg_token_reader *reader, enum mxg_header_event event)
{
	struct mxg_header_cutter *c = &reader->cutter;
	if (event == MXG_HEADER_LINE)
		c->wanted = c->kind == MXG_HEADER_KIND_FIELD && look(reader, false);
	else if (event == MXG_HEADER_FIELD && !c->too_long)
		look(reader, true);
	reader->ended = event == MXG_HEADER_END;
}

void mxg_token_reader_feed(struct mxg_token_reader *reader, const char *bytes, size_t len)
{
	enum mxg_header_event event = MXG_HEADER_LINE;
	while (reader->any && !reader->ended && event != MXG_HEADER_MORE) {
		event = mxg_header_next(&reader->cutter, &bytes, &len);
		take(reader, event);
	}
}

void mxg_token_reader_end(struct mxg_token_reader *reader)
{
	while (reader->any && !reader->ended)
		take(reader, mxg_header_finish(&reader->cutter));
	reader->ended = true;
}

/* Rulesets may repeat an entry: the same field and value are the same token. */
static bool same_token(const struct mxg_token *a, const struct mxg_token *b)
{
	size_t len = strlen(a->field);
	return a == b || (a->value_len == b->value_len && strlen(b->field) == len &&
			  same_folded(a->field, b->field, len) && memcmp(a->value, b->value, a->value_len) == 0);
}

bool mxg_token_reader_saw(const struct mxg_token_reader *reader, const struct mxg_token *token)
{
	for (size_t i = 0; token->value != NULL && i < reader->seen_count; i++)
		if (same_token(reader->seen[i], token))
			return true;
	return false;
}
