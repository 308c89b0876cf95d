/* SPDX-License-Identifier: MIT */
/* Names under which this host takes mail for its users, and which are no domains of theirs. */
#include <string.h>

#include "base/address.h"
#include "base/host.h"
#include "policy/build.h"

/* localhost, localhost.localdomain, localhost.$mydomain */
static bool is_localhost(const char *domain, size_t len)
{
	return len >= 9 && memcmp(domain, "localhost", 9) == 0 && (len == 9 || domain[9] == '.');
}

static bool names(const char *entry, const char *domain, size_t len)
{
	size_t n = strlen(entry);
	if (entry[0] != '.')
		return n == len && memcmp(entry, domain, len) == 0;
	return len > n && memcmp(entry, domain + len - n, n) == 0;
}

bool mxg_policy_is_own_name(const struct mxguard_policy *policy, const char *domain, size_t len)
{
	struct mxg_address address;
	if (len == 0 || domain[0] == '[' || is_localhost(domain, len) ||
	    mxg_address_parse(&address, domain, len, MXG_ADDRESS_ANY))
		return true;
	for (size_t i = 0; i < policy->own_names.count; i++)
		if (names(policy->own_names.items[i], domain, len))
			return true;
	return false;
}

static void add(struct mxguard_policy *p, const char *name)
{
	if (name == NULL)
		return;
	p->own_lengths |= name[0] == '.' ? UINT64_MAX : (uint64_t)1 << (strlen(name) & 63);
	p->own_names.items[p->own_names.count++] = name;
}

bool mxg_own_names(struct mxg_policy_build *b)
{
	struct mxguard_policy *p = b->policy;
	struct mxg_host_names host;
	mxg_host_names(&host);
	p->own_names.items = mxg_build_take(b, p->by.count + host.count + 1, sizeof(*p->own_names.items));
	if (p->own_names.items == NULL)
		return false;
	add(p, p->hostname);
	for (size_t i = 0; i < p->by.count; i++)
		add(p, p->by.items[i]);
	for (unsigned i = 0; i < host.count; i++)
		add(p, mxg_build_copy(b, host.names[i], strlen(host.names[i])));
	return b->error == MXGUARD_ERROR_NONE;
}
