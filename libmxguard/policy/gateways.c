/* SPDX-License-Identifier: MIT */
/* `gateways`: named entries of terms, and the set of all their address ranges. */
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "policy/build.h"
#include "spf/macro.h"

#define NAME_MOST 64u

/* ---- one term ------------------------------------------------------------------------------- */

static const char *next_piece(const char **p, size_t *len)
{
	while (mxg_ascii_is_blank(**p))
		++*p;
	const char *piece = *p;
	while (**p != '\0' && !mxg_ascii_is_blank(**p))
		++*p;
	*len = (size_t)(*p - piece);
	return *len > 0 ? piece : NULL;
}

static size_t count_pieces(const char *text)
{
	size_t count = 0, len;
	while (next_piece(&text, &len) != NULL)
		count++;
	return count;
}

static bool refuse_term(struct mxg_policy_build *b, const config_setting_t *setting, const char *text, size_t len,
			const struct mxg_term_error *error)
{
	char range[MXG_PREFIX_TEXT_MAX];
	struct mxg_prefix prefix;
	int shown = len > 200 ? 200 : (int)len;
	if (strcmp(error->what, MXG_TERM_HOST_BITS) == 0 &&
	    mxg_prefix_parse(&prefix, error->at, error->at_len) == MXG_PREFIX_HOST_BITS)
		return mxg_build_fail(b, setting, "found \"%.*s\" with host bits set; expected \"ip%c:%s\"", shown,
				      text, prefix.base.family == 4 ? '4' : '6', mxg_prefix_format(&prefix, range));
	enum mxg_prefix_error bare = mxg_prefix_parse(&prefix, text, len);
	bool folded = prefix.base.family == 4 && memchr(text, ':', len) != NULL; /* ::ffff:192.0.2.1 */
	if (bare == MXG_PREFIX_OK && folded)
		return mxg_build_fail(b, setting, "found \"%.*s\"; expected \"ip4:%s\"", shown, text,
				      mxg_prefix_format(&prefix, range));
	if (bare == MXG_PREFIX_OK) /* the name of the mechanism was forgotten */
		return mxg_build_fail(b, setting, "found \"%.*s\"; expected \"ip%c:%.*s\"", shown, text,
				      prefix.base.family == 4 ? '4' : '6', shown, text);
	if (error->at_len == len || error->at_len == 0)
		return mxg_build_fail(b, setting, "found \"%.*s\"; expected a term of RFC 7208: %s", shown, text,
				      error->what);
	return mxg_build_fail(b, setting, "found \"%.*s\"; expected a term of RFC 7208: at \"%.*s\", %s", shown, text,
			      error->at_len > 60 ? 60 : (int)error->at_len, error->at, error->what);
}

static void warn_of_width(struct mxg_policy_build *b, const config_setting_t *setting, const struct mxg_term *term)
{
	int len = term->text_len > 200 ? 200 : (int)term->text_len;
	bool range = term->mechanism == MXG_MECHANISM_IP4 || term->mechanism == MXG_MECHANISM_IP6;
	if (term->mechanism == MXG_MECHANISM_ALL || (range && term->prefix.bits == 0))
		mxg_build_warn(b, setting, "\"%.*s\" makes every host a gateway", len, term->text);
	else if (mxg_term_is_wide(term, 4) || mxg_term_is_wide(term, 6))
		mxg_build_warn(b, setting, "\"%.*s\" is a very wide range", len, term->text);
	else if (term->mechanism == MXG_MECHANISM_EXISTS && !mxg_macro_uses(term->target, term->target_len, "i"))
		mxg_build_warn(b, setting, "\"%.*s\" makes every host a gateway while that name has an address", len,
			       term->text);
}

/* ---- one entry --------------------------------------------------------------------------------- */

static bool take_terms(struct mxg_policy_build *b, struct mxg_ruleset *rules, uint32_t number,
		       const config_setting_t *setting)
{
	struct mxg_gateway *gateway = &rules->gateways[number];
	const char *text = setting == NULL ? "" : config_setting_get_string(setting), *piece;
	size_t len;
	text = mxg_build_copy(b, text, strlen(text)); /* terms borrow from it */
	if (text == NULL)
		return false;
	gateway->first_term = rules->term_count;
	while ((piece = next_piece(&text, &len)) != NULL) {
		struct mxg_gateway_term *term = &rules->terms[rules->term_count++];
		struct mxg_term_error error = { 0 };
		term->gateway = number;
		if (!mxg_term_parse_configured(&term->term, piece, len, b->policy->insecure_client_macros, &error))
			return refuse_term(b, setting, piece, len, &error);
		warn_of_width(b, setting, &term->term);
	}
	gateway->term_count = rules->term_count - gateway->first_term;
	return b->error == MXGUARD_ERROR_NONE;
}

static bool is_entry_name(const char *name)
{
	size_t len = strlen(name);
	return len > 0 && len <= NAME_MOST &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static bool take_name(struct mxg_policy_build *b, struct mxg_ruleset *rules, uint32_t number,
		      const config_setting_t *setting)
{
	static const char expected[] = "1 to 64 letters, digits, dots, hyphens and underscores";
	const char *name = mxg_build_string(b, setting, expected);
	if (name == NULL)
		return false;
	if (!is_entry_name(name))
		return mxg_build_unexpected(b, setting, expected);
	for (uint32_t i = 0; i < number; i++)
		if (strcmp(rules->gateways[i].name, name) == 0)
			return mxg_build_fail(b, setting,
					      "found \"%s\" for the second time; expected a name of its own for "
					      "each gateway",
					      name);
	rules->gateways[number].name = mxg_build_copy(b, name, strlen(name));
	return rules->gateways[number].name != NULL;
}

/* The terms of one entry, before room is made for all. */
static bool count_terms(struct mxg_policy_build *b, const config_setting_t *entry, size_t *count)
{
	if (config_setting_type(entry) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, entry, "a group such as { name = \"filters\"; allow = \"mx\"; }");
	if (!mxg_settings_know(b, entry, MXG_PLACE_GATEWAY))
		return false;
	const config_setting_t *allow = config_setting_get_member(entry, "allow");
	if (config_setting_get_member(entry, "name") == NULL)
		return mxg_build_fail(b, entry, "found a gateway without a name; expected name = \"...\"");
	if (allow == NULL && config_setting_get_member(entry, "certificate") != NULL)
		return true; /* a gateway whatever its address */
	if (allow == NULL)
		return mxg_build_fail(b, entry, "found a gateway without terms; expected allow = \"...\"");
	const char *text = mxg_build_string(b, allow, "terms, such as \"ip4:192.0.2.10 mx\"");
	if (text == NULL)
		return false;
	size_t pieces = count_pieces(text);
	*count += pieces;
	return pieces > 0 || mxg_build_unexpected(b, allow, "at least one term, such as \"mx\"");
}

static bool take_entry(struct mxg_policy_build *b, struct mxg_ruleset *rules, uint32_t number,
		       const config_setting_t *entry)
{
	const config_setting_t *header = config_setting_get_member(entry, "header");
	const config_setting_t *certificate = config_setting_get_member(entry, "certificate");
	const config_setting_t *origin = config_setting_get_member(entry, "origin");
	return take_name(b, rules, number, config_setting_get_member(entry, "name")) &&
	       (header == NULL || mxg_take_token(b, &rules->gateways[number].token, header)) &&
	       (certificate == NULL || mxg_take_certificate(b, &rules->gateways[number].certificate, certificate)) &&
	       (origin == NULL ||
		mxg_take_origin(b, &rules->gateways[number].origin, origin, MXG_PLACE_GATEWAY_ORIGIN)) &&
	       take_terms(b, rules, number, config_setting_get_member(entry, "allow"));
}

/* Entries that a certificate alone decides have no terms: one that stands for them each. */
static bool take_certificates(struct mxg_policy_build *b, struct mxg_ruleset *rules)
{
	static const char word[] = "certificate";
	rules->certificate_count = 0;
	rules->certificate_terms = mxg_build_take(b, rules->gateway_count, sizeof(*rules->certificate_terms));
	if (rules->certificate_terms == NULL)
		return false;
	for (uint32_t i = 0; i < rules->gateway_count; i++)
		if (rules->gateways[i].term_count == 0)
			rules->certificate_terms[rules->certificate_count++] =
				(struct mxg_gateway_term){ .gateway = i,
							   .term = { .text = word, .text_len = sizeof(word) - 1 } };
	return true;
}

/* ---- the set of ranges --------------------------------------------------------------------------- */

static bool is_range(const struct mxg_gateway_term *term)
{
	return term->term.mechanism == MXG_MECHANISM_IP4 || term->term.mechanism == MXG_MECHANISM_IP6;
}

/* Whose DNS is asked, whoever writes the recipient's domain chooses. */
static bool is_by_recipient(const struct mxg_term *term)
{
	if (term->mechanism == MXG_MECHANISM_ALL)
		return false;
	return term->target == NULL || mxg_macro_uses(term->target, term->target_len, "d");
}

static bool make_set(struct mxg_policy_build *b, struct mxg_ruleset *rules)
{
	struct mxg_prefix_item *items = reallocarray(NULL, rules->term_count + 1, sizeof(*items));
	size_t count = 0;
	rules->dns_terms = mxg_build_take(b, rules->term_count, sizeof(*rules->dns_terms));
	if (items == NULL || rules->dns_terms == NULL) {
		free(items);
		return mxg_build_no_memory(b);
	}
	for (uint32_t i = 0; i < rules->term_count; i++) {
		if (is_range(&rules->terms[i])) {
			items[count++] = (struct mxg_prefix_item){ rules->terms[i].term.prefix, i };
			continue;
		}
		rules->dns_terms[rules->dns_count++] = i;
		rules->terms[i].by_recipient = is_by_recipient(&rules->terms[i].term);
		rules->by_recipient |= rules->terms[i].by_recipient;
	}
	rules->prefixes = mxg_prefix_set_new(items, count);
	free(items);
	return rules->prefixes != NULL || mxg_build_no_memory(b);
}

/* The earlier entry without a second condition that covers this range wholly; NULL: none. */
static const struct mxg_gateway *covering(const struct mxg_ruleset *rules, const struct mxg_gateway_term *term)
{
	size_t count;
	const uint32_t *numbers = mxg_prefix_set_lookup(rules->prefixes, &term->term.prefix.base, &count);
	for (size_t i = 0; i < count; i++) {
		const struct mxg_gateway_term *other = &rules->terms[numbers[i]];
		const struct mxg_gateway *gateway = &rules->gateways[other->gateway];
		if (other->gateway < term->gateway && gateway->token.field == NULL && !gateway->certificate.set &&
		    other->term.prefix.bits <= term->term.prefix.bits)
			return gateway;
	}
	return NULL;
}

/* Overlaps are no mistake, but an entry that never decides anything may well be one. */
static void warn_of_covered(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *setting)
{
	for (uint32_t g = 1; g < rules->gateway_count; g++) {
		const struct mxg_gateway *gateway = &rules->gateways[g], *by = NULL;
		for (size_t i = 0; i < gateway->term_count; i++) {
			const struct mxg_gateway_term *term = &rules->terms[gateway->first_term + i];
			by = is_range(term) ? covering(rules, term) : NULL;
			if (by == NULL)
				break;
		}
		if (by != NULL)
			mxg_build_warn(b, config_setting_get_elem(setting, g),
				       "\"%s\" never decides: what it covers is covered by \"%s\" before it",
				       gateway->name, by->name);
	}
}

bool mxg_take_gateways(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting)
{
	struct mxg_ruleset *rules = field;
	size_t count = 0, terms = 0;
	if (!mxg_build_is_list(setting))
		return mxg_build_unexpected(b, setting, "a list such as ( { name = \"filters\"; allow = \"mx\"; } )");
	count = (size_t)config_setting_length(setting);
	for (size_t i = 0; i < count; i++)
		if (!count_terms(b, config_setting_get_elem(setting, (unsigned)i), &terms))
			return false;
	rules->gateways = mxg_build_take(b, count, sizeof(*rules->gateways));
	rules->terms = mxg_build_take(b, terms, sizeof(*rules->terms));
	if (rules->gateways == NULL || rules->terms == NULL)
		return false;
	rules->gateway_count = 0;
	rules->term_count = rules->dns_count = 0;
	rules->by_recipient = false;
	if (rules == &b->policy->rulesets[0]) /* a block has a mere copy of the default's */
		mxg_prefix_set_free(rules->prefixes);
	rules->prefixes = NULL;
	for (uint32_t i = 0; i < count; i++, rules->gateway_count++)
		if (!take_entry(b, rules, i, config_setting_get_elem(setting, i)))
			return false;
	if (!take_certificates(b, rules) || !make_set(b, rules))
		return false;
	warn_of_covered(b, rules, setting);
	return b->error == MXGUARD_ERROR_NONE;
}
