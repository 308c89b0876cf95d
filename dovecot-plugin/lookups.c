/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"

#include "lookups.h"

#include <poll.h>

#define FDS_USUAL 16

struct lookups {
	struct lookups *next;
	char *config;
	struct mxguard_session *session;
	lookups_callback_t *callback;
	ARRAY(struct io *) ios;
	struct timeout *to;
	bool dispatching;
};

static struct lookups *all; /* one a configuration file */

/*
 * The session may close a socket and open another under the same number while it works, and
 * the ioloop must never hold one that is closed: so all are taken out before every call, and
 * those that it has afterwards are put in.
 */
static void detach(struct lookups *lookups)
{
	struct io **io;

	array_foreach_modifiable(&lookups->ios, io)
		io_remove(io);
	array_clear(&lookups->ios);
	timeout_remove(&lookups->to);
}

static void on_event(struct lookups *lookups);

static void attach_fd(struct lookups *lookups, const struct pollfd *fd)
{
	struct io *io;

	if ((fd->events & POLLIN) != 0) {
		io = io_add(fd->fd, IO_READ, on_event, lookups);
		array_push_back(&lookups->ios, &io);
	}
	if ((fd->events & POLLOUT) != 0) {
		io = io_add(fd->fd, IO_WRITE, on_event, lookups);
		array_push_back(&lookups->ios, &io);
	}
}

/* All sockets of the session, on the data stack. */
static struct pollfd *sockets(const struct lookups *lookups, size_t *count_r)
{
	size_t room = FDS_USUAL;

	for (;;) {
		struct pollfd *fds = t_new(struct pollfd, room);
		size_t count = mxguard_session_pollfds(lookups->session, fds, room);

		if (count <= room) {
			*count_r = count;
			return fds;
		}
		room = count;
	}
}

static void attach(struct lookups *lookups)
{
	int msecs;

	detach(lookups);
	T_BEGIN
	{
		size_t count;
		const struct pollfd *fds = sockets(lookups, &count);

		for (size_t i = 0; i < count; i++)
			attach_fd(lookups, &fds[i]);
	}
	T_END;
	msecs = mxguard_session_timeout(lookups->session);
	if (msecs >= 0)
		lookups->to = timeout_add_short(I_MAX((unsigned int)msecs, 1), on_event, lookups);
}

/* The session is not on the stack here, so a callback may do with it what it likes. */
static void dispatch(struct lookups *lookups)
{
	void *user;

	if (lookups->dispatching)
		return;
	lookups->dispatching = TRUE;
	while (mxguard_session_next(lookups->session, &user) != NULL)
		lookups->callback(user);
	lookups->dispatching = FALSE;
	attach(lookups);
}

static void on_event(struct lookups *lookups)
{
	T_BEGIN
	{
		size_t count;
		struct pollfd *fds = sockets(lookups, &count);

		if (poll(fds, count, 0) <= 0)
			count = 0;
		detach(lookups);
		(void)mxguard_session_process(lookups->session, fds, count);
	}
	T_END;
	dispatch(lookups);
}

int lookups_check(struct lookups *lookups, struct mxguard_check **check_r)
{
	int ret;

	detach(lookups);
	ret = mxguard_session_check(lookups->session, check_r, 0);
	attach(lookups);
	return ret;
}

void lookups_release(struct lookups *lookups, struct mxguard_check *check)
{
	detach(lookups);
	mxguard_session_release(lookups->session, check);
	attach(lookups);
}

int lookups_start(struct lookups *lookups, struct mxguard_check *check, void *user)
{
	int progress;

	detach(lookups);
	progress = mxguard_session_start(lookups->session, check, -1, user);
	attach(lookups);
	return progress;
}

void lookups_cancel(struct lookups *lookups, struct mxguard_check *check)
{
	detach(lookups);
	mxguard_session_cancel(lookups->session, check);
	attach(lookups);
}

struct mxguard_session *lookups_session(struct lookups *lookups)
{
	return lookups->session;
}

struct lookups *lookups_get(const char *config, lookups_callback_t *callback)
{
	struct lookups *lookups;
	struct mxguard_session *session;

	for (lookups = all; lookups != NULL; lookups = lookups->next)
		if (strcmp(lookups->config, config) == 0)
			return lookups;
	if (mxguard_session_open(&session, config,
				 MXGUARD_SESSION_FLAG_FOLLOW_CONFIG | MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG, NULL,
				 0) < 0)
		return NULL;
	lookups = i_new(struct lookups, 1);
	lookups->config = i_strdup(config);
	lookups->session = session;
	lookups->callback = callback;
	i_array_init(&lookups->ios, 4);
	lookups->next = all;
	all = lookups;
	return lookups;
}

void lookups_deinit(void)
{
	while (all != NULL) {
		struct lookups *lookups = all;

		all = lookups->next;
		detach(lookups);
		mxguard_session_free(lookups->session);
		array_free(&lookups->ios);
		i_free(lookups->config);
		i_free(lookups);
	}
}
