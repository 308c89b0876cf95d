/* SPDX-License-Identifier: MIT */
/* Whose the MX hosts are, and what that makes of `gateways`. */
#include "suggest.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/host.h"
#include "catalogue_file.h"
#include "dns_ask.h"
#include "load.h"

#define MESSAGE_MAX 1024

/* ---- what is needed ------------------------------------------------------------------------ */

static int open_policy(struct mxguard_policy **policy, const char *config)
{
	static const char none[] = "";
	char message[MESSAGE_MAX];
	int error = config == NULL ? mxguard_policy_parse(policy, none, sizeof(none) - 1, "mxguard", 0, message,
							  sizeof(message))
				   : mxguard_policy_load(policy, config, 0, message, sizeof(message));
	if (error == MXGUARD_ERROR_NONE)
		return 0;
	fprintf(stderr, "mxguard: %s\n", message);
	return error == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
}

int mxg_suggest_begin(struct mxg_suggest *s, struct mxguard_policy *policy, const char *catalogue)
{
	*s = (struct mxg_suggest){ .policy = mxguard_policy_ref(policy), .catalogue = mxg_catalogue_open(catalogue) };
	if (s->catalogue == NULL)
		return EX_CONFIG;
	mxg_address_parse(&s->loopback, "::1", 3, MXG_ADDRESS_BARE);
	if (s->policy->self.count == 0 && !mxg_host_addresses(&s->own, &s->own_count))
		s->own_count = 0;
	s->driver = mxg_driver_new(s->policy, MXG_DRIVER_DEADLINES);
	return s->driver == NULL ? EX_TEMPFAIL : 0;
}

int mxg_suggest_open(struct mxg_suggest *s, const char *config, const char *catalogue)
{
	struct mxguard_policy *policy = NULL;
	*s = (struct mxg_suggest){ 0 };
	int status = open_policy(&policy, config);
	if (status == 0)
		status = mxg_suggest_begin(s, policy, catalogue);
	mxguard_policy_unref(policy);
	return status;
}

void mxg_suggest_close(struct mxg_suggest *s)
{
	mxg_driver_free(s->driver);
	free(s->own);
	mxg_catalogue_free(s->catalogue);
	mxguard_policy_unref(s->policy);
}

void mxg_suggest_note(struct mxg_suggestion *out, const char *format, ...)
{
	va_list args;
	if (out->note_count == MXG_SUGGEST_NOTES)
		return;
	va_start(args, format);
	if (vasprintf(&out->notes[out->note_count], format, args) >= 0)
		out->note_count++;
	va_end(args);
}

void mxg_suggestion_clear(struct mxg_suggestion *s)
{
	for (size_t i = 0; i < s->note_count; i++)
		free(s->notes[i]);
	s->note_count = 0;
}

/* ---- MX hosts ------------------------------------------------------------------------------- */

/* The order of preference, and of names where that is the same: what is told does not change by itself. */
struct exchange {
	unsigned preference;
	char text[MXG_NAME_TEXT_MAX];
};

static int compare(const void *a, const void *b)
{
	const struct exchange *x = a, *y = b;
	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void add_host(struct mxg_suggest *s, struct mxg_suggestion *out, const char *name)
{
	struct mxg_suggest_host *host = &out->hosts[out->host_count];
	for (size_t i = 0; i < out->host_count; i++)
		if (strcmp(out->hosts[i].name, name) == 0)
			return;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name) || strlen(name) > 253) {
		mxg_suggest_note(out, "the MX %s is no name of a host, and is left out", name);
		return;
	}
	if (out->host_count == MXG_SUGGEST_HOSTS)
		return;
	snprintf(host->name, sizeof(host->name), "%.253s", name);
	host->vendor = mxg_catalogue_find(s->catalogue, name);
	out->host_count++;
}

static size_t read_exchanges(const struct mxg_rrset *set, struct exchange **list)
{
	size_t at = 0, len, count = 0;
	const uint8_t *item;
	*list = calloc(set->count, sizeof(**list));
	while (*list != NULL && count < set->count && mxg_rrset_next(set->data, set->size, &at, &item, &len)) {
		struct mxg_name name;
		if (len < 3 || !mxg_name_from_wire(&name, item + 2, len - 2))
			continue;
		(*list)[count].preference = (unsigned)item[0] << 8 | item[1];
		mxg_name_format(&name, (*list)[count++].text);
	}
	if (count > 0)
		qsort(*list, count, sizeof(**list), compare);
	return count;
}

static void take_exchanges(struct mxg_suggest *s, const struct mxg_rrset *set, struct mxg_suggestion *out)
{
	struct exchange *list;
	size_t count = read_exchanges(set, &list), nulls = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].text, ".") == 0)
			nulls++;
		else
			add_host(s, out, list[i].text);
	}
	if (count > MXG_SUGGEST_HOSTS)
		mxg_suggest_note(out, "of %zu MX hosts %d were looked at", count, MXG_SUGGEST_HOSTS);
	if (out->host_count == 0 && nulls > 0)
		mxg_suggest_note(out, "the domain has a null MX (RFC 7505): it takes no mail");
	else if (out->host_count == 0)
		mxg_suggest_note(out, "no MX of the domain names a host");
	free(list);
}

void mxg_suggest_hosts(struct mxg_suggest *s, const char *domain, struct mxg_suggestion *out)
{
	struct mxg_reply reply = { 0 };
	struct mxg_name name;
	*out = (struct mxg_suggestion){ 0 };
	snprintf(out->domain, sizeof(out->domain), "%s", domain);
	if (!mxg_name_from_text(&name, domain, strlen(domain))) {
		mxg_suggest_note(out, "it is no name that DNS could be asked for");
		out->failed = true;
		return;
	}
	mxg_dns_ask(s->driver, &name, MXG_DNS_MX, &reply);
	if (reply.kind == MXG_ANSWER_RECORDS)
		take_exchanges(s, &reply.records, out);
	else if (reply.kind == MXG_ANSWER_NXDOMAIN)
		mxg_suggest_note(out, "the domain does not exist in DNS");
	else if (reply.kind == MXG_ANSWER_NODATA)
		mxg_suggest_note(out, "the domain has no MX record: there are no filters to be known by it");
	else
		mxg_suggest_note(out, "DNS does not tell its MX: %s", mxg_dns_failure_text(reply.failure));
	free(reply.records.data);
	out->failed = out->host_count == 0;
}

/* ---- this server ----------------------------------------------------------------------------- */

static bool is_self(const struct mxg_suggest *s, const uint8_t *bytes, size_t len)
{
	struct mxg_address address;
	mxg_address_from_bytes(&address, len == 4 ? 4 : 6, bytes);
	if (address.family == 4 ? address.bytes[0] == 127 : mxg_address_equal(&address, &s->loopback))
		return true;
	if (mxg_list_covers(&s->policy->self, &address))
		return true;
	for (size_t i = 0; i < s->own_count; i++)
		if (mxg_address_equal(&s->own[i], &address))
			return true;
	return false;
}

/* False: DNS failed. */
static bool look_up(struct mxg_suggest *s, struct mxg_suggest_host *host, uint16_t type, size_t *addresses,
		    struct mxg_suggestion *out)
{
	struct mxg_reply reply = { 0 };
	struct mxg_name name;
	const uint8_t *item;
	size_t at = 0, len;
	if (!mxg_name_from_text(&name, host->name, strlen(host->name)))
		return true;
	mxg_dns_ask(s->driver, &name, type, &reply);
	while (reply.kind == MXG_ANSWER_RECORDS &&
	       mxg_rrset_next(reply.records.data, reply.records.size, &at, &item, &len)) {
		++*addresses;
		host->self |= is_self(s, item, len);
	}
	free(reply.records.data);
	if (reply.kind == MXG_ANSWER_FAILED)
		mxg_suggest_note(out, "DNS does not tell the %s of the MX host %s: %s", mxg_dns_type_name(type),
				 host->name, mxg_dns_failure_text(reply.failure));
	return reply.kind != MXG_ANSWER_FAILED;
}

/* A vendor's hosts are not this one; others may be. */
static void look_for_self(struct mxg_suggest *s, struct mxg_suggestion *out)
{
	size_t own = 0;
	bool known = true;
	for (size_t i = 0; i < out->host_count; i++) {
		struct mxg_suggest_host *host = &out->hosts[i];
		size_t addresses = 0;
		if (host->vendor != NULL)
			continue;
		known &=
			look_up(s, host, MXG_DNS_A, &addresses, out) && look_up(s, host, MXG_DNS_AAAA, &addresses, out);
		own += host->self;
		if (known && addresses == 0)
			mxg_suggest_note(out, "the MX host %s has no address", host->name);
		if (host->self)
			mxg_suggest_note(out,
					 "the MX host %s is this server: mail that comes straight to it passes no "
					 "filter",
					 host->name);
	}
	out->all_self = own > 0 && own == out->host_count;
	out->failed = !known && !out->all_self;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* "Proofpoint Essentials" becomes "proofpoint-essentials": an entry's name. */
static void make_name(char out[65], const char *vendor)
{
	size_t at = 0;
	for (const char *p = vendor; *p != '\0' && *p != '(' && at < 60; p++) {
		if (isalnum((unsigned char)*p))
			out[at++] = (char)tolower((unsigned char)*p);
		else if (at > 0 && out[at - 1] != '-')
			out[at++] = '-';
	}
	while (at > 0 && out[at - 1] == '-')
		at--;
	out[at] = '\0';
	if (at == 0)
		snprintf(out, 65, "filter");
}

static bool has_entry(const struct mxg_suggestion *out, const struct mxg_vendor *vendor, const char *allow)
{
	for (size_t i = 0; i < out->entry_count; i++)
		if (out->entries[i].vendor == vendor && (allow == NULL || strcmp(out->entries[i].allow, allow) == 0))
			return true;
	return false;
}

static struct mxg_suggest_entry *add_entry(struct mxg_suggestion *out, const struct mxg_vendor *vendor)
{
	struct mxg_suggest_entry *entry = &out->entries[out->entry_count];
	if (out->entry_count == MXG_SUGGEST_ENTRIES) {
		mxg_suggest_note(out, "there are more vendors than are shown here");
		return NULL;
	}
	*entry = (struct mxg_suggest_entry){ .vendor = vendor };
	if (vendor != NULL)
		make_name(entry->name, vendor->name);
	for (size_t i = 0, n = 2; i < out->entry_count; i++) { /* "cisco-…-2" where a vendor has two records */
		if (strcmp(out->entries[i].name, entry->name) == 0) {
			make_name(entry->name, vendor->name);
			snprintf(entry->name + strlen(entry->name), 5, "-%zu", n++ % 100);
			i = SIZE_MAX; /* from the start again */
		}
	}
	out->entry_count++;
	return entry;
}

/* `mx` for all of them; where some are this server's or a vendor's, the others by name. */
static void put_hosts(const struct mxg_suggestion *out, const struct mxg_vendor *vendor,
		      struct mxg_suggest_entry *entry)
{
	size_t at = 0;
	bool all = true;
	for (size_t i = 0; i < out->host_count; i++)
		all &= out->hosts[i].vendor == vendor && !out->hosts[i].self;
	snprintf(entry->allow, sizeof(entry->allow), "mx");
	for (size_t i = 0; !all && i < out->host_count; i++) {
		const struct mxg_suggest_host *host = &out->hosts[i];
		if (host->vendor == vendor && !host->self && at + strlen(host->name) + 4 < sizeof(entry->allow))
			at += (size_t)snprintf(entry->allow + at, sizeof(entry->allow) - at, "%sa:%s",
					       at == 0 ? "" : " ", host->name);
	}
}

static void add_vendor(struct mxg_suggestion *out, const struct mxg_suggest_host *host)
{
	char allow[MXG_VENDOR_ALLOW_MAX];
	bool known = mxg_vendor_allow(host->vendor, host->name, allow);
	if (has_entry(out, host->vendor, known ? allow : NULL))
		return;
	struct mxg_suggest_entry *entry = add_entry(out, host->vendor);
	if (entry == NULL)
		return;
	entry->hosts_only = !known;
	if (known)
		memcpy(entry->allow, allow, sizeof(allow));
	else
		put_hosts(out, host->vendor, entry);
}

static void add_unknown(struct mxg_suggestion *out)
{
	bool some = false;
	for (size_t i = 0; i < out->host_count; i++)
		some |= out->hosts[i].vendor == NULL && !out->hosts[i].self;
	struct mxg_suggest_entry *entry = some ? add_entry(out, NULL) : NULL;
	if (entry == NULL)
		return;
	put_hosts(out, NULL, entry);
	snprintf(entry->name, sizeof(entry->name), "%s", strcmp(entry->allow, "mx") == 0 ? "current-mx" : "other-mx");
	mxg_suggest_note(out,
			 "%s MX hosts are no vendor's that the catalogue knows; they are let in themselves. Filters in "
			 "a cloud often deliver from other addresses than those that receive: ask whoever runs them",
			 strcmp(entry->allow, "mx") == 0 ? "its" : "some of its");
}

/* ---- what a vendor's entry needs to be told ---------------------------------------------------- */

static void tell_entry(struct mxg_suggestion *out, const struct mxg_suggest_entry *entry)
{
	const struct mxg_vendor *v = entry->vendor;
	if (v->notes != NULL)
		mxg_suggest_note(out, "%s: %s", v->name, v->notes);
	if (entry->hosts_only)
		mxg_suggest_note(out,
				 "%s: from where it delivers is not public; the MX hosts alone are let in here, and "
				 "its delivering hosts are most likely others. Add what it tells its customers: %s",
				 v->name, v->source);
	else if (v->documented == MXG_DOCUMENTED_SENDING)
		mxg_suggest_note(out,
				 "%s documents these addresses for mail that it sends to the world; that mail to "
				 "customers comes from no others is not said there. Stay in monitor until report "
				 "shows so",
				 v->name);
	if (v->shared)
		mxg_suggest_note(out,
				 "%s delivers for all of its customers from the same addresses: another customer, or "
				 "a spammer who becomes one, can hand over mail past your filters from there. Have it "
				 "add a header field with a secret, and demand that: header = { name = "
				 "\"X-Gateway-Token\"; value_file = \"/etc/mxguard/gateway.token\"; }%s%s%s",
				 v->name,
				 v->certificate == NULL
					 ? ""
					 : "; or its certificate, which keeps out all but its customers: "
					   "certificate = { subject = \"",
				 v->certificate == NULL ? "" : v->certificate,
				 v->certificate == NULL ? "" : "\"; verified = true; }");
}

void mxg_suggest_domain(struct mxg_suggest *s, const char *domain, struct mxg_suggestion *out)
{
	mxg_suggest_hosts(s, domain, out);
	if (out->failed)
		return;
	look_for_self(s, out);
	if (out->all_self)
		mxg_suggest_note(out,
				 "every MX host of the domain is this server: no filter stands in front of it, and "
				 "there is nothing to guard");
	if (out->failed || out->all_self)
		return;
	for (size_t i = 0; i < out->host_count; i++)
		if (out->hosts[i].vendor != NULL)
			add_vendor(out, &out->hosts[i]);
	add_unknown(out);
	for (size_t i = 0; i < out->entry_count; i++)
		if (out->entries[i].vendor != NULL)
			tell_entry(out, &out->entries[i]);
	mxg_suggest_guess(s, out);
}
