/* SPDX-License-Identifier: MIT */
/* Who is let in. */
#include "admit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "log.h"

#define ACCEPTS 64 /* in one turn, so that those who wait are not forgotten */
#define PAUSE_MS 100 /* where there is no room, or accept(2) failed for want of descriptors or memory */
#define SHARE 7 /* a source may have so many times what is left: 7/8 alone, 7/15 each of two */
#define HANDSHAKES_MS 50 /* for those that had begun when the SYNs were shut out */

enum admitted { ADMITTED, NOBODY_WAITS, NO_ROOM };

/* ---- the listeners ------------------------------------------------------------------------ */

void mxg_admit_watch(struct mxg_service *s, bool on)
{
	for (size_t i = 0; i < s->options->listener_count; i++) {
		struct mxg_listener *listener = &s->options->listeners[i];
		if (listener->fd >= 0 && on)
			mxg_wait_set_add(&s->set, listener->fd, POLLIN, listener);
		else if (listener->fd >= 0)
			mxg_wait_set_remove(&s->set, listener->fd);
	}
}

static void pause_listeners(struct mxg_service *s)
{
	if (s->stop_by != 0)
		return; /* they are not watched any more */
	if (s->paused_until == 0)
		mxg_admit_watch(s, false);
	s->paused_until = mxg_monotonic_ms() + PAUSE_MS;
}

void mxg_admit_resume(struct mxg_service *s)
{
	if (s->paused_until == 0 || s->stop_by != 0 || mxg_monotonic_ms() < s->paused_until)
		return;
	s->paused_until = 0;
	mxg_admit_watch(s, true);
}

/* ---- room ----------------------------------------------------------------------------------- */

static bool make_room(struct mxg_service *s)
{
	if (mxg_moment_may_tell(&s->crowded_told))
		mxg_log_warning("mxguard: policy: there are %zu connections: idle ones are closed for new ones; "
				"--max-connections and LimitNOFILE= may be raised",
				mxg_clients_count(&s->clients));
	struct mxg_connection *c = mxg_clients_spare(&s->clients, mxg_monotonic_ms());
	if (c != NULL)
		mxg_service_drop(s, c);
	return c != NULL;
}

/* Connections that are idle or half-way can be had back at any time; those at work cannot, and so nobody gets all of
 * them, nor do several together: what each may have depends on what all of them leave. */
static bool has_its_share(const struct mxg_service *s, const struct mxg_source *source)
{
	size_t busy = s->clients.lists[MXG_CONNECTION_AT_WORK].count, most = s->options->max_connections;
	return source->at_work >= s->options->max_per_source ||
	       (busy < most ? source->at_work / SHARE >= most - busy : source->at_work > 0);
}

bool mxg_admit_is_full(struct mxg_service *s, const struct mxg_source *source)
{
	char text[MXG_SOURCE_TEXT_MAX];
	if (source == NULL || !has_its_share(s, source))
		return false;
	if (mxg_moment_may_tell(&s->source_told))
		mxg_log_warning("mxguard: policy: %zu requests of %s wait for DNS: no more are taken from there; "
				"--max-connections or --max-per-source may be raised",
				source->at_work, mxg_source_text(source, text));
	return true;
}

/* ---- new connections ---------------------------------------------------------------------- */

static void welcome(struct mxg_service *s, int fd)
{
	struct mxg_source *source = mxg_sources_enter(&s->clients.sources, fd);
	if (source != NULL && !mxg_admit_is_full(s, source) && mxg_service_add(s, fd, fd, true, source))
		return;
	if (source != NULL)
		mxg_sources_leave(&s->clients.sources, source);
	close(fd);
}

static enum admitted admit_one(struct mxg_service *s, int listener)
{
	if (mxg_clients_count(&s->clients) >= s->options->max_connections && !make_room(s)) {
		pause_listeners(s);
		return NO_ROOM;
	}
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		welcome(s, fd);
		return ADMITTED;
	}
	if (errno == ECONNABORTED || errno == EINTR)
		return ADMITTED;
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return NOBODY_WAITS;
	if (make_room(s))
		return ADMITTED;
	pause_listeners(s);
	return NO_ROOM;
}

void mxg_admit_some(struct mxg_service *s, int listener)
{
	for (int i = 0; i < ACCEPTS && admit_one(s, listener) == ADMITTED; i++)
		;
}

/* ---- the end -------------------------------------------------------------------------------- */

void mxg_admit_stop(struct mxg_service *s)
{
	if (s->paused_until == 0)
		mxg_admit_watch(s, false);
	for (size_t i = 0; i < s->options->listener_count; i++)
		mxg_listener_refuse(&s->options->listeners[i]);
}

static void admit_rest(struct mxg_service *s, struct mxg_listener *listener)
{
	enum admitted result = ADMITTED;
	for (int i = 0; i < ACCEPTS && result == ADMITTED; i++)
		result = admit_one(s, listener->fd);
	if (result == NOBODY_WAITS && mxg_monotonic_ms() - s->stopped >= HANDSHAKES_MS)
		mxg_listener_close(listener);
}

void mxg_admit_rest(struct mxg_service *s)
{
	for (size_t i = 0; i < s->options->listener_count; i++)
		if (s->options->listeners[i].fd >= 0)
			admit_rest(s, &s->options->listeners[i]);
}
