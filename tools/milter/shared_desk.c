/* SPDX-License-Identifier: MIT */
/* One desk, many threads. */
#include "shared_desk.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../service/desk.h"

#define SPARE 16
#define SLACK_MS 1000 /* beyond the library's own limit: nobody waits for ever */

bool mxg_shared_desk_init(struct mxg_shared_desk *s, struct mxg_desk *desk)
{
	*s = (struct mxg_shared_desk){ .desk = desk };
	return mxg_wake_open(&s->wake) && pthread_mutex_init(&s->lock, NULL) == 0;
}

/* Also from a signal handler. */
void mxg_shared_desk_wake(struct mxg_shared_desk *s)
{
	mxg_wake_ring(&s->wake);
}

/* ---- those who wait ------------------------------------------------------------------------ */

bool mxg_waiter_init(struct mxg_waiter *w, struct mxg_shared_desk *s, enum mxguard_place relayed)
{
	pthread_condattr_t attributes;
	w->door = mxg_door_new(s->desk, relayed, w);
	if (w->door == NULL || pthread_condattr_init(&attributes) != 0)
		return false;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	bool made = pthread_cond_init(&w->ready, &attributes) == 0;
	pthread_condattr_destroy(&attributes);
	return made;
}

void mxg_waiter_end(struct mxg_waiter *w, struct mxg_shared_desk *s)
{
	pthread_mutex_lock(&s->lock);
	mxg_door_free(w->door);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&w->ready);
}

static struct timespec deadline(const struct mxg_shared_desk *s)
{
	struct timespec t;
	int ms = mxguard_session_limit(mxg_desk_session(s->desk)) + SLACK_MS;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* libmilter's pool hands out several events at once to whoever is idle, and those that this thread was to
 * take next would wait as long as it does. A connection, closed at once, makes it look for another thread. */
static void stir_pool(const struct mxg_shared_desk *s)
{
	int fd = socket(s->own.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	int connected = connect(fd, (const struct sockaddr *)&s->own, s->own_len);
	(void)connected; /* where it cannot, they wait */
	close(fd);
}

void mxg_waiter_wait(struct mxg_waiter *w, struct mxg_shared_desk *s, enum mxg_door_step step)
{
	if (step != MXG_DOOR_WAIT)
		return;
	struct timespec until = deadline(s);
	pthread_mutex_unlock(&s->lock);
	mxg_shared_desk_wake(s);
	stir_pool(s);
	pthread_mutex_lock(&s->lock);
	while (mxg_door_is_waiting(w->door))
		if (pthread_cond_timedwait(&w->ready, &s->lock, &until) == ETIMEDOUT && mxg_door_is_waiting(w->door))
			mxg_door_abandon(w->door);
}

/* ---- the main thread -------------------------------------------------------------------------- */

/* How many there are from [1] on, or -1 without memory; [0] is the wake. */
static int fill(struct mxg_shared_desk *s)
{
	struct mxguard_session *session = mxg_desk_session(s->desk);
	for (;;) {
		size_t room = s->room == 0 ? 0 : s->room - 1;
		size_t count = mxguard_session_pollfds(session, room == 0 ? NULL : s->polled + 1, room);
		if (count <= room && room > 0) {
			s->polled[0] = (struct pollfd){ .fd = s->wake.fd, .events = POLLIN };
			return (int)count;
		}
		struct pollfd *bigger = reallocarray(s->polled, count + SPARE, sizeof(*bigger));
		if (bigger == NULL)
			return -1;
		s->polled = bigger;
		s->room = count + SPARE;
	}
}

static int sleep_ms(const struct mxg_shared_desk *s, int limit_ms)
{
	int own = mxguard_session_timeout(mxg_desk_session(s->desk));
	return own >= 0 && (limit_ms < 0 || own < limit_ms) ? own : limit_ms;
}

/* Other threads may have opened and closed sockets since: what is ready now counts. */
static void process(struct mxg_shared_desk *s)
{
	int count = fill(s);
	struct mxg_door *door;
	if (count > 0 && poll(s->polled + 1, (nfds_t)count, 0) <= 0)
		count = 0;
	(void)mxguard_session_process(mxg_desk_session(s->desk), s->polled + 1, count < 0 ? 0 : (size_t)count);
	while ((door = mxg_door_next(s->desk)) != NULL) {
		struct mxg_waiter *w = mxg_door_owner(door);
		pthread_cond_signal(&w->ready);
	}
}

bool mxg_shared_desk_turn(struct mxg_shared_desk *s, int limit_ms)
{
	pthread_mutex_lock(&s->lock);
	int count = fill(s), limit = sleep_ms(s, limit_ms);
	pthread_mutex_unlock(&s->lock);
	if (count < 0 || (poll(s->polled, (nfds_t)count + 1, limit) < 0 && errno != EINTR))
		return false;
	mxg_wake_hush(&s->wake);
	pthread_mutex_lock(&s->lock);
	process(s);
	pthread_mutex_unlock(&s->lock);
	return true;
}
