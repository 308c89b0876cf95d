/* SPDX-License-Identifier: MIT */
/* The table of settings: names, where they may stand, how they are taken. */
#include <string.h>
#include <strings.h>

#include "base/domain_text.h"
#include "base/duration.h"
#include "policy/build.h"
#include "received/received.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TIMEOUT_MOST_MS 300000
#define REPLY_MOST 450u /* with code and status it stays within RFC 5321 §4.5.3.1.5's 512 */
#define MAILBOX_MOST 255u

/* ---- words ------------------------------------------------------------------------------------- */

#define MODES "\"off\", \"monitor\" or \"enforce\""
#define ACTIONS "\"accept\", \"tag\", \"quarantine\", \"defer\" or \"reject\""
#define UNTRACED "\"unknown\", \"accept\" or \"direct\""
#define RETRIEVED "\"accept\" or \"unknown\""
#define TAGS "\"never\", \"not-accepted\" or \"always\""

static bool take_mode(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	const char *word = mxg_build_string(b, s, MODES);
	return word != NULL && (mxg_policy_mode_word(word, &rules->mode) || mxg_build_unexpected(b, s, MODES));
}

static bool take_action(struct mxg_policy_build *b, const config_setting_t *s, enum mxguard_action *out)
{
	const char *word = mxg_build_string(b, s, ACTIONS);
	return word != NULL && (mxg_policy_action_word(word, out) || mxg_build_unexpected(b, s, ACTIONS));
}

static bool take_on_direct(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return take_action(b, s, &rules->on_direct);
}

static bool take_on_direct_queued(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return take_action(b, s, &rules->on_direct_queued);
}

static bool take_on_unknown(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return take_action(b, s, &rules->on_unknown);
}

static bool take_on_unreadable(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	if (!take_action(b, s, &rules->on_unreadable_door))
		return false;
	rules->on_unreadable_queued = rules->on_unreadable_door;
	return true;
}

static bool take_on_untraced(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	const char *word = mxg_build_string(b, s, UNTRACED);
	return word != NULL &&
	       (mxg_policy_untraced_word(word, &rules->on_untraced) || mxg_build_unexpected(b, s, UNTRACED));
}

static bool take_retrieved(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	const char *word = mxg_build_string(b, s, RETRIEVED);
	return word != NULL &&
	       (mxg_policy_retrieved_word(word, &rules->retrieved) || mxg_build_unexpected(b, s, RETRIEVED));
}

static bool take_tag(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	const char *word = mxg_build_string(b, s, TAGS);
	return word != NULL && (mxg_policy_tag_word(word, &rules->tag) || mxg_build_unexpected(b, s, TAGS));
}

/* ---- text ------------------------------------------------------------------------------------------ */

/* RFC 3629, without control characters; false for anything else. */
static bool is_printable_utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	while (*p != '\0') {
		unsigned more = *p < 0x80                 ? 0
				: *p >= 0xc2 && *p < 0xe0 ? 1
				: *p >= 0xe0 && *p < 0xf0 ? 2
				: *p >= 0xf0 && *p < 0xf5 ? 3
							  : 9;
		uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);
		if (more == 9)
			return false;
		for (unsigned i = 1; i <= more; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3fu);
		}
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (more == 2 && c < 0x800) || (more == 3 && c < 0x10000) ||
		    (c >= 0xd800 && c < 0xe000) || c > 0x10ffff || c == 0x2028 || c == 0x2029)
			return false;
		p += more + 1;
	}
	return true;
}

/* "550 …" or "5.7.1 …": mxguard puts these in front, to suit the verdict. */
static bool begins_with_status(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 3 && (text[3] == ' ' || text[3] == '-' || text[3] == '\0'))
		return true;
	return digits == 1 && text[1] == '.' && text[2] >= '0' && text[2] <= '9';
}

static bool take_reply_text(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const char expected[] = "one line of 1 to 450 bytes of printable text";
	const char *text = mxg_build_string(b, s, expected);
	if (text == NULL)
		return false;
	if (text[0] == '\0' || strlen(text) > REPLY_MOST || !is_printable_utf8(text))
		return mxg_build_unexpected(b, s, expected);
	if (begins_with_status(text))
		return mxg_build_unexpected(b, s, "a text without status codes, which mxguard puts in front itself");
	rules->reply_text = mxg_build_copy(b, text, strlen(text));
	return rules->reply_text != NULL;
}

/* INBOX, in any case, is where mail goes that is not put aside. */
bool mxg_policy_is_quarantine_mailbox(const char *text)
{
	return text[0] != '\0' && strlen(text) <= MAILBOX_MOST && is_printable_utf8(text) &&
	       strcasecmp(text, "INBOX") != 0;
}

static bool take_quarantine_mailbox(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const char expected[] = "a mailbox name of 1 to 255 bytes of printable text, not INBOX";
	const char *text = mxg_build_string(b, s, expected);
	if (text == NULL)
		return false;
	if (!mxg_policy_is_quarantine_mailbox(text))
		return mxg_build_unexpected(b, s, expected);
	rules->quarantine_mailbox = mxg_build_copy(b, text, strlen(text));
	return rules->quarantine_mailbox != NULL;
}

/* RFC 8601 §2.2: it must do without quotes. */
static bool take_authserv_id(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const char expected[] = "a name of 1 to 253 letters, digits, dots, hyphens and underscores";
	const char *text = mxg_build_string(b, s, expected);
	if (text == NULL)
		return false;
	size_t len = strlen(text);
	if (len == 0 || len > 253 ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") != len)
		return mxg_build_unexpected(b, s, expected);
	b->policy->authserv_id = mxg_build_copy(b, text, len);
	return b->policy->authserv_id != NULL;
}

/* ---- recipients and domains ------------------------------------------------------------------------- */

/* "user@domain" or "user@", in lower case. */
static const char *exempt_address(struct mxg_policy_build *b, const config_setting_t *s)
{
	static const char expected[] = "\"user@example.com\", or \"user@\" for every domain";
	char address[64 + 1 + 256];
	const char *text = mxg_build_string(b, s, expected);
	const char *at = text == NULL ? NULL : strrchr(text, '@');
	size_t local = at == NULL ? 0 : (size_t)(at - text);
	if (text == NULL)
		return NULL;
	bool good = local > 0 && local <= 64;
	if (good && at[1] != '\0')
		good = mxg_domain_text(address + local + 1, at + 1, strlen(at + 1)) == NULL;
	for (size_t i = 0; good && i <= local; i++) {
		good = text[i] > ' ' && text[i] != 0x7f;
		address[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
	}
	if (!good) {
		mxg_build_unexpected(b, s, expected);
		return NULL;
	}
	if (at[1] == '\0')
		address[local + 1] = '\0';
	return mxg_build_copy(b, address, strlen(address));
}

static bool take_exempt(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	if (!mxg_build_is_list(s))
		return mxg_build_unexpected(b, s, "a list of addresses, such as [ \"postmaster@\" ]");
	size_t count = (size_t)config_setting_length(s);
	const char **addresses = mxg_build_take(b, count, sizeof(*addresses));
	for (size_t i = 0; addresses != NULL && i < count; i++) {
		addresses[i] = exempt_address(b, config_setting_get_elem(s, (unsigned)i));
		if (addresses[i] == NULL)
			return false;
	}
	rules->exempt = addresses;
	rules->exempt_count = count;
	return addresses != NULL;
}

static bool take_domains(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	if (mxg_build_is_list(s) && config_setting_length(s) > MXG_DOMAINS_MOST)
		return mxg_build_fail(b, s,
				      "found %d domains; expected at most %d here: put them into a file, one a line, "
				      "and name it with domains_file",
				      config_setting_length(s), MXG_DOMAINS_MOST);
	return mxg_build_domains(b, s, false, &b->policy->domains);
}

static bool take_domains_file(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_path(b, s, &b->policy->domains_file);
}

static bool take_default_domain(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_domain(b, s, &b->policy->default_domain);
}

static bool take_state_dir(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_path(b, s, &b->policy->state_dir);
}

static bool take_hostname(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_domain(b, s, &b->policy->hostname);
}

/* ---- trace -------------------------------------------------------------------------------------------- */

static bool take_mta(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const char expected[] = "an MTA's name, such as \"postfix\" or \"exim\"; mxguard.conf(5) lists them";
	struct mxguard_policy *p = b->policy;
	if (!mxg_build_is_list(s))
		return mxg_build_unexpected(b, s, "a list of names, such as [ \"postfix\" ]");
	size_t count = (size_t)config_setting_length(s);
	p->trace_mta_names.items = mxg_build_take(b, count, sizeof(*p->trace_mta_names.items));
	for (size_t i = 0; p->trace_mta_names.items != NULL && i < count; i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		const char *word = mxg_build_string(b, one, expected);
		if (word == NULL)
			return false;
		unsigned mask = mxg_mta_parse(word, strlen(word));
		if (mask == 0)
			return mxg_build_unexpected(b, one, expected);
		p->trace_mta |= mask;
		const char *copy = mxg_build_copy(b, word, strlen(word));
		if (copy == NULL)
			return false;
		p->trace_mta_names.items[p->trace_mta_names.count++] = copy;
	}
	return p->trace_mta_names.items != NULL;
}

static bool take_by(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	b->policy->by_configured = mxg_build_domains(b, s, true, &b->policy->by) && b->policy->by.count > 0;
	return b->error == MXGUARD_ERROR_NONE;
}

static bool take_trace(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const struct mxg_setting table[] = {
		{ "mta", MXG_SETTING_GLOBAL, take_mta },
		{ "by", MXG_SETTING_GLOBAL, take_by },
	};
	return mxg_settings_take(b, rules, s, table, COUNT(table), MXG_SETTING_GLOBAL);
}

/* ---- dns ------------------------------------------------------------------------------------------------ */

static bool take_timeout(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const char expected[] = "a time from \"1ms\" to \"300s\", such as \"5s\"";
	const char *text = mxg_build_string(b, s, expected);
	uint64_t milliseconds;
	if (text == NULL)
		return false;
	if (!mxg_duration_parse(text, &milliseconds) || milliseconds == 0 || milliseconds > TIMEOUT_MOST_MS)
		return mxg_build_unexpected(b, s, expected);
	b->policy->timeout_ms = (int)milliseconds;
	return true;
}

static bool take_grace(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_seconds(b, s, &b->policy->grace);
}

static bool take_keep_stale(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_seconds(b, s, &b->policy->keep_stale);
}

static bool take_settle(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_seconds(b, s, &b->policy->settle);
}

static bool take_max_ttl(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_seconds(b, s, &b->policy->reply_rules.max_ttl);
}

static bool take_insecure(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	if (!mxg_build_bool(b, s, &b->policy->insecure_client_macros))
		return false;
	if (b->policy->insecure_client_macros)
		mxg_build_warn(b, s, "true lets the sender of a message choose whose DNS is asked");
	return b->error == MXGUARD_ERROR_NONE;
}

static bool take_any_width(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	if (!mxg_build_bool(b, s, &b->policy->accept_any_width))
		return false;
	if (b->policy->accept_any_width)
		mxg_build_warn(b, s, "true lets a published record make every host a gateway");
	return b->error == MXGUARD_ERROR_NONE;
}

static bool take_patience(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_seconds(b, s, &b->policy->patience);
}

static bool take_require_dnssec(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return mxg_build_bool(b, s, &b->policy->reply_rules.need_ad);
}

static bool take_dns(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	static const struct mxg_setting table[] = {
		{ "timeout", MXG_SETTING_GLOBAL, take_timeout },
		{ "grace", MXG_SETTING_GLOBAL, take_grace },
		{ "keep_stale", MXG_SETTING_GLOBAL, take_keep_stale },
		{ "settle", MXG_SETTING_GLOBAL, take_settle },
		{ "max_ttl", MXG_SETTING_GLOBAL, take_max_ttl },
		{ "servers", MXG_SETTING_GLOBAL, mxg_take_servers },
		{ "insecure_client_macros", MXG_SETTING_GLOBAL, take_insecure },
		{ "require_dnssec", MXG_SETTING_GLOBAL, take_require_dnssec },
		{ "accept_any_width", MXG_SETTING_GLOBAL, take_any_width },
	};
	return mxg_settings_take(b, rules, s, table, COUNT(table), MXG_SETTING_GLOBAL);
}

/* ---- all of them ------------------------------------------------------------------------------------------ */

/* `domains` means one thing for the file and another in a block, which policy_blocks.c takes. */
static bool take_block_domains(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *s)
{
	return true;
}

/* In the order in which they are taken: dns before the terms that it changes, blocks last,
 * since they inherit. */
static const struct mxg_setting settings[] = {
	{ "mode", MXG_SETTING_BOTH, take_mode },
	{ "dns", MXG_SETTING_GLOBAL, take_dns },
	{ "trace", MXG_SETTING_GLOBAL, take_trace },
	{ "internal", MXG_SETTING_GLOBAL, mxg_take_internal },
	{ "origins", MXG_SETTING_GLOBAL, mxg_take_origins },
	{ "self", MXG_SETTING_GLOBAL, mxg_take_self },
	{ "domains", MXG_SETTING_GLOBAL, take_domains },
	{ "domains", MXG_SETTING_BLOCK, take_block_domains },
	{ "domains_file", MXG_SETTING_GLOBAL, take_domains_file },
	{ "default_domain", MXG_SETTING_GLOBAL, take_default_domain },
	{ "patience", MXG_SETTING_GLOBAL, take_patience },
	{ "authserv_id", MXG_SETTING_GLOBAL, take_authserv_id },
	{ "state_dir", MXG_SETTING_GLOBAL, take_state_dir },
	{ "hostname", MXG_SETTING_GLOBAL, take_hostname },
	{ "exempt", MXG_SETTING_BOTH, take_exempt },
	{ "on_direct", MXG_SETTING_BOTH, take_on_direct },
	{ "on_direct_queued", MXG_SETTING_BOTH, take_on_direct_queued },
	{ "on_unknown", MXG_SETTING_BOTH, take_on_unknown },
	{ "on_unreadable", MXG_SETTING_BOTH, take_on_unreadable },
	{ "on_untraced", MXG_SETTING_BOTH, take_on_untraced },
	{ "retrieved", MXG_SETTING_BOTH, take_retrieved },
	{ "quarantine_mailbox", MXG_SETTING_BOTH, take_quarantine_mailbox },
	{ "tag", MXG_SETTING_BOTH, take_tag },
	{ "reply_text", MXG_SETTING_BOTH, take_reply_text },
	{ "gateways", MXG_SETTING_BOTH, mxg_take_gateways },
	{ "policies", MXG_SETTING_GLOBAL, mxg_take_policies },
};

static bool refuse_unknown(struct mxg_policy_build *b, const config_setting_t *s, const struct mxg_setting *table,
			   size_t count, unsigned place)
{
	const char *names[COUNT(settings)], *written = config_setting_name(s);
	size_t known = 0;
	for (size_t i = 0; i < count; i++) {
		if ((table[i].places & place) != 0)
			names[known++] = table[i].name;
		else if (strcmp(table[i].name, written) == 0)
			return mxg_build_fail(b, s,
					      "found it in a block of policies; expected it outside: it is for all "
					      "domains");
	}
	const char *nearest = mxg_nearest_name(written, names, known);
	if (nearest != NULL)
		return mxg_build_fail(b, s, "found an unknown setting; expected perhaps %s", nearest);
	return mxg_build_fail(b, s, "found an unknown setting; expected one of those in mxguard.conf(5)");
}

static bool refuse_unknowns(struct mxg_policy_build *b, const config_setting_t *group, const struct mxg_setting *table,
			    size_t count, unsigned place)
{
	for (unsigned i = 0; i < (unsigned)config_setting_length(group); i++) {
		const config_setting_t *one = config_setting_get_elem(group, i);
		bool known = false;
		for (size_t k = 0; k < count && !known; k++)
			known = (table[k].places & place) != 0 && strcmp(table[k].name, config_setting_name(one)) == 0;
		if (!known)
			return refuse_unknown(b, one, table, count, place);
	}
	return true;
}

bool mxg_settings_take(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *group,
		       const struct mxg_setting *table, size_t count, unsigned place)
{
	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, group, "a group { }");
	if (!refuse_unknowns(b, group, table, count, place))
		return false;
	for (size_t i = 0; i < count; i++) {
		const config_setting_t *one =
			(table[i].places & place) == 0 ? NULL : config_setting_get_member(group, table[i].name);
		if (one != NULL && !table[i].take(b, rules, one))
			return false;
	}
	return true;
}

bool mxg_settings_take_all(struct mxg_policy_build *b)
{
	return mxg_settings_take(b, &b->policy->rulesets[0], b->root, settings, COUNT(settings), MXG_SETTING_GLOBAL);
}

bool mxg_settings_take_block(struct mxg_policy_build *b, struct mxg_ruleset *rules, const config_setting_t *block)
{
	return mxg_settings_take(b, rules, block, settings, COUNT(settings), MXG_SETTING_BLOCK);
}
