/* SPDX-License-Identifier: MIT */
/* Which incoming header fields must not reach the mailbox: results that claim to be ours
 * (RFC 8601 §5), and the secrets of shared gateways. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "mxguard.h"
#include "policy/policy.h"
#include "check/token_reader.h"

struct cursor {
	const char *at, *end;
	bool broken; /* a comment or a quoted string that does not end */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 §3.2.2; comments nest. */
static void skip_comment(struct cursor *c)
{
	unsigned depth = 0;
	do {
		if (*c->at == '(')
			depth++;
		else if (*c->at == ')')
			depth--;
		else if (*c->at == '\\' && c->at + 1 < c->end)
			c->at++;
		c->at++;
	} while (depth > 0 && c->at < c->end);
	c->broken = c->broken || depth > 0;
}

static void skip_cfws(struct cursor *c)
{
	while (c->at < c->end && (is_blank(*c->at) || *c->at == '('))
		if (*c->at == '(')
			skip_comment(c);
		else
			c->at++;
}

/* One byte of the value: of a token (RFC 2045 §5.1), or within quotes; -1: it has ended. */
static int next_byte(struct cursor *c, bool quoted)
{
	if (c->at == c->end) {
		c->broken = c->broken || quoted;
		return -1;
	}
	char b = *c->at++;
	if (!quoted)
		return is_blank(b) || strchr("()<>@,;:\\\"/[]?=", b) != NULL ? -1 : (unsigned char)b;
	if (b == '"')
		return -1;
	if (b == '\\' && c->at < c->end)
		b = *c->at++;
	return (unsigned char)b;
}

static int folded(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool value_is(struct cursor *c, const char *id)
{
	bool quoted = c->at < c->end && *c->at == '"', same = true;
	int b;
	c->at += quoted;
	while ((b = next_byte(c, quoted)) >= 0) {
		if (quoted && (b == '\r' || b == '\n'))
			continue; /* folding */
		same = same && *id != '\0' && folded(b) == folded((unsigned char)*id);
		id += same;
	}
	return same && *id == '\0';
}

static bool contains(const char *text, size_t len, const char *id)
{
	size_t n = strlen(id);
	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(text + i, id, n) == 0)
			return true;
	return false;
}

static bool claims_to_be_ours(const char *id, const char *field, size_t len)
{
	static const char name[] = "Authentication-Results";
	struct cursor c = { .at = field + sizeof(name) - 1, .end = field + len };
	if (len < sizeof(name) || strncasecmp(field, name, sizeof(name) - 1) != 0)
		return false;
	while (c.at < c.end && is_blank(*c.at))
		c.at++;
	if (c.at == c.end || *c.at != ':')
		return false;
	c.at++;
	skip_cfws(&c);
	bool ours = value_is(&c, id);
	/* other readers may be laxer about what is broken than this one */
	return ours || (c.broken && contains(field, len, id));
}

int mxguard_policy_removes_field(const struct mxguard_policy *policy, const char *field, size_t length)
{
	if (field == NULL || length == 0 || length > INT32_MAX)
		return MXGUARD_ERROR_INVALID;
	if (claims_to_be_ours(policy->authserv_id, field, length))
		return 1;
	for (size_t r = 0; r < policy->ruleset_count; r++)
		for (size_t g = 0; g < policy->rulesets[r].gateway_count; g++)
			if (mxg_token_names_field(&policy->rulesets[r].gateways[g].token, field, length))
				return 1;
	return 0;
}
