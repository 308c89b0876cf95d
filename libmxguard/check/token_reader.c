/* SPDX-License-Identifier: MIT */
#include "check/token_reader.h"

#include <string.h>
#include <strings.h>

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
	reader->line_start = true;
	reader->too_long = false;
	reader->len = 0;
	reader->seen_count = 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool mxg_token_names_field(const struct mxg_token *token, const char *field, size_t len)
{
	size_t name_len = token->field == NULL ? 0 : strlen(token->field);
	if (name_len == 0 || len <= name_len || strncasecmp(field, token->field, name_len) != 0)
		return false;
	size_t at = name_len;
	while (at < len && is_blank(field[at]))
		at++;
	return at < len && field[at] == ':';
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
	while (value < end && is_blank(*value))
		value++;
	while (end > value && is_blank(end[-1]))
		end--;
	return (size_t)(end - value) == token->value_len && token->value_len > 0 &&
	       equal_in_constant_time(value, token->value, token->value_len);
}

static void note(struct mxg_token_reader *reader, const struct mxg_token *token)
{
	if (!mxg_token_reader_saw(reader, token) && reader->seen_count < sizeof(reader->seen) / sizeof(reader->seen[0]))
		reader->seen[reader->seen_count++] = token;
}

static void finish_field(struct mxg_token_reader *reader)
{
	for (size_t r = 0; reader->len > 0 && !reader->too_long && r < reader->policy->ruleset_count; r++) {
		const struct mxg_ruleset *ruleset = &reader->policy->rulesets[r];
		for (size_t g = 0; g < ruleset->gateway_count; g++) {
			const struct mxg_token *token = &ruleset->gateways[g].token;
			if (mxg_token_names_field(token, reader->field, reader->len) &&
			    value_matches(token, reader->field, reader->len))
				note(reader, token);
		}
	}
	reader->len = 0;
	reader->too_long = false;
}

/* At the start of a line: an empty one ends the header, a blank continues the field. */
static void begin_line(struct mxg_token_reader *reader, char c)
{
	if (c == '\n' || c == '\r') {
		finish_field(reader);
		reader->ended = true;
	} else if (c != ' ' && c != '\t') {
		finish_field(reader);
	}
}

void mxg_token_reader_feed(struct mxg_token_reader *reader, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && reader->any && !reader->ended; i++) {
		if (reader->line_start)
			begin_line(reader, bytes[i]);
		if (reader->ended)
			return;
		if (reader->len < sizeof(reader->field))
			reader->field[reader->len++] = bytes[i];
		else
			reader->too_long = true;
		reader->line_start = bytes[i] == '\n';
	}
}

void mxg_token_reader_end(struct mxg_token_reader *reader)
{
	if (!reader->ended)
		finish_field(reader);
	reader->ended = true;
}

/* Rulesets may repeat an entry: the same field and value are the same token. */
static bool same_token(const struct mxg_token *a, const struct mxg_token *b)
{
	return a == b || (a->value_len == b->value_len && strcasecmp(a->field, b->field) == 0 &&
			  memcmp(a->value, b->value, a->value_len) == 0);
}

bool mxg_token_reader_saw(const struct mxg_token_reader *reader, const struct mxg_token *token)
{
	for (size_t i = 0; token->value != NULL && i < reader->seen_count; i++)
		if (same_token(reader->seen[i], token))
			return true;
	return false;
}
