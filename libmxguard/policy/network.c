/* SPDX-License-Identifier: MIT */
/* Addresses of our own hosts and of DNS servers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "policy/build.h"
#include "system/error_text.h"

#define SERVERS_MOST 16
#define SERVER_TEXT_MAX (MXG_ADDRESS_TEXT_MAX + 9) /* [address]:65535, */

static const struct mxg_prefix loopback[] = {
	{ { 4, { 127 } }, 8 },
	{ { 6, { [15] = 1 } }, 128 },
};
#define LOOPBACKS (sizeof(loopback) / sizeof(loopback[0]))

bool mxg_take_internal(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		       const config_setting_t *setting)
{
	return mxg_build_prefixes(b, setting, loopback, LOOPBACKS, field);
}

/* ---- dns.servers ----------------------------------------------------------------------------- */

static bool parse_port(const char *text, unsigned *port)
{
	size_t len = strlen(text);
	*port = 0;
	for (size_t i = 0; i < len && len <= 5; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*port = *port * 10 + (unsigned)(text[i] - '0');
	}
	return len > 0 && len <= 5 && *port > 0 && *port <= 65535;
}

/* 192.0.2.1, 192.0.2.1:53, 2001:db8::1, [2001:db8::1], [2001:db8::1]:53 */
static bool parse_server(const char *text, struct mxg_address *address, unsigned *port)
{
	const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = bracket != NULL ? strchr(bracket, ':') : strchr(text, ':');
	bool bare_ipv6 = bracket == NULL && colon != NULL && strchr(colon + 1, ':') != NULL;
	size_t len = colon == NULL || bare_ipv6 ? strlen(text) : (size_t)(colon - text);
	*port = 53;
	if (!mxg_address_parse(address, text, len, MXG_ADDRESS_BARE | MXG_ADDRESS_BRACKETED))
		return false;
	return text[len] == '\0' || parse_port(text + len + 1, port);
}

bool mxg_take_servers(struct mxg_policy_build *b, const struct mxg_setting *row, void *field,
		      const config_setting_t *setting)
{
	if (!mxg_build_is_list(setting))
		return mxg_build_unexpected(b, setting, "a list of addresses, such as [ \"127.0.0.1\" ]");
	int count = config_setting_length(setting);
	if (count == 0 || count > SERVERS_MOST)
		return mxg_build_fail(b, setting, "found %d servers; expected 1 to %d", count, SERVERS_MOST);
	size_t size = (size_t)count * SERVER_TEXT_MAX, at = 0;
	char *joined = mxg_build_take(b, size, 1);
	for (int i = 0; joined != NULL && i < count; i++) {
		char text[MXG_ADDRESS_TEXT_MAX];
		struct mxg_address address;
		unsigned port;
		const config_setting_t *one = config_setting_get_elem(setting, (unsigned)i);
		const char *written = mxg_build_string(b, one, row->expected);
		if (written == NULL)
			return false;
		if (!parse_server(written, &address, &port))
			return mxg_build_unexpected(b, one, row->expected);
		mxg_address_format(&address, text);
		at += (size_t)snprintf(joined + at, size - at, address.family == 4 ? "%s%s:%u" : "%s[%s]:%u",
				       at > 0 ? "," : "", text, port);
	}
	*(const char **)field = joined;
	return joined != NULL;
}

/* ---- what the system says where nothing is configured ------------------------------------------ */

static bool default_list(struct mxg_policy_build *b, struct mxg_prefix_list *list)
{
	if (list->items != NULL)
		return true;
	list->items = mxg_build_take(b, LOOPBACKS, sizeof(*list->items));
	if (list->items == NULL)
		return false;
	memcpy(list->items, loopback, sizeof(loopback));
	list->count = LOOPBACKS;
	return true;
}

/* Only `mx` asks whether an address is ours. */
static bool has_mx_terms(const struct mxguard_policy *policy)
{
	for (size_t r = 0; r < policy->ruleset_count; r++)
		for (size_t i = 0; i < policy->rulesets[r].dns_count; i++)
			if (policy->rulesets[r].terms[policy->rulesets[r].dns_terms[i]].term.mechanism ==
			    MXG_MECHANISM_MX)
				return true;
	return false;
}

static bool default_self(struct mxg_policy_build *b)
{
	struct mxg_prefix_list *self = &b->policy->self;
	struct mxg_address *addresses;
	size_t count;
	if (self->items != NULL || !has_mx_terms(b->policy))
		return true;
	if (!mxg_host_addresses(&addresses, &count)) {
		if (errno == ENOMEM)
			return mxg_build_no_memory(b);
		mxg_build_warn(b, NULL, "self: the interfaces' addresses cannot be read (%s): set self",
			       mxg_error_text(errno));
		return b->error == MXGUARD_ERROR_NONE;
	}
	self->items = mxg_build_take(b, count, sizeof(*self->items));
	for (size_t i = 0; self->items != NULL && i < count; i++)
		self->items[self->count++] = (struct mxg_prefix){ addresses[i], addresses[i].family == 4 ? 32 : 128 };
	free(addresses);
	return self->items != NULL;
}

static bool default_names(struct mxg_policy_build *b)
{
	struct mxguard_policy *p = b->policy;
	struct mxg_host_names host;
	if (p->hostname != NULL && p->authserv_id != NULL && p->by_configured)
		return true;
	mxg_host_names(&host);
	if (p->hostname == NULL)
		p->hostname = mxg_build_copy(b, host.names[0], strlen(host.names[0]));
	if (p->authserv_id == NULL)
		p->authserv_id = p->hostname;
	if (p->by_configured || p->hostname == NULL)
		return p->hostname != NULL;
	p->by.items = mxg_build_take(b, host.count + 1, sizeof(*p->by.items));
	if (p->by.items == NULL)
		return false;
	p->by.items[p->by.count++] = p->hostname;
	for (unsigned i = 0; i < host.count; i++) {
		if (strcmp(host.names[i], p->hostname) == 0)
			continue;
		const char *name = mxg_build_copy(b, host.names[i], strlen(host.names[i]));
		if (name == NULL)
			return false;
		p->by.items[p->by.count++] = name;
	}
	return true;
}

bool mxg_network_defaults(struct mxg_policy_build *b)
{
	return default_list(b, &b->policy->internal) && default_list(b, &b->policy->origins) && default_names(b) &&
	       default_self(b) && mxg_own_names(b);
}
