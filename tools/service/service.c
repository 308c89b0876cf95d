/* SPDX-License-Identifier: MIT */
/* The loop. Connections stand in a set of their own; that, the signals and the resolver's few sockets
 * are polled together. */
#include "service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "admit.h"
#include "base/clock.h"
#include "log.h"
#include "notify.h"
#include "signals.h"

#define EVENTS 256
#define TICK_MS 1000
#define PAUSE_TICK_MS 100
#define STOP_TICK_MS 20
#define FRESH_MS 3000 /* SIGTERM: who has just come has that long to begin */
#define SETTLED_MS 500 /* … and by TCP who has just been answered, to go on */
#define SPARE_POLLFDS 16
#define FLOOD 256 /* connections with something in memory: when they are gone, it is given back */

enum { AT_SET, AT_SIGNALS, AT_PLAIN, OWN_POLLFDS };

void mxg_service_drop(struct mxg_service *s, struct mxg_connection *c)
{
	if (c->pending != NULL)
		mxg_decider_cancel(s->decider, c->pending);
	if (s->plain == c)
		s->plain = NULL;
	mxg_clients_remove(&s->clients, c);
	if (c->is_socket)
		mxg_wait_set_forget(&s->set, c->in);
	mxg_connection_free(c);
}

/* ---- what is watched -------------------------------------------------------------------- */

static short wanted(const struct mxg_connection *c)
{
	return (short)((mxg_connection_wants_read(c) ? POLLIN : 0) | (mxg_connection_wants_write(c) ? POLLOUT : 0));
}

static bool watch(struct mxg_service *s, struct mxg_connection *c)
{
	c->watched = wanted(c);
	if (!c->is_socket)
		s->plain = c;
	return !c->is_socket || mxg_wait_set_add(&s->set, c->in, c->watched, c);
}

static void update_watch(struct mxg_service *s, struct mxg_connection *c)
{
	short now = wanted(c);
	if (now == c->watched || s->plain == c)
		return;
	c->watched = now;
	if (!mxg_wait_set_change(&s->set, c->in, now, c))
		c->broken = true;
}

/* How long an idle connection is kept for a request that may be on its way, after SIGTERM. A unix
 * socket tells the client what we shall not take. */
static int64_t patience(const struct mxg_connection *c)
{
	if (c->requests == 0)
		return c->is_socket ? FRESH_MS : 0;
	return c->is_local || !c->is_socket ? 0 : SETTLED_MS;
}

static bool may_leave(struct mxg_connection *c)
{
	return c->state == MXG_CONNECTION_IDLE && mxg_monotonic_ms() - c->since >= patience(c) &&
	       mxg_connection_part(c);
}

/* Goes on with the connection; it may be gone afterwards. */
static void advance(struct mxg_service *s, struct mxg_connection *c)
{
	mxg_connection_advance(c, s->decider);
	/* one more than this source may have at work: no reply, so that its MTA comes again, or defers */
	if (c->pending != NULL && c->state != MXG_CONNECTION_AT_WORK && mxg_admit_is_full(s, c->source))
		c->broken = true;
	update_watch(s, c);
	mxg_clients_conclude(&s->clients, c, mxg_monotonic_ms());
	if (mxg_connection_is_done(c) || (s->stop_by != 0 && may_leave(c)))
		mxg_service_drop(s, c);
}

static void serve(struct mxg_service *s, struct mxg_connection *c, short what)
{
	/* both directions are shut: nobody waits for the answer */
	if ((what & (POLLHUP | POLLERR)) != 0 && (what & POLLIN) == 0)
		c->broken = true;
	if ((what & POLLIN) != 0)
		mxg_connection_read(c);
	if ((what & POLLOUT) != 0)
		mxg_connection_write(c);
	advance(s, c);
}

bool mxg_service_add(struct mxg_service *s, int in, int out, bool is_socket, struct mxg_source *source)
{
	struct mxg_connection *c = mxg_connection_new(in, out, is_socket);
	if (c == NULL)
		return false; /* no reply: the MTA defers */
	c->source = source;
	c->is_local = source != NULL && source->kind == MXG_SOURCE_USER;
	mxg_clients_add(&s->clients, c, mxg_monotonic_ms());
	if (!watch(s, c))
		mxg_service_drop(s, c);
	return true;
}

static const struct mxg_listener *as_listener(const struct mxg_service *s, const void *pointer)
{
	for (size_t i = 0; i < s->options->listener_count; i++)
		if (pointer == &s->options->listeners[i])
			return &s->options->listeners[i];
	return NULL;
}

/* ---- signals and time ------------------------------------------------------------------------ */

static void wind_up(struct mxg_service *s)
{
	mxg_admit_rest(s);
	for (struct mxg_connection *c = s->clients.lists[MXG_CONNECTION_IDLE].oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (may_leave(c))
			mxg_service_drop(s, c);
	}
}

/* Who has been let in, or waits to be, and asks, is answered. */
static void stop(struct mxg_service *s)
{
	if (s->stop_by != 0)
		return;
	mxg_notify("STOPPING=1");
	s->stopped = mxg_monotonic_ms();
	s->stop_by = s->stopped + FRESH_MS + mxg_decider_limit(s->decider) + TICK_MS;
	mxg_admit_stop(s);
}

static void take_signals(struct mxg_service *s)
{
	int number;
	while ((number = mxg_signals_next(s->signals)) != 0) {
		if (number == SIGHUP) {
			mxg_notify("RELOADING=1");
			mxg_decider_reload(s->decider);
			mxg_notify("READY=1");
		} else {
			stop(s);
		}
	}
}

static void drop_late(struct mxg_service *s)
{
	char text[MXG_SOURCE_TEXT_MAX];
	struct mxg_connection *c;
	while ((c = mxg_clients_late(&s->clients, mxg_monotonic_ms())) != NULL) {
		if (mxg_moment_may_tell(&s->late_told))
			mxg_log_error("mxguard: policy: %s left a request or an answer half-way for too long: the "
				      "connection is closed",
				      c->source == NULL ? "a client" : mxg_source_text(c->source, text));
		mxg_service_drop(s, c);
	}
}

/* What many requests at a time have taken stays with malloc(3), where a few that stay stand behind
 * it. */
static void give_back(struct mxg_service *s)
{
	const struct mxg_client_list *lists = s->clients.lists;
	size_t busy = lists[MXG_CONNECTION_AT_WORK].count + lists[MXG_CONNECTION_HALF_WAY].count;
	if (busy > s->most)
		s->most = busy;
	if (s->most < FLOOD || busy > s->most / 8)
		return;
	s->most = busy;
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static int turn_timeout(struct mxg_service *s)
{
	int limit = mxg_clients_count(&s->clients) > 0 ? TICK_MS : -1, own = mxg_decider_timeout(s->decider);
	if (s->stop_by != 0)
		limit = STOP_TICK_MS;
	else if (s->paused_until != 0)
		limit = PAUSE_TICK_MS;
	return own >= 0 && (limit < 0 || own < limit) ? own : limit;
}

/* ---- one turn --------------------------------------------------------------------------------- */

static void take_answers(struct mxg_service *s)
{
	struct mxg_response response = { .kind = MXG_RESPONSE_NOTHING };
	struct mxg_connection *c;
	while ((c = mxg_decider_next(s->decider, &response)) != NULL) {
		mxg_connection_answer(c, &response);
		advance(s, c);
		response.kind = MXG_RESPONSE_NOTHING;
	}
}

/* A connection is in at most one event of a batch; only accepting closes others, so it comes
 * last. */
static void take_events(struct mxg_service *s)
{
	struct mxg_wait_event events[EVENTS];
	int ready[MXG_LISTENERS_MAX], ready_count = 0;
	size_t count = mxg_wait_set_take(&s->set, events, EVENTS);
	for (size_t i = 0; i < count; i++) {
		const struct mxg_listener *listener = as_listener(s, events[i].data);
		if (listener == NULL)
			serve(s, events[i].data, events[i].what);
		else
			ready[ready_count++] = listener->fd;
	}
	for (int i = 0; i < ready_count; i++)
		if (s->stop_by == 0)
			mxg_admit_some(s, ready[i]);
}

static void fill_own(struct mxg_service *s)
{
	bool plain = s->plain != NULL && mxg_connection_wants_read(s->plain);
	s->polled[AT_SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	s->polled[AT_PLAIN] = (struct pollfd){ .fd = plain ? s->plain->in : -1, .events = POLLIN };
}

/* Room for ours and the resolver's; false where memory ran out. */
static bool fill_polled(struct mxg_service *s, size_t *count)
{
	for (;;) {
		size_t room = s->polled_room < OWN_POLLFDS ? 0 : s->polled_room - OWN_POLLFDS;
		size_t needed = mxg_decider_pollfds(s->decider, room == 0 ? NULL : s->polled + OWN_POLLFDS, room);
		if (needed <= room && room > 0) {
			fill_own(s);
			*count = needed + OWN_POLLFDS;
			return true;
		}
		size_t bigger = needed + OWN_POLLFDS + SPARE_POLLFDS;
		struct pollfd *polled = reallocarray(s->polled, bigger, sizeof(*polled));
		if (polled == NULL)
			return false;
		s->polled = polled;
		s->polled_room = bigger;
	}
}

static bool turn(struct mxg_service *s)
{
	size_t count;
	if (!fill_polled(s, &count)) {
		mxg_log_error("mxguard: policy: out of memory");
		return false;
	}
	int ready = mxg_wait_set_poll(&s->set, s->polled, count, turn_timeout(s));
	if (ready < 0 && errno != EINTR) {
		mxg_log_error("mxguard: policy: poll: %s", strerror(errno));
		return false;
	}
	if (ready <= 0)
		for (size_t i = 0; i < count; i++)
			s->polled[i].revents = 0;
	mxg_decider_process(s->decider, s->polled + OWN_POLLFDS, count - OWN_POLLFDS);
	take_answers(s);
	if (s->polled[AT_SET].revents != 0)
		take_events(s);
	if (s->plain != NULL && s->polled[AT_PLAIN].revents != 0)
		serve(s, s->plain, POLLIN);
	if (s->polled[AT_SIGNALS].revents != 0)
		take_signals(s);
	drop_late(s);
	mxg_admit_resume(s);
	give_back(s);
	if (s->stop_by != 0)
		wind_up(s);
	return true;
}

static bool goes_on(const struct mxg_service *s)
{
	bool more = mxg_clients_count(&s->clients) > 0;
	for (size_t i = 0; i < s->options->listener_count; i++)
		more |= s->options->listeners[i].fd >= 0;
	return more && (s->stop_by == 0 || mxg_monotonic_ms() < s->stop_by);
}

/* ---- its life ------------------------------------------------------------------------------------ */

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int mxg_service_block_signals(void)
{
	sigset_t set;
	signal_set(&set);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -1;
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool begin(struct mxg_service *s)
{
	sigset_t set;
	struct stat st;
	signal_set(&set);
	if (!mxg_wait_set_open(&s->set) || (s->signals = mxg_signals_open(&set)) < 0) {
		mxg_log_error("mxguard: policy: cannot begin: %s", strerror(errno));
		return false;
	}
	mxg_admit_watch(s, true);
	if (s->options->listener_count == 0)
		mxg_service_add(s, STDIN_FILENO, STDOUT_FILENO,
				fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode) &&
					fstat(STDOUT_FILENO, &st) == 0 && S_ISSOCK(st.st_mode),
				NULL);
	return true;
}

static void drop_all(struct mxg_service *s)
{
	for (size_t i = 0; i < MXG_CONNECTION_STATES; i++)
		while (s->clients.lists[i].oldest != NULL)
			mxg_service_drop(s, s->clients.lists[i].oldest);
}

int mxg_service_run(const struct mxg_service_options *options, struct mxg_decider *decider)
{
	struct mxg_service s = { .options = options, .decider = decider, .set = MXG_WAIT_SET_NONE, .signals = -1 };
	int status = begin(&s) ? 0 : EX_OSERR;
	if (status == 0)
		mxg_notify("READY=1");
	while (status == 0 && goes_on(&s))
		if (!turn(&s))
			status = EX_OSERR;
	drop_all(&s);
	for (size_t i = 0; i < options->listener_count; i++)
		mxg_listener_close(&options->listeners[i]);
	mxg_wait_set_close(&s.set);
	mxg_signals_close(s.signals);
	free(s.polled);
	return status;
}
