/* SPDX-License-Identifier: MIT */
/* One thread, one poll(2): smtpd's lines in, ours out, DNS, signals. Nothing here waits for anything
 * else. */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../service/log.h"
#include "../service/signals.h"
#include "events.h"

#define LINE_MOST (256u * 1024) /* smtpd's own limit for a line of a message is 64 KiB */
#define WAITING_MOST (8u << 20) /* when smtpd does not take what we say, we do not take what it says */
#define OWN_FDS 3
#define DNS_FDS 1024

struct input {
	char bytes[LINE_MOST + 1];
	size_t length;
	bool skipping; /* the rest of a line that is too long */
	bool ended;
};

struct loop {
	struct mxg_desk *desk;
	struct input input;
	struct mxg_filter_output out;
	struct mxg_filter_events events;
	struct pollfd fds[OWN_FDS + DNS_FDS];
	int signals;
	bool stop;
};

/* ---- input --------------------------------------------------------------------------------------- */

static size_t take_lines(struct loop *l)
{
	struct input *in = &l->input;
	size_t at = 0;
	char *end;
	while ((end = memchr(in->bytes + at, '\n', in->length - at)) != NULL) {
		size_t length = (size_t)(end - in->bytes) - at;
		if (!in->skipping)
			mxg_filter_take_line(&l->events, in->bytes + at, length);
		in->skipping = false;
		at += length + 1;
	}
	return at;
}

/* A session of which a line was lost is given up. */
static void skip_long_line(struct loop *l)
{
	struct input *in = &l->input;
	if (in->length < LINE_MOST)
		return;
	if (!in->skipping)
		mxg_filter_take_broken(&l->events, in->bytes, in->length);
	in->skipping = true;
	in->length = 0;
}

static void read_input(struct loop *l)
{
	struct input *in = &l->input;
	size_t room = in->length < LINE_MOST ? LINE_MOST - in->length : 0; /* never 0; gcc 14 cannot know */
	ssize_t n = read(STDIN_FILENO, in->bytes + in->length, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		in->ended = true;
		return;
	}
	in->length += (size_t)n;
	size_t taken = take_lines(l);
	memmove(in->bytes, in->bytes + taken, in->length - taken);
	in->length -= taken;
	skip_long_line(l);
}

/* ---- signals ------------------------------------------------------------------------------------- */

static int open_signals(void)
{
	sigset_t wanted;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &wanted, NULL) != 0)
		return -1;
	return mxg_signals_open(&wanted);
}

static void take_signals(struct loop *l)
{
	int number;
	while ((number = mxg_signals_next(l->signals)) != 0) {
		if (number == SIGHUP)
			mxg_desk_reload(l->desk);
		else
			l->stop = true;
	}
}

/* ---- the loop ------------------------------------------------------------------------------------ */

static size_t prepare(struct loop *l)
{
	bool full = mxg_filter_output_waiting(&l->out) > WAITING_MOST;
	l->fds[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = full ? 0 : POLLIN };
	l->fds[1] =
		(struct pollfd){ .fd = STDOUT_FILENO, .events = mxg_filter_output_waiting(&l->out) > 0 ? POLLOUT : 0 };
	l->fds[2] = (struct pollfd){ .fd = l->signals, .events = POLLIN };
	size_t count = mxguard_session_pollfds(mxg_desk_session(l->desk), l->fds + OWN_FDS, DNS_FDS);
	return count < DNS_FDS ? count : DNS_FDS;
}

static void turn(struct loop *l)
{
	struct mxguard_session *session = mxg_desk_session(l->desk);
	size_t dns = prepare(l);
	int ready = poll(l->fds, OWN_FDS + dns, mxguard_session_timeout(session));
	if (ready < 0 && errno != EINTR) {
		l->out.broken = true;
		return;
	}
	if (ready < 0)
		return;
	(void)mxguard_session_process(session, l->fds + OWN_FDS, dns);
	mxg_filter_take_decisions(&l->events);
	take_signals(l);
	if (l->fds[0].events != 0 && l->fds[0].revents != 0)
		read_input(l);
	else if ((l->fds[0].revents & (POLLHUP | POLLERR)) != 0)
		l->input.ended = true;
	mxg_filter_output_write(&l->out, STDOUT_FILENO);
}

static bool unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static int serve(struct loop *l)
{
	while (!l->stop && !l->input.ended && !l->out.broken)
		turn(l);
	if (!l->out.broken)
		return 0;
	mxg_log_error("mxguard: smtpd-filter: cannot go on: smtpd does not take our answers, or there is no memory");
	return EX_OSERR;
}

int mxg_filter_run(struct mxg_desk *desk, enum mxguard_place relayed)
{
	int status = EX_OSERR;
	struct loop *l = calloc(1, sizeof(*l));
	if (l != NULL) {
		l->desk = desk;
		l->signals = open_signals();
		l->events = (struct mxg_filter_events){
			.desk = desk, .relayed = relayed, .sessions = mxg_filter_sessions_new(), .out = &l->out
		};
	}
	if (l == NULL || l->events.sessions == NULL || l->signals < 0 || !unblock(STDIN_FILENO) ||
	    !unblock(STDOUT_FILENO))
		mxg_log_error("mxguard: smtpd-filter: cannot be set up");
	else
		status = serve(l);
	if (l != NULL) {
		mxg_filter_sessions_free(l->events.sessions);
		mxg_filter_output_free(&l->out);
		mxg_signals_close(l->signals);
	}
	free(l);
	mxg_filter_copies_end();
	mxg_desk_free(desk);
	return status;
}
