/* SPDX-License-Identifier: MIT */
/* Which incoming header fields must not reach the mailbox: results that claim to be ours
 * (RFC 8601 §5), and the secrets of shared gateways. */
#include <string.h>
#include <strings.h>

#include "policy.h"
#include "token.h"

struct cursor {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 §3.2.2; comments nest. False where one is not closed. */
static bool skip_comment(struct cursor *c)
{
	unsigned depth = 0;
	do {
		if (c->at == c->end)
			return false;
		if (*c->at == '\\' && c->end - c->at > 1)
			c->at++;
		else if (*c->at == '(')
			depth++;
		else if (*c->at == ')')
			depth--;
		c->at++;
	} while (depth > 0);
	return true;
}

static bool skip_cfws(struct cursor *c)
{
	while (c->at < c->end && (is_blank(*c->at) || *c->at == '('))
		if (is_blank(*c->at))
			c->at++;
		else if (!skip_comment(c))
			return false;
	return true;
}

/* An RFC 2045 token or a quoted-string, without its quotes. */
static bool take_value(struct cursor *c, char *out, size_t room)
{
	size_t len = 0;
	bool quoted = c->at < c->end && *c->at == '"';
	if (quoted)
		c->at++;
	for (; c->at < c->end; c->at++) {
		if (quoted ? *c->at == '"' : is_blank(*c->at) || *c->at == ';' || *c->at == '(')
			break;
		if (quoted && *c->at == '\\' && c->end - c->at > 1)
			c->at++;
		if (len + 1 == room)
			return false;
		out[len++] = *c->at;
	}
	out[len] = '\0';
	return !quoted || c->at < c->end;
}

static bool contains(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; n > 0 && i + n <= len; i++)
		if (strncasecmp(text + i, word, n) == 0)
			return true;
	return false;
}

/* A field that cannot be read is not kept where our id stands anywhere in it: another reader
 * might find it. */
static bool claims_our_id(const char *value, size_t len, const char *id)
{
	char found[512];
	struct cursor c = { value, value + len };
	if (!skip_cfws(&c) || !take_value(&c, found, sizeof(found)))
		return contains(value, len, id);
	return strcasecmp(found, id) == 0;
}

static bool is_field(const char *field, size_t len, const char *name, size_t *value)
{
	size_t n = strlen(name), at = n;
	if (len <= n || strncasecmp(field, name, n) != 0)
		return false;
	while (at < len && is_blank(field[at]))
		at++;
	*value = at + 1;
	return at < len && field[at] == ':';
}

static bool is_token(const struct mxguard_policy *policy, const char *field, size_t len)
{
	for (size_t r = 0; r < policy->ruleset_count; r++)
		for (size_t g = 0; g < policy->rulesets[r].gateway_count; g++)
			if (mxg_token_names_field(&policy->rulesets[r].gateways[g].token, field, len))
				return true;
	return false;
}

int mxguard_policy_removes_field(const struct mxguard_policy *policy, const char *field, size_t length)
{
	size_t value;
	if (policy == NULL || field == NULL || length == 0)
		return MXGUARD_ERROR_INVALID;
	if (is_field(field, length, "Authentication-Results", &value) &&
	    claims_our_id(field + value, length - value, policy->authserv_id))
		return 1;
	return is_token(policy, field, length) ? 1 : 0;
}
