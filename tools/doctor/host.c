/* SPDX-License-Identifier: MIT */
/* Bridges and NAT: addresses that may stand for anybody. A trace cannot tell who is behind
 * one, so it must not be internal. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"

#define WIDE_BITS 24 /* an internal IPv4 network of more than 256 addresses */

static bool holds(const struct mxg_prefix *outer, const struct mxg_prefix *inner)
{
	return outer->bits <= inner->bits && mxg_prefix_contains(outer, &inner->base);
}

bool mxg_doctor_covers(const struct mxg_prefix_list *list, const struct mxg_prefix *prefix)
{
	for (size_t i = 0; i < list->count; i++)
		if (holds(&list->items[i], prefix))
			return true;
	return false;
}

bool mxg_doctor_overlaps(const struct mxg_prefix_list *list, const struct mxg_prefix *prefix)
{
	for (size_t i = 0; i < list->count; i++)
		if (holds(&list->items[i], prefix) || holds(prefix, &list->items[i]))
			return true;
	return false;
}

static bool is_bridge(const char *name)
{
	static const char *const prefixes[] = { "docker", "br-",    "virbr", "cni",    "lxcbr",
						"lxdbr",  "podman", "vmnet", "incusbr" };
	char path[64 + IFNAMSIZ];
	struct stat st;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	snprintf(path, sizeof(path), "/sys/class/net/%.15s/bridge", name);
	return stat(path, &st) == 0;
}

/* The network that an interface's address and mask name. */
static bool network_of(const struct ifaddrs *entry, struct mxg_prefix *out)
{
	struct mxg_address address, mask;
	char text[MXG_PREFIX_TEXT_MAX];
	int bits = 0;
	if (entry->ifa_addr == NULL || entry->ifa_netmask == NULL ||
	    !mxg_address_from_sockaddr(&address, entry->ifa_addr))
		return false;
	if (address.family == 4)
		mxg_address_from_bytes(
			&mask, 4,
			(const uint8_t *)&((const struct sockaddr_in *)(const void *)entry->ifa_netmask)->sin_addr);
	else
		mxg_address_from_bytes(
			&mask, 6,
			(const uint8_t *)&((const struct sockaddr_in6 *)(const void *)entry->ifa_netmask)->sin6_addr);
	for (size_t i = 0; i < sizeof(mask.bytes); i++)
		bits += __builtin_popcount(mask.bytes[i]);
	mxg_address_format(&address, text);
	size_t len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "/%d", bits);
	enum mxg_prefix_error error = mxg_prefix_parse(out, text, strlen(text));
	return error == MXG_PREFIX_OK || error == MXG_PREFIX_HOST_BITS;
}

static void check_bridge(struct mxg_doctor *d, const struct ifaddrs *entry)
{
	struct mxg_prefix network;
	char text[MXG_PREFIX_TEXT_MAX];
	if (!is_bridge(entry->ifa_name) || !network_of(entry, &network))
		return;
	mxg_prefix_format(&network, text);
	if (mxg_doctor_overlaps(&d->policy->internal, &network))
		mxg_finding_add(
			&d->findings, MXG_FINDING_ERROR, "bridge-internal",
			"take it out of internal; let the MTA see clients' addresses (host network, or PROXY protocol)",
			"%s on the bridge %s is in internal: where NAT or a proxy hides clients behind it, anybody "
			"looks like a host of ours",
			text, entry->ifa_name);
	else if (mxg_doctor_overlaps(&d->policy->origins, &network))
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "bridge-origins",
				"name the containers' own addresses instead of the network",
				"%s on the bridge %s is in origins: clients that NAT hides behind it are accepted",
				text, entry->ifa_name);
	else
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "bridge", "never list it as internal",
				"there is a bridge, %s with %s; its address may stand for anybody", entry->ifa_name,
				text);
}

static void check_internal(struct mxg_doctor *d)
{
	struct mxg_prefix loopback;
	char text[MXG_PREFIX_TEXT_MAX];
	mxg_prefix_parse(&loopback, "127.0.0.0/8", strlen("127.0.0.0/8"));
	for (size_t i = 0; i < d->policy->internal.count; i++) {
		const struct mxg_prefix *p = &d->policy->internal.items[i];
		if (p->base.family != 4 || p->bits >= WIDE_BITS || holds(&loopback, p))
			continue;
		mxg_prefix_format(p, text);
		mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "internal-wide",
				"name the relays alone; hosts that only send belong into origins",
				"%s in internal is wide: every host in it is believed to write Received fields", text);
	}
}

void mxg_doctor_host(struct mxg_doctor *d)
{
	struct ifaddrs *all;
	check_internal(d);
	if (getifaddrs(&all) != 0) {
		mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "bridge", NULL, "the interfaces cannot be listed");
		return;
	}
	for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next)
		check_bridge(d, entry);
	freeifaddrs(all);
}
