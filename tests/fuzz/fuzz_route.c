/* SPDX-License-Identifier: MIT */
/*
 * Where an address may end. The oracle: whatever is found lies in the buffer and is a name; an address
 * that need not be read has one domain and one user at most; and of an inner domain that is put into
 * the input by one of the ways that MTAs route on, either it is found or the whole is in doubt.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char hidden[] = "hidden.example";

static void require(int condition)
{
	if (!condition)
		abort();
}

static bool finds(const struct mxg_route *route)
{
	for (size_t i = 0; i < route->count; i++)
		if (route->domains[i].len == strlen(hidden) &&
		    memcmp(route->domains[i].at, hidden, strlen(hidden)) == 0)
			return true;
	return route->unreadable;
}

static void inside(const struct mxg_route_piece *p, const char *buffer, size_t len)
{
	require(p->at == NULL || (p->at >= buffer && p->at + p->len <= buffer + len));
}

static struct mxg_route read_route(const char *path, size_t len)
{
	struct mxg_route route;
	char *buffer = malloc(len + 1);
	require(buffer != NULL);
	mxg_route_read(&route, buffer, path, len);
	require(route.count <= MXG_ROUTE_MOST);
	for (size_t i = 0; i < route.count; i++)
		inside(&route.domains[i], buffer, len);
	inside(&route.user, buffer, len);
	require(!finds(&route) || route.unreadable || len >= strlen(hidden));
	route.unreadable = finds(&route);
	free(buffer);
	return route;
}

static size_t last_at(const char *path, size_t len)
{
	const char *at = len == 0 ? NULL : memrchr(path, '@', len);
	return at == NULL ? len : (size_t)(at - path);
}

/* PREFIX hidden SUFFIX, put before the last @ of the input. */
static void hide(const char *text, size_t len, const char *prefix, const char *suffix)
{
	size_t at = last_at(text, len), n = strlen(prefix) + strlen(hidden) + strlen(suffix);
	char *path = malloc(len + n + 1);
	require(path != NULL);
	memcpy(path, text, at);
	memcpy(path + at, prefix, strlen(prefix));
	memcpy(path + at + strlen(prefix), hidden, strlen(hidden));
	memcpy(path + at + strlen(prefix) + strlen(hidden), suffix, strlen(suffix));
	memcpy(path + at + n, text + at, len - at);
	require(mxg_route_is_needed(path, last_at(path, len + n), len + n));
	/* behind an open comment it is one's inside, and the whole is in doubt only if that never ends */
	if (memchr(text, '(', at) == NULL && memchr(text, '[', at) == NULL)
		require(read_route(path, len + n).unreadable);
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char folded[256];
	if (size > 4096)
		return 0;
	read_route(text, size);
	hide(text, size, "%", "");
	hide(text, size, "@", "%x.example");
	hide(text, size, "!", "!u");
	if (mxg_route_fold(folded, text, size))
		for (size_t i = 0; folded[i] != '\0'; i++)
			require((unsigned char)folded[i] < 0x80);
	return 0;
}
