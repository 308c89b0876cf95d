/* SPDX-License-Identifier: MIT */
/*
 * The zone's names have the octets of IPv4 or the nibbles of IPv6, last one first. The two meet: 2.0.0.1 is 1.0.0.2,
 * and 2001:db8:: ends in 1.0.0.2, too. "*.0.0.2" for 2.0.0.0/24 would stand for all of 200x::/12. So a wildcard whose
 * labels could all be nibbles gets names below it, one for each nibble: where a name exists, the wildcard above it says
 * nothing of what lies below (RFC 4592). A wildcard of IPv6 has four labels at least: no address of IPv4 has more.
 */
#include "export_zone.h"

#include <string.h>

#include "base/ascii.h"
#include "base/duration.h"
#include "dns/name.h"
#include "options.h"

#define ANSWER "A 127.0.0.2" /* what lists in DNS say for yes (RFC 5782) */
#define TTL_DEFAULT "5m"
#define REFRESH "900 300 1209600" /* where no NOTIFY came: a secondary asks; again; gives up */
#define OCTETS 4
#define NIBBLES 32
#define NIBBLES_LEAST 4

/* ---- what it says of itself -------------------------------------------------------------------- */

/* What has a meaning in a zone, such as a blank, a semicolon or a backslash, is in no host's name. */
static bool is_name(const char *text)
{
	struct mxg_name name;
	for (const char *c = text; *c != '\0'; c++)
		if (!mxg_ascii_is_alpha(*c) && !mxg_ascii_is_digit(*c) && strchr("-_.", *c) == NULL)
			return false;
	return mxg_name_from_text(&name, text, strlen(text));
}

static const char *dot_behind(const char *name)
{
	return name[0] != '\0' && name[strlen(name) - 1] == '.' ? "" : ".";
}

/* As settings have it, or seconds alone, as zones do. */
static bool complete_ttl(struct mxg_export_zone *zone)
{
	const char *text = zone->ttl_text == NULL ? TTL_DEFAULT : zone->ttl_text;
	char seconds[32];
	uint64_t milliseconds;
	if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' && strlen(text) < sizeof(seconds) - 1) {
		snprintf(seconds, sizeof(seconds), "%ss", text);
		text = seconds;
	}
	if (!mxg_duration_parse(text, &milliseconds) || milliseconds < 1000)
		return false;
	zone->ttl = (uint32_t)(milliseconds / 1000);
	return true;
}

bool mxg_export_zone_complete(struct mxg_export_zone *zone, const char *command, const char *hostname)
{
	if (!complete_ttl(zone)) {
		mxg_wrong_use(command, "--ttl takes a time from 1s to a year, such as 5m, not '%s'", zone->ttl_text);
		return false;
	}
	if (zone->server_count == 0)
		zone->servers[zone->server_count++] =
			strchr(hostname, '.') != NULL && is_name(hostname) ? hostname : "localhost";
	const char *wrong = zone->origin != NULL && !is_name(zone->origin) ? zone->origin : NULL;
	for (size_t i = 0; i < zone->server_count && wrong == NULL; i++)
		wrong = is_name(zone->servers[i]) ? NULL : zone->servers[i];
	if (wrong == NULL && zone->hostmaster != NULL && !is_name(zone->hostmaster))
		wrong = zone->hostmaster;
	if (wrong != NULL)
		mxg_wrong_use(command, "'%s' is not a domain name", wrong);
	else if (zone->origin != NULL && strlen(zone->origin) > MXG_ZONE_NAME_MOST)
		mxg_wrong_use(command, "--zone: an IPv6 address leaves %d characters for the zone's name",
			      MXG_ZONE_NAME_MOST);
	else
		return true;
	return false;
}

static void print_hostmaster(const struct mxg_export_zone *zone, FILE *to)
{
	const char *parent = zone->origin != NULL ? zone->origin : zone->servers[0];
	if (zone->hostmaster != NULL)
		fprintf(to, "%s%s", zone->hostmaster, dot_behind(zone->hostmaster));
	else
		fprintf(to, "hostmaster.%s%s", parent, dot_behind(parent));
}

static void print_servers(const struct mxg_export_zone *zone, FILE *to, const char *before, const char *behind)
{
	for (size_t i = 0; i < zone->server_count; i++)
		fprintf(to, "%s%s%s%s", before, zone->servers[i], dot_behind(zone->servers[i]), behind);
}

static void print_authority(const struct mxg_export_zone *zone, FILE *to)
{
	fprintf(to, "%s%s ", zone->servers[0], dot_behind(zone->servers[0]));
	print_hostmaster(zone, to);
	fprintf(to, " %u " REFRESH " %u\n", zone->serial, zone->ttl);
}

/* ---- names --------------------------------------------------------------------------------------- */

/* A place in the tree of names: labels from the zone's end on. */
struct place {
	FILE *to;
	unsigned count; /* how many of the labels are fixed */
	uint8_t labels[NIBBLES];
	bool ipv6;
};

static void print_path(const struct place *p, const char *type)
{
	for (unsigned i = p->count; i-- > 0;)
		fprintf(p->to, p->ipv6 ? "%x%s" : "%u%s", p->labels[i], i > 0 ? "." : "");
	fprintf(p->to, " %s\n", type);
}

/* All that lies below, and no name that is there. */
static void print_wildcard(const struct place *p)
{
	fputs(p->count == 0 ? "*" : "*.", p->to);
	print_path(p, ANSWER);
}

/* ---- IPv4 ----------------------------------------------------------------------------------------- */

/* Whether an address of IPv6 could have these labels. */
static bool could_be_nibbles(const struct place *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->labels[i] > 9)
			return false;
	return true;
}

/* Octets have no letters: a name that is no answer, so that the wildcard does not reach below it. */
static void print_stops(const struct place *p)
{
	for (char letter = 'a'; letter <= 'f'; letter++) {
		fprintf(p->to, p->count == 0 ? "%c" : "%c.", letter);
		print_path(p, "TXT \"not an address of IPv4\"");
	}
}

/* Every address that begins with these octets. */
static void put_all_octets(struct place *p)
{
	if (p->count == OCTETS) {
		print_path(p, ANSWER);
		return;
	}
	print_wildcard(p);
	if (!could_be_nibbles(p))
		return;
	print_stops(p);
	for (uint8_t octet = 0; octet <= 9; octet++) {
		p->labels[p->count++] = octet;
		put_all_octets(p);
		p->count--;
	}
}

static void put_ipv4(struct place *p, const struct mxg_prefix *prefix)
{
	for (p->count = 0; p->count < prefix->bits / 8U; p->count++)
		p->labels[p->count] = prefix->base.bytes[p->count];
	unsigned rest = prefix->bits % 8U, at = p->count;
	if (rest == 0) {
		put_all_octets(p);
		return;
	}
	p->count++;
	for (unsigned i = 0; i < 256U >> rest; i++) {
		p->labels[at] = (uint8_t)(prefix->base.bytes[at] + i);
		put_all_octets(p);
	}
}

/* ---- IPv6 ------------------------------------------------------------------------------------------- */

static uint8_t nibble_of(const struct mxg_address *a, unsigned i)
{
	return i % 2 == 0 ? a->bytes[i / 2] >> 4 : a->bytes[i / 2] & 15;
}

static void put_ipv6(struct place *p, const struct mxg_prefix *prefix)
{
	unsigned whole = (prefix->bits + 3U) / 4U;
	p->count = whole < NIBBLES_LEAST ? NIBBLES_LEAST : whole;
	uint32_t names = 1U << (p->count * 4 - prefix->bits);
	for (uint32_t n = 0; n < names; n++) {
		for (unsigned i = 0; i < p->count; i++) {
			unsigned above = (p->count - 1 - i) * 4; /* bits of n that are in nibbles behind this one */
			uint32_t more = above < 32 ? n >> above & 15 : 0;
			p->labels[i] = (uint8_t)(nibble_of(&prefix->base, i) | more);
		}
		if (p->count == NIBBLES)
			print_path(p, ANSWER);
		else
			print_wildcard(p);
	}
}

/* ---- the files ------------------------------------------------------------------------------------------ */

bool mxg_export_zone(const struct mxg_export *e, FILE *to)
{
	struct place p = { .to = to };
	mxg_export_comments(e, to, ';', "On the other hosts: allow = \"exists:%{ir}.ZONE\", with this zone's name.");
	if (e->zone->origin != NULL)
		fprintf(to, "$ORIGIN %s%s\n", e->zone->origin, dot_behind(e->zone->origin));
	fprintf(to, "$TTL %u\n@ IN SOA ", e->zone->ttl);
	print_authority(e->zone, to);
	print_servers(e->zone, to, "@ NS ", "\n");
	for (size_t i = 0; i < e->sets->prefixes.count; i++) {
		p.ipv6 = e->sets->prefixes.items[i].base.family == 6;
		(p.ipv6 ? put_ipv6 : put_ipv4)(&p, &e->sets->prefixes.items[i]);
	}
	return true;
}

static void put_dataset(const struct mxg_export *e, FILE *to, const char *type, int family)
{
	char text[MXG_PREFIX_TEXT_MAX];
	size_t n = 0;
	for (size_t i = 0; i < e->sets->prefixes.count; i++) {
		if (e->sets->prefixes.items[i].base.family != family)
			continue;
		if (n++ == 0)
			fprintf(to, "$DATASET %s @\n:127.0.0.2:\n", type);
		fprintf(to, "%s\n", mxg_prefix_format(&e->sets->prefixes.items[i], text));
	}
}

bool mxg_export_rbldnsd(const struct mxg_export *e, FILE *to)
{
	mxg_export_comments(e, to, '#',
			    "rbldnsd ... ZONE:combined:FILE; on the other hosts: allow = \"exists:%{ir}.ZONE\"");
	fprintf(to, "$TTL %u\n$SOA %u ", e->zone->ttl, e->zone->ttl);
	print_authority(e->zone, to);
	fprintf(to, "$NS %u", e->zone->ttl);
	print_servers(e->zone, to, " ", "");
	fputc('\n', to);
	put_dataset(e, to, "ip4trie", 4);
	put_dataset(e, to, "ip6trie", 6);
	return true;
}
