/* SPDX-License-Identifier: MIT */
/* The catalogue of filter services: read as strictly as a configuration. */
#include "policy/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/domain_text.h"
#include "policy/build.h"
#include "policy/policy.h"

/* ---- values ----------------------------------------------------------------------------- */

/* Printable ASCII without quotes and backslashes: it goes into comments and blocks to paste. */
static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static bool take_text(struct mxg_policy_build *b, const config_setting_t *setting, const char **out)
{
	static const char expected[] = "printable ASCII without quotes";
	const char *text = mxg_build_string(b, setting, expected);
	if (text == NULL)
		return false;
	if (text[0] == '\0' || !is_plain(text))
		return mxg_build_unexpected(b, setting, expected);
	*out = mxg_build_copy(b, text, strlen(text));
	return *out != NULL;
}

static bool take_source(struct mxg_policy_build *b, const config_setting_t *setting, const char **out)
{
	if (!take_text(b, setting, out))
		return false;
	if (strncmp(*out, "https://", 8) != 0 || (*out)[8] == '\0' || strchr(*out, ' ') != NULL)
		return mxg_build_unexpected(b, setting, "an https:// address");
	return true;
}

static bool is_date(const char *text)
{
	static const char shape[] = "dddd-dd-dd";
	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; shape[i] != '\0'; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != '-')
			return false;
	int month = (text[5] - '0') * 10 + text[6] - '0', day = (text[8] - '0') * 10 + text[9] - '0';
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool take_date(struct mxg_policy_build *b, const config_setting_t *setting, const char **out)
{
	if (!take_text(b, setting, out))
		return false;
	return is_date(*out) || mxg_build_unexpected(b, setting, "a date such as 2026-11-29");
}

static bool take_documented(struct mxg_policy_build *b, const config_setting_t *setting, enum mxg_documented *out)
{
	static const char expected[] = "\"delivery\" or \"sending\"";
	const char *text = mxg_build_string(b, setting, expected);
	if (text == NULL)
		return false;
	if (strcmp(text, "delivery") == 0)
		*out = MXG_DOCUMENTED_DELIVERY;
	else if (strcmp(text, "sending") == 0)
		*out = MXG_DOCUMENTED_SENDING;
	else
		return mxg_build_unexpected(b, setting, expected);
	return true;
}

/* ---- terms ------------------------------------------------------------------------------ */

static bool replace_mx(const char *allow, const char *with, size_t len, char out[MXG_VENDOR_ALLOW_MAX])
{
	size_t at = 0;
	for (const char *p = allow; *p != '\0';) {
		bool here = strncmp(p, MXG_VENDOR_MX, strlen(MXG_VENDOR_MX)) == 0;
		size_t piece = here ? len : 1;
		if (at + piece >= MXG_VENDOR_ALLOW_MAX)
			return false;
		memcpy(out + at, here ? with : p, piece);
		at += piece;
		p += here ? strlen(MXG_VENDOR_MX) : 1;
	}
	out[at] = '\0';
	return true;
}

static bool are_terms(const char *allow)
{
	char text[MXG_VENDOR_ALLOW_MAX], *rest = text, *piece;
	struct mxg_term term;
	struct mxg_term_error error;
	if (!replace_mx(allow, "x", 1, text))
		return false;
	while ((piece = strsep(&rest, " ")) != NULL)
		if (!mxg_term_parse_configured(&term, piece, strlen(piece), false, &error) ||
		    mxg_term_is_wide(&term, 4) || mxg_term_is_wide(&term, 6))
			return false;
	return true;
}

static bool take_allow(struct mxg_policy_build *b, const config_setting_t *setting, const char **out)
{
	if (!take_text(b, setting, out))
		return false;
	return are_terms(*out) || mxg_build_unexpected(b, setting, "terms of RFC 7208, one blank between them");
}

/* ---- one vendor ------------------------------------------------------------------------- */

static bool take_one(struct mxg_policy_build *b, struct mxg_vendor *v, const config_setting_t *setting)
{
	static const struct mxg_setting shared = { .expected = "true or false" };
	const char *name = config_setting_name(setting);
	if (strcmp(name, "name") == 0)
		return take_text(b, setting, &v->name);
	if (strcmp(name, "mx") == 0)
		return mxg_build_domains(b, setting, true, &v->mx);
	if (strcmp(name, "allow") == 0)
		return take_allow(b, setting, &v->allow);
	if (strcmp(name, "certificate") == 0)
		return take_text(b, setting, &v->certificate);
	if (strcmp(name, "shared") == 0)
		return mxg_take_bool(b, &shared, &v->shared, setting);
	if (strcmp(name, "documented") == 0)
		return take_documented(b, setting, &v->documented);
	if (strcmp(name, "notes") == 0)
		return take_text(b, setting, &v->notes);
	if (strcmp(name, "source") == 0)
		return take_source(b, setting, &v->source);
	if (strcmp(name, "date") == 0)
		return take_date(b, setting, &v->date);
	return mxg_build_fail(b, setting,
			      "is no setting of a vendor; expected name, mx, allow, certificate, shared, "
			      "documented, notes, source or date");
}

static bool take_vendor(struct mxg_policy_build *b, struct mxg_vendor *v, const config_setting_t *group)
{
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, group, "{ name = \"…\"; mx = [ … ]; … }");
	for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++)
		if (!take_one(b, v, config_setting_get_elem(group, i)))
			return false;
	if (v->name == NULL || v->mx.count == 0 || v->source == NULL || v->date == NULL ||
	    config_setting_get_member(group, "shared") == NULL)
		return mxg_build_fail(b, group,
				      "found a vendor that is not complete; expected name, mx, shared, "
				      "source and date");
	if ((v->allow == NULL) != (v->documented == MXG_DOCUMENTED_NOT))
		return mxg_build_fail(b, group, "found one of allow and documented; expected both or none");
	return true;
}

/* ---- MX hosts ---------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *host)
{
	size_t len = strlen(host), own = strlen(pattern);
	if (pattern[0] != '.')
		return strcmp(pattern, host) == 0;
	return len > own && strcmp(host + len - own, pattern) == 0;
}

static const char *pattern_of(const struct mxg_vendor *v, const char *host)
{
	for (size_t i = 0; i < v->mx.count; i++)
		if (matches(v->mx.items[i], host))
			return v->mx.items[i];
	return NULL;
}

/* Whether some host could be called by both. */
static bool overlap(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || matches(a, b) || matches(b, a);
}

static bool refuse_overlaps(struct mxg_policy_build *b, const struct mxg_catalogue *c, size_t number,
			    const config_setting_t *group)
{
	const struct mxg_vendor *v = &c->items[number];
	for (size_t other = 0; other < number; other++)
		for (size_t i = 0; i < v->mx.count; i++)
			for (size_t k = 0; k < c->items[other].mx.count; k++)
				if (overlap(v->mx.items[i], c->items[other].mx.items[k]))
					return mxg_build_fail(b, group,
							      "found \"%s\", which %s has as well; expected MX hosts "
							      "of one vendor",
							      v->mx.items[i], c->items[other].name);
	return true;
}

const struct mxg_vendor *mxg_catalogue_find(const struct mxg_catalogue *c, const char *host)
{
	for (size_t i = 0; c != NULL && i < c->count; i++)
		if (pattern_of(&c->items[i], host) != NULL)
			return &c->items[i];
	return NULL;
}

bool mxg_vendor_allow(const struct mxg_vendor *v, const char *host, char out[MXG_VENDOR_ALLOW_MAX])
{
	const char *pattern = pattern_of(v, host);
	if (v->allow == NULL || pattern == NULL)
		return false;
	if (strstr(v->allow, MXG_VENDOR_MX) == NULL)
		return replace_mx(v->allow, "", 0, out);
	const char *begin = strchr(host, '.'), *end = host + strlen(host) - strlen(pattern);
	if (begin == NULL || begin + 1 >= end)
		return false;
	size_t len = (size_t)(end - begin - 1);
	if (strspn(begin + 1, "abcdefghijklmnopqrstuvwxyz0123456789-.") < len)
		return false; /* a DNS name may hold anything, and this goes into a term */
	return replace_mx(v->allow, begin + 1, len, out);
}

/* ---- the file ---------------------------------------------------------------------------- */

static bool take_vendors(struct mxg_policy_build *b, struct mxg_catalogue *c)
{
	const config_setting_t *list = config_setting_get_member(b->root, "vendors");
	if (list == NULL || config_setting_type(list) != CONFIG_TYPE_LIST || config_setting_length(b->root) != 1)
		return mxg_build_fail(b, list, "expected vendors = ( { … }, … ); and nothing else");
	c->items = mxg_build_take(b, (size_t)config_setting_length(list), sizeof(*c->items));
	for (unsigned i = 0; c->items != NULL && i < (unsigned)config_setting_length(list); i++) {
		const config_setting_t *group = config_setting_get_elem(list, i);
		if (!take_vendor(b, &c->items[i], group) || !refuse_overlaps(b, c, i, group))
			return false;
		c->count++;
	}
	return c->items != NULL;
}

static bool parse(struct mxg_policy_build *b, struct mxg_catalogue *c, const char *text, size_t len)
{
	struct mxg_policy_text read = { 0 };
	config_t config;
	config_init(&config);
	bool good =
		mxg_policy_text_read(b, &read, text, len) && mxg_build_syntax(b, &read, &config) && take_vendors(b, c);
	config_destroy(&config);
	mxg_policy_text_clear(&read);
	return good && b->error == MXGUARD_ERROR_NONE;
}

struct mxg_catalogue *mxg_catalogue_parse(const char *text, size_t len, const char *name, char *message, size_t size)
{
	struct mxg_policy_build b = { .name = name, .message = message, .size = size };
	struct mxg_catalogue *c = calloc(1, sizeof(*c));
	b.last_warning = &b.warnings;
	message[0] = '\0';
	if (c != NULL)
		c->memory = b.arena = calloc(1, sizeof(struct mxg_arena));
	if (c != NULL && b.arena != NULL && parse(&b, c, text, len))
		return c;
	mxg_catalogue_free(c);
	if (message[0] == '\0')
		snprintf(message, size, "%s: out of memory", name);
	return NULL;
}

void mxg_catalogue_free(struct mxg_catalogue *c)
{
	if (c != NULL && c->memory != NULL)
		mxg_arena_free(c->memory);
	if (c != NULL)
		free(c->memory);
	free(c);
}
