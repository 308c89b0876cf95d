/* SPDX-License-Identifier: MIT */
#ifndef MXG_WAIT_SET_H
#define MXG_WAIT_SET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* Many descriptors that are waited for at once; `what` is POLLIN and POLLOUT, and tells POLLHUP and POLLERR as
 * poll(2). */
struct mxg_wait_set {
	int epoll; /* where the system has it; otherwise what follows */
	struct pollfd *fds;
	void **data; /* beside fds */
	size_t count, room, next;
	int *places; /* by descriptor: 1 + where it stands in fds; 0: nowhere */
	size_t place_room;
};

struct mxg_wait_event {
	void *data;
	short what;
};

#define MXG_WAIT_SET_NONE \
	{ \
		.epoll = -1 \
	}

bool mxg_wait_set_open(struct mxg_wait_set *set);
void mxg_wait_set_close(struct mxg_wait_set *set);
bool mxg_wait_set_add(struct mxg_wait_set *set, int fd, short what, void *data);
bool mxg_wait_set_change(struct mxg_wait_set *set, int fd, short what, void *data);
void mxg_wait_set_remove(struct mxg_wait_set *set, int fd);
void mxg_wait_set_forget(struct mxg_wait_set *set, int fd); /* which is to be closed at once */

/* As poll(2), for the set and POLLED together; polled[0] is the set's own, and is filled in here. */
int mxg_wait_set_poll(struct mxg_wait_set *set, struct pollfd *polled, size_t count, int timeout);
/* What of the set is ready, each descriptor at most once; after polled[0].revents was not 0. */
size_t mxg_wait_set_take(struct mxg_wait_set *set, struct mxg_wait_event *events, size_t room);

#endif
