/* SPDX-License-Identifier: MIT */
/*
 * Whom a driver asks. A process may live for months: so what the system's resolv.conf says is
 * looked up again from time to time, and a server that says nothing is not waited for with every
 * question anew. Both are done by opening new channels beside the old ones, which stay until
 * their questions have ended: c-ares 1.18 changes the servers of a channel only while nothing is
 * out, and on a busy host that never comes.
 */
#include "resolver/internal.h"

#include <poll.h>
#include <stdlib.h>

#define TRIES 3 /* at each server: as far as the time of a decision goes */
#define TRIES_PATIENT 2 /* where no time ends it: for lost packets */
#define PATIENT_MS 10000
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

static int whole_ms(const struct mxg_driver *d)
{
	int own = d->policy->timeout_ms;
	return d->manner == MXG_DRIVER_PATIENT && own < PATIENT_MS ? PATIENT_MS : own;
}

/* The last server is asked when half of the time is left. resolv.conf(5) has up to three. */
int mxg_servers_try_ms(const struct mxg_driver *d)
{
	size_t count = d->policy->dns_servers == NULL ? 3 : count_configured(d->policy->dns_servers);
	int each = whole_ms(d) / 2 / (int)(count < 3 ? 2 : count - 1);
	return each < TRY_LEAST_MS ? TRY_LEAST_MS : each > TRY_MOST_MS ? TRY_MOST_MS : each;
}

struct mxg_channel *mxg_servers_channel(struct mxg_driver *d, struct mxg_servers *s, enum mxg_channel_use use)
{
	struct mxg_channel_options options = { .servers = d->policy->dns_servers,
					       .try_ms = mxg_servers_try_ms(d),
					       .tries = d->manner == MXG_DRIVER_PATIENT ? TRIES_PATIENT : TRIES,
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

static bool is_worn(const struct mxg_servers *s)
{
	for (unsigned i = 0; i < MXG_CHANNELS; i++)
		if (s->channels[i] != NULL && mxg_channel_is_worn(s->channels[i]))
			return true;
	return false;
}

/* After AGE_MS the order is the configured one again: the first server may be back. */
static bool is_old(const struct mxg_servers *s)
{
	return mxg_monotonic_ms() - s->opened >= AGE_MS;
}

/* In the order of the old ones, or in the one that is better by now. */
static void set_order(struct mxg_servers *s, const struct mxg_servers *old)
{
	bool changed = old != NULL && old->next_first != old->first;
	bool same = old != NULL && !changed && !is_old(old);
	s->opened = same ? old->opened : mxg_monotonic_ms();
	s->first = s->next_first = same || changed ? old->next_first : 0;
}

struct mxg_servers *mxg_servers_now(struct mxg_driver *d)
{
	struct mxg_servers *old = d->servers, *s;
	if (old != NULL && old->next_first == old->first && !is_old(old) && !is_worn(old))
		return old;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return old;
	set_order(s, old);
	if (mxg_servers_channel(d, s, MXG_CHANNEL_USUAL) == NULL) {
		free(s);
		return old;
	}
	s->older = old;
	d->servers = s;
	return s;
}

void mxg_servers_were_silent(struct mxg_driver *d, const struct mxg_servers *s, unsigned silent)
{
	size_t count = mxg_channel_servers(s->channels[MXG_CHANNEL_USUAL]);
	if (count > 1 && d->servers->first == s->first)
		d->servers->next_first = (unsigned)((s->first + silent) % count);
}

/* Not from within a channel's callback. */
static void drop_older(struct mxg_driver *d)
{
	struct mxg_servers **at = d->servers == NULL ? &d->servers : &d->servers->older;
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

void mxg_servers_free(struct mxg_driver *d)
{
	while (d->servers != NULL) {
		struct mxg_servers *s = d->servers;
		d->servers = s->older;
		free_servers(s);
	}
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxg_servers_pollfds(const struct mxg_driver *d, struct pollfd *fds, size_t count)
{
	size_t total = 0;
	for (const struct mxg_servers *s = d->servers; s != NULL; s = s->older) {
		for (unsigned i = 0; i < MXG_CHANNELS; i++) {
			size_t used = total < count ? total : count;
			if (s->channels[i] != NULL)
				total += mxg_channel_pollfds(s->channels[i], used < count ? fds + used : NULL,
							     count - used);
		}
	}
	return total;
}

int mxg_servers_timeout(const struct mxg_driver *d)
{
	int least = -1;
	for (const struct mxg_servers *s = d->servers; s != NULL; s = s->older) {
		for (unsigned i = 0; i < MXG_CHANNELS; i++) {
			int ms = s->channels[i] == NULL ? -1 : mxg_channel_timeout(s->channels[i]);
			if (ms >= 0 && (least < 0 || ms < least))
				least = ms;
		}
	}
	return least;
}

/* All that has come is taken before anything is given up, whichever channel it came to. */
void mxg_servers_process(struct mxg_driver *d, const struct pollfd *fds, size_t count)
{
	for (const struct mxg_servers *s = d->servers; s != NULL; s = s->older)
		for (unsigned i = 0; i < MXG_CHANNELS; i++)
			if (s->channels[i] != NULL)
				mxg_channel_process(s->channels[i], fds, count);
	for (const struct mxg_servers *s = d->servers; s != NULL; s = s->older)
		for (unsigned i = 0; i < MXG_CHANNELS; i++)
			if (s->channels[i] != NULL)
				mxg_channel_expire(s->channels[i]);
	drop_older(d);
}
