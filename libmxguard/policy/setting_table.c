/* SPDX-License-Identifier: MIT */
/* Every setting of mxguard.conf(5), one row each, and those that are taken in a way of their own. */
#include <stddef.h>
#include <string.h>

#include "policy/build.h"

#define SECONDS "whole seconds up to a year, such as \"90s\", \"12h\" or \"2d\""
#define EXEMPT "\"user@example.com\", or \"user@\" for every domain"

/* ---- words ------------------------------------------------------------------------------------- */

#define MODES "\"off\", \"monitor\" or \"enforce\""
static const struct mxg_word modes[] = {
	{ "off", MXGUARD_MODE_OFF },
	{ "monitor", MXGUARD_MODE_MONITOR },
	{ "enforce", MXGUARD_MODE_ENFORCE },
	{ NULL, 0 },
};

#define ACTIONS "\"accept\", \"tag\", \"quarantine\", \"defer\" or \"reject\""
static const struct mxg_word actions[] = {
	{ "accept", MXGUARD_ACTION_ACCEPT },         { "tag", MXGUARD_ACTION_TAG },
	{ "quarantine", MXGUARD_ACTION_QUARANTINE }, { "defer", MXGUARD_ACTION_DEFER },
	{ "reject", MXGUARD_ACTION_REJECT },         { NULL, 0 },
};

#define UNTRACED "\"unknown\", \"accept\" or \"direct\""
static const struct mxg_word untraced[] = {
	{ "unknown", MXGUARD_VERDICT_UNKNOWN },
	{ "accept", MXGUARD_VERDICT_INTERNAL },
	{ "direct", MXGUARD_VERDICT_DIRECT },
	{ NULL, 0 },
};

#define RETRIEVED "\"accept\" or \"unknown\""
static const struct mxg_word retrieved[] = {
	{ "accept", MXGUARD_VERDICT_INTERNAL },
	{ "unknown", MXGUARD_VERDICT_UNKNOWN },
	{ NULL, 0 },
};

#define RESUBMITTED "\"unknown\" or \"accept\""
static const struct mxg_word resubmitted[] = {
	{ "unknown", MXGUARD_VERDICT_UNKNOWN },
	{ "accept", MXGUARD_VERDICT_INTERNAL },
	{ NULL, 0 },
};

#define TAGS "\"never\", \"not-accepted\" or \"always\""
static const struct mxg_word tags[] = {
	{ "never", MXG_TAG_NEVER },
	{ "not-accepted", MXG_TAG_NOT_ACCEPTED },
	{ "always", MXG_TAG_ALWAYS },
	{ NULL, 0 },
};

#define LOG_FORMATS "\"text\" or \"json\""
static const struct mxg_word log_formats[] = {
	{ "text", MXG_LOG_TEXT },
	{ "json", MXG_LOG_JSON },
	{ NULL, 0 },
};

static bool (*const is_reply_text)(const char *) = mxg_is_reply_text;
static bool (*const is_mailbox)(const char *) = mxg_is_mailbox;
static bool (*const is_command)(const char *) = mxg_is_command;
static bool (*const is_authserv_id)(const char *) = mxg_is_authserv_id;

/* ---- settings of their own kind ------------------------------------------------------------------ */

static bool take_exempt(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			const config_setting_t *s)
{
	if (!mxg_build_is_list(s))
		return mxg_build_unexpected(b, s, "a list of addresses, such as [ \"postmaster@\" ]");
	size_t count = (size_t)config_setting_length(s);
	const char **addresses = mxg_build_take(b, count, sizeof(*addresses));
	for (size_t i = 0; addresses != NULL && i < count; i++) {
		int error;
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		const char *text = mxg_build_string(b, one, row->expected);
		if (text == NULL)
			return false;
		addresses[i] = mxg_read_exempt_address(text, strlen(text), b->arena, &error);
		if (addresses[i] == NULL)
			return error == MXGUARD_ERROR_NOMEM ? mxg_build_no_memory(b)
							    : mxg_build_unexpected(b, one, row->expected);
	}
	*(struct mxg_exempt *)field = (struct mxg_exempt){ addresses, count };
	return addresses != NULL;
}

static bool take_domains(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			 const config_setting_t *s)
{
	if (mxg_build_is_list(s) && config_setting_length(s) > MXG_DOMAINS_MOST)
		return mxg_build_fail(b, s,
				      "found %d domains; expected at most %d here: put them into a file, one a line, "
				      "and name it with domains_file",
				      config_setting_length(s), MXG_DOMAINS_MOST);
	return mxg_build_domains(b, s, false, field);
}

/* A block's were taken before its other settings: blocks.c. */
static bool take_nothing(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			 const config_setting_t *s)
{
	return true;
}

static bool take_mta(struct mxg_policy_build *b, const struct mxg_setting *row, void *field, const config_setting_t *s)
{
	return mxg_build_mtas(b, s, row->expected, &b->policy->trace_mta, &b->policy->trace_mta_names);
}

static bool take_by(struct mxg_policy_build *b, const struct mxg_setting *row, void *field, const config_setting_t *s)
{
	b->policy->by_configured = mxg_build_domains(b, s, true, &b->policy->by) && b->policy->by.count > 0;
	return b->error == MXGUARD_ERROR_NONE;
}

static bool take_domains_command(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
				 const config_setting_t *s)
{
	if (b->policy->domains_file != NULL)
		return mxg_build_fail(b, s, "found domains_file as well; expected one of the two");
	return mxg_take_command(b, row, field, s);
}

static bool take_insecure(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			  const config_setting_t *s)
{
	if (!mxg_take_bool(b, row, field, s))
		return false;
	if (b->policy->insecure_client_macros)
		mxg_build_warn(b, s, "true lets the sender of a message choose whose DNS is asked");
	return b->error == MXGUARD_ERROR_NONE;
}

static bool take_any_width(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			   const config_setting_t *s)
{
	if (!mxg_take_bool(b, row, field, s))
		return false;
	if (b->policy->accept_any_width)
		mxg_build_warn(b, s, "true lets a published record make every host a gateway");
	return b->error == MXGUARD_ERROR_NONE;
}

static bool take_trace(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *s)
{
	return mxg_settings_take(b, NULL, s, MXG_PLACE_TRACE);
}

static bool take_origin(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			const config_setting_t *s)
{
	return mxg_take_origin(b, field, s, MXG_PLACE_ORIGIN);
}

static bool take_dns(struct mxg_policy_build *b, const struct mxg_setting *row, void *field, const config_setting_t *s)
{
	return mxg_settings_take(b, NULL, s, MXG_PLACE_DNS);
}

#define TRAP_PER_HOUR 500
#define TRAP_PER_HOUR_MOST 1000000

static bool take_per_hour(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			  const config_setting_t *s)
{
	if (config_setting_type(s) != CONFIG_TYPE_INT)
		return mxg_build_unexpected(b, s, row->expected);
	int number = config_setting_get_int(s);
	if (number < 1 || number > TRAP_PER_HOUR_MOST)
		return mxg_build_unexpected(b, s, row->expected);
	*(uint64_t *)field = (uint64_t)number;
	return true;
}

#define PER_SECOND_MOST 1000000

static bool take_per_second(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
			    const config_setting_t *s)
{
	int number = config_setting_type(s) == CONFIG_TYPE_INT ? config_setting_get_int(s) : 0;
	if (number < 1 || number > PER_SECOND_MOST)
		return mxg_build_unexpected(b, s, row->expected);
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static bool take_trap(struct mxg_policy_build *b, const struct mxg_setting *row, void *field, const config_setting_t *s)
{
	b->policy->trap.per_hour = TRAP_PER_HOUR;
	if (!mxg_settings_take(b, NULL, s, MXG_PLACE_TRAP))
		return false;
	return b->policy->trap.directory != NULL ||
	       mxg_build_fail(b, s, "found no directory; expected one, such as \"/var/lib/mxguard/trap\"");
}

/* ---- the table ------------------------------------------------------------------------------------- */

#define BOTH (MXG_PLACE_FILE | MXG_PLACE_BLOCK)
#define RULES(member) offsetof(struct mxg_ruleset, member)
#define POLICY(member) offsetof(struct mxguard_policy, member)
/* clang-format off */
#define ACTION(NAME, BIT, FALLBACK) \
	{ #NAME, BOTH, BIT, RULES(NAME), ACTIONS, FALLBACK, NULL, mxg_read_word, actions, NULL }

/* In the order in which they are taken: dns before the terms that it changes, blocks last, since
 * they inherit. What stands in an entry of `gateways` is taken by gateways.c and token_value.c. */
const struct mxg_setting mxg_settings[] = {
	{ "mode", BOTH, MXG_OVERRIDE_MODE, RULES(mode), MODES, "monitor", NULL, mxg_read_word, modes, NULL },
	{ "dns", MXG_PLACE_FILE, 0, 0, "a group { }", NULL, NULL, NULL, NULL, take_dns },
	{ "timeout", MXG_PLACE_DNS, 0, POLICY(timeout_ms), "a time from \"1ms\" to \"300s\", such as \"5s\"", "5s",
	  NULL, mxg_read_milliseconds, NULL, NULL },
	{ "grace", MXG_PLACE_DNS, 0, POLICY(grace), SECONDS, "2d", NULL, mxg_read_seconds, NULL, NULL },
	{ "keep_stale", MXG_PLACE_DNS, 0, POLICY(keep_stale), SECONDS, "7d", NULL, mxg_read_seconds, NULL, NULL },
	{ "settle", MXG_PLACE_DNS, 0, POLICY(settle), SECONDS, "2d", NULL, mxg_read_seconds, NULL, NULL },
	{ "max_ttl", MXG_PLACE_DNS, 0, POLICY(reply_rules.max_ttl), SECONDS, "1d", NULL, mxg_read_seconds, NULL, NULL },
	{ "servers", MXG_PLACE_DNS, 0, POLICY(dns_servers),
	  "an address with an optional port, such as \"127.0.0.1\" or \"[::1]:5353\"", NULL,
	  "those of /etc/resolv.conf", NULL, NULL, mxg_take_servers },
	{ "per_second", MXG_PLACE_DNS, 0, POLICY(per_second), "a number from 1 to 1000000 without quotes", NULL,
	  "2000", NULL, NULL, take_per_second },
	{ "insecure_client_macros", MXG_PLACE_DNS, 0, POLICY(insecure_client_macros), "true or false", NULL, "false",
	  NULL, NULL, take_insecure },
	{ "accept_any_width", MXG_PLACE_DNS, 0, POLICY(accept_any_width), "true or false", NULL, "false", NULL, NULL,
	  take_any_width },
	{ "require_dnssec", MXG_PLACE_DNS, 0, POLICY(reply_rules.need_ad), "true or false", NULL, "false", NULL, NULL,
	  mxg_take_bool },
	{ "trap", MXG_PLACE_FILE, 0, 0, "a group { }", NULL, NULL, NULL, NULL, take_trap },
	{ "directory", MXG_PLACE_TRAP, 0, POLICY(trap.directory), "an absolute path", NULL, "required", NULL, NULL,
	  mxg_take_path },
	{ "share", MXG_PLACE_TRAP, 0, POLICY(trap.share), "a share from \"1%\" to \"100%\"", "10%", NULL,
	  mxg_read_percent, NULL, NULL },
	{ "keep", MXG_PLACE_TRAP, 0, POLICY(trap.keep), SECONDS, "30d", NULL, mxg_read_seconds, NULL, NULL },
	{ "max_total", MXG_PLACE_TRAP, 0, POLICY(trap.max_total),
	  "a size from \"1M\" to \"1024G\", such as \"500M\" or \"2G\"", "2G", NULL, mxg_read_bytes, NULL, NULL },
	{ "per_hour", MXG_PLACE_TRAP, 0, POLICY(trap.per_hour), "a number from 1 to 1000000 without quotes", NULL,
	  "500", NULL, NULL, take_per_hour },
	{ "trace", MXG_PLACE_FILE, 0, 0, "a group { }", NULL, NULL, NULL, NULL, take_trace },
	{ "mta", MXG_PLACE_TRACE, 0, 0, MXG_EXPECTED_MTA, NULL,
	  "the form of the field tells", NULL, NULL, take_mta },
	{ "by", MXG_PLACE_TRACE, 0, 0, MXG_EXPECTED_BY, NULL, "this host's names", NULL, NULL, take_by },
	{ "origin", MXG_PLACE_FILE, 0, POLICY(origin), "a group { }", NULL, NULL, NULL, NULL, take_origin },
	{ "by", MXG_PLACE_ORIGIN, 0, 0, MXG_EXPECTED_BY, NULL, "none: the origin is not read", NULL, NULL, NULL },
	{ "mta", MXG_PLACE_ORIGIN, 0, 0, MXG_EXPECTED_MTA, NULL, "the form of the field tells", NULL, NULL, NULL },
	{ "internal", MXG_PLACE_ORIGIN, 0, 0, "a list of ranges", NULL, "loopback alone", NULL, NULL, NULL },
	{ "tag", MXG_PLACE_ORIGIN, 0, 0, "true or false", NULL, "false", NULL, NULL, NULL },
	{ "internal", MXG_PLACE_FILE, 0, POLICY(internal), "a list of ranges", NULL, "loopback alone", NULL, NULL,
	  mxg_take_internal },
	{ "origins", MXG_PLACE_FILE, 0, POLICY(origins), "a list of ranges", NULL, "[ \"127.0.0.0/8\", \"::1\" ]", NULL,
	  NULL, mxg_take_prefixes },
	{ "self", MXG_PLACE_FILE, 0, POLICY(self), "a list of ranges", NULL, "the addresses of the interfaces", NULL,
	  NULL, mxg_take_prefixes },
	{ "domains", MXG_PLACE_FILE, 0, POLICY(domains), "a domain name", NULL, "none", NULL, NULL, take_domains },
	{ "domains", MXG_PLACE_BLOCK, 0, 0, "a domain name or .suffix", NULL, "required", NULL, NULL, take_nothing },
	{ "domains_file", MXG_PLACE_FILE, 0, POLICY(domains_file), "an absolute path", NULL, "none", NULL, NULL,
	  mxg_take_path },
	{ "domains_command", MXG_PLACE_FILE, 0, POLICY(domains_command),
	  "a command, its program by an absolute path or a bare name, such as \"/usr/bin/psql -At mail\"", NULL,
	  "none", NULL, NULL, take_domains_command },
	{ "default_domain", MXG_PLACE_FILE, 0, POLICY(default_domain), "a domain name", NULL, "none", NULL, NULL,
	  mxg_take_domain },
	{ "authserv_id", MXG_PLACE_FILE, 0, POLICY(authserv_id),
	  "a name of 1 to 253 letters, digits, dots, hyphens and underscores", NULL, "hostname", mxg_read_text,
	  &is_authserv_id, NULL },
	{ "on_alarm", MXG_PLACE_FILE, 0, POLICY(on_alarm),
	  "a command of 1 to 4000 bytes, such as \"/usr/local/sbin/tell-me\"", NULL, "none", mxg_read_text, &is_command,
	  NULL },
	{ "state_dir", MXG_PLACE_FILE, 0, POLICY(state_dir), "an absolute path", "/var/lib/mxguard", NULL, NULL, NULL,
	  mxg_take_path },
	{ "hostname", MXG_PLACE_FILE, 0, POLICY(hostname), "a domain name", NULL, "the name of the system", NULL, NULL,
	  mxg_take_domain },
	{ "exempt", BOTH, MXG_OVERRIDE_EXEMPT, RULES(exempt), EXEMPT, NULL, "none", mxg_read_exempt, NULL,
	  take_exempt },
	{ "patience", MXG_PLACE_FILE, 0, POLICY(patience), SECONDS, "4h", NULL, mxg_read_seconds, NULL, NULL },
	{ "log_format", MXG_PLACE_FILE, 0, POLICY(log_format), LOG_FORMATS, "text", NULL, mxg_read_word, log_formats,
	  NULL },
	ACTION(on_direct, MXG_OVERRIDE_ON_DIRECT, "reject"),
	ACTION(on_direct_queued, MXG_OVERRIDE_ON_DIRECT_QUEUED, "quarantine"),
	ACTION(on_unknown, MXG_OVERRIDE_ON_UNKNOWN, "defer"),
	{ "on_unreadable", BOTH, MXG_OVERRIDE_ON_UNREADABLE, RULES(on_unreadable_door), ACTIONS, NULL,
	  "\"defer\" at the door, \"quarantine\" once queued", mxg_read_word_twice, actions, NULL },
	{ "on_untraced", BOTH, MXG_OVERRIDE_ON_UNTRACED, RULES(on_untraced), UNTRACED, "unknown", NULL, mxg_read_word,
	  untraced, NULL },
	{ "retrieved", BOTH, 0, RULES(retrieved), RETRIEVED, "accept", NULL, mxg_read_word, retrieved, NULL },
	{ "resubmitted", BOTH, 0, RULES(resubmitted), RESUBMITTED, "unknown", NULL, mxg_read_word, resubmitted, NULL },
	{ "quarantine_mailbox", BOTH, MXG_OVERRIDE_QUARANTINE_MAILBOX, RULES(quarantine_mailbox),
	  "a mailbox name of 1 to 255 bytes of printable text, not INBOX", "Junk", NULL, mxg_read_text, &is_mailbox,
	  NULL },
	{ "tag", BOTH, MXG_OVERRIDE_TAG, RULES(tag), TAGS, "not-accepted", NULL, mxg_read_word, tags, NULL },
	{ "reply_text", BOTH, 0, RULES(reply_text),
	  "one line of 1 to 450 bytes of printable text without a status code",
	  NULL, "the reason", mxg_read_text, &is_reply_text, NULL },
	{ "gateways", BOTH, 0, 0, "a list of groups", NULL, NULL, NULL, NULL, mxg_take_gateways },
	{ "name", MXG_PLACE_GATEWAY, 0, 0, "1 to 64 letters, digits, dots, hyphens and underscores", NULL, "required",
	  NULL, NULL, NULL },
	{ "allow", MXG_PLACE_GATEWAY, 0, 0, "terms, such as \"ip4:192.0.2.10 mx\"", NULL,
	  "required without certificate", NULL, NULL, NULL },
	{ "header", MXG_PLACE_GATEWAY, 0, 0, "a group { }", NULL, "no second condition", NULL, NULL, NULL },
	{ "certificate", MXG_PLACE_GATEWAY, 0, 0, "a group { }", NULL, "no such condition", NULL, NULL, NULL },
	{ "origin", MXG_PLACE_GATEWAY, 0, 0, "a group { }", NULL, "that of all gateways", NULL, NULL, NULL },
	{ "by", MXG_PLACE_GATEWAY_ORIGIN, 0, 0, MXG_EXPECTED_BY, NULL, "required", NULL, NULL, NULL },
	{ "mta", MXG_PLACE_GATEWAY_ORIGIN, 0, 0, MXG_EXPECTED_MTA, NULL, "the form of the field tells", NULL, NULL,
	  NULL },
	{ "internal", MXG_PLACE_GATEWAY_ORIGIN, 0, 0, "a list of ranges", NULL, "loopback alone", NULL, NULL, NULL },
	{ "name", MXG_PLACE_HEADER, 0, 0, "a header field of its own, such as \"X-Gateway-Token\"", NULL, "required",
	  NULL, NULL, NULL },
	{ "value", MXG_PLACE_HEADER, 0, 0, "1 to 800 printable ASCII characters", NULL, "required without value_file",
	  NULL, NULL, NULL },
	{ "value_file", MXG_PLACE_HEADER, 0, 0, "an absolute path", NULL, "required without value", NULL, NULL, NULL },
	{ "fingerprint", MXG_PLACE_CERTIFICATE, 0, 0, "64 hexadecimal digits", NULL, "required without subject", NULL,
	  NULL, NULL },
	{ "subject", MXG_PLACE_CERTIFICATE, 0, 0, "a common name", NULL, "any", NULL, NULL, NULL },
	{ "verified", MXG_PLACE_CERTIFICATE, 0, 0, "true or false", NULL, "false", NULL, NULL, NULL },
	{ "policies", MXG_PLACE_FILE, 0, 0, "a list of groups", NULL, NULL, NULL, NULL, mxg_take_policies },
};
/* clang-format on */
const size_t mxg_setting_count = sizeof(mxg_settings) / sizeof(mxg_settings[0]);

_Static_assert(offsetof(struct mxg_ruleset, on_unreadable_queued) ==
		       offsetof(struct mxg_ruleset, on_unreadable_door) + sizeof(unsigned),
	       "on_unreadable is one setting for both");
