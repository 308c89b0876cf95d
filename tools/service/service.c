/* SPDX-License-Identifier: MIT */
/* The loop. Connections stand in an epoll set; that, the signals and the resolver's few sockets
 * are polled together. */
#include "service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "log.h"
#include "notify.h"

#define EVENTS 256
#define ACCEPTS 64 /* in one turn, so that those who wait are not forgotten */
#define HALF_REQUEST_MS 30000 /* a request that has begun must end by then */
#define TICK_MS 1000
#define SETTLED_MS 500
#define PAUSE_MS 100 /* after accept(2) failed for want of descriptors or memory */
#define SPARE_POLLFDS 16

enum { AT_EPOLL, AT_SIGNALS, AT_PLAIN, OWN_POLLFDS };

struct service {
	const struct mxg_service_options *options;
	struct mxg_decider *decider;
	int epoll, signals;
	struct mxg_connection *oldest, *newest; /* by activity */
	struct mxg_connection *plain; /* stdin that is a pipe or a file: polled by itself, since epoll takes
				       * no files, and tells a pipe's end over and over */
	size_t connections;
	struct pollfd *polled;
	size_t polled_room;
	int64_t paused_until; /* 0: the listeners are watched */
	int64_t stop_by; /* 0: not stopping */
	bool crowded_told;
};

static int64_t monotonic_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the list of connections --------------------------------------------------------- */

static void list_remove(struct service *s, struct mxg_connection *c)
{
	*(c->older != NULL ? &c->older->newer : &s->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &s->newest) = c->older;
	c->older = c->newer = NULL;
}

static void list_append(struct service *s, struct mxg_connection *c)
{
	c->older = s->newest;
	c->newer = NULL;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
}

static void touch(struct service *s, struct mxg_connection *c)
{
	c->active = monotonic_ms();
	if (s->newest == c)
		return;
	list_remove(s, c);
	list_append(s, c);
}

static void drop(struct service *s, struct mxg_connection *c)
{
	if (c->pending != NULL)
		mxg_decider_cancel(s->decider, c->pending);
	if (s->plain == c)
		s->plain = NULL;
	list_remove(s, c);
	s->connections--;
	mxg_connection_free(c); /* closing takes it out of the epoll set, too */
}

/* ---- what is watched -------------------------------------------------------------------- */

static uint32_t wanted(const struct mxg_connection *c)
{
	return (mxg_connection_wants_read(c) ? EPOLLIN : 0U) | (mxg_connection_wants_write(c) ? EPOLLOUT : 0U);
}

static bool watch(struct service *s, struct mxg_connection *c)
{
	struct epoll_event event = { .events = wanted(c), .data.ptr = c };
	c->watched = event.events;
	if (!c->is_socket)
		s->plain = c;
	return !c->is_socket || epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->in, &event) == 0;
}

static void update_watch(struct service *s, struct mxg_connection *c)
{
	struct epoll_event event = { .events = wanted(c), .data.ptr = c };
	if (event.events == c->watched || s->plain == c)
		return;
	c->watched = event.events;
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->in, &event) != 0)
		c->broken = true;
}

/* Goes on with the connection; it may be gone afterwards. */
static void advance(struct service *s, struct mxg_connection *c)
{
	mxg_connection_advance(c, s->decider);
	update_watch(s, c);
	if (mxg_connection_is_done(c) || (s->stop_by != 0 && mxg_connection_is_idle(c)))
		drop(s, c);
}

static void serve(struct service *s, struct mxg_connection *c, uint32_t events)
{
	/* both directions are shut: nobody waits for the answer */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 && (events & EPOLLIN) == 0)
		c->broken = true;
	if ((events & EPOLLIN) != 0) {
		mxg_connection_read(c);
		touch(s, c);
	}
	if ((events & EPOLLOUT) != 0)
		mxg_connection_write(c);
	advance(s, c);
}

/* ---- new connections ----------------------------------------------------------------------- */

static void watch_listeners(struct service *s, bool on)
{
	for (size_t i = 0; i < s->options->listener_count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &s->options->listeners[i] };
		if (s->options->listeners[i].fd >= 0)
			epoll_ctl(s->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->options->listeners[i].fd, &event);
	}
}

static void pause_listeners(struct service *s)
{
	if (s->paused_until == 0)
		watch_listeners(s, false);
	s->paused_until = monotonic_ms() + PAUSE_MS;
}

static void resume_listeners(struct service *s)
{
	if (s->paused_until == 0 || s->stop_by != 0 || monotonic_ms() < s->paused_until)
		return;
	s->paused_until = 0;
	watch_listeners(s, true);
}

/* Nobody is sent away who has only just come, or been answered: his request may be on its way.
 * Nor where one has come that we have not read. */
static bool is_quiet(const struct mxg_connection *c)
{
	char byte;
	return mxg_connection_is_idle(c) && monotonic_ms() - c->active >= SETTLED_MS && c->is_socket &&
	       recv(c->in, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Postfix opens a new connection where an idle one was closed. */
static bool make_room(struct service *s)
{
	if (!s->crowded_told)
		mxg_log_warning("mxguard: policy: there are %zu connections: idle ones are closed for new ones; "
				"--max-connections and LimitNOFILE= may be raised",
				s->connections);
	s->crowded_told = true;
	for (struct mxg_connection *c = s->oldest; c != NULL; c = c->newer) {
		if (is_quiet(c)) {
			drop(s, c);
			return true;
		}
	}
	return false;
}

static void add_connection(struct service *s, int in, int out, bool is_socket)
{
	struct mxg_connection *c = mxg_connection_new(in, out, is_socket);
	if (c == NULL) {
		close(in); /* no reply: the MTA defers */
		return;
	}
	c->active = monotonic_ms();
	list_append(s, c);
	s->connections++;
	if (!watch(s, c))
		drop(s, c);
}

/* False where no more can be taken now. */
static bool accept_one(struct service *s, int listener)
{
	if (s->connections >= s->options->max_connections && !make_room(s)) {
		pause_listeners(s);
		return false;
	}
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		add_connection(s, fd, fd, true);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		if (make_room(s))
			return true;
		pause_listeners(s);
	}
	return errno == ECONNABORTED || errno == EINTR;
}

static void accept_some(struct service *s, int listener)
{
	for (int i = 0; i < ACCEPTS && accept_one(s, listener); i++)
		;
}

static const struct mxg_listener *as_listener(const struct service *s, const void *pointer)
{
	for (size_t i = 0; i < s->options->listener_count; i++)
		if (pointer == &s->options->listeners[i])
			return &s->options->listeners[i];
	return NULL;
}

/* ---- signals and time ------------------------------------------------------------------------ */

/* What clients have already sent is still read and answered. */
static void stop(struct service *s)
{
	if (s->stop_by != 0)
		return;
	mxg_notify("STOPPING=1");
	s->stop_by = monotonic_ms() + mxg_decider_limit(s->decider) + TICK_MS;
	for (size_t i = 0; i < s->options->listener_count; i++)
		mxg_listener_close(&s->options->listeners[i]);
	for (struct mxg_connection *c = s->oldest, *next; c != NULL; c = next) {
		next = c->newer;
		if (c->is_socket && mxg_connection_wants_read(c))
			mxg_connection_read(c);
		advance(s, c);
	}
}

static void take_signals(struct service *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			mxg_notify("RELOADING=1");
			mxg_decider_reload(s->decider);
			mxg_notify("READY=1");
		} else {
			stop(s);
		}
	}
}

/* Oldest first; those behind the first young one are younger still. */
static void drop_half_requests(struct service *s)
{
	int64_t limit = monotonic_ms() - HALF_REQUEST_MS;
	for (struct mxg_connection *c = s->oldest, *next; c != NULL && c->active < limit; c = next) {
		next = c->newer;
		if (c->pending != NULL || mxg_connection_is_idle(c))
			continue;
		mxg_log_error("mxguard: policy: a client left a request or an answer half-way for %d s: it is closed",
			      HALF_REQUEST_MS / 1000);
		drop(s, c);
	}
}

static int turn_timeout(struct service *s)
{
	int limit = s->connections > 0 ? TICK_MS : -1, own = mxg_decider_timeout(s->decider);
	if (s->paused_until != 0)
		limit = PAUSE_MS;
	return own >= 0 && (limit < 0 || own < limit) ? own : limit;
}

/* ---- one turn --------------------------------------------------------------------------------- */

static void take_answers(struct service *s)
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
static void take_events(struct service *s)
{
	struct epoll_event events[EVENTS];
	int ready[MXG_LISTENERS_MAX], ready_count = 0;
	int count = epoll_wait(s->epoll, events, EVENTS, 0);
	for (int i = 0; i < count; i++) {
		const struct mxg_listener *listener = as_listener(s, events[i].data.ptr);
		if (listener == NULL)
			serve(s, events[i].data.ptr, events[i].events);
		else
			ready[ready_count++] = listener->fd;
	}
	for (int i = 0; i < ready_count; i++)
		if (s->stop_by == 0)
			accept_some(s, ready[i]);
}

static void fill_own(struct service *s)
{
	bool plain = s->plain != NULL && mxg_connection_wants_read(s->plain);
	s->polled[AT_EPOLL] = (struct pollfd){ .fd = s->epoll, .events = POLLIN };
	s->polled[AT_SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	s->polled[AT_PLAIN] = (struct pollfd){ .fd = plain ? s->plain->in : -1, .events = POLLIN };
}

/* Room for ours and the resolver's; false where memory ran out. */
static bool fill_polled(struct service *s, size_t *count)
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

static bool turn(struct service *s)
{
	size_t count;
	if (!fill_polled(s, &count)) {
		mxg_log_error("mxguard: policy: out of memory");
		return false;
	}
	int ready = poll(s->polled, (nfds_t)count, turn_timeout(s));
	if (ready < 0 && errno != EINTR) {
		mxg_log_error("mxguard: policy: poll: %s", strerror(errno));
		return false;
	}
	if (ready <= 0)
		for (size_t i = 0; i < count; i++)
			s->polled[i].revents = 0;
	mxg_decider_process(s->decider, s->polled + OWN_POLLFDS, count - OWN_POLLFDS);
	take_answers(s);
	if (s->polled[AT_EPOLL].revents != 0)
		take_events(s);
	if (s->plain != NULL && s->polled[AT_PLAIN].revents != 0)
		serve(s, s->plain, EPOLLIN);
	if (s->polled[AT_SIGNALS].revents != 0)
		take_signals(s);
	drop_half_requests(s);
	resume_listeners(s);
	return true;
}

static bool goes_on(const struct service *s)
{
	if (s->stop_by != 0)
		return s->connections > 0 && monotonic_ms() < s->stop_by;
	return s->options->listener_count > 0 || s->connections > 0;
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

static bool begin(struct service *s)
{
	sigset_t set;
	struct stat st;
	signal_set(&set);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->epoll < 0 || s->signals < 0) {
		mxg_log_error("mxguard: policy: cannot begin: %s", strerror(errno));
		return false;
	}
	watch_listeners(s, true);
	if (s->options->listener_count == 0)
		add_connection(s, STDIN_FILENO, STDOUT_FILENO,
			       fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode) &&
				       fstat(STDOUT_FILENO, &st) == 0 && S_ISSOCK(st.st_mode));
	return true;
}

int mxg_service_run(const struct mxg_service_options *options, struct mxg_decider *decider)
{
	struct service s = { .options = options, .decider = decider, .epoll = -1, .signals = -1 };
	int status = begin(&s) ? 0 : EX_OSERR;
	if (status == 0)
		mxg_notify("READY=1");
	while (status == 0 && goes_on(&s))
		if (!turn(&s))
			status = EX_OSERR;
	while (s.oldest != NULL)
		drop(&s, s.oldest);
	for (size_t i = 0; i < options->listener_count; i++)
		mxg_listener_close(&options->listeners[i]);
	if (s.epoll >= 0)
		close(s.epoll);
	if (s.signals >= 0)
		close(s.signals);
	free(s.polled);
	return status;
}
