/* SPDX-License-Identifier: MIT */
#include "naive_spf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum spf { NONE, NEUTRAL, PASS, FAIL, SOFTFAIL, TEMPERROR, PERMERROR };
enum match { NO, YES, TEMP, PERM };

/* ---- syntax (section 12) ---------------------------------------------------------------- */

#define MACRO "%(\\{[slodiphvSLODIPHV](0*[1-9][0-9]*)?[rR]?[-.+,/_=]*\\}|%|_|-)"
#define LITERAL "[!-$&-~]"
#define STRING "(" MACRO "|" LITERAL ")*"
#define TOP "([A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])"
#define DOMAIN STRING "(" MACRO "|\\." TOP "\\.?)"
#define LENGTH "(0|[1-9][0-9]?[0-9]?)"
#define DUAL "(/" LENGTH ")?(//" LENGTH ")?"

/* Compiled once: the patterns are few, and compiling one takes longer than everything else here. */
static const regex_t *compiled(const char *pattern)
{
	enum { MOST = 20 };
	static const char *patterns[MOST];
	static regex_t all[MOST];
	char anchored[2000];
	size_t i = 0;
	while (i < MOST && patterns[i] != NULL && strcmp(patterns[i], pattern) != 0)
		i++;
	if (i == MOST)
		abort();
	if (patterns[i] == NULL) {
		snprintf(anchored, sizeof(anchored), "^(%s)$", pattern);
		if (regcomp(&all[i], anchored, REG_EXTENDED | REG_NOSUB) != 0)
			abort();
		patterns[i] = pattern;
	}
	return &all[i];
}

static bool is_like(const char *text, const char *pattern)
{
	return regexec(compiled(pattern), text, 0, NULL, 0) == 0;
}

struct parsed {
	char qualifier;
	char name[12]; /* "" for an unknown modifier */
	bool modifier;
	char domain[9000]; /* "" where none is given */
	int cidr4, cidr6;
};

/* Cuts "/N" or "//N" off the end. */
static int cut_length(char *text, const char *slashes, int otherwise)
{
	size_t digits = 0, len = strlen(text), n = strlen(slashes);
	while (digits < len && isdigit((unsigned char)text[len - digits - 1]))
		digits++;
	if (digits == 0 || len < digits + n || strncmp(text + len - digits - n, slashes, n) != 0)
		return otherwise;
	int value = atoi(text + len - digits);
	text[len - digits - n] = '\0';
	return value;
}

static bool parse_address_term(const char *rest, struct parsed *p)
{
	unsigned char bytes[16];
	bool four = strcmp(p->name, "ip4") == 0;
	if (!is_like(rest, four ? ":[0-9.]+(/" LENGTH ")?" : ":[0-9A-Fa-f.:]+(/" LENGTH ")?"))
		return false;
	snprintf(p->domain, sizeof(p->domain), "%s", rest + 1);
	p->cidr4 = p->cidr6 = cut_length(p->domain, "/", four ? 32 : 128);
	return inet_pton(four ? AF_INET : AF_INET6, p->domain, bytes) == 1 && p->cidr4 <= (four ? 32 : 128);
}

static bool parse_mechanism(const char *term, struct parsed *p)
{
	static const struct {
		const char *name, *rest;
	} known[] = {
		{ "all", "" },
		{ "include", ":" DOMAIN },
		{ "exists", ":" DOMAIN },
		{ "ptr", "(:" DOMAIN ")?" },
		{ "a", "(:" DOMAIN ")?" DUAL },
		{ "mx", "(:" DOMAIN ")?" DUAL },
	};
	p->qualifier = strchr("+-~?", term[0]) != NULL && term[0] != '\0' ? *term++ : '+';
	size_t n = strcspn(term, ":/");
	if (n == 0 || n >= sizeof(p->name))
		return false;
	for (size_t i = 0; i <= n; i++)
		p->name[i] = (char)(i < n ? tolower((unsigned char)term[i]) : '\0');
	const char *rest = term + n;
	if (strcmp(p->name, "ip4") == 0 || strcmp(p->name, "ip6") == 0)
		return parse_address_term(rest, p);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, p->name) != 0)
			continue;
		if (!is_like(rest, known[i].rest))
			return false;
		snprintf(p->domain, sizeof(p->domain), "%s", rest);
		p->cidr6 = cut_length(p->domain, "//", 128);
		p->cidr4 = cut_length(p->domain, "/", 32);
		if (p->domain[0] == ':')
			memmove(p->domain, p->domain + 1, strlen(p->domain));
		return p->cidr4 <= 32 && p->cidr6 <= 128;
	}
	return false;
}

static bool parse_term(const char *term, struct parsed *p)
{
	memset(p, 0, sizeof(*p));
	if (!is_like(term, "[A-Za-z][-A-Za-z0-9_.]*=.*"))
		return parse_mechanism(term, p);
	p->modifier = true;
	const char *value = strchr(term, '=') + 1;
	if (strncasecmp(term, "redirect=", 9) == 0)
		strcpy(p->name, "redirect");
	else if (strncasecmp(term, "exp=", 4) == 0)
		strcpy(p->name, "exp");
	snprintf(p->domain, sizeof(p->domain), "%s", value);
	return is_like(value, p->name[0] != '\0' ? DOMAIN : STRING);
}

/* The terms of a record, parsed; NULL where its syntax is broken. */
static struct parsed *parse_record(const char *text, size_t len, size_t *count)
{
	char *copy = malloc(len + 1), *save = NULL;
	unsigned redirects = 0, exps = 0;
	size_t most = 1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		most += copy[i] == ' ';
		if (copy[i] == '\0')
			copy[i] = 1;
	}
	struct parsed *terms = calloc(most, sizeof(*terms));
	*count = 0;
	for (char *t = strtok_r(copy + 6, " ", &save); t != NULL; t = strtok_r(NULL, " ", &save)) {
		struct parsed *p = &terms[*count];
		bool good = parse_term(t, p);
		redirects += strcmp(p->name, "redirect") == 0;
		exps += strcmp(p->name, "exp") == 0;
		if (!good || redirects > 1 || exps > 1) {
			free(terms);
			free(copy);
			return NULL;
		}
		++*count;
	}
	free(copy);
	return terms;
}

bool naive_syntax(const char *record, size_t len)
{
	size_t count;
	struct parsed *terms = parse_record(record, len, &count);
	free(terms);
	return terms != NULL;
}

/* ---- asking ------------------------------------------------------------------------------- */

/* Whether DNS could be asked for it at all. */
static bool is_name(const char *name)
{
	size_t len = strlen(name), label = 0;
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && name[i] != '.') {
			label++;
			continue;
		}
		if (label == 0 || label > 63)
			return false;
		label = 0;
	}
	return true;
}

static void ask(struct naive *n, unsigned round, const char *name, uint16_t type, struct zone_set *set)
{
	char lower[256];
	size_t len = strlen(name);
	snprintf(lower, sizeof(lower), "%.*s", (int)(len > 0 && name[len - 1] == '.' ? len - 1 : len), name);
	for (char *p = lower; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	zone_query(n->zone, lower, type, set);
	for (size_t i = 0; i < n->count; i++) {
		struct naive_query *q = &n->log[i];
		if (q->type == type && strcmp(q->name, lower) == 0) {
			if (round < q->round)
				q->round = round;
			return;
		}
	}
	if (n->count == NAIVE_LOG_MAX)
		abort();
	struct naive_query *q = &n->log[n->count++];
	strcpy(q->name, lower);
	q->type = type;
	q->round = round;
}

unsigned naive_rounds(const struct naive *n)
{
	unsigned most = 0;
	for (size_t i = 0; i < n->count; i++)
		if (n->log[i].round > most)
			most = n->log[i].round;
	return most;
}

static bool covered(const struct mxg_address *network, int bits, const struct mxg_address *peer)
{
	if (network->family != peer->family)
		return false;
	for (int i = 0; i < bits; i++)
		if (((network->bytes[i / 8] ^ peer->bytes[i / 8]) >> (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

static uint16_t host_type(const struct naive *n)
{
	return n->peer.family == 6 ? MXG_DNS_AAAA : MXG_DNS_A;
}

/* Whether an address of the set is in the peer's network. */
static bool any_covers(const struct naive *n, const struct zone_set *set, const struct parsed *p)
{
	for (size_t i = 0; set->status == ZONE_RECORDS && i < set->count; i++)
		if (covered(&set->records[i]->address, n->peer.family == 6 ? p->cidr6 : p->cidr4, &n->peer))
			return true;
	return false;
}

/* ---- validated names (section 5.5) --------------------------------------------------------- */

static void reverse_text(const struct mxg_address *a, char out[100])
{
	char *p = out;
	if (a->family == 4)
		sprintf(out, "%u.%u.%u.%u.in-addr.arpa", a->bytes[3], a->bytes[2], a->bytes[1], a->bytes[0]);
	for (int i = 31; a->family == 6 && i >= 0; i--)
		p += sprintf(p, "%x.", a->bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15);
	if (a->family == 6)
		strcpy(p, "ip6.arpa");
}

static bool is_below(const char *name, const char *parent)
{
	size_t n = strlen(name), m = strlen(parent);
	if (m > 0 && parent[m - 1] == '.')
		m--;
	if (n < m || strncasecmp(name + n - m, parent, m) != 0)
		return false;
	return n == m || name[n - m - 1] == '.';
}

struct names {
	bool failed, nothing;
	char exact[256], below[256], any[256];
};

static void validate(struct naive *n, const char *domain, bool for_ptr, struct names *out)
{
	char reverse[100];
	struct zone_set ptr, host;
	static const struct parsed whole = { .cidr4 = 32, .cidr6 = 128 };
	memset(out, 0, sizeof(*out));
	n->unforeseeable = true;
	reverse_text(&n->peer, reverse);
	ask(n, 0, reverse, MXG_DNS_PTR, &ptr);
	out->failed = ptr.status == ZONE_FAILURE;
	out->nothing = ptr.status == ZONE_NODATA || ptr.status == ZONE_NXDOMAIN;
	for (size_t i = 0; ptr.status == ZONE_RECORDS && i < ptr.count && i < 10; i++) {
		const char *name = ptr.records[i]->target;
		if (out->exact[0] != '\0' || (for_ptr && out->below[0] != '\0'))
			break;
		ask(n, 0, name, host_type(n), &host);
		out->failed |= host.status == ZONE_FAILURE;
		if (!any_covers(n, &host, &whole))
			continue;
		if (out->any[0] == '\0')
			strcpy(out->any, name);
		if (strlen(name) == strlen(domain) && is_below(name, domain))
			strcpy(out->exact, name);
		else if (is_below(name, domain) && out->below[0] == '\0')
			strcpy(out->below, name);
	}
}

/* ---- macros (section 7) ----------------------------------------------------------------------- */

static void value_of(struct naive *n, char letter, const char *domain, char out[2000])
{
	const char *at = strrchr(n->sender, '@');
	const char *o = at != NULL && at[1] != '\0' ? at + 1 : at == NULL && n->sender[0] != '\0' ? n->sender : n->helo;
	int l = at == NULL ? 0 : (int)(at - n->sender);
	struct names names;
	char *p = out;
	switch (letter) {
	case 'l':
		sprintf(out, "%.*s", l > 0 ? l : 10, l > 0 ? n->sender : "postmaster");
		return;
	case 'o':
		strcpy(out, o);
		return;
	case 's':
		sprintf(out, "%.*s@%s", l > 0 ? l : 10, l > 0 ? n->sender : "postmaster", o);
		return;
	case 'd':
		strcpy(out, domain);
		return;
	case 'h':
		strcpy(out, n->helo);
		return;
	case 'v':
		strcpy(out, n->peer.family == 6 ? "ip6" : "in-addr");
		return;
	case 'i':
		if (n->peer.family == 4)
			sprintf(out, "%u.%u.%u.%u", n->peer.bytes[0], n->peer.bytes[1], n->peer.bytes[2],
				n->peer.bytes[3]);
		for (int i = 0; n->peer.family == 6 && i < 32; i++)
			p += sprintf(p, "%s%x", i > 0 ? "." : "", n->peer.bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15);
		return;
	default:
		validate(n, domain, false, &names);
		strcpy(out, names.exact[0]   ? names.exact
			    : names.below[0] ? names.below
			    : names.any[0]   ? names.any
					     : "unknown");
	}
}

static const char *expand_one(struct naive *n, const char *p, const char *domain, char *out)
{
	char value[2000], delimiters[100] = "", joined[4000] = "";
	char *parts[2000];
	int keep = 0, count = 0;
	bool reverse = false, escape = isupper((unsigned char)p[2]) != 0;
	char letter = (char)tolower((unsigned char)p[2]);
	if (strchr("slohp", letter) != NULL)
		n->unforeseeable = true;
	value_of(n, letter, domain, value);
	for (p += 3; isdigit((unsigned char)*p); p++)
		keep = keep > 9999 ? keep : keep * 10 + (*p - '0');
	if (*p == 'r' || *p == 'R') {
		reverse = true;
		p++;
	}
	for (; *p != '}'; p++)
		strncat(delimiters, p, 1);
	char *rest = value;
	while (rest != NULL)
		parts[count++] = strsep(&rest, delimiters[0] != '\0' ? delimiters : ".");
	if (keep == 0 || keep > count)
		keep = count;
	for (int i = count - keep; i < count; i++) {
		strcat(joined, joined[0] != '\0' || i > count - keep ? "." : "");
		strcat(joined, parts[reverse ? count - 1 - i : i]);
	}
	for (const char *j = joined; *j != '\0'; j++)
		out += escape && !isalnum((unsigned char)*j) && strchr("-._~", *j) == NULL
			       ? sprintf(out, "%%%02X", (unsigned char)*j)
			       : sprintf(out, "%c", *j);
	*out = '\0';
	return p + 1;
}

static void expand(struct naive *n, const char *spec, const char *domain, char out[40000])
{
	char *o = out;
	*o = '\0';
	while (*spec != '\0') {
		if (spec[0] == '%' && spec[1] == '{') {
			spec = expand_one(n, spec, domain, o);
			o += strlen(o);
		} else if (spec[0] == '%') {
			o += sprintf(o, "%s", spec[1] == '%' ? "%" : spec[1] == '_' ? " " : "%20");
			spec += 2;
		} else {
			o += sprintf(o, "%c", *spec++);
		}
	}
	if (o > out && o[-1] == '.')
		*--o = '\0';
	while (strlen(out) > 253 && strchr(out, '.') != NULL)
		memmove(out, strchr(out, '.') + 1, strlen(strchr(out, '.')));
}

/* ---- check_host --------------------------------------------------------------------------------- */

static enum spf check_host(struct naive *n, const char *domain, unsigned round);

static enum match no_records(struct naive *n, bool counted)
{
	return counted && ++n->voids > 2 ? PERM : NO;
}

/* Nothing of the peer's family: has the host anything at all? */
static void look_at_other_family(struct naive *n, const struct parsed *p, const char *name, unsigned round)
{
	struct zone_set set;
	if (!n->both_families || p->qualifier != '+')
		return;
	ask(n, round, name, n->peer.family == 6 ? MXG_DNS_A : MXG_DNS_AAAA, &set);
	n->seen |= set.status == ZONE_RECORDS;
	n->other_failed |= set.status == ZONE_FAILURE;
}

static enum match match_a(struct naive *n, const struct parsed *p, const char *name, unsigned round, bool counted)
{
	struct zone_set set;
	ask(n, round, name, host_type(n), &set);
	if (set.status == ZONE_FAILURE)
		return TEMP;
	n->seen |= set.status == ZONE_RECORDS && p->qualifier == '+';
	if (set.status != ZONE_RECORDS)
		look_at_other_family(n, p, name, round);
	return set.status != ZONE_RECORDS ? no_records(n, counted) : any_covers(n, &set, p) ? YES : NO;
}

static enum match match_mx(struct naive *n, const struct parsed *p, const char *name, unsigned round, bool counted)
{
	struct zone_set mx, host;
	bool failed = false, any = false;
	ask(n, round, name, MXG_DNS_MX, &mx);
	if (mx.status == ZONE_FAILURE)
		return TEMP;
	if (mx.status != ZONE_RECORDS)
		return no_records(n, counted);
	if (mx.count > 10)
		return PERM;
	for (size_t i = 0; i < mx.count; i++) {
		if (mx.records[i]->target[0] == '\0')
			continue;
		ask(n, round + 1, mx.records[i]->target, host_type(n), &host);
		any |= host.status == ZONE_RECORDS;
		n->seen |= host.status == ZONE_RECORDS && p->qualifier == '+';
		if (any_covers(n, &host, p))
			return YES;
		failed |= host.status == ZONE_FAILURE;
		if (failed && counted)
			return TEMP;
	}
	for (size_t i = 0; !any && !failed && i < mx.count; i++)
		if (mx.records[i]->target[0] != '\0')
			look_at_other_family(n, p, mx.records[i]->target, round + 1);
	return failed ? TEMP : NO;
}

static enum match match_exists(struct naive *n, const char *name, unsigned round, bool counted)
{
	struct zone_set set;
	ask(n, round, name, MXG_DNS_A, &set);
	return set.status == ZONE_FAILURE ? TEMP : set.status == ZONE_RECORDS ? YES : no_records(n, counted);
}

static enum match match_ptr(struct naive *n, const char *name, bool counted)
{
	struct names names;
	validate(n, name, true, &names);
	if (names.nothing && no_records(n, counted) == PERM)
		return PERM;
	if (names.exact[0] != '\0' || names.below[0] != '\0')
		return YES;
	return names.failed && !counted ? TEMP : NO;
}

static enum match match_include(struct naive *n, const struct parsed *p, const char *name, unsigned round)
{
	bool seen = n->seen;
	enum spf result = is_name(name) ? check_host(n, name, round) : NONE;
	if (p->qualifier != '+') /* what it lists is not authorized */
		n->seen = seen;
	switch (result) {
	case PASS:
		return YES;
	case FAIL:
	case SOFTFAIL:
	case NEUTRAL:
		return NO;
	case TEMPERROR:
		return TEMP;
	default:
		return PERM;
	}
}

static enum match match_network(const struct naive *n, const struct parsed *p)
{
	struct mxg_address a = { .family = strcmp(p->name, "ip4") == 0 ? 4 : 6 };
	inet_pton(a.family == 4 ? AF_INET : AF_INET6, p->domain, a.bytes);
	return covered(&a, p->cidr4, &n->peer) ? YES : NO;
}

/* counted: in a published record, not the configured term itself */
static enum match match_term(struct naive *n, const struct parsed *p, const char *domain, unsigned round, bool counted)
{
	char name[40000];
	if (p->qualifier == '+' && p->name[0] != 'a' && p->name[0] != 'm' && strcmp(p->name, "include") != 0)
		n->seen = true; /* a range, or it answers for each peer */
	if (strcmp(p->name, "all") == 0) {
		n->seen |= p->qualifier == '+';
		return YES;
	}
	if (strncmp(p->name, "ip", 2) == 0)
		return match_network(n, p);
	if (counted && ++n->terms > 10)
		return PERM;
	if (p->domain[0] == '\0')
		snprintf(name, sizeof(name), "%s", domain);
	else
		expand(n, p->domain, domain, name);
	if (strcmp(p->name, "include") == 0)
		return match_include(n, p, name, round);
	if (!is_name(name))
		return NO;
	if (strcmp(p->name, "a") == 0)
		return match_a(n, p, name, round, counted);
	if (strcmp(p->name, "mx") == 0)
		return match_mx(n, p, name, round, counted);
	if (strcmp(p->name, "exists") == 0)
		return match_exists(n, name, round, counted);
	return match_ptr(n, name, counted);
}

static enum spf follow_redirect(struct naive *n, const struct parsed *terms, size_t count, const char *domain,
				unsigned round)
{
	char name[40000];
	const struct parsed *redirect = NULL;
	for (size_t i = 0; i < count; i++)
		if (strcmp(terms[i].name, "redirect") == 0)
			redirect = &terms[i];
	if (redirect == NULL)
		return NEUTRAL;
	if (++n->terms > 10)
		return PERMERROR;
	expand(n, redirect->domain, domain, name);
	enum spf result = is_name(name) ? check_host(n, name, round) : NONE;
	return result == NONE ? PERMERROR : result;
}

static bool is_wide(const struct naive *n, const struct parsed *p)
{
	bool six = n->peer.family == 6;
	if (strcmp(p->name, "all") == 0)
		return true;
	if (strcmp(p->name, "exists") == 0)
		return strstr(p->domain, "%{i") == NULL && strstr(p->domain, "%{I") == NULL;
	if (p->name[0] == 'i' || strcmp(p->name, "a") == 0 || strcmp(p->name, "mx") == 0)
		return six ? p->cidr6 < 28 : p->cidr4 < 12;
	return false;
}

static enum spf evaluate(struct naive *n, const struct parsed *terms, size_t count, const char *domain, unsigned round)
{
	for (size_t i = 0; i < count; i++) {
		const struct parsed *p = &terms[i];
		if (p->modifier)
			continue;
		switch (match_term(n, p, domain, round, true)) {
		case YES:
			n->seen |= p->qualifier != '+' && strcmp(p->name, "all") != 0;
			if (strcmp(p->name, "include") != 0)
				n->wide = is_wide(n, p);
			return p->qualifier == '+'   ? PASS
			       : p->qualifier == '-' ? FAIL
			       : p->qualifier == '~' ? SOFTFAIL
						     : NEUTRAL;
		case TEMP:
			return TEMPERROR;
		case PERM:
			return PERMERROR;
		case NO:
			break;
		}
	}
	return follow_redirect(n, terms, count, domain, round);
}

static enum spf check_host(struct naive *n, const char *domain, unsigned round)
{
	struct zone_set set;
	const struct zone_record *record = NULL;
	unsigned records = 0;
	size_t count;
	const char *dot = strchr(domain, '.');
	if (dot == NULL || dot[1] == '\0')
		return NONE;
	ask(n, round, domain, MXG_DNS_TXT, &set);
	if (set.status == ZONE_FAILURE)
		return TEMPERROR;
	for (size_t i = 0; set.status == ZONE_RECORDS && i < set.count; i++) {
		const struct zone_record *r = set.records[i];
		if (r->text_len < 6 || strncasecmp(r->text, "v=spf1", 6) != 0)
			continue;
		if (r->text_len > 6 && r->text[6] != ' ')
			continue;
		record = r;
		records++;
	}
	if (records != 1)
		return records == 0 ? NONE : PERMERROR;
	struct parsed *terms = parse_record(record->text, record->text_len, &count);
	if (terms == NULL)
		return PERMERROR;
	enum spf result = evaluate(n, terms, count, domain, round + 1);
	free(terms);
	return result;
}

enum mxg_term_result naive_term(struct naive *n, const char *term)
{
	struct parsed *p = calloc(1, sizeof(*p));
	n->terms = n->voids = 0;
	n->count = 0;
	n->unforeseeable = n->seen = n->other_failed = n->wide = false;
	if (!parse_term(term, p))
		abort();
	enum match match = match_term(n, p, n->domain, 1, false);
	free(p);
	return match == YES    ? MXG_TERM_MATCH
	       : match == NO   ? MXG_TERM_NO_MATCH
	       : match == TEMP ? MXG_TERM_TEMPERROR
			       : MXG_TERM_PERMERROR;
}
