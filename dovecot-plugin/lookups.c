/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "lib.h"
#include "array.h"
#include "ioloop.h"

#include "lookups.h"

#include <poll.h>

#define FDS_USUAL 16

struct lookup {
	struct mxguard_check *check;
	lookups_callback_t *callback;
	void *context;
};

struct lookups {
	int refcount;
	struct mxguard_resolver *resolver;
	ARRAY(struct lookup) pending;
	ARRAY(struct io *) ios;
	struct timeout *to;
	bool dispatching;
};

struct lookups *lookups_new(struct mxguard_policy *policy)
{
	struct mxguard_resolver *resolver = NULL;
	mxguard_resolver_new(&resolver, policy);
	struct lookups *lookups;

	if (resolver == NULL)
		return NULL;
	lookups = i_new(struct lookups, 1);
	lookups->refcount = 1;
	lookups->resolver = resolver;
	i_array_init(&lookups->pending, 4);
	i_array_init(&lookups->ios, 4);
	return lookups;
}

/*
 * The resolver may close a socket and open another under the same number while it works, and
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

/* All sockets of the resolver, on the data stack. */
static struct pollfd *sockets(const struct lookups *lookups, size_t *count_r)
{
	size_t room = FDS_USUAL;

	for (;;) {
		struct pollfd *fds = t_new(struct pollfd, room);
		size_t count = mxguard_resolver_pollfds(lookups->resolver, fds, room);

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
	msecs = mxguard_resolver_timeout(lookups->resolver);
	if (msecs >= 0)
		lookups->to = timeout_add_short(I_MAX((unsigned int)msecs, 1), on_event, lookups);
}

static void unref(struct lookups *lookups)
{
	if (--lookups->refcount > 0)
		return;
	array_free(&lookups->pending);
	array_free(&lookups->ios);
	i_free(lookups);
}

void lookups_free(struct lookups **_lookups)
{
	struct lookups *lookups = *_lookups;

	*_lookups = NULL;
	if (lookups == NULL)
		return;
	detach(lookups);
	array_clear(&lookups->pending);
	mxguard_resolver_free(lookups->resolver);
	lookups->resolver = NULL;
	unref(lookups);
}

static bool take_pending(struct lookups *lookups, const struct mxguard_check *check, struct lookup *lookup_r)
{
	const struct lookup *lookup;
	unsigned int count;

	lookup = array_get(&lookups->pending, &count);
	for (unsigned int i = 0; i < count; i++) {
		if (lookup[i].check != check)
			continue;
		*lookup_r = lookup[i];
		array_delete(&lookups->pending, i, 1);
		return TRUE;
	}
	return FALSE;
}

/* The resolver is not on the stack here, so a callback may do with it what it likes. */
static void dispatch(struct lookups *lookups)
{
	struct mxguard_check *check;
	struct lookup lookup;

	if (lookups->dispatching)
		return;
	lookups->dispatching = TRUE;
	lookups->refcount++;
	while (lookups->resolver != NULL && (check = mxguard_resolver_next(lookups->resolver)) != NULL)
		if (take_pending(lookups, check, &lookup))
			lookup.callback(lookup.context);
	lookups->dispatching = FALSE;
	if (lookups->resolver != NULL)
		attach(lookups);
	unref(lookups);
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
		(void)mxguard_resolver_process(lookups->resolver, fds, count);
	}
	T_END;
	dispatch(lookups);
}

int lookups_start(struct lookups *lookups, struct mxguard_check *check, lookups_callback_t *callback, void *context)
{
	struct lookup lookup = { .check = check, .callback = callback, .context = context };
	int progress;

	detach(lookups);
	progress = mxguard_resolver_start(lookups->resolver, check, -1);
	if (progress == MXGUARD_PROGRESS_NEED_DNS)
		array_push_back(&lookups->pending, &lookup);
	else
		mxguard_resolver_cancel(lookups->resolver, check);
	attach(lookups);
	return progress;
}

void lookups_cancel(struct lookups *lookups, struct mxguard_check *check)
{
	struct lookup lookup;

	if (!take_pending(lookups, check, &lookup))
		return;
	detach(lookups);
	mxguard_resolver_cancel(lookups->resolver, check);
	attach(lookups);
}
