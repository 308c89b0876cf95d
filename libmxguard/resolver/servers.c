/* SPDX-License-Identifier: MIT */
/*
 * Whom a resolver asks. A process may live for months: so what the system's resolv.conf says is
 * looked up again from time to time, and a server that says nothing is not waited for with every
 * question anew. Both are done by opening new channels beside the old ones, which stay until
 * their questions have ended: c-ares 1.18 changes the servers of a channel only while nothing is
 * out, and on a busy host that never comes.
 */
#include "resolver/internal.h"

#include <poll.h>
#include <stdlib.h>

#define TRIES 3
#define TRY_LEAST_MS 200
#define TRY_MOST_MS 2000
#define AGE_MS 60000

static size_t count_configured(const char *servers)
{
	size_t count = 1;
	for (; *servers != '\0'; servers++)
		count += *servers == ',';
	return count;
}

/* The last server is asked when half of the time is left. resolv.conf(5) has up to three. */
int mxg_servers_try_ms(const struct mxguard_resolver *r)
{
	size_t count = r->policy->dns_servers == NULL ? 3 : count_configured(r->policy->dns_servers);
	int each = r->policy->timeout_ms / 2 / (int)(count < 3 ? 2 : count - 1);
	return each < TRY_LEAST_MS ? TRY_LEAST_MS : each > TRY_MOST_MS ? TRY_MOST_MS : each;
}

struct mxg_channel *mxg_servers_channel(struct mxguard_resolver *r, struct mxg_servers *s, enum mxg_channel_use use)
{
	struct mxg_channel_options options = { .servers = r->policy->dns_servers,
					       .try_ms = mxg_servers_try_ms(r),
					       .tries = TRIES,
					       .refusals = use != MXG_CHANNEL_OTHERS,
					       .first = s->first + (use == MXG_CHANNEL_OTHERS),
					       .plain = use == MXG_CHANNEL_PLAIN };
	if (s->channels[use] == NULL)
		s->channels[use] = mxg_channel_new(&options);
	return s->channels[use];
}

static void free_servers(struct mxg_servers *s)
{
	for (unsigned i = 0; i < MXG_CHANNELS; i++)
		mxg_channel_free(s->channels[i]);
	free(s);
}

/* After AGE_MS the order is the configured one again: the first server may be back. */
static bool is_good(const struct mxg_servers *s)
{
	return s->next_first == s->first && mxg_monotonic_ms() - s->opened < AGE_MS;
}

struct mxg_servers *mxg_servers_now(struct mxguard_resolver *r)
{
	struct mxg_servers *old = r->servers, *s;
	if (old != NULL && is_good(old))
		return old;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return old;
	s->opened = mxg_monotonic_ms();
	s->first = old != NULL && old->next_first != old->first ? old->next_first : 0;
	s->next_first = s->first;
	if (mxg_servers_channel(r, s, MXG_CHANNEL_USUAL) == NULL) {
		free(s);
		return old;
	}
	s->older = old;
	r->servers = s;
	return s;
}

void mxg_servers_were_silent(struct mxg_servers *s, unsigned silent)
{
	size_t count = mxg_channel_servers(s->channels[MXG_CHANNEL_USUAL]);
	if (count > 1)
		s->next_first = (unsigned)((s->first + silent) % count);
}

/* Not from within a channel's callback. */
static void drop_older(struct mxguard_resolver *r)
{
	struct mxg_servers **at = r->servers == NULL ? &r->servers : &r->servers->older;
	while (*at != NULL) {
		struct mxg_servers *s = *at;
		if (s->open > 0) {
			at = &s->older;
			continue;
		}
		*at = s->older;
		free_servers(s);
	}
}

void mxg_servers_free(struct mxguard_resolver *r)
{
	while (r->servers != NULL) {
		struct mxg_servers *s = r->servers;
		r->servers = s->older;
		free_servers(s);
	}
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxg_servers_pollfds(const struct mxguard_resolver *r, struct pollfd *fds, size_t count)
{
	size_t total = 0;
	for (const struct mxg_servers *s = r->servers; s != NULL; s = s->older) {
		for (unsigned i = 0; i < MXG_CHANNELS; i++) {
			size_t used = total < count ? total : count;
			if (s->channels[i] != NULL)
				total += mxg_channel_pollfds(s->channels[i], used < count ? fds + used : NULL,
							     count - used);
		}
	}
	return total;
}

int mxg_servers_timeout(const struct mxguard_resolver *r)
{
	int least = -1;
	for (const struct mxg_servers *s = r->servers; s != NULL; s = s->older) {
		for (unsigned i = 0; i < MXG_CHANNELS; i++) {
			int ms = s->channels[i] == NULL ? -1 : mxg_channel_timeout(s->channels[i]);
			if (ms >= 0 && (least < 0 || ms < least))
				least = ms;
		}
	}
	return least;
}

/* All that has come is taken before anything is given up, whichever channel it came to. */
void mxg_servers_process(struct mxguard_resolver *r, const struct pollfd *fds, size_t count)
{
	for (const struct mxg_servers *s = r->servers; s != NULL; s = s->older)
		for (unsigned i = 0; i < MXG_CHANNELS; i++)
			if (s->channels[i] != NULL)
				mxg_channel_process(s->channels[i], fds, count);
	for (const struct mxg_servers *s = r->servers; s != NULL; s = s->older)
		for (unsigned i = 0; i < MXG_CHANNELS; i++)
			if (s->channels[i] != NULL)
				mxg_channel_expire(s->channels[i]);
	drop_older(r);
}
