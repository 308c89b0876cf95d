/* SPDX-License-Identifier: MIT */
#ifndef MXG_POLICY_H
#define MXG_POLICY_H

#include <stdatomic.h>
#include <string.h>

#include "mxguard.h"
#include "dns/message.h"
#include "base/checksum.h"
#include "base/prefix_set.h"
#include "spf/terms.h"

/* What mxguard.conf(5) says, read once, immutable. Only policy*.c know libconfig. */

enum mxg_log_format { MXG_LOG_TEXT = 0, MXG_LOG_JSON };
enum mxg_tag { MXG_TAG_NEVER = 0, MXG_TAG_NOT_ACCEPTED, MXG_TAG_ALWAYS };

struct mxg_prefix_list {
	struct mxg_prefix *items;
	size_t count;
};

static inline bool mxg_list_covers(const struct mxg_prefix_list *list, const struct mxg_address *a)
{
	return mxg_prefixes_contain(list->items, list->count, a);
}

struct mxg_string_list {
	const char **items;
	size_t count;
};

/* A second condition on an entry whose addresses are shared: a header field with a secret. */
struct mxg_token {
	const char *field; /* NULL: no condition */
	const char *value_file; /* where `value` came from; NULL where given inline */
	const char *value; /* NULL: the file could not be read (451/75 when needed) */
	size_t value_len;
};

/* How to read the fields that gateways write (docs/design.md, "Origin"). */
struct mxg_origin_rules {
	struct mxg_string_list by; /* lower case, or ".suffix"; none: they are not read */
	unsigned mta; /* mask, 0: the form must tell */
	struct mxg_prefix_list internal; /* the gateway's own hosts that hand nothing to us */
};

/* What the client's TLS certificate must be. */
struct mxg_certificate_rule {
	bool set; /* false: no condition */
	bool has_fingerprint, verified;
	uint8_t fingerprint[32]; /* SHA-256, of certificate or public key */
	const char *subject; /* NULL: any */
};

struct mxg_gateway {
	const char *name;
	struct mxg_token token;
	struct mxg_origin_rules origin; /* by.count 0: the policy's */
	struct mxg_certificate_rule certificate;
	size_t first_term, term_count; /* its terms in the ruleset, configuration order; none: the certificate alone */
};

/* One term of one gateway. Its index in ruleset->terms is its number: lower is earlier
 * in the configuration, over all gateways. */
struct mxg_gateway_term {
	struct mxg_term term;
	uint32_t gateway;
	bool by_recipient; /* it asks for records of the recipient's domain */
};

struct mxg_exempt {
	const char **items; /* lower case; "user@domain" or "user@" */
	size_t count;
};

/* Settings that a `policies` block may have of its own; the rest it inherits. */
struct mxg_ruleset {
	const char *label; /* for people: "default", or the block's first domain */
	enum mxguard_mode mode;
	size_t gateway_count;
	struct mxg_gateway *gateways;
	size_t term_count;
	struct mxg_gateway_term *terms;
	struct mxg_prefix_set *prefixes; /* ip4 and ip6 terms; an item's number is the term's */
	size_t dns_count; /* the other terms: numbers, ascending */
	uint32_t *dns_terms;
	struct mxg_checksum asks; /* of them */
	size_t certificate_count; /* of entries without terms, whose certificate makes a gateway of any address: */
	struct mxg_gateway_term *certificate_terms; /* … terms that stand for them, in no other list */
	bool by_recipient; /* one of them is */
	struct mxg_exempt exempt;
	enum mxguard_action on_direct, on_direct_queued, on_unknown; /* never ACCEPT unless written so */
	enum mxguard_action on_unreadable_door, on_unreadable_queued;
	enum mxguard_verdict on_untraced; /* UNKNOWN (default) or INTERNAL ("accept") or DIRECT ("direct") */
	enum mxguard_verdict retrieved; /* INTERNAL ("accept", default) or UNKNOWN */
	enum mxguard_verdict resubmitted; /* UNKNOWN or INTERNAL ("accept") */
	enum mxg_tag tag;
	const char *quarantine_mailbox;
	const char *reply_text; /* NULL: the reason's own */
};

/* Where copies of what is refused are kept, and how many at the most. */
struct mxg_trap_rules {
	const char *directory; /* NULL: none are kept */
	uint64_t share, max_total, per_hour; /* percent, bytes, messages */
	uint32_t keep; /* seconds */
};

struct mxguard_policy {
	atomic_uint refs;
	const char *path;
	uint8_t hash[32]; /* over the settings that decide what a snapshot must hold: hash.c */
	size_t ruleset_count; /* [0] is the default */
	struct mxg_ruleset *rulesets;
	struct mxg_domain_map *map; /* recipient domain → ruleset index */
	struct mxg_string_list domains; /* inline, lower-case A-labels */
	struct mxg_domain_map *domain_set; /* the same, for mxg_policy_has_domain(); NULL: none */
	const char *domains_file; /* a file or a folder; NULL: none. Read on demand: see domains_file.h */
	struct mxg_string_list domains_command; /* its words; count 0: none. Run by refresh alone */
	const char *default_domain; /* NULL: none */
	struct mxg_prefix_list internal; /* loopback included */
	struct mxg_prefix_list origins;
	struct mxg_prefix_list self; /* configured, or (where a term is mx) the interfaces' addresses */
	struct mxg_string_list by; /* trace.by; lower case */
	bool by_configured; /* else `by` holds this host's names */
	struct mxg_string_list own_names; /* of this host and of those in `by`: no domains of users */
	uint64_t own_lengths; /* bit N: one of them has N bytes, modulo 64; all bits: there are suffixes */
	unsigned trace_mta; /* mask for the trace reader, 0: the form must tell */
	struct mxg_string_list trace_mta_names;
	struct mxg_origin_rules origin;
	bool origin_tag; /* the origin goes into the tag, which is written for its sake */
	bool any_origin; /* here or in a gateway */
	const char *authserv_id; /* default: this host's name */
	const char *hostname; /* this host's name, for %{r} and defaults */
	enum mxg_log_format log_format;
	const char *on_alarm; /* a line for sh(1), run by refresh alone; NULL: none */
	const char *state_dir;
	struct mxg_trap_rules trap;
	int timeout_ms;
	uint32_t grace, keep_stale, settle; /* seconds */
	uint32_t patience;
	uint32_t per_second; /* questions of refresh to one server; 0: the usual number */
	bool accept_any_width;
	bool nothing_to_refresh; /* an enforced policy asks for records of domains that are listed nowhere */
	bool insecure_client_macros;
	struct mxg_reply_rules reply_rules; /* dns.require_dnssec, dns.max_ttl */
	const char *dns_servers; /* as ares_set_servers_ports_csv wants it; NULL: the system's */
	struct mxg_string_list warnings;
	void *memory; /* everything above in one arena */
};

/* The ruleset that governs a domain (exact, then the longest .suffix, then the default).
 * domain: lower-case ASCII, no trailing dot. No allocation. */
const struct mxg_ruleset *mxg_policy_ruleset(const struct mxguard_policy *policy, const char *domain, size_t len);

/* Of all terms and conditions, by what they say: neither paths nor the order of entries and blocks count. */
void mxg_policy_gateways_hash(const struct mxguard_policy *policy, uint8_t out[MXG_CHECKSUM_BYTES]);

/* Whether the domain is listed in `domains` (inline only). */
bool mxg_policy_has_domain(const struct mxguard_policy *policy, const char *domain, size_t len);

/* The exact names (not ".suffix") that `policies` blocks list, 0, 1, 2 …; NULL past the last. */
const char *mxg_policy_listed_domain(const struct mxguard_policy *policy, size_t index);

/* Whether a policies block names the domain itself. */
bool mxg_policy_lists_domain(const struct mxguard_policy *policy, const char *domain, size_t len);

/* Whether some of our domains are listed outside the configuration (`domains_file`, `domains_command`): the snapshot
 * knows them all. */
static inline bool mxg_policy_lists_elsewhere(const struct mxguard_policy *policy)
{
	return policy->domains_file != NULL || policy->domains_command.count > 0;
}

static inline const char *mxg_policy_list_setting(const struct mxguard_policy *policy)
{
	return policy->domains_file != NULL ? "domains_file" : "domains_command";
}

/* Whether there is a list of our domains at all. */
bool mxg_policy_has_domains(const struct mxguard_policy *policy);

/* Whether mail to this domain ends in a local mailbox of no particular domain: the host's own
 * names, address literals, no domain at all. domain: lower case. */
bool mxg_policy_is_own_name(const struct mxguard_policy *policy, const char *domain, size_t len);
/* False where it is none, without a closer look; true in doubt. */
static inline bool mxg_policy_may_be_own_name(const struct mxguard_policy *policy, const char *domain, size_t len)
{
	if (len == 0 || domain[0] == '[' || (domain[len - 1] >= '0' && domain[len - 1] <= '9'))
		return true;
	return (policy->own_lengths >> (len & 63) & 1) != 0 || (len >= 9 && memcmp(domain, "localhost", 9) == 0);
}

/* Whether one of the entries covers the address: lower-case domain, the local part as it came. The
 * local part is compared without regard to ASCII case. */
bool mxg_exempts(const struct mxg_exempt *exempt, const char *address, size_t len);

/* One line of domains_file: true and the normalized domain in out (lower case A-label,
 * 254 bytes) for an entry; false for blanks and comments; *error set where it is wrong. */
bool mxg_domains_line(char out[256], const char *line, size_t len, const char **error);

#endif
