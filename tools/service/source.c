/* SPDX-License-Identifier: MIT */
/* Who holds how many connections. */
#include "source.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void take_ipv4(struct mxg_source *source, const uint8_t bytes[4])
{
	source->kind = MXG_SOURCE_IPV4;
	memcpy(source->id, bytes, 4);
	if (bytes[0] == 127)
		memcpy(source->id, (const uint8_t[]){ 127, 0, 0, 1 }, 4);
}

static void take_ipv6(struct mxg_source *source, const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address)) {
		take_ipv4(source, address->s6_addr + 12);
		return;
	}
	source->kind = MXG_SOURCE_IPV6;
	memcpy(source->id, address->s6_addr, sizeof(source->id));
}

/* Who connected by a unix socket. */
static bool user_of(int fd, uid_t *uid)
{
#ifdef SO_PEERCRED
	struct ucred who;
	socklen_t len = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
		return false;
	*uid = who.uid;
	return true;
#else
	gid_t gid;
	return getpeereid(fd, uid, &gid) == 0;
#endif
}

static struct mxg_source identify(int fd)
{
	struct mxg_source source = { .kind = MXG_SOURCE_OTHER };
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage storage;
	} peer = { .any.sa_family = AF_UNSPEC };
	uid_t uid;
	socklen_t len = sizeof(peer);
	if (getpeername(fd, &peer.any, &len) != 0)
		return source;
	if (peer.any.sa_family == AF_UNIX && user_of(fd, &uid)) {
		source.kind = MXG_SOURCE_USER;
		memcpy(source.id, &uid, sizeof(uid));
	} else if (peer.any.sa_family == AF_INET) {
		take_ipv4(&source, (const uint8_t *)&peer.v4.sin_addr);
	} else if (peer.any.sa_family == AF_INET6) {
		take_ipv6(&source, &peer.v6.sin6_addr);
	}
	return source;
}

static struct mxg_source **find(struct mxg_sources *sources, const struct mxg_source *wanted)
{
	uint32_t hash = 2166136261u ^ (uint32_t)wanted->kind;
	for (size_t i = 0; i < sizeof(wanted->id); i++)
		hash = (hash ^ wanted->id[i]) * 16777619u;
	struct mxg_source **at = &sources->buckets[hash % MXG_SOURCE_BUCKETS];
	while (*at != NULL && ((*at)->kind != wanted->kind || memcmp((*at)->id, wanted->id, sizeof(wanted->id)) != 0))
		at = &(*at)->next;
	return at;
}

struct mxg_source *mxg_sources_enter(struct mxg_sources *sources, int fd)
{
	struct mxg_source wanted = identify(fd), **at = find(sources, &wanted);
	if (*at == NULL) {
		*at = malloc(sizeof(**at));
		if (*at == NULL)
			return NULL;
		**at = wanted;
	}
	(*at)->connections++;
	return *at;
}

void mxg_sources_leave(struct mxg_sources *sources, struct mxg_source *source)
{
	if (--source->connections > 0)
		return;
	*find(sources, source) = source->next;
	free(source);
}

const char *mxg_source_text(const struct mxg_source *source, char text[MXG_SOURCE_TEXT_MAX])
{
	char address[INET6_ADDRSTRLEN] = "";
	struct in6_addr network = { .s6_addr = { 0 } };
	uid_t uid;
	switch (source->kind) {
	case MXG_SOURCE_USER:
		memcpy(&uid, source->id, sizeof(uid));
		snprintf(text, MXG_SOURCE_TEXT_MAX, "user %lu", (unsigned long)uid);
		break;
	case MXG_SOURCE_IPV4:
		snprintf(text, MXG_SOURCE_TEXT_MAX, "%s", inet_ntop(AF_INET, source->id, address, sizeof(address)));
		break;
	case MXG_SOURCE_IPV6:
		memcpy(network.s6_addr, source->id, sizeof(source->id));
		snprintf(text, MXG_SOURCE_TEXT_MAX, "%s/64", inet_ntop(AF_INET6, &network, address, sizeof(address)));
		break;
	default:
		snprintf(text, MXG_SOURCE_TEXT_MAX, "somebody");
	}
	return text;
}
